"""Keys that wait for a moment: a heap by due time, in which each key counts once, at the earliest time asked for.

Moving a key to an earlier time pushes it again, and taking it out only forgets it; what the heap still holds of it is
recognised by its serial number and dropped when it comes up. So that keys which are always taken out long before they
are due (a daily check of something that changes every minute) cannot fill the heap with leftovers, it is rebuilt when
more than half of it is leftovers: amortised constant time.
"""

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

_TOO_SMALL_TO_REBUILD = 64


class _Delay(NamedTuple):
    due: float
    serial: int
    priority: int


class Delays(Generic[K]):
    """A set of keys, each with a due time (in seconds of the owner's clock) and a priority."""

    __slots__ = ("_delays", "_heap", "_serial")

    def __init__(self) -> None:
        self._delays: dict[K, _Delay] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._delays)

    def put(self, key: K, due: float, priority: int) -> None:
        """Have `key` come due at `due`; of several times the earliest holds, of several priorities the highest."""
        current = self._delays.get(key)
        if current is not None:
            priority = max(priority, current.priority)
            if current.due <= due:
                self._delays[key] = current._replace(priority=priority)
                return
        self._serial += 1
        self._delays[key] = _Delay(due, self._serial, priority)
        heappush(self._heap, (due, self._serial, key))
        if len(self._heap) > 2 * len(self._delays) + _TOO_SMALL_TO_REBUILD:
            self._heap = [(delay.due, delay.serial, key) for key, delay in self._delays.items()]
            heapify(self._heap)

    def discard(self, key: K) -> int | None:
        """Take `key` out; return its priority, or None when it was not waiting."""
        delay = self._delays.pop(key, None)
        return None if delay is None else delay.priority

    def earliest(self) -> float | None:
        """When the next key comes due; None when no key waits."""
        heap = self._heap
        while heap:
            due, serial, key = heap[0]
            delay = self._delays.get(key)
            if delay is not None and delay.serial == serial:
                return due
            heappop(heap)
        return None

    def pop_due(self, now: float) -> list[tuple[K, int]]:
        """Take out the keys that are due at `now`, with their priorities: in order of time, then of being put."""
        due_keys: list[tuple[K, int]] = []
        while (due := self.earliest()) is not None and due <= now:
            _, _, key = heappop(self._heap)
            due_keys.append((key, self._delays.pop(key).priority))
        return due_keys

    def clear(self) -> None:
        """Forget all keys."""
        self._delays.clear()
        self._heap.clear()
