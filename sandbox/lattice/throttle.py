"""Throttling as AWS does it: a token bucket for each operation of the account."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.lattice.calls import ANY, Operations


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` calls in the long run, `burst` at once."""

    per_second: float
    burst: float

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError(f"a rate needs a positive number a second and a burst of at least 1, not {self}")


class Throttles:
    """The buckets, filled as time passes. `rates` says operation → rate; `*` stands for each operation not named."""

    def __init__(self, operations: Operations, rates: Mapping[str, Rate], clock: Callable[[], float]) -> None:
        self._operations = operations
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}
        self.rates = rates

    @property
    def rates(self) -> Mapping[str, Rate]:
        """May be set anew at any time. Raises `ValueError` for an operation that is not there."""
        return self._rates

    @rates.setter
    def rates(self, rates: Mapping[str, Rate]) -> None:
        self._operations.require(*rates)
        self._rates = dict(rates)

    def take(self, operation: str) -> int | None:
        """Take one call out of the bucket: None if it may go on, else after how many whole seconds it might."""
        if not self._rates:
            return None
        rate = self._rates.get(operation) or self._rates.get(ANY)
        if rate is None:
            return None
        now = self._clock()
        level, then = self._levels.get(operation, (rate.burst, now))
        level = min(rate.burst, level + max(0.0, now - then) * rate.per_second)
        if level < 1:
            self._levels[operation] = (level, now)
            return max(1, math.ceil((1 - level) / rate.per_second))
        self._levels[operation] = (level - 1, now)
        return None
