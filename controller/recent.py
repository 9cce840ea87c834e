"""What a follower saw change lately, which its leader may not have done any more.

A leader that dies leaves a gap of some seconds before another may lead. Everybody sees what changes meanwhile, and in
the moments before, and nobody does it. The re-sync that follows would find it, but behind everything else: so a
follower remembers which keys the changes of the last while touched, and does these first when it leads.

The memory is bounded, by the age of what is in it and by its number: of more keys than that the oldest are forgotten,
and left to the re-sync.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from controller.api.keys import Key

MOST: Final = 10_000
"""Keys that are remembered: some megabytes."""


class Touch(NamedTuple):
    """A key that changes touched; `at` is when the last of them was seen, `urgent` whether any was."""

    at: float
    urgent: bool


class Recent:
    """The keys that were touched within the last `window` seconds; `monotonic` tells seconds."""

    def __init__(self, window: float, most: int = MOST, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._most = most
        self._monotonic = monotonic
        self._touched: dict[Key, Touch] = {}

    def __len__(self) -> int:
        return len(self._touched)

    def touched(self, key: Key, *, urgent: bool) -> None:
        """A change touches the key."""
        now = self._monotonic()
        before = self._touched.pop(key, None)
        self._touched[key] = Touch(now, urgent or (before is not None and before.urgent))
        self._forget(now)

    def take(self) -> dict[Key, bool]:
        """Give away what is remembered: the keys, the longest untouched first, and whether each is urgent."""
        self._forget(self._monotonic())
        taken = {key: touch.urgent for key, touch in self._touched.items()}
        self._touched.clear()
        return taken

    def _forget(self, now: float) -> None:
        """Let go of what is too old or too much; the oldest stand first."""
        while self._touched:
            key = next(iter(self._touched))
            if len(self._touched) <= self._most and now - self._touched[key].at <= self._window:
                return
            del self._touched[key]
