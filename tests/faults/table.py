"""Every fault at every call of every scenario: `python -m tests.faults.table`, which is `make faults`.

Prints how many injections there were of each fault in each scenario, the worst number of calls beyond those of the run
without a fault, what failed, what is left out, and the time that all took. Arguments: a word that names of scenarios or
faults must have. Green means that something was injected, that it struck, and that nothing failed.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field

import anyio

from tests.faults.changes import CHANGES
from tests.faults.haste import hurried, settle_memory
from tests.faults.injection import FAULTS, Point
from tests.faults.runs import EXTRA_CALLS, TRIES, Run, fitting, inject, run
from tests.faults.scenarios import STORIES

SCENARIOS = (*STORIES, *CHANGES)

MISSED_MOST = 0.005
"""Which part of the injections may be at calls that do not come up again, however often they are waited for: calls run
side by side, and which of two that do the same comes first decides whether the other is needed."""

PORTION = 5
"""Injections that one process makes before it gets others."""

_haste = ExitStack()


@dataclass
class Cell:
    """The injections of one fault in one scenario."""

    injections: int = 0
    missed: list[Point] = field(default_factory=list)
    """Where the call did not come up again, so that nothing was injected."""
    worst: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Cell") -> None:
        self.injections += other.injections
        self.missed += other.missed
        self.worst = max(self.worst, other.worst)
        self.failures += other.failures

    def __str__(self) -> str:
        return f"{self.injections}!{len(self.failures)}" if self.failures else str(self.injections or "·")


Place = tuple[int, int]
"""The numbers of a scenario and of a fault."""


def _ready() -> None:
    """Make a process ready for many runs, once."""
    logging.disable(logging.CRITICAL)
    _haste.enter_context(hurried())
    anyio.run(run, SCENARIOS[0])
    settle_memory()


def _baseline(scenario: int) -> Run:
    return anyio.run(run, SCENARIOS[scenario])


def _portion(scenario: int, fault: int, points: list[Point], calls: int) -> Cell:
    cell = Cell()
    for point in points:
        try:
            result = anyio.run(inject, SCENARIOS[scenario], FAULTS[fault], point, calls)
        except Exception as error:  # noqa: BLE001 - whatever it is, the table tells it and goes on
            cell.failures.append(f"{point}: {str(error) or type(error).__name__}")
            cell.injections += 1
            continue
        if result.struck:
            cell.injections += 1
            cell.worst = max(cell.worst, result.calls - calls)
        else:
            cell.missed.append(point)
    return cell


def _chosen(word: str) -> Iterator[Place]:
    for scenario, one in enumerate(SCENARIOS):
        for fault, other in enumerate(FAULTS):
            apt = one.only in other.name and other.where in one.name
            if apt and (word in one.name or word in other.name):
                yield scenario, fault


def main(word: str = "") -> int:
    """Returns the exit status: 1 where anything failed, or too little was injected."""
    began = time.monotonic()
    cells: dict[Place, Cell] = {}
    chosen = list(_chosen(word))
    with ProcessPoolExecutor(max_workers=2 * (os.cpu_count() or 1), initializer=_ready) as pool:
        numbers = sorted({scenario for scenario, _ in chosen})
        baselines = dict(zip(numbers, pool.map(_baseline, numbers), strict=True))
        working: dict[Future[Cell], Place] = {}
        for scenario, fault in chosen:
            points = fitting(SCENARIOS[scenario], FAULTS[fault], baselines[scenario].points)
            for first in range(0, len(points), PORTION):
                portion = points[first : first + PORTION]
                done = pool.submit(_portion, scenario, fault, portion, baselines[scenario].calls)
                working[done] = scenario, fault
        for number, done in enumerate(as_completed(working), start=1):
            scenario, fault = working[done]
            cell = done.result()
            cells.setdefault((scenario, fault), Cell()).add(cell)
            for text in cell.failures:
                print(f"\nFAILED: {SCENARIOS[scenario].name}, {FAULTS[fault].name}, {text}", flush=True)
            print(f"\r{number} of {len(working)}", end="", file=sys.stderr, flush=True)
    _print(cells, baselines)
    status = judged(cells)
    print(f"took {time.monotonic() - began:.0f} s")
    return status


def judged(cells: dict[Place, Cell]) -> int:
    """The exit status; tells why."""
    injections = sum(cell.injections for cell in cells.values())
    missed = [(place, point) for place, cell in cells.items() for point in cell.missed]
    failures = sum(len(cell.failures) for cell in cells.values())
    print(f"\n{injections} injections that struck; {failures} failed")
    for (scenario, fault), point in missed:
        print(f"not injected, {TRIES} times: {SCENARIOS[scenario].name}, {FAULTS[fault].name}, {point}")
    if cells:
        (scenario, fault), cell = max(cells.items(), key=lambda entry: entry[1].worst)
        where = f"{SCENARIOS[scenario].name}, {FAULTS[fault].name}"
        print(f"worst: {cell.worst} calls more than without a fault ({where})")
    print(f"allowed are {EXTRA_CALLS} more for a fault, and after a crash those of a new start")
    never = [place for place, cell in cells.items() if not cell.injections]
    for scenario, fault in never:
        print(f"FAILED: {FAULTS[fault].name} never struck in {SCENARIOS[scenario].name}")
    too_few = injections == 0
    too_many_missed = len(missed) > MISSED_MOST * (injections + len(missed))
    if too_few:
        print("FAILED: nothing was injected")
    if too_many_missed:
        print(f"FAILED: {len(missed)} faults were not injected; {MISSED_MOST:.0%} may be")
    return int(bool(failures) or bool(never) or too_few or too_many_missed)


def _print(cells: dict[Place, Cell], baselines: dict[int, Run]) -> None:
    print("\nScenarios, with the calls that they take without a fault:\n")
    for number, baseline in baselines.items():
        scenario = SCENARIOS[number]
        only = f"; only {scenario.only!r}: {scenario.why_only}" if scenario.only else ""
        print(f"{number + 1:3}  {scenario.name} ({baseline.calls} calls{only})")
    print(
        "\nTo crash is to be cancelled, so that finally blocks run; in the scenarios called SIGKILL it is that signal."
    )
    columns = list(baselines)
    for first in range(0, len(columns), 20):
        part = columns[first : first + 20]
        print("\n" + " " * 36 + "".join(f"{number + 1:>5}" for number in part))
        for fault, injected in enumerate(FAULTS):
            row = [str(cells.get((number, fault), Cell())) for number in part]
            if any(entry != "·" for entry in row):
                print(f"{injected.name:36}" + "".join(f"{entry:>5}" for entry in row))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
