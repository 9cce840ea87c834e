"""Waiting for asynchronous states without holding a worker.

A reconcile that has to wait for Lattice parks its key here and ends; when the resource leaves its state, or is gone, or
the wait has lasted too long, the key is woken, which means added to the queue again. Level-triggered: a woken key looks
at what is, and parks again if need be.

When to look and by which calls is decided in `controller.lattice.waits`; looking refreshes the inventory, so everybody
sees what the poller saw. Each resource type has a loop of its own, so that a long list of one does not hold up another,
and so has each lane: what only bulk work waits for is looked at by calls that come after all live work's.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Protocol

import anyio

from controller.api.keys import Key
from controller.lattice.errors import LatticeError, RetryError
from controller.lattice.limits import Lane
from controller.lattice.observed import INITIAL
from controller.lattice.pause import pause
from controller.lattice.refs import RESOURCE_TYPES, ResourceRef, ResourceType
from controller.lattice.waits import Sweep, Waits
from workqueue import Clock

_log = logging.getLogger(__name__)


class Look(Protocol):
    """The inventory, as the poller needs it. What is read is remembered there; `get` and `list` raise LatticeError."""

    async def get(self, ref: ResourceRef, lane: Lane) -> None:
        """Read one resource, by one call; that it does not exist is an answer and no error."""

    async def list(self, kind: ResourceType, lane: Lane) -> None:
        """Read the states of all resources of a type, by the pages of its list."""

    def state(self, ref: ResourceRef) -> str | None:
        """The status as last read (`CREATE_IN_PROGRESS`, `ACTIVE`, …); None when the resource does not exist."""

    def pages(self, kind: ResourceType) -> int:
        """How many calls `list` is expected to take, at least 1."""


class Poller:
    """Looks at what keys wait for. `wake` adds a key to its queue; `deadline` bounds a wait, in seconds."""

    def __init__(self, look: Look, wake: Callable[[Key], None], clock: Clock, *, deadline: float = 300.0) -> None:
        self._look = look
        self._wake = wake
        self._clock = clock
        self._waits = {(kind, lane): Waits(deadline, clock.time()) for kind in RESOURCE_TYPES for lane in Lane}
        self._parked = {(kind, lane): asyncio.Event() for kind in RESOURCE_TYPES for lane in Lane}

    def park(self, key: Key, ref: ResourceRef, lane: Lane = Lane.LIVE) -> None:
        """Wake `key` once when the resource leaves the state in which the inventory has it, or is gone.

        A state that does not change by itself is nothing to wait for: the key is woken at once. A key may wait for
        several resources, and is woken for each. `lane` is that of the calls by which is looked for its sake.
        """
        state = self._look.state(ref)
        if state is None or not in_progress(state):
            self._wake(key)
            return
        waits = self._waits[ref.type, lane]
        if waits.awaited(ref.id) not in {None, state}:
            self._settle(ref.type)
        waits.park(ref.id, state, key, self._clock.time())
        self._parked[ref.type, lane].set()

    def waiting(self, kind: ResourceType) -> int:
        """How many resources of a type are waited for; one for which both lanes look counts twice."""
        return sum(len(self._waits[kind, lane]) for lane in Lane)

    async def run(self) -> None:
        """Look until cancelled."""
        async with anyio.create_task_group() as group:
            for kind, lane in self._waits:
                group.start_soon(self._watch, kind, lane, name=f"poller/{kind}/{lane.value}")

    async def _watch(self, kind: ResourceType, lane: Lane) -> None:
        parked = self._parked[kind, lane]
        while True:
            parked.clear()
            self._settle(kind)
            decision = self._waits[kind, lane].decide(self._clock.time(), max(1, self._look.pages(kind)))
            if isinstance(decision, Sweep):
                await self._sweep(kind, lane, decision)
            elif decision == math.inf:
                await parked.wait()
            else:
                await pause(self._clock, decision, until=parked)

    async def _sweep(self, kind: ResourceType, lane: Lane, sweep: Sweep) -> None:
        if sweep.gets is None:
            await self._one(kind, lane, None)
            return
        async with anyio.create_task_group() as group:
            for ident in sweep.gets:
                group.start_soon(self._one, kind, lane, ident)

    async def _one(self, kind: ResourceType, lane: Lane, ident: str | None) -> None:
        """Look at one resource, or at all of the type, and wake whose wait is over; a failed look is made later."""
        seen = None if ident is None else (ident,)
        try:
            if ident is None:
                await self._look.list(kind, lane)
            else:
                await self._look.get(ResourceRef(kind, ident), lane)
        except LatticeError as error:
            _log.warning("cannot see states in VPC Lattice: %s", error, extra={"type": kind, "id": ident})
            after = (error.after if isinstance(error, RetryError) else None) or 0.0
            self._waits[kind, lane].looked(seen, self._clock.time(), after=after)
        else:
            for one in Lane:
                self._waits[kind, one].looked(seen, self._clock.time())
            self._settle(kind, seen)

    def _settle(self, kind: ResourceType, seen: tuple[str, ...] | None = ()) -> None:
        def state(ident: str) -> str | None:
            return self._look.state(ResourceRef(kind, ident))

        for lane in Lane:
            for key in self._waits[kind, lane].settle(state, self._clock.time(), seen):
                self._wake(key)


def in_progress(state: str) -> bool:
    """Whether a status changes by itself (API: `CREATE_IN_PROGRESS`, `UPDATE_IN_PROGRESS`, `DELETE_IN_PROGRESS`; of
    targets, `INITIAL`)."""
    return state.endswith("_IN_PROGRESS") or state == INITIAL
