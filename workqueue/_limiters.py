"""Rate limiters: how long a key that failed shall wait. The names and the arithmetic are client-go's.

A limiter only answers with a delay and never waits itself, so limiters compose: `MaxOf` asks several and takes the
longest. The usual pair is one that slows a key that keeps failing (`ItemExponential`) and one that slows all retries
together (`TokenBucket`), so that ten thousand keys failing at once do not all come back at once.
"""

import math
from collections.abc import Callable, Hashable
from random import random as uniform
from typing import Generic, Protocol, TypeVar

from workqueue._clock import Clock, MonotonicClock

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)


class RateLimiter(Protocol[K_contra]):
    """Decides how long a key waits before it is tried again."""

    def when(self, key: K_contra) -> float:
        """Count a failure of `key`; return the seconds that it shall wait."""

    def forget(self, key: K_contra) -> None:
        """Drop what is remembered of `key`, because it succeeded or is given up."""

    def num_requeues(self, key: K_contra) -> int:
        """How many failures of `key` have been counted since it was last forgotten."""


class ItemExponential(Generic[K]):
    """Delays that double with each failure of a key: `base`, 2·`base`, 4·`base` … up to `maximum` seconds.

    `jitter` is the share of each delay that is left to chance: the answer lies between (1 - `jitter`) times the delay
    and the whole of it, so keys that failed together do not come back together and `maximum` still holds. `random`
    returns floats in [0, 1).

    Raises ValueError unless 0 < base ≤ maximum and 0 ≤ jitter ≤ 1.
    """

    __slots__ = ("_base", "_doublings", "_failures", "_jitter", "_maximum", "_random")

    def __init__(
        self, base: float, maximum: float, *, jitter: float = 0.0, random: Callable[[], float] = uniform
    ) -> None:
        if not 0 < base <= maximum:
            raise ValueError(f"the delays must satisfy 0 < base <= maximum, not {base} and {maximum}")
        if not 0 <= jitter <= 1:
            raise ValueError(f"jitter is a share between 0 and 1, not {jitter}")
        self._base = base
        self._maximum = maximum
        self._jitter = jitter
        self._random = random
        self._failures: dict[K, int] = {}
        # From here on the answer is the maximum. Known beforehand, so that no exponent grows until it overflows.
        self._doublings = math.ceil(math.log2(maximum / base))

    def when(self, key: K) -> float:
        """Count a failure of `key`; return the seconds that it shall wait."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = self._maximum if failures >= self._doublings else math.ldexp(self._base, failures)
        return delay * (1 - self._jitter * self._random()) if self._jitter else delay

    def forget(self, key: K) -> None:
        """Start over with `key`, and free its memory."""
        self._failures.pop(key, None)

    def num_requeues(self, key: K) -> int:
        """How many failures of `key` have been counted since it was last forgotten."""
        return self._failures.get(key, 0)


class TokenBucket(Generic[K]):
    """Lets `rate` retries a second pass, of all keys together, after a burst of `burst` that pass at once.

    A caller who finds the bucket empty borrows: its delay is the time until its token will have been filled in, so
    retries leave in the order in which they were asked for, `1 / rate` seconds apart.

    Raises ValueError unless rate > 0 and burst ≥ 1.
    """

    __slots__ = ("_burst", "_clock", "_filled_at", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, *, clock: Clock | None = None) -> None:
        if not rate > 0 or burst < 1:
            raise ValueError(f"a token bucket needs a rate above 0 and a burst of at least 1, not {rate} and {burst}")
        self._rate = rate
        self._burst = burst
        self._clock = clock or MonotonicClock()
        self._tokens = float(burst)
        self._filled_at = self._clock.time()

    def when(self, key: K) -> float:  # noqa: ARG002 - one bucket for all keys
        """Take a token; return the seconds until it is there."""
        now = self._clock.time()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate) - 1
        self._filled_at = now
        return max(0.0, -self._tokens / self._rate)

    def forget(self, key: K) -> None:
        """Nothing is remembered of a single key."""

    def num_requeues(self, key: K) -> int:  # noqa: ARG002 - nothing is remembered of a single key
        """Nothing is counted for a single key."""
        return 0


class MaxOf(Generic[K]):
    """Asks several limiters and takes the longest delay. Raises ValueError when given none."""

    __slots__ = ("_limiters",)

    def __init__(self, *limiters: RateLimiter[K]) -> None:
        if not limiters:
            raise ValueError("at least one limiter is needed")
        self._limiters = limiters

    def when(self, key: K) -> float:
        """Count a failure of `key` with every limiter; return the longest of their delays in seconds."""
        return max([limiter.when(key) for limiter in self._limiters])

    def forget(self, key: K) -> None:
        """Drop what any of the limiters remembers of `key`."""
        for limiter in self._limiters:
            limiter.forget(key)

    def num_requeues(self, key: K) -> int:
        """The largest count that any of the limiters has for `key`."""
        return max(limiter.num_requeues(key) for limiter in self._limiters)


def default_limiter(*, clock: Clock | None = None, random: Callable[[], float] = uniform) -> RateLimiter[K]:
    """client-go's default for controllers, with jitter: 5 ms doubling to 1000 s a key; 10/s, burst 100, over all."""
    return MaxOf(
        ItemExponential(0.005, 1000.0, jitter=0.2, random=random),
        TokenBucket(10.0, 100, clock=clock),
    )
