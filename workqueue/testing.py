"""What tests of code that uses a queue need: time that stands still until the test moves it."""

from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["FakeClock"]


class FakeTimer:
    """A callback scheduled on a `FakeClock`."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Make sure that the callback does not run."""
        self.callback = None


class FakeClock:
    """A `workqueue.Clock` that starts at `now` seconds and moves only by `advance`."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._serial = 0
        self._timers: list[tuple[float, int, FakeTimer]] = []

    def time(self) -> float:
        """The current reading in seconds."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        """Call `callback` during the `advance` that reaches `when`."""
        timer = FakeTimer(callback)
        self._serial += 1
        heappush(self._timers, (when, self._serial, timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move time forward, running what comes due on the way, in order and each at its own moment."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heappop(self._timers)
            if timer.callback is not None:
                self._now = max(self._now, when)
                timer.callback()
        self._now = end
