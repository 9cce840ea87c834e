"""`docs/conformance/README.md`, made of results and citations: pure.

It has the form that the Gateway API's folder of reports asks for, a table of reports and how to reproduce them, and
beside that how many core tests are passed, which are not and why, and all others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.conformance.citations import CORE, PROFILES, Catalogue, Citation, core_of, is_core
from tests.conformance.results import Outcome, Result

OTHERS = {
    "AWS Gateway API Controller v2.0.1, Gateway API v1.4.0": (10, 33),
    "AWS Load Balancer Controller, Gateway API v1.6.1": (26, 38),
}
"""What two other controllers publish for GATEWAY-HTTP: core tests passed, of how many."""

_INTRODUCTION = """\
# Gateway API conformance

What the Gateway API's own [conformance suite](https://gateway-api.sigs.k8s.io/concepts/conformance/) {suite} says of
this controller. This page and the report are written by `make conformance`.

## Table of contents
"""

_REPRODUCE = """
## Reproduce

```sh
make conformance
```

It needs Linux, Go, kubectl, and the right to listen on ports below 1024 of a loopback address; no cluster, no AWS
account and no container engine. Go builds the suite, its backends and a Kubernetes API server from their modules. The
controller runs as the command `lattice-controller run` with the rights that [deploy/](../../deploy) grants, those to
import certificates included. VPC Lattice is the sandbox's: its [API](../sandbox-lattice.md), and a
[data plane](../sandbox-dataplane.md) that does what AWS's documentation says, each capability with its citation. The
suite is unchanged, with its own time-outs, and rests five seconds between two tests. It finds the data plane by the
address in a Gateway's status, which a resolver knows as the VPC's does. A service network is made beforehand for each
of the suite's Gateways, as a user does it; the [quotas](https://docs.aws.amazon.com/vpc-lattice/latest/ug/quotas.html)
are the defaults but for two that AWS adjusts on request, service networks and listeners of a service.
"""

_RULED_OUT = """\
## Ruled out by VPC Lattice

Each core test that is not passed, with the page of AWS's documentation that rules it out. `make conformance` runs these
tests, too, and fails if one of them passes.
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a page tells."""

    suite: str
    """The suite's version."""
    version: str
    """The controller's."""
    channel: str
    report: str
    """File name of the report."""
    results: Mapping[str, Result]
    cited: Mapping[str, Citation]
    catalogue: Catalogue
    claimed: frozenset[str]
    """Features that the GatewayClass names."""

    def outcome(self, test: str) -> Outcome:
        result = self.results.get(test)
        return Outcome.SKIPPED if result is None else result.outcome

    def passed(self, tests: Iterable[str]) -> list[str]:
        return [test for test in tests if self.outcome(test) is Outcome.PASSED]


def page(summary: Summary) -> str:
    """The page as Markdown."""
    return "\n".join(
        [
            *_head(summary),
            *_counts(summary),
            *_ruled_out(summary),
            *_defects(summary),
            *_extended(summary),
            *_all(summary),
        ]
    )


def counts(summary: Summary) -> list[tuple[str, int, int, int]]:
    """Profile, and of its core tests: passed, ruled out, all."""
    found = []
    for profile in PROFILES:
        tests = core_of(profile, summary.catalogue)
        cited = [test for test in tests if test in summary.cited]
        found.append((profile, len(summary.passed(tests)), len(cited), len(tests)))
    return found


def _head(summary: Summary) -> list[str]:
    version = f"[{summary.version}](../../README.md)"
    row = [summary.channel, version, "default", f"[{summary.version} report]({summary.report})"]
    table = _table(["API channel", "Implementation version", "Mode", "Report"], [row])
    return [_INTRODUCTION.format(suite=summary.suite), *table, _REPRODUCE]


def _counts(summary: Summary) -> list[str]:
    rows = [
        [profile, str(passed), str(cited), str(total - passed - cited), str(total)]
        for profile, passed, cited, total in counts(summary)
    ]
    table = _table(["profile", "passed", "ruled out by VPC Lattice", "failed", "all"], rows)
    others = ", ".join(f"{name}: {passed} of {total}" for name, (passed, total) in OTHERS.items())
    told = "Tests of what the profiles share count in each. For comparison, what others publish for GATEWAY-HTTP:"
    return ["## Core tests", "", *table, "", f"{told} {others}.", ""]


def _ruled_out(summary: Summary) -> list[str]:
    rows = []
    for test, citation in sorted(summary.cited.items()):
        told = " ".join(f"[{page.title}]({page.url}): {page.says}" for page in citation.pages)
        rows.append([test, citation.needs, told])
    return [_RULED_OUT, *_table(["test", "asks for", "documented"], rows), ""]


def _defects(summary: Summary) -> list[str]:
    failed = [
        [test, result.why]
        for test, result in sorted(summary.results.items())
        if result.outcome is Outcome.FAILED and test not in summary.cited
    ]
    if not failed:
        return []
    return ["## Defects", "", "These fail, and nothing rules them out.", "", *_table(["test", "why"], failed), ""]


def _extended(summary: Summary) -> list[str]:
    rows = []
    for feature in sorted(summary.claimed - CORE):
        tests = [test for test, features in summary.catalogue.items() if feature in features]
        ran = [test for test in tests if summary.outcome(test) is not Outcome.SKIPPED]
        rows.append([feature, f"{len(summary.passed(ran))} of {len(ran)}", ", ".join(ran) or "none in the suite"])
    if not rows:
        return []
    told = "Features that the GatewayClass names in `status.supportedFeatures`, and their tests."
    return ["## Extended features", "", told, "", *_table(["feature", "passed", "tests"], rows), ""]


def _all(summary: Summary) -> list[str]:
    rows = []
    for test, features in sorted(summary.catalogue.items()):
        outcome = summary.outcome(test)
        if outcome is not Outcome.SKIPPED:
            told = "ruled out" if test in summary.cited and outcome is Outcome.FAILED else str(outcome)
            kind = "core" if is_core(test, summary.catalogue) else "extended"
            rows.append([test, kind, ", ".join(sorted(features)), told])
    return ["## All tests", "", *_table(["test", "support", "features", "result"], rows), ""]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
