"""The lease, kept by a thread of its own, for work that runs in this one.

The thread has its own event loop and its own Kubernetes client, so that a main loop that is busy, or blocked for some
seconds, does not cost the lease. But a main loop that is stuck must not keep it either: it beats like a heart, and when
it has not for as long as the renew deadline, the thread stops renewing, and another replica takes over.

What passes between the threads: the fence, which is one number; the time of the last beat, another; what is left of a
take-over, a text; and two futures, one each way, for "we lead" and "stop". The thread is awaited by a task of the main
loop, so it cannot outlive `run`, and what it raises is raised there.

The lease is given back only when the work has ended and every write had its answer. Otherwise it is left to run out:
the next leader starts later, and reads nothing that a straggler changes afterwards.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import anyio
import anyio.to_thread

from controller.kube.client import KubeClient
from controller.kube.lease import Fence, LeaderElector
from controller.kube.lease_marks import EVERYTHING
from controller.kube.lease_times import LeaseTimes
from controller.kube.times import boottime

log = logging.getLogger("controller.kube.lease")

RELEASE_SECONDS = 5.0
"""For giving the lease back."""

BEATS = 5
"""Heartbeats in a renew deadline."""


class Watchdog(Protocol):
    """Ends the process if the lease runs out while the main thread is stopped (`controller.kube.lease_deadman`)."""

    def arm(self, moment: float) -> None: ...

    def retire(self) -> None: ...


class WatchedFence(Fence):
    """A fence that puts the process's end off as it moves."""

    def __init__(self, clock: Callable[[], float], watchdog: Watchdog | None, margin: float) -> None:
        """The process ends `margin` seconds before the lease has run out."""
        super().__init__(clock)
        self._watchdog = watchdog
        self._margin = margin

    def move(self, until: float) -> None:
        if self._watchdog is not None:
            self._watchdog.arm(until - self._margin)
        super().move(until)


class LeaseKeeper:
    """One candidate for the lease. `run` is its whole life, once."""

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[KubeClient]],
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        *,
        watchdog: Watchdog | None = None,
        clock: Callable[[], float] = boottime,
    ) -> None:
        """`connect` makes the thread's client, in the thread. `identity` must be unique to this process."""
        self._connect = connect
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times
        self._watchdog = watchdog
        self._clock = clock
        self._beaten_at = clock()
        self._elector: LeaderElector | None = None
        # Half of what a write may take: the half before is for the bytes' way, the half after for ending in peace.
        self.fence: Fence = WatchedFence(clock, watchdog, times.spare / 2)

    @property
    def leads(self) -> bool:
        """Whether the lease is ours at this moment."""
        return self.fence.valid_for(0)

    @property
    def holder(self) -> str:
        """Who held the lease when it was last seen; empty if nobody, or not seen yet."""
        return self._elector.holder if self._elector is not None else ""

    @property
    def take_over(self) -> str:
        """What of a take-over is left, as the Lease that we hold says (`lease_marks`)."""
        return self._elector.take_over if self._elector is not None else EVERYTHING

    def note(self, left: str) -> None:
        """Have the next renewal write what is left of the take-over; for whom `run` lets lead."""
        if self._elector is not None:
            self._elector.note_take_over(left)

    @property
    def complaint(self) -> str:
        """Why the lease could not be had, kept or looked at the last time; empty if it could."""
        return self._elector.complaint if self._elector is not None else ""

    async def run(
        self,
        lead: Callable[[], Awaitable[None]],
        told: anyio.Event,
        *,
        settled: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Wait for the lease, run `lead` until it returns or the lease is lost, which cancels it, and end the thread.

        Returns False if the lease was lost. When `told` to stop, it stops waiting; to end `lead` is `lead`'s affair.
        `settled` is asked when `lead` has ended whether the lease may be given back. Raises what the thread raises,
        such as ConfigError, in an ExceptionGroup.
        """
        held: Future[Any] = _promise()
        stop: Future[Any] = _promise()
        over = anyio.Event()

        async def keep() -> None:
            try:
                await anyio.to_thread.run_sync(self._in_thread, held, stop, limiter=anyio.CapacityLimiter(1))
            finally:
                self._retire()
            over.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            tasks.start_soon(keep)
            try:
                await _first(asyncio.wrap_future(held), told.wait(), over.wait())
                if held.done() and not told.is_set():
                    await _first(lead(), over.wait())
                lost = over.is_set()
            finally:
                self._retire()
                stop.set_result(settled())
            await over.wait()
            tasks.cancel_scope.cancel()
        return not lost

    def _retire(self) -> None:
        """Spare the process: called by the main loop when the fence is closed or `lead` has ended.

        That it is the main loop that runs this shows that none of its writes stands between the fence and its bytes.
        """
        if self._watchdog is not None:
            self._watchdog.retire()

    async def _beat(self) -> None:
        while True:
            self._beaten_at = self._clock()
            await anyio.sleep(self._times.renew_deadline / BEATS)

    def _main_loop_turns(self) -> bool:
        silent = self._clock() - self._beaten_at
        if silent < self._times.renew_deadline:
            return True
        log.error("the lease is not renewed: the main loop has stood still", extra={"seconds": round(silent, 1)})
        return False

    def _in_thread(self, held: "Future[Any]", stop: "Future[Any]") -> None:
        anyio.run(self._keep, held, stop)

    async def _keep(self, held: "Future[Any]", stop: "Future[Any]") -> None:
        async with anyio.create_task_group() as tasks:

            async def compete() -> None:
                await self._compete(held, stop)
                tasks.cancel_scope.cancel()

            tasks.start_soon(compete)
            await asyncio.wrap_future(stop)
            tasks.cancel_scope.cancel()

    async def _compete(self, held: "Future[Any]", stop: "Future[Any]") -> None:
        async with self._connect() as client:
            self._elector = elector = LeaderElector(
                client,
                self._namespace,
                self._name,
                self._identity,
                fence=self.fence,
                times=self._times,
                healthy=self._main_loop_turns,
                clock=self._clock,
            )
            try:
                await elector.acquire()
                held.set_result(None)
                await elector.hold()
            finally:
                self.fence.close()
                if stop.done() and stop.result():
                    with anyio.move_on_after(RELEASE_SECONDS, shield=True):
                        await elector.release()


def _promise() -> "Future[Any]":
    """A future that whoever waits for it cannot cancel: the other side is going to set it."""
    promise: Future[Any] = Future()
    promise.set_running_or_notify_cancel()
    return promise


async def _first(*awaitables: Awaitable[object]) -> None:
    """Return when one of them has; the others are cancelled."""
    async with anyio.create_task_group() as tasks:

        async def wait_for(awaitable: Awaitable[object]) -> None:
            await awaitable
            tasks.cancel_scope.cancel()

        for awaitable in awaitables:
            tasks.start_soon(wait_for, awaitable)
