"""`python -m perf.leader_trials`: run the trials, print their table. Exit code 1 if any write of any world was late."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

import anyio

from perf.leader_trials.options import Options, plan
from perf.leader_trials.report import report
from perf.leader_trials.trials import Outcome, Trial, run


async def _all(options: Sequence[Options]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    total = sum(len(one.trials) for one in options)
    done = 0

    def tell(trial: Trial) -> None:
        nonlocal done
        done += 1
        late = f"LATE: {trial.late}" if trial.late else "no late write"
        print(
            f"{done}/{total} {trial.first} stopped {trial.moment}: taken over after {trial.taken_over:.1f} s, "
            f"exit code {trial.exit_code}, {late}",
            file=sys.stderr,
            flush=True,
        )

    async def one(chosen: Options) -> None:
        outcomes.append(await run(chosen, tell))

    async with anyio.create_task_group() as tasks:
        for chosen in options:
            tasks.start_soon(one, chosen)
    return outcomes


def main() -> int:
    """Exit code 1 if a write was late."""
    parser = argparse.ArgumentParser(
        prog="python -m perf.leader_trials", description="Stop leaders while they write, and look for late writes."
    )
    parser.add_argument("--random", type=int, default=150, help="trials that stop the leader at a random moment")
    parser.add_argument("--connecting", type=int, default=20, help="… when a write has its connection")
    parser.add_argument("--sending", type=int, default=50, help="… between the last check of a write and its bytes")
    parser.add_argument(
        "--worlds",
        type=int,
        default=2,
        help="pairs of replicas at a time (default 2); the first and every other one has TLS to VPC Lattice",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-deadman", action="store_true", help="a control: this has to show late writes")
    flags = parser.parse_args()
    moments = plan(flags.random, flags.connecting, flags.sending, flags.seed)
    options = [
        Options(
            moments[index :: flags.worlds],
            seed=flags.seed + index,
            deadman=not flags.without_deadman,
            tls=index % 2 == 0,
        )
        for index in range(flags.worlds)
    ]
    began = time.monotonic()
    outcomes = asyncio.run(_all(options))
    print(report(outcomes, time.monotonic() - began))
    return int(any(outcome.late for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
