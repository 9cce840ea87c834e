"""Every fault at every call of every scenario: `python -m tests.faults.table`, which is `make faults`.

Prints how many injections there were of each fault in each scenario, the worst number of calls beyond those of the run
without a fault, what failed, and the time that all took. Arguments: a word that names of scenarios or faults must have.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

import anyio

from tests.faults.injection import FAULTS, Point, fitting
from tests.faults.runs import EXTRA_CALLS, Run, hurried, inject, run
from tests.faults.scenarios import SCENARIOS


@dataclass
class Cell:
    """The injections of one fault in one scenario."""

    injections: int = 0
    missed: int = 0
    """How often the call did not come up again, so that nothing was injected."""
    worst: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.injections}!{len(self.failures)}" if self.failures else str(self.injections or "·")


def _baseline(scenario: int) -> Run:
    logging.disable(logging.CRITICAL)
    with hurried():
        return anyio.run(run, SCENARIOS[scenario])


def _cell(scenario: int, fault: int, points: list[Point], calls: int) -> Cell:
    logging.disable(logging.CRITICAL)
    cell = Cell()
    with hurried():
        for point in points:
            cell.injections += 1
            try:
                result = anyio.run(inject, SCENARIOS[scenario], FAULTS[fault], point, calls)
            except Exception as error:  # noqa: BLE001 - whatever it is, the table tells it and goes on
                cell.failures.append(f"{point}: {error or type(error).__name__}")
            else:
                cell.missed += not result.struck
                cell.worst = max(cell.worst, result.calls - calls)
    return cell


def _chosen(word: str) -> Iterator[tuple[int, int]]:
    for scenario, one in enumerate(SCENARIOS):
        for fault, other in enumerate(FAULTS):
            if word in one.name or word in other.name:
                yield scenario, fault


def main(word: str = "") -> int:
    """Returns the exit status: 1 where anything failed."""
    began = time.monotonic()
    cells: dict[tuple[int, int], Cell] = {}
    chosen = list(_chosen(word))
    with ProcessPoolExecutor(max_workers=2 * (os.cpu_count() or 1)) as pool:
        numbers = sorted({scenario for scenario, _ in chosen})
        baselines = dict(zip(numbers, pool.map(_baseline, numbers), strict=True))
        working = {
            pool.submit(_cell, scenario, fault, points, baselines[scenario].calls): (scenario, fault)
            for scenario, fault in chosen
            if (points := fitting(FAULTS[fault], baselines[scenario].points))
        }
        for number, done in enumerate(as_completed(working), start=1):
            cells[working[done]] = done.result()
            scenario, fault = working[done]
            for text in cells[working[done]].failures:
                print(f"\nFAILED: {SCENARIOS[scenario].name}, {FAULTS[fault].name}, {text}", flush=True)
            print(f"\r{number} of {len(working)}", end="", file=sys.stderr, flush=True)
    _print(cells, baselines)
    injections = sum(cell.injections for cell in cells.values())
    missed = sum(cell.missed for cell in cells.values())
    failures = sum(len(cell.failures) for cell in cells.values())
    worst = max(((cell.worst, place) for place, cell in cells.items()), default=(0, (0, 0)))
    where = f"{SCENARIOS[worst[1][0]].name}, {FAULTS[worst[1][1]].name}"
    print(f"\n{injections} injections, {missed} of them at calls that did not come up again; {failures} failed")
    print(f"worst: {worst[0]} calls more than without a fault ({where}); allowed are {EXTRA_CALLS}, beside a new start")
    print(f"took {time.monotonic() - began:.0f} s")
    return int(bool(failures))


def _print(cells: dict[tuple[int, int], Cell], baselines: dict[int, Run]) -> None:
    print()
    for number, baseline in baselines.items():
        print(f"{number + 1:3}  {SCENARIOS[number].name} ({baseline.calls} calls)")
    print("\n" + " " * 36 + "".join(f"{number + 1:>6}" for number in baselines))
    for fault, injected in enumerate(FAULTS):
        row = "".join(f"{cells.get((number, fault), Cell())!s:>6}" for number in baselines)
        print(f"{injected.name:36}{row}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
