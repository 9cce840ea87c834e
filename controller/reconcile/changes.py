"""How long changes take to reach Lattice: from the first sight of one to the last write that it led to, acknowledged.

A key's clock starts when something is seen that touches it: an event, or at a start what the stores and Lattice then
show. Each write that Lattice acknowledges for the key is noted with its time and lane. The pass that leaves Lattice as
desired ends the clock, and what is observed is the time of the last write, not of that pass: so it includes waits in
the queue, for limits, for other keys and for what Lattice created in its own time before that write, and not what
Lattice went on to do by itself after it. What is left alone, or needed no write, is not observed.

What comes during a pass starts a clock of its own, for that pass may have begun without it. No more than one clock is
kept for each key that has something to do.
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
    """Where the times of changes go, by the key's kind (`service`, `targetgroup`) and the lane of the last write."""

    def programmed(self, kind: str, lane: Lane, seconds: float) -> None: ...


@dataclass(slots=True)
class _Change:
    since: float
    written: tuple[float, Lane] | None = None
    """When, and in which lane, the last write was acknowledged."""


class Changes:
    """The clocks of all keys; `monotonic` tells seconds."""

    def __init__(self, observer: ChangeObserver, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._monotonic = monotonic
        self._waiting: dict[Key, _Change] = {}
        self._in_work: dict[Key, _Change] = {}

    def seen(self, key: Key) -> None:
        """Something touched the key. Keys of objects write nothing to Lattice, and have no clock."""
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

    def acknowledged(self, key: ServiceKey | TargetGroupKey, lane: Lane) -> None:
        """Lattice has answered a write of the pass, which may fail in another."""
        change = self._in_work.get(key)
        if change is not None:
            change.written = (self._monotonic(), lane)

    def applied(self, key: ServiceKey | TargetGroupKey, applied: Applied) -> None:
        """What came of the pass's plan."""
        if not applied.done or applied.problems:
            return
        change = self._in_work.pop(key, None)
        if change is not None and change.written is not None:
            at, lane = change.written
            kind = "service" if isinstance(key, ServiceKey) else "targetgroup"
            self._observer.programmed(kind, lane, at - change.since)

    def left_alone(self, key: ServiceKey | TargetGroupKey) -> None:
        """The pass found that the key is not to be written now, or not by itself."""
        self._in_work.pop(key, None)
