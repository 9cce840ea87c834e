"""The one retry policy for calls to AWS; the SDK's own retries are off.

Throttles and failures are different things. A throttle says that the account is busy: the call goes back to the head of
its lane (`controller.lattice.limits`), which knows when the next one may go, so there is nothing to wait for here, and
only a generous total time ends it. A failure (5xx, reset, time-out) may be repeated because a create carries the same
client token in all its attempts and all other writes are idempotent: a few times, each after a longer, jittered wait.
Everything else is for the caller at once.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState

from controller.lattice.errors import RetryError


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to try: times in seconds."""

    throttled: float = 60.0
    """Total time from the first throttle on."""
    attempts: int = 4
    """Attempts that may fail for another reason than a throttle, the last included."""
    first_wait: float = 0.2
    longest_wait: float = 5.0
    """Waits double from the first to this; a server that asks for longer gets no further attempt now."""


class Retries:
    """The state of one call's retries. `time` reads a monotonic clock."""

    def __init__(self, policy: Policy, time: Callable[[], float], rng: random.Random) -> None:
        self._policy = policy
        self._time = time
        self._rng = rng
        self._failures = 0
        self._throttled_since: float | None = None

    def retrying(self, sleep: Callable[[float], Awaitable[None]]) -> AsyncRetrying:
        """Make the tenacity object that drives the call; it raises the last attempt's error as it is."""
        return AsyncRetrying(sleep=sleep, retry=self._again, wait=self._wait, reraise=True)

    def _again(self, state: RetryCallState) -> bool:
        """Whether the attempt that has just ended is followed by another; called once for each."""
        error = state.outcome.exception() if state.outcome is not None else None
        if not isinstance(error, RetryError):
            return False
        after = error.after or 0.0
        if error.throttled:
            now = self._time()
            if self._throttled_since is None:
                self._throttled_since = now
            return now + after - self._throttled_since < self._policy.throttled
        self._failures += 1
        return self._failures < self._policy.attempts and after <= self._policy.longest_wait

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if not isinstance(error, RetryError) or error.throttled:
            return 0.0
        ceiling: float = min(self._policy.longest_wait, self._policy.first_wait * 2.0**self._failures)
        return max(error.after or 0.0, self._rng.uniform(ceiling / 2, ceiling))
