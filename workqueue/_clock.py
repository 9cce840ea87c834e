"""Time as the queue sees it: a reading and a timer, both replaceable, so that a test owns every delay.

A timer rather than a sleep: the queue arms one timer for its earliest delayed key and needs no task of its own, which
would need an owner, a start and a stop.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that has been scheduled."""

    def cancel(self) -> None:
        """Make sure that the callback does not run; without effect when it already has."""


class Clock(Protocol):
    """Where a queue takes its time from."""

    def time(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` in the event loop once, about when `time()` reaches `when` (a little early is allowed)."""


class MonotonicClock:
    """The process's monotonic clock and the running event loop's timers."""

    __slots__ = ()

    time = staticmethod(time.monotonic)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Schedule on the running event loop, by difference, since a loop's own time may have another origin."""
        return asyncio.get_running_loop().call_later(when - self.time(), callback)
