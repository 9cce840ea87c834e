"""A clock for tests that wait: time passes as fast as the event loop comes round."""

import asyncio
from collections.abc import Callable

from workqueue.testing import FakeClock, FakeTimer


class HastyClock(FakeClock):
    """Moves on to the earliest timer as soon as the event loop has nothing else to do."""

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        timer = super().call_at(when, callback)
        asyncio.get_running_loop().call_later(0.001, self._hurry)
        return timer

    def _hurry(self) -> None:
        if self._timers:
            self.advance(max(0.0, self._timers[0][0] - self.time()))
