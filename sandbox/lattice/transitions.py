"""What will have happened by now: changes that fall due, carried out when somebody looks.

There is no background task. Whoever is about to look at the state first calls `run_due`, which carries out, in order of
time, everything whose time has come. So a test that owns the clock owns all asynchronous behaviour, and an idle sandbox
does nothing.
"""

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[], None]


class Transitions:
    """A queue of actions by due time; those of one time run in the order in which they were added."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Action]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, seconds: float, action: Action) -> None:
        """Carry out `action` at the first look that is at least `seconds` from now, and not before the next look."""
        heapq.heappush(self._heap, (self._clock() + seconds, next(self._order), action))

    def run_due(self) -> None:
        """Carry out everything that is due."""
        heap = self._heap
        if not heap:
            return
        now = self._clock()
        while heap and heap[0][0] <= now:
            heapq.heappop(heap)[2]()

    def next_due(self) -> float | None:
        """The clock's reading at which the next action is due; None if nothing is under way."""
        return self._heap[0][0] if self._heap else None
