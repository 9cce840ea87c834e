"""How benchmarks measure: rounds of each candidate in turn, and the best round counts.

Whatever else the machine does only makes a round slower, so the fastest of several is the closest to what the code
costs; and rounds that alternate have the same machine, so that their ratio means something where the times do not.
Each round begins with the garbage collected, and runs with the collector as it is in production.
"""

import gc
import time
from collections.abc import Callable, Sequence

import msgspec


class Measurement(msgspec.Struct, frozen=True):
    """One line of the table: what was measured, and beside what."""

    name: str
    value: float
    """In seconds."""
    reference_name: str
    reference: float
    """In seconds, for the same work."""
    goal: str
    met: bool

    @property
    def ratio(self) -> float:
        """How many times the reference the value is."""
        return self.value / self.reference


def best(rounds: int, *candidates: Callable[[], float]) -> Sequence[float]:
    """The best of so many rounds for each candidate, which returns how long its work took, in seconds."""
    results: list[list[float]] = [[] for _ in candidates]
    for _ in range(rounds):
        for candidate, seconds in zip(candidates, results, strict=True):
            gc.collect()
            seconds.append(candidate())
    return [min(seconds) for seconds in results]


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """A candidate that does all of `work` in each round, and drops its result only after the clock was read."""

    def run() -> float:
        began = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - began
        del result
        return seconds

    return run
