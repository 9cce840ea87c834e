"""What every reconciler has at hand: the parts of the shell, put together once by the manager."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from controller.api.keys import Key, RouteRef, ServiceKey
from controller.api.meta import Object
from controller.api.resources import Resource
from controller.gateway.view import View
from controller.kube.client import KubeClient
from controller.kube.events import EventRecorder, ObjectRef
from controller.kube.times import utc_now
from controller.lattice.apply import Applier
from controller.lattice.inventory import Inventory
from controller.lattice.limits import Lane
from controller.lattice.plan import PlanContext
from controller.lattice.poller import Poller
from controller.lattice.refs import ResourceRef
from controller.reconcile.board import Board
from controller.reconcile.certificates import Certificates
from controller.reconcile.changes import Changes
from controller.reconcile.cluster import Cluster
from controller.reconcile.take_over import TakeOver
from controller.translate.context import TranslateContext
from controller.translate.route import translate_route
from workqueue import BULK, LIVE, URGENT, Queue, current_priority

T = TypeVar("T", bound=Object)

BEGUN = LIVE + 10
"""The priority of what has waited for Lattice: what has been begun is finished before more is begun.

Otherwise a load of many new routes passes through its stages one after the other, each at the rate of one operation,
while the limits of all other operations lie idle.
"""


@dataclass(slots=True)
class Environment:
    cluster: Cluster
    ctx: TranslateContext
    kube: KubeClient
    events: EventRecorder
    inventory: Inventory
    applier: Applier
    poller: Poller
    queue: Queue[Key]
    changes: Changes
    certificates: Certificates
    board: Board = field(default_factory=Board)
    take_over: TakeOver = field(default_factory=TakeOver)
    parked: dict[Key, int] = field(default_factory=dict)
    """The priorities of keys that wait for Lattice."""
    looked_over: set[RouteRef] = field(default_factory=set)
    """The routes of which everything in Lattice is known and asked for, or is being deleted; see `leftovers`."""
    unpublished: set[RouteRef] = field(default_factory=set)
    """The routes whose DNSEndpoint the API server refused to take, the last time."""
    now: Callable[[], datetime] = utc_now
    """The time of day: what the names of rules and the times of conditions are made of."""

    def add(self, key: Key) -> None:
        """Add a key to which the one in work has led, with the same priority: bulk work does not become live.

        Nothing that is led to is urgent: that was the one change that led here.
        """
        self.queue.add(key, min(BEGUN, current_priority.get()))

    def park(self, key: Key, ref: ResourceRef) -> None:
        """Let the key in work wait until a Lattice resource leaves its present state; see `Poller.park`."""
        self.parked[key] = current_priority.get()
        self.poller.park(key, ref, self.lane)

    def wake(self, key: Key) -> None:
        """Add a key that was parked, before what has not been begun, unless it is bulk."""
        priority = self.parked.get(key, LIVE)
        self.queue.add(key, max(BEGUN, priority) if priority > BULK else priority)

    @property
    def lane(self) -> Lane:
        """The lane for AWS calls on behalf of the key in work."""
        priority = current_priority.get()
        if priority >= URGENT:
            return Lane.URGENT
        return Lane.BULK if priority <= BULK else Lane.LIVE

    @property
    def view(self) -> View:
        return self.cluster.view

    def observe(self, resource: Resource[Any], answer: bytes | None) -> None:
        """Let the answer to a write of ours enter the store at once; None is the answer where nothing was sent."""
        self.cluster.informer(resource).observe(answer)

    def deleted(self, resource: Resource[T], obj: T) -> None:
        """Let an object that a write of ours deleted leave the store at once."""
        self.cluster.informer(resource).deleted(obj)

    def plan_context(self) -> PlanContext:
        return self.inventory.context(int(self.now().timestamp()))

    def tell(self, resource: Resource[Any], obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event on an object."""
        self.events.record(ObjectRef.of(resource, obj), "Warning" if warning else "Normal", reason, message)

    def services_with(self, ref: RouteRef, hostname: str) -> tuple[ServiceKey, ...]:
        """The services with this hostname ("" for none) that a route feeds now. Raises `UnknownError`."""
        return tuple(key for key in translate_route(self.view, ref, self.ctx).services if key.hostname == hostname)
