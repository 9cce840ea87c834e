"""What came of the trials, as a table in Markdown. Pure."""

import statistics
from collections.abc import Iterator, Sequence

from perf.leader_trials.options import MOMENTS
from perf.leader_trials.trials import Outcome

_COLUMNS = (
    "leader stopped",
    "trials",
    "taken over after (most)",
    "stopped for",
    "ended by the kernel (14)",
    "ended by itself (1)",
    "writes of the successor",
    "late writes of the first",
)


def report(outcomes: Sequence[Outcome], seconds: float) -> str:
    """The table, and a sentence on all writes, whose lateness is what decides; `seconds` is what it all took."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in _rows(outcomes)]
    late = [write for outcome in outcomes for write in outcome.late]
    lines.append("")
    lines.append(
        f"{sum(outcome.writes for outcome in outcomes)} writes in {seconds:.0f} s, all judged, in and between trials: "
        f"{len(late)} late; the closest arrived {min(outcome.closest for outcome in outcomes):.2f} s before its lease "
        f"ran out; {sum(outcome.repeated for outcome in outcomes)} trials repeated because the leader changed by "
        f"itself; {sum(outcome.tls for outcome in outcomes)} of {len(outcomes)} worlds with TLS to VPC Lattice."
    )
    lines += [f"- LATE: {write.operation} of {write.by} at {write.at:.3f}" for write in late]
    return "\n".join(lines)


def _rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[object, ...]]:
    trials = [trial for outcome in outcomes for trial in outcome.trials]
    for moment in (*MOMENTS, "all"):
        some = [trial for trial in trials if moment in (trial.moment, "all")]
        if some:
            taken = [trial.taken_over for trial in some]
            codes = [trial.exit_code for trial in some]
            yield (
                moment,
                len(some),
                f"{statistics.median(taken):.1f} s ({max(taken):.1f} s)",
                f"{statistics.median(trial.stopped for trial in some):.1f} s",
                codes.count(14),
                codes.count(1),
                sum(trial.others for trial in some),
                sum(len(trial.late) for trial in some),
            )
