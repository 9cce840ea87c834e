"""How long changes take to reach Lattice: from the event that touched a key to the pass that has it all written.

A key's clock starts with the first event that touches it and is stopped by the pass that leaves Lattice as desired; if
calls were made for that, in this pass or an earlier one, the time is observed. So it includes waits in the queue, for
limits, for other keys and for what Lattice creates in its own time. Events that come during a pass start a clock of
their own, for that pass may have begun without them. What is left alone, or needed no call, is not observed.

No more than one clock is kept for each key that has something to do.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from controller.api.keys import Key, ServiceKey, TargetGroupKey
from controller.lattice.apply import Applied
from controller.lattice.limits import Lane


class ChangeObserver(Protocol):
    """Where the times of changes go, by the key's kind (`service`, `targetgroup`) and the lane of the last pass."""

    def programmed(self, kind: str, lane: Lane, seconds: float) -> None: ...


@dataclass(slots=True)
class _Change:
    since: float
    wrote: bool = False


class Changes:
    """The clocks of all keys; `monotonic` tells seconds."""

    def __init__(self, observer: ChangeObserver, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._monotonic = monotonic
        self._waiting: dict[Key, _Change] = {}
        self._in_work: dict[Key, _Change] = {}

    def seen(self, key: Key) -> None:
        """An event touched the key. Keys of objects write nothing to Lattice, and have no clock."""
        if isinstance(key, ServiceKey | TargetGroupKey) and key not in self._waiting:
            self._waiting[key] = _Change(self._monotonic())

    @contextmanager
    def pass_of(self, key: ServiceKey | TargetGroupKey) -> Iterator[None]:
        """A pass for the key; where it does not come to an end of its change, the clock runs on."""
        change = self._waiting.pop(key, None)
        if change is not None:
            self._in_work[key] = change
        try:
            yield
        finally:
            change = self._in_work.pop(key, None)
            if change is not None:
                self._waiting[key] = change

    def applied(self, key: ServiceKey | TargetGroupKey, applied: Applied, lane: Lane) -> None:
        """What came of the pass's plan."""
        change = self._in_work.get(key)
        if change is None:
            return
        change.wrote = change.wrote or applied.calls > 0
        if not applied.done or applied.problems:
            return
        del self._in_work[key]
        if change.wrote:
            kind = "service" if isinstance(key, ServiceKey) else "targetgroup"
            self._observer.programmed(kind, lane, self._monotonic() - change.since)

    def left_alone(self, key: ServiceKey | TargetGroupKey) -> None:
        """The pass found that the key is not to be written now, or not by itself."""
        self._in_work.pop(key, None)
