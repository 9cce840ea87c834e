"""Our share of the account's API limits: one token bucket per operation, with three lanes.

AWS throttles per operation and account, publishes no rates for VPC Lattice, and shares them with every other client of
the account. So each operation has a bucket of its own, whose configured rate is a ceiling, and whose current rate is
learned the way TCP learns a path's capacity: slow start, a cut in half on a throttle, additive growth after it. Calls
that were already under way when the rate was cut do not cut it again.

Urgent calls go before all others: what they change serves traffic, and is wrong until they are done. They are few, for
they come one by one as endpoints come and go. Then comes live work. Bulk work (re-sync, drift, garbage) takes what is
left, which is made to mean something in both directions: bulk leaves half of the bucket's tokens untouched, so that
another call after a quiet time is granted at once although bulk is waiting; and one grant in ten is bulk's while it
waits, so that a long stream of other work does not starve it.

Within a lane it is first come, first served. A `Ticket` is a place in that order: a call that was throttled comes back
with its ticket, and so returns to the head of its lane.

`Bucket` decides, given the time, and does nothing else. `Limits` is the shell: it parks callers, and arms one timer per
bucket for the next grant.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from workqueue import Clock, Timer

LIVE_PER_BULK: Final = 9
"""Grants to urgent and live calls, while bulk calls wait, after which one is a bulk call's."""

LONGEST_PAUSE: Final = 60.0
"""Seconds for which an operation stands still at most, however long AWS asks to wait: callers are waiting."""

_START: Final = 0.25
_FLOOR: Final = 0.05
_RECOVERY: Final = 10.0
_EPSILON: Final = 1e-6


class Lane(Enum):
    """Who is waiting for the call: traffic (URGENT), somebody (LIVE), or nobody (BULK)."""

    URGENT = "urgent"
    LIVE = "live"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Rate:
    """A ceiling: `per_second` calls on average, `burst` at once after a quiet time."""

    per_second: float
    burst: float

    def __post_init__(self) -> None:
        if not (0 < self.per_second < math.inf and 1 <= self.burst < math.inf):
            raise ValueError("a rate is above 0 calls a second, and its burst at least 1 call")


DEFAULT_RATE: Final = Rate(10, 10)
"""Cautious for an account that others use too; throttles lower it, settings replace it."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A call's place in the order of its lane, kept across its attempts. Made and changed by `Bucket` and `Limits`."""

    number: int
    lane: Lane
    granted: float | None = None
    """When its current attempt was granted; None while it waits."""
    ready: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __lt__(self, other: "Ticket") -> bool:
        return self.number < other.number


class Bucket:
    """The decisions for one operation, pure in time: every method takes `now`, in seconds of any monotonic clock."""

    def __init__(self, ceiling: Rate, now: float) -> None:
        self._ceiling = ceiling
        self._rate = max(min(1.0, ceiling.per_second), ceiling.per_second * _START)
        self._threshold = ceiling.per_second
        self._tokens = self.capacity
        self._updated = now
        self._paused_until = -math.inf
        self._cut = -math.inf
        self._waiting: dict[Lane, list[Ticket]] = {lane: [] for lane in Lane}
        self._live_in_row = 0

    @property
    def rate(self) -> float:
        """The current rate in calls a second, never above the configured one."""
        return self._rate

    @property
    def capacity(self) -> float:
        """How many tokens the bucket holds when full, in proportion to the current rate; at least one call's."""
        return max(1.0, self._ceiling.burst * self._rate / self._ceiling.per_second)

    @property
    def waiting(self) -> int:
        """How many calls wait for a grant."""
        return sum(map(len, self._waiting.values()))

    def join(self, ticket: Ticket) -> None:
        """Let `ticket` wait in its lane, at the place that its number gives it."""
        ticket.granted = None
        heappush(self._waiting[ticket.lane], ticket)

    def leave(self, ticket: Ticket) -> None:
        """Take back a ticket that makes no use of its place, or of its grant, whose token is then returned."""
        if ticket.granted is not None:
            ticket.granted = None
            self._tokens = min(self.capacity, self._tokens + 1)
            return
        lane = self._waiting[ticket.lane]
        lane.remove(ticket)
        heapify(lane)

    def grant(self, now: float) -> list[Ticket]:
        """Take as many waiting tickets as may go now, in the order in which they go."""
        self._refill(now)
        granted = []
        while now >= self._paused_until and (lane := self._next()) is not None:
            ticket = heappop(self._waiting[lane])
            ticket.granted = now
            self._tokens -= 1
            granted.append(ticket)
        return granted

    def delay(self, now: float) -> float | None:
        """Seconds until `grant` can grant something, if nothing changes meanwhile; None when nobody waits."""
        if not self.waiting:
            return None
        self._refill(now)
        bulk_only = self._ahead is None and self._live_in_row < LIVE_PER_BULK
        missing = 1 + (self._reserve if bulk_only else 0) - self._tokens
        return max(0.0, missing / self._rate, self._paused_until - now)

    def succeeded(self, ticket: Ticket) -> None:
        """Learn that the granted call was not throttled: grow, unless it was sent before the last cut."""
        if ticket.granted is None or ticket.granted <= self._cut:
            return
        step = 1.0 if self._rate < self._threshold else self._ceiling.per_second / (_RECOVERY * self._rate)
        self._rate = min(self._ceiling.per_second, self._rate + min(step, self._rate))

    def throttled(self, ticket: Ticket, now: float, after: float) -> None:
        """Learn that the granted call was throttled, and that nothing should be sent for `after` seconds."""
        self.pause(now, after)
        self._tokens = 0.0
        if ticket.granted is not None and ticket.granted > self._cut:
            self._rate = max(self._ceiling.per_second * _FLOOR, self._rate / 2)
            self._threshold = self._rate
            self._cut = now

    def pause(self, now: float, after: float) -> None:
        """Grant nothing for `after` seconds."""
        self._refill(now)
        self._paused_until = max(self._paused_until, now + after)

    @property
    def _reserve(self) -> float:
        return self.capacity / 2 if self.capacity >= 2 else 0.0

    @property
    def _ahead(self) -> Lane | None:
        """The lane that goes before bulk's, if anybody waits in one."""
        return next((lane for lane in (Lane.URGENT, Lane.LIVE) if self._waiting[lane]), None)

    def _next(self) -> Lane | None:
        """The lane whose head goes next, if there are tokens for it; counts the turns between the lanes."""
        ahead, bulk = self._ahead, self._waiting[Lane.BULK]
        if self._tokens < 1 - _EPSILON:
            return None
        if bulk and (
            self._live_in_row >= LIVE_PER_BULK or (ahead is None and self._tokens >= 1 + self._reserve - _EPSILON)
        ):
            self._live_in_row = 0
            return Lane.BULK
        if ahead is not None:
            self._live_in_row = self._live_in_row + 1 if bulk else 0
        return ahead

    def _refill(self, now: float) -> None:
        self._tokens = min(self.capacity, self._tokens + max(0.0, now - self._updated) * self._rate)
        self._updated = now


class Limits:
    """The buckets of all operations of one account and region, and those who wait at them.

    `default` is the ceiling of operations that `overrides` does not name. For one event loop.
    """

    def __init__(self, clock: Clock, default: Rate = DEFAULT_RATE, overrides: Mapping[str, Rate] | None = None) -> None:
        self._clock = clock
        self._default = default
        self._overrides = dict(overrides or {})
        self._buckets: dict[str, Bucket] = {}
        self._timers: dict[str, Timer] = {}
        self._sharing: dict[str, set[str]] = {}
        self._numbers = count()

    async def acquire(self, operation: str, lane: Lane, *, again: Ticket | None = None) -> Ticket:
        """Wait until `operation` may be called once; cancelling the wait, even a granted one, gives the place back.

        `again` is the ticket of an earlier attempt of the same call, with which it goes ahead of all later calls of its
        lane. Tell the attempt's outcome by `succeeded` or `throttled`, or nothing if it is unknown.
        """
        bucket = self._bucket(operation)
        ticket = again or Ticket(next(self._numbers), lane)
        ticket.ready.clear()
        bucket.join(ticket)
        self._grant(operation)
        taken = False
        try:
            await ticket.ready.wait()
            taken = True
        finally:
            if not taken:
                bucket.leave(ticket)
                self._grant(operation)
        return ticket

    def succeeded(self, operation: str, ticket: Ticket) -> None:
        """Tell that a granted call got another answer than a throttle."""
        self._bucket(operation).succeeded(ticket)
        self._grant(operation)

    def throttled(self, operation: str, ticket: Ticket, after: float | None, quota_code: str | None = None) -> None:
        """Tell that a granted call was throttled: slow down, and send nothing for `after` seconds where AWS says so.

        Operations that were ever throttled for the same `quota_code` share that quota, so they pause together.
        """
        now = self._clock.time()
        pause = min(after or 0.0, LONGEST_PAUSE)
        self._bucket(operation).throttled(ticket, now, pause)
        self._grant(operation)
        if quota_code is None:
            return
        sharing = self._sharing.setdefault(quota_code, set())
        sharing.add(operation)
        for other in sharing - {operation}:
            self._bucket(other).pause(now, pause)
            self._grant(other)

    def rate(self, operation: str) -> float:
        """The current rate of `operation` in calls a second."""
        return self._bucket(operation).rate

    def waiting(self, operation: str) -> int:
        """How many calls of `operation` wait for their turn."""
        return self._bucket(operation).waiting

    def _bucket(self, operation: str) -> Bucket:
        bucket = self._buckets.get(operation)
        if bucket is None:
            ceiling = self._overrides.get(operation, self._default)
            bucket = self._buckets[operation] = Bucket(ceiling, self._clock.time())
        return bucket

    def _grant(self, operation: str) -> None:
        """Let go who may go now, and arm the timer for the next."""
        bucket = self._bucket(operation)
        now = self._clock.time()
        for ticket in bucket.grant(now):
            ticket.ready.set()
        if (timer := self._timers.pop(operation, None)) is not None:
            timer.cancel()
        if (delay := bucket.delay(now)) is not None:
            self._timers[operation] = self._clock.call_at(now + delay, lambda: self._grant(operation))
