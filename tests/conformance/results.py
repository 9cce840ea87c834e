"""What the suite's output says of each test: does no I/O.

The output is that of `go test -v=test2json`: lines that begin with a marker byte say which test runs, and how one
ended; all other lines belong to the test named last. Of a test that failed, what was said last before its first failing
subtest gave up is why.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

MARK = "\x16"

_BEGINS = re.compile(r"=== (?:RUN|NAME|CONT)\s+TestConformance(?:/(\S+))?$")
_ENDS = re.compile(r"--- (PASS|FAIL|SKIP): TestConformance/(\S+) \(([\d.]+)s\)$")
_SAID = re.compile(r"^\s+\w+\.go:\d+: (?:\d{4}-\d\d-\d\dT\S+: )?(.*)$")
_FIELD = re.compile(r"^\s+(Error|Messages):\s+(.*)$")
_EVERY_TIME = re.compile(r"^.* not ready yet: | \(after [\w.]+\)$")
_NO_REASON = re.compile(
    r"^(?:timeout while waiting after|Received unexpected error|Condition never satisfied|Deleting )"
)

LONGEST = 240
"""Characters of a reason."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """How a test of the suite, not a subtest, ended."""

    name: str
    outcome: Outcome
    seconds: float
    why: str = ""
    """Why it failed or was skipped."""


@dataclass(slots=True)
class _Run:
    said: dict[str, list[str]] = field(default_factory=dict)
    """By subtest, '' for the test itself: what may be why it failed."""
    why: str = ""


class Reader:
    """Reads the output line by line."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._test = ""
        self._subtest = ""

    def read(self, line: str) -> Result | None:
        """The result of the test that ends with this line."""
        text = line.rstrip("\n")
        if not text.startswith(MARK):
            _take(self._runs.setdefault(self._test, _Run()), self._subtest, text)
        elif begins := _BEGINS.match(text[1:]):
            self._test, _, self._subtest = (begins[1] or "").partition("/")
        elif ends := _ENDS.match(text[1:]):
            self._test, _, self._subtest = ends[2].partition("/")
            return self._end(ends[1], float(ends[3]))
        return None

    def _end(self, how: str, seconds: float) -> Result | None:
        run = self._runs.setdefault(self._test, _Run())
        if how != "PASS" and not run.why:
            run.why = _reason(run, self._subtest)
        if self._subtest:
            return None
        outcome = {"PASS": Outcome.PASSED, "FAIL": Outcome.FAILED, "SKIP": Outcome.SKIPPED}[how]
        why = "" if outcome is Outcome.PASSED else run.why
        return Result(self._test, outcome, seconds, why)


def results(lines: Iterable[str]) -> list[Result]:
    """The results of a whole output."""
    reader = Reader()
    return [result for line in lines if (result := reader.read(line)) is not None]


def _take(run: _Run, subtest: str, line: str) -> None:
    if found := _SAID.match(line):
        if text := found[1].strip():
            run.said.setdefault(subtest, []).append(text)
    elif found := _FIELD.match(line):
        run.said.setdefault(subtest, []).append(found[2].strip())


def _reason(run: _Run, subtest: str) -> str:
    """The last things said that tell something: with what an assertion says of itself, what was seen before it."""
    told = [_EVERY_TIME.sub("", text) for text in run.said.get(subtest, ()) if not _NO_REASON.match(text)]
    last = list(dict.fromkeys(reversed(told)))[:2]
    name = subtest.replace("_", " ")
    why = "; ".join(reversed(last)) or "no reason given"
    text = f"{name}: {why}" if name else why
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
