"""A run that writes nothing: what it would do is planned again and again, and told.

It takes no Lease, so it works beside whatever controller holds it, and sees what that one does. Its clients cannot
write: the Kubernetes one sends nothing but GET, and the fence of the one for VPC Lattice never opens. A look reads
everything of ours in VPC Lattice anew, in the lane of bulk work, because somebody else writes there meanwhile; so it is
made from time to time, and not for each change in the cluster.

What a look finds is logged where it is new, counted, and served as JSON. A difference that the other controller is
about to make itself, such as a target of a pod that has just started, is in one look and no longer in the next.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import anyio
import orjson

from controller.api.resources import ROUTES
from controller.kube.errors import ApiError
from controller.kube.lease_marks import EVERYTHING
from controller.kube.lease_note import LeaseNote
from controller.lattice.errors import LatticeError
from controller.lattice.inventory import Inventory
from controller.metrics import Metrics
from controller.reconcile.certificates import Certificates
from controller.reconcile.cluster import Cluster
from controller.reconcile.preview import Preview, preview
from controller.translate.context import TranslateContext
from controller.translate.take_over import Left, left_of

log = logging.getLogger("controller.read_only")

EVERY: Final = 300.0
"""Seconds from the end of one look to the next, where the setting for looking at everything again says nothing."""

RETRY: Final = 30.0
"""Seconds after a look that failed."""


class ReadOnly:
    """`run` looks until it is cancelled, every so many seconds; `now` gives Unix time."""

    def __init__(
        self,
        cluster: Cluster,
        ctx: TranslateContext,
        inventory: Inventory,
        certificates: Certificates,
        lease: LeaseNote,
        metrics: Metrics,
        *,
        every: float | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._ctx = ctx
        self._inventory = inventory
        self._certificates = certificates
        self._lease = lease
        self._metrics = metrics
        self._every = every or EVERY
        self._now = now
        self._at = 0.0
        self._found: Preview | None = None
        self._told: set[tuple[object, ...]] = set()
        self._failure = ""

    @property
    def lacking(self) -> str | None:
        """Why there is no plan yet; None if there is one."""
        return None if self._found is not None else self._failure or "not made yet"

    def plan(self) -> bytes | None:
        """The last plan as JSON, with when it was made (Unix time); None before the first."""
        if self._found is None:
            return None
        return orjson.dumps({"at": self._at, **self._found.to_json()})

    async def run(self) -> None:
        """Look, tell, wait."""
        while True:
            found = None
            try:
                found = await self._look()
            except* LatticeError as group:
                self._failure = "; ".join(dict.fromkeys(map(str, _leaves(group))))
                log.warning("no plan was made: %s", self._failure)
            if found is not None:
                self._tell(found)
            await anyio.sleep(RETRY if found is None else self._every)
            self._inventory.forget()

    async def _look(self) -> Preview:
        left = await self._left()
        now = int(self._now())
        routes = [route for resource in ROUTES.values() for route in self._cluster.informer(resource).store.list()]
        return await preview(
            self._cluster.view, routes, self._ctx, self._inventory, self._certificates, now=now, left=left
        )

    async def _left(self) -> Left:
        """What would be held back by who took the Lease now; everything that could be, where that cannot be told."""
        try:
            return left_of(await self._lease.read())
        except ApiError as error:
            log.warning("the Lease is not read", extra={"error": str(error)})
            return left_of(EVERYTHING)

    def _tell(self, found: Preview) -> None:
        self._found, self._at = found, self._now()
        calls: Counter[tuple[str, bool]] = Counter()
        lines: list[tuple[str, dict[str, str]]] = []
        for step in found.steps:
            for place, operation in enumerate(step.plan.operations):
                held = place in step.held
                calls[operation.call, held] += 1
                facts = {"operation": operation.call, "resource": operation.resource, "what": operation.description}
                lines.append(
                    ("would be held back" if held else "would do", {"object": str(step.route or step.key), **facts})
                )
        for remark in found.remarks:
            facts = {"reason": remark.reason, "what": remark.message}
            lines.append(("would tell", {"object": str(remark.route), **facts}))
        told: set[tuple[object, ...]] = {(message, *facts.items()) for message, facts in lines}
        for message, facts in lines:
            if (message, *facts.items()) not in self._told:
                log.info(message, extra=facts)
        self._told = told
        self._metrics.planned(calls, self._at)
        numbers = {"operations": found.operations - found.held, "held_back": found.held, "remarks": len(found.remarks)}
        log.info("a plan was made, and nothing of it done", extra=numbers)


def _leaves(group: BaseExceptionGroup[LatticeError]) -> Iterator[LatticeError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
