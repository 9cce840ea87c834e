"""The queue: which key may be worked on next, and never by two at a time.

The rules are those of client-go's workqueue. A key is in at most two of these places:

    delayed ──due──▶ dirty (asked for) ──get──▶ processing ──done──▶ gone, or ready again if dirty meanwhile
                      └ ready, unless it is being processed

`add` makes a key *dirty*. A dirty key that nobody holds is *ready* and can be handed out, by priority and with tenants
in turn (`_ready`). Handing it out makes it *processing* and clean; an add from then on makes it dirty again, and `done`
makes it ready. So a key is never held twice, and no add is lost: after each add a hand-out follows.

Where client-go keeps a delayed add apart from an immediate one, here a key has *one* pending hand-out, at the earliest
time and the highest priority of all the adds that it stands for, as in controller-runtime's priority queue. Whoever is
handed a key looks at the whole state and says itself when it wants to look again; a second hand-out of an add that the
first has answered would only cost.

It runs in one event loop, in one thread, without locks and without a task of its own: every method that changes
something is synchronous, a single timer serves all delays, and `get` suspends only when nothing can be handed out.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

import anyio

from workqueue._clock import Clock, MonotonicClock, Timer
from workqueue._delays import Delays
from workqueue._limiters import RateLimiter, default_limiter
from workqueue._metrics import MetricsProvider, NoMetrics
from workqueue._priority import LIVE
from workqueue._ready import Ready

K = TypeVar("K", bound=Hashable)


class ShutDown(Exception):  # noqa: N818 - a state that ends a worker's loop, not an error
    """The queue is shut down and has nothing left to hand out."""


class _Dirty:
    """A key that was asked for and not handed out since."""

    __slots__ = ("priority", "since", "tenant")

    def __init__(self, priority: int, tenant: Hashable, since: float) -> None:
        self.priority = priority
        self.tenant = tenant
        self.since = since


class _Limit:
    """How many keys of a priority and below may be held, and how many are."""

    __slots__ = ("held", "most", "priority")

    def __init__(self, priority: int, most: int, held: int) -> None:
        self.priority = priority
        self.most = most
        self.held = held


def _one_tenant(_: object) -> Hashable:
    return None


class Queue(Generic[K]):
    """A queue of keys with client-go's semantics, priorities, fairness between tenants, delays and rate limiting.

    `name` tells queues apart in metrics. `tenant` returns whose a key is: always the same for the same key, and it must
    not raise. `limiter` decides the delays of `add_rate_limited` (by default `default_limiter`). `clock` gives the time
    in seconds and the timer for delayed keys. `metrics` is where the queue reports to.
    """

    __slots__ = (
        "_added",
        "_clock",
        "_delays",
        "_dirty",
        "_done",
        "_drained",
        "_got",
        "_limiter",
        "_limits",
        "_name",
        "_now",
        "_processing",
        "_ready",
        "_retried",
        "_shutting_down",
        "_tenant",
        "_timer",
        "_timer_at",
        "_waiters",
    )

    def __init__(
        self,
        *,
        name: str,
        tenant: Callable[[K], Hashable] = _one_tenant,
        limiter: RateLimiter[K] | None = None,
        clock: Clock | None = None,
        metrics: MetricsProvider | None = None,
    ) -> None:
        self._name = name
        self._tenant = tenant
        self._clock = clock or MonotonicClock()
        self._now = self._clock.time
        self._limiter: RateLimiter[K] = default_limiter(clock=self._clock) if limiter is None else limiter
        self._dirty: dict[K, _Dirty] = {}
        self._ready: Ready[K] = Ready()
        self._delays: Delays[K] = Delays()
        self._processing: dict[K, tuple[int, float]] = {}
        self._limits: list[_Limit] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._shutting_down = False
        self._drained: anyio.Event | None = None
        events = (metrics or NoMetrics()).bind(self)
        self._added = events.added
        self._got = events.got
        self._done = events.done
        self._retried = events.retried

    # Asking for a key

    def add(self, key: K, priority: int = LIVE) -> None:
        """Have `key` handed out, once for all the adds until then.

        A key that already waits, for its turn or for a delay to end, moves up if `priority` is higher than its own,
        and no longer waits for the delay. A key that is being processed is handed out again after `done`. Ignored
        after shut-down.
        """
        if self._shutting_down:
            return
        dirty = self._dirty.get(key)
        if dirty is not None:
            if priority > dirty.priority:
                self._lift(key, dirty, priority)
            return
        if self._delays:
            delayed = self._delays.discard(key)
            if delayed is not None and delayed > priority:
                priority = delayed
        self._make_dirty(key, priority)

    def add_after(self, key: K, delay: float, priority: int = LIVE) -> None:
        """Add `key` in `delay` seconds; at once when that is 0 or less.

        Of several adds the earliest time and the highest priority hold; a key that already waits for its turn keeps
        its place there. Ignored after shut-down, which also drops the keys whose delay has not ended.
        """
        if self._shutting_down:
            return
        self._retried()
        if not delay > 0:
            self.add(key, priority)
            return
        dirty = self._dirty.get(key)
        if dirty is not None:
            if priority > dirty.priority:
                self._lift(key, dirty, priority)
            return
        self._delays.put(key, self._now() + delay, priority)
        self._set_timer()

    def add_rate_limited(self, key: K, priority: int = LIVE) -> None:
        """Add `key` after the delay that the rate limiter says, which counts this as a failure of `key`."""
        if not self._shutting_down:
            self.add_after(key, self._limiter.when(key), priority)

    def forget(self, key: K) -> None:
        """Tell the rate limiter that `key` succeeded or is given up. Does not take it out of the queue."""
        self._limiter.forget(key)

    def num_requeues(self, key: K) -> int:
        """How often `key` was added rate limited since it was last forgotten."""
        return self._limiter.num_requeues(key)

    # Working on a key

    async def get(self) -> K:
        """Wait for the next key and hold it until `done`. Raises ShutDown when there will be none.

        Does not suspend, and is no point of cancellation, while something can be handed out.
        """
        return (await self.take())[0]

    async def take(self) -> tuple[K, int]:
        """Like `get`, with the priority at which the key waited."""
        while (taken := self.take_nowait()) is None:
            await self.wait()
        return taken

    async def wait(self) -> None:
        """Suspend until there may be something for `take_nowait`; another worker may be faster, so look in a loop.

        Raises ShutDown when there will be nothing more.
        """
        if self._can_hand_out():
            return
        if self._shutting_down and not self._ready:
            raise ShutDown
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                # It is gone already if somebody was to be woken between the cancellation and now.
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            else:
                self._wake()
            raise

    def take_nowait(self) -> tuple[K, int] | None:
        """Like `take`, or None when nothing can be handed out now."""
        if not self._can_hand_out():
            return None
        key, priority = self._ready.pop()
        dirty = self._dirty.pop(key)
        now = self._now()
        self._processing[key] = (priority, now)
        for limit in self._limits:
            if priority <= limit.priority:
                limit.held += 1
        self._got(priority, now - dirty.since)
        if self._shutting_down and not self._ready:
            self._wake_all()
        return key, priority

    def done(self, key: K) -> None:
        """Hand `key` back; if it was added meanwhile, it is ready again. Raises ValueError when nobody holds it."""
        run = self._processing.pop(key, None)
        if run is None:
            raise ValueError(f"{key!r} is not being processed")
        priority, started = run
        self._done(self._now() - started)
        gave_place = False
        for limit in self._limits:
            if priority <= limit.priority:
                limit.held -= 1
                gave_place = True
        if gave_place:
            self._wake()
        dirty = self._dirty.get(key)
        if dirty is not None:
            self._ready.push(key, dirty.tenant, dirty.priority)
            self._wake()
        elif self._drained is not None and self._is_idle():
            self._drained.set()

    def limit(self, priority: int, most: int | None) -> None:
        """Hand out keys of `priority` and below only while fewer than `most` of them are held; None: no limit.

        Limits for several priorities hold together. A worker pool sets them for the queue it serves. Keys that are held
        already are not affected; all who wait are woken to look again.
        """
        self._limits = [limit for limit in self._limits if limit.priority != priority]
        if most is not None:
            held = sum(of <= priority for of, _ in self._processing.values())
            self._limits.append(_Limit(priority, most, held))
        self._wake_all()

    # Ending

    def shut_down(self) -> None:
        """Ignore adds from now on and drop delayed keys; keys that already wait are still handed out, then ShutDown.

        Ends the waiting of a `shut_down_with_drain` under way.
        """
        self._stop_adding()
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    async def shut_down_with_drain(self, *, drop_waiting: bool = False) -> None:
        """Shut down, then wait until no key waits or is being processed, or until `shut_down` is called.

        With `drop_waiting`, keys that wait are dropped, so that only what is in work is waited for; for an owner whose
        next start finds all that there is to do anyway. A worker must not wait for this: it would wait for itself.
        """
        if drop_waiting:
            self._ready = Ready()
            self._dirty.clear()
        self._stop_adding()
        if not self._is_idle():
            if self._drained is None:
                self._drained = anyio.Event()
            await self._drained.wait()

    @property
    def shutting_down(self) -> bool:
        """Whether adds are ignored because the queue was shut down."""
        return self._shutting_down

    # Being looked at

    @property
    def name(self) -> str:
        """The queue's name, as given."""
        return self._name

    def __len__(self) -> int:
        """How many keys are ready; without those that are delayed, or processed and asked for again."""
        return len(self._ready)

    @property
    def processing(self) -> int:
        """How many keys are held."""
        return len(self._processing)

    @property
    def delayed(self) -> int:
        """How many keys wait for a delay to end."""
        return len(self._delays)

    def depth(self) -> dict[int, int]:
        """How many keys wait to be handed out, ready or after `done`, by priority; without delayed keys."""
        counts = self._ready.counts()
        for key in self._processing:
            dirty = self._dirty.get(key)
            if dirty is not None:
                counts[dirty.priority] = counts.get(dirty.priority, 0) + 1
        return counts

    def unfinished_work(self) -> float:
        """Seconds since their hand-out, summed over the keys that are held."""
        now = self._now()
        return sum(now - started for _, started in self._processing.values())

    def longest_running_processor(self) -> float:
        """Seconds since the hand-out of the key that is held the longest; 0 when none is held."""
        now = self._now()
        return max((now - started for _, started in self._processing.values()), default=0.0)

    # Within

    def _make_dirty(self, key: K, priority: int) -> None:
        tenant = self._tenant(key)
        self._dirty[key] = _Dirty(priority, tenant, self._now())
        self._added(priority)
        if key not in self._processing:
            self._ready.push(key, tenant, priority)
            self._wake()

    def _lift(self, key: K, dirty: _Dirty, priority: int) -> None:
        if key not in self._processing:
            self._ready.remove(key, dirty.tenant, dirty.priority)
            self._ready.push(key, dirty.tenant, priority)
        dirty.priority = priority
        self._wake()

    def _can_hand_out(self) -> bool:
        highest = self._ready.highest
        if highest is None:
            return False
        for limit in self._limits:  # noqa: SIM110 - a generator would double the cost of the queue's hottest question
            # What is below the highest counts for the same limit, so none of it could be handed out either.
            if highest <= limit.priority and limit.held >= limit.most:
                return False
        return True

    def _is_idle(self) -> bool:
        return not self._dirty and not self._processing

    def _stop_adding(self) -> None:
        self._shutting_down = True
        self._delays.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake_all()

    # Delays: one timer, never later than the earliest delayed key

    def _set_timer(self) -> None:
        earliest = self._delays.earliest()
        if earliest is None:
            return
        if self._timer is not None:
            if self._timer_at <= earliest:
                return
            self._timer.cancel()
        self._timer_at = earliest
        self._timer = self._clock.call_at(earliest, self._end_delays)

    def _end_delays(self) -> None:
        self._timer = None
        for key, priority in self._delays.pop_due(self._now()):
            self._make_dirty(key, priority)
        self._set_timer()

    # Waiters. A waiter is only told to look again and never given a key, so that a cancelled one cannot lose any.
    # Whatever makes one more key fit to be handed out wakes one waiter.

    def _wake(self) -> None:
        if self._waiters and self._can_hand_out():
            self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _wake_all(self) -> None:
        while self._waiters:
            self._wake_one()
