"""When to look at resources that change by themselves: the poller's decisions, pure in time.

Services, groups and associations are created and deleted asynchronously, and Lattice notifies nobody. Looking often
costs API calls, looking seldom costs time. Three ideas keep both low:

- **The first look waits for the learned duration** of that type and state: a low quantile of the last ones. What a look
  finds changed had changed somewhere between that look and the one before, so the middle of the two is learned; what is
  found changed at the first look was perhaps quicker than thought, and teaches a little less than its age. Later looks
  come at intervals that grow with the age of the wait, so that a slow state costs a handful of looks.
- **A sweep looks at all of one type at once**, by whichever is fewer calls: a Get for each resource that is due, or the
  list's pages, which show every resource of the type.
- **A purse pays for sweeps.** Each resource that comes to wait pays in a fraction of a call, about what it costs when
  many share a list's pages, and a sweep is held until the purse can pay for it. In a rush this makes sweeps few and
  full; what is left when nobody waits any more is forfeited. In quiet times the purse fills up to a couple of calls by
  itself, so that a lone resource is looked at when it is due; and a sweep that the purse cannot pay for goes anyway
  after a time in proportion to its cost.

One `Waits` is for one resource type. Times are seconds of any monotonic clock; resources go by their ids.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from controller.api.keys import Key

FIRST_GUESS: Final = 1.0
"""When to look first, in seconds, at a state of which no duration is known."""

SHORTEST: Final = 0.5
GROWTH: Final = 0.25
"""The next look at what is still in progress: after this part of its age, but not before `SHORTEST` seconds, which is
also the shortest time between two sweeps, so that what comes due one by one is looked at together."""

FEE: Final = 0.09
"""What each resource that comes to wait pays into the purse, in calls."""

PURSE: Final = 2.0
REFILL: Final = 0.25
"""The purse fills by itself by so many calls a second, up to `PURSE` calls."""

PATIENCE: Final = 2.0
"""Seconds since the last sweep, for each call of the next, after which it goes although the purse cannot pay."""

_MEMORY: Final = 16
_QUANTILE: Final = 0.25
_QUICKER: Final = 0.8


@dataclass(frozen=True, slots=True)
class Sweep:
    """Look now: by a Get for each id of `gets`, or, if that is None, by the list's pages."""

    gets: tuple[str, ...] | None


class Durations:
    """What was learned of how long one state lasts, in seconds."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_MEMORY)

    def learn(self, seen_in_progress: float, seen_changed: float) -> None:
        """A state was last seen at the age of `seen_in_progress`, 0 if never, and seen changed at `seen_changed`."""
        middle = (seen_in_progress + seen_changed) / 2
        self._seen.append(middle if seen_in_progress > 0 else _QUICKER * seen_changed)

    @property
    def first_look(self) -> float:
        """The age at which to look first."""
        if not self._seen:
            return FIRST_GUESS
        return sorted(self._seen)[int(_QUANTILE * len(self._seen))]


@dataclass(slots=True)
class _Wait:
    state: str
    since: float
    due: float
    deadline: float
    keys: dict[Key, None] = field(default_factory=dict)
    seen: float = 0.0
    """The age at which it was last seen still in this state, 0 if never."""


class Waits:
    """The resources of one type that somebody waits for. `deadline` bounds each wait, in seconds."""

    def __init__(self, deadline: float, now: float) -> None:
        self._deadline = deadline
        self._waits: dict[str, _Wait] = {}
        self._durations: dict[str, Durations] = {}
        self._purse = PURSE
        self._filled = now
        self._swept = now

    def __len__(self) -> int:
        return len(self._waits)

    def awaited(self, ident: str) -> str | None:
        """The state that `ident` is awaited to leave, None when nobody waits for it."""
        wait = self._waits.get(ident)
        return None if wait is None else wait.state

    def park(self, ident: str, state: str, key: Key, now: float) -> None:
        """Let `key` wait for `ident` to leave `state`."""
        wait = self._waits.get(ident)
        if wait is None:
            due = now + self._durations.setdefault(state, Durations()).first_look
            wait = self._waits[ident] = _Wait(state, now, due, now + self._deadline)
            self._purse += FEE
        wait.keys[key] = None

    def decide(self, now: float, pages: int) -> Sweep | float:
        """Say how to look now, or for how many seconds there is nothing to do if nobody else parks (may be infinite).

        `pages` is how many calls the list of this type takes.
        """
        due = tuple(ident for ident, wait in self._waits.items() if wait.due <= now)
        if not due:
            return min((wait.due for wait in self._waits.values()), default=math.inf) - now
        self._fill(now)
        cost = min(len(due), pages)
        affordable = (cost - self._purse) / REFILL if cost <= PURSE else math.inf
        missing = min(affordable, self._swept + PATIENCE * cost - now) if cost > self._purse else 0.0
        missing = max(missing, self._swept + SHORTEST - now)
        if missing > 0:
            return missing
        self._purse = max(0.0, self._purse - cost)
        self._swept = now
        by_list = pages < len(due) or (pages == len(due) and len(self._waits) > len(due))
        return Sweep(None if by_list else due)

    def looked(self, idents: Collection[str] | None, now: float, *, after: float = 0.0) -> None:
        """Put off the next look at these (None: all), now that they were looked at, for `after` seconds or more."""
        for ident in self._waits if idents is None else idents:
            if (wait := self._waits.get(ident)) is not None:
                wait.due = now + max(after, SHORTEST, GROWTH * (now - wait.since))

    def settle(self, state: Callable[[str], str | None], now: float, seen: Iterable[str] | None = ()) -> list[Key]:
        """End the waits that are over, by change of state or deadline, and return whom to wake, in order of parking.

        `state` gives a resource's state as known now, None when it is gone; `seen` are those that were just looked at
        (None: all).
        """
        for ident in list(self._waits) if seen is None else seen:
            wait = self._waits.get(ident)
            if wait is not None and state(ident) == wait.state:
                wait.seen = now - wait.since
        woken: dict[Key, None] = {}
        for ident, wait in list(self._waits.items()):
            changed = state(ident) != wait.state
            if changed:
                self._durations[wait.state].learn(wait.seen, now - wait.since)
            if changed or now >= wait.deadline:
                del self._waits[ident]
                woken |= wait.keys
        if not self._waits:
            self._purse = min(self._purse, PURSE)
        return list(woken)

    def _fill(self, now: float) -> None:
        """Let the purse fill with time."""
        self._purse = max(self._purse, min(PURSE, self._purse + REFILL * (now - self._filled)))
        self._filled = now
