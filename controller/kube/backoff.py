"""How long to wait before asking the API server again.

Exponential with jitter, so that the clients of a server that comes back do not all come at once. Randomness is passed
in; nothing here sleeps.
"""

from random import Random


class Backoff:
    """Delays that double from `base` to `cap` seconds, each drawn from the upper half of its range."""

    def __init__(self, random: Random, *, base: float = 0.8, cap: float = 30.0) -> None:
        self._random = random
        self._base = base
        self._cap = cap
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait after one more failure; `at_least` is what the server asked for."""
        # The exponent is bounded: 2.0 ** 1024 overflows, and no server should be down long enough to meet it.
        delay = min(self._cap, self._base * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return max(at_least, jittered(self._random, delay))

    def reset(self) -> None:
        """All is well again."""
        self._failures = 0


def jittered(random: Random, seconds: float) -> float:
    """A delay between half and the whole of `seconds`."""
    return seconds * random.uniform(0.5, 1.0)
