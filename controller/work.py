"""From events to keys, and from keys to workers: the controller's work, apart from the process around it.

Until `lead`, stores are kept warm and no key is added; a follower also knows what is in Lattice, and doubts it when it
takes over, and remembers what changed lately, for the leader before may not have done it. From then on everything that
is in the stores is added as bulk work, and every event as live work, that of the last while included; what touches a
target group that rules point to is urgent, for until it is done traffic goes to pods that have gone.
"""

import logging
import random
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import anyio.lowlevel

from controller.api.core import EndpointSlice
from controller.api.keys import Key, ObjectKey, ObjectKind, RouteRef, TargetGroupKey, tenant
from controller.api.meta import Object, ObjectMeta, Undecodable
from controller.api.resources import DNS_ENDPOINTS, ENDPOINT_SLICES, GATEWAY_CLASSES, GATEWAYS, ROUTES, Resource
from controller.kube.client import KubeClient
from controller.kube.events import EventRecorder, ObjectRef
from controller.kube.informer import State
from controller.lattice.apply import Applier
from controller.lattice.client import LatticeClient
from controller.lattice.errors import LatticeError
from controller.lattice.inventory import Inventory
from controller.lattice.limits import Lane
from controller.lattice.model import Identity
from controller.lattice.poller import Poller
from controller.lattice.quota_reader import QuotaReader
from controller.lattice.quotas import KnownQuotas
from controller.lattice.refs import RESOURCE_TYPES
from controller.metrics import Metrics
from controller.recent import Recent
from controller.reconcile.certificates import Certificates
from controller.reconcile.changes import Changes
from controller.reconcile.cluster import Cluster
from controller.reconcile.environment import Environment
from controller.reconcile.reconciler import Reconciler
from controller.reconcile.take_over import TakeOver
from controller.settings import Settings
from controller.translate.annotations import ROUTE_FINALIZERS
from controller.translate.context import TranslateContext
from controller.translate.imports import certificate_keys
from controller.translate.triggers import keys_for_change
from workqueue import (
    BULK,
    LIVE,
    URGENT,
    ItemExponential,
    MaxOf,
    MonotonicClock,
    Queue,
    TokenBucket,
    WorkerPool,
    current_priority,
)

log = logging.getLogger("controller.work")

CONTROLLER_NAME = "application-networking.k8s.aws/gateway-api-controller"
"""`spec.controllerName` of the GatewayClasses that are ours."""

COMPONENT = "gateway-api-controller"
"""In whose name Events are recorded."""

RETRY_FIRST, RETRY_MOST, RETRY_JITTER = 0.5, 300.0, 0.2
"""Seconds between the attempts at a key that fails, and by which part of that they are spread."""

RETRIES_PER_SECOND, RETRIES_AT_ONCE = 100.0, 1000
"""Over all keys, so that a whole fleet that failed does not come back at once."""

PARENTS: tuple[tuple[ObjectKind, Resource[Any]], ...] = (("GatewayClass", GATEWAY_CLASSES), ("Gateway", GATEWAYS))

SCAN_SLICE = 100
"""Objects that are looked at in one go when all are: between two slices everything else has its turn."""

FOLLOWER_LOOKS = 900.0
"""Seconds after which a replica that waits for the lease loads anew what is in Lattice."""

GAP = 2.0
"""How many lease durations a follower remembers what changed: that of the lease that runs out, and as long again for
what its holder had not done yet when it died."""

NARROW_RETRY = 5.0
"""Seconds between attempts to learn for which routes another controller can have worked."""

QUOTA_PATIENCE = 5.0
"""Seconds that the start waits for the quotas of the account: there may be no way to them."""

SYNC_PATIENCE = 30.0
"""Seconds that the start waits for all kinds to be synced; after that, what is known is worked on."""


class Work:
    """All that a controller does with its clients. `run` keeps it warm, `lead` does it."""

    def __init__(
        self,
        kube: KubeClient,
        lattice: LatticeClient,
        identity: Identity,
        metrics: Metrics,
        settings: Settings,
        *,
        me: str,
        note_take_over: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`me` identifies this replica in its Events. `note_take_over` is told what is left of a take-over, for the
        next that leads."""
        clock = MonotonicClock()
        self._metrics = metrics
        self._resync_interval = settings.resync
        self._leading = False
        self._synced = False
        self._recent = Recent(GAP * settings.lease_times.lease_duration)
        self._following = anyio.CancelScope()
        self._scan_asked = anyio.Event()
        self.cluster = Cluster(
            kube,
            on_change=self._on_change,
            on_state=self._on_state,
            on_undecodable=self._on_undecodable,
            on_mended=self._on_mended,
            secrets=settings.import_certificates,
        )
        queue: Queue[Key] = Queue(
            name="lattice-controller",
            tenant=tenant,
            limiter=MaxOf(
                ItemExponential(RETRY_FIRST, RETRY_MOST, jitter=RETRY_JITTER),
                TokenBucket(RETRIES_PER_SECOND, RETRIES_AT_ONCE),
            ),
            metrics=metrics.queues,
        )
        changes = Changes(metrics)
        quotas = KnownQuotas(settings.quotas)
        inventory = Inventory(
            lattice, identity, clock, use_tagging_api=settings.use_tagging_api, quotas=quotas, wake=self._add_again
        )
        self._quotas = QuotaReader(lattice, quotas, self._look_again)
        self._env = Environment(
            cluster=self.cluster,
            ctx=TranslateContext(
                controller_name=CONTROLLER_NAME,
                identity=identity,
                protect_from_deletion=settings.protect_from_deletion,
                import_certificates=settings.import_certificates,
                take_over_released=settings.take_over_release,
                quotas=quotas,
            ),
            kube=kube,
            events=EventRecorder(kube, COMPONENT, instance=me),
            inventory=inventory,
            applier=Applier(lattice, inventory, acknowledged=changes.acknowledged),
            poller=Poller(inventory, self._wake, clock),
            queue=queue,
            changes=changes,
            take_over=TakeOver(note_take_over),
            certificates=Certificates(
                lattice,
                identity.owner,
                use_tagging_api=settings.use_tagging_api,
                monotonic=clock.time,
                changed=self._found_another,
            ),
        )
        self.take_over = self._env.take_over
        self._reconciler = Reconciler(self._env, metrics)
        self._pool = WorkerPool(
            queue, self._reconciler.reconcile, size=settings.workers, on_error=self._reconciler.failed
        )
        metrics.workers("lattice-controller", lambda: self._pool.busy, lambda: self._pool.size)
        metrics.mirrors(self.cluster.mirrors)
        metrics.held_plans(lambda: self.take_over.plans_held)

    async def run(self) -> None:
        """Mirror the cluster, write Events and look after what is waited for, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.cluster.run)
            tasks.start_soon(self._env.events.run)
            tasks.start_soon(self._env.poller.run)
            tasks.start_soon(self._quotas.run)

    async def wait_synced(self) -> None:
        """Return when every kind is known, or when that takes too long: one missing kind must not stop all others."""
        with anyio.move_on_after(SYNC_PATIENCE):
            await self.cluster.wait_synced()
        if doubts := self.cluster.doubts():
            log.warning("goes on without knowing all kinds", extra={"unknown": doubts})
        with anyio.move_on_after(QUOTA_PATIENCE):
            await self._quotas.looked.wait()
        self._synced = True

    async def follow(self) -> None:
        """Know what is ours in Lattice, so that taking over knows where to look; until we lead, or cancelled."""
        with self._following:
            while True:
                try:
                    await self._env.inventory.ensure_loaded()
                except LatticeError as error:
                    log.warning("what is in Lattice is not known yet", extra={"error": str(error)})
                    await anyio.sleep(RETRY_MOST)
                else:
                    await anyio.sleep(FOLLOWER_LOOKS)
                    self._env.inventory.forget()

    async def lead(self, told: anyio.Event, *, grace: float, left: str = "") -> None:
        """Work until told to stop; then let what is in work finish, for at most `grace` seconds.

        `left` says what is left of a take-over from another controller.
        """
        if told.is_set():
            return
        self._following.cancel()
        self._env.inventory.doubt()
        self.take_over.begin(left)
        held = self._held()
        self._leading = True
        for resource in self.cluster.resources:
            for obj in self.cluster.informer(resource).store.undecodable.values():
                self._tell_undecodable(resource, obj)
        for key, urgent in self._recent.take().items():
            self._put(key, URGENT if urgent else LIVE)
        self._scan_asked.set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pool.run)
            tasks.start_soon(self._scan)
            tasks.start_soon(self._narrow, held)
            tasks.start_soon(self._env.certificates.discovery.run)
            if self._env.ctx.import_certificates:
                tasks.start_soon(self._find_imported)
            if self._resync_interval is not None:
                tasks.start_soon(self._resync, self._resync_interval)
            await told.wait()
            self._leading = False
            with anyio.move_on_after(grace):
                await self._env.queue.shut_down_with_drain(drop_waiting=True)
            tasks.cancel_scope.cancel()

    @property
    def pending(self) -> int:
        """How many keys there is something to do for: ready, in work, delayed, or waiting for Lattice; 0 is rest."""
        queue, poller = self._env.queue, self._env.poller
        return len(queue) + queue.processing + queue.delayed + sum(map(poller.waiting, RESOURCE_TYPES))

    def _on_change(self, resource: Resource[Any], old: Object | None, new: Object | None) -> None:
        if self._leading:
            # What a pass of bulk work writes itself comes in here too, and stays bulk.
            self._add(resource, old, new, current_priority.get())
        elif self._synced:
            for key in self._touched(resource, old, new):
                # Who follows does not know which groups rules point to.
                self._recent.touched(key, urgent=resource is ENDPOINT_SLICES)

    def _on_state(self, resource: Resource[Any], old: State, new: State) -> None:
        if self._leading and old.phase == "unknown" and new.phase != "unknown":
            self._reconciler.known(resource.kind, BULK)
            self._scan_asked.set()
        elif self._leading and resource is DNS_ENDPOINTS and old.phase == "absent":
            # Of a kind that others write, objects tell that it has come; of this one routes have to be told.
            self._scan_asked.set()

    def _on_undecodable(self, resource: Resource[Any], metadata: ObjectMeta, error: str) -> None:
        name = f"{metadata.namespace}/{metadata.name}"
        log.error(
            "an object cannot be read and is left as it is",
            extra={"kind": resource.kind, "object": name, "error": error},
        )
        if self._leading:
            self._tell_undecodable(resource, Undecodable(metadata=metadata, error=error))

    def _on_mended(self, resource: Resource[Any]) -> None:
        if self._leading:
            self._reconciler.known(resource.kind, LIVE)

    def _tell_undecodable(self, resource: Resource[Any], obj: Undecodable) -> None:
        message = f"the object cannot be read, and what it has in VPC Lattice is left as it is: {obj.error}"
        self._env.events.record(ObjectRef.of(resource, obj), "Warning", "FailedBuildModel", message)

    def _wake(self, key: Key) -> None:
        self._env.wake(key)

    def _look_again(self) -> None:
        """What is there room for may be more, or less, than it was."""
        self._scan_asked.set()

    def _found_another(self, key: Key) -> None:
        """ACM has another certificate for a service than it had."""
        self._put(key, LIVE)

    def _add_again(self, key: Key) -> None:
        self._env.add(key)

    def _add(self, resource: Resource[Any], old: Object | None, new: Object | None, priority: int) -> None:
        for key in self._touched(resource, old, new):
            self._put(key, URGENT if priority == LIVE and self._serves(key) else priority)

    def _put(self, key: Key, priority: int) -> None:
        """Add a key that a change touches, and time it until Lattice has it."""
        self._env.queue.add(key, priority)
        self._env.changes.seen(key)

    def _touched(self, resource: Resource[Any], old: Object | None, new: Object | None) -> Iterable[Key]:
        """The keys that a change touches."""
        try:
            keys = keys_for_change(resource.kind, old, new, self.cluster.view, self._env.ctx)
            return keys | self._followers(old, new)
        except Exception:  # A defect, and one object must not take the mirror of its kind down with it.
            log.exception("cannot tell what a change touches", extra={"kind": resource.kind, "object": _name(old, new)})
            return ()

    def _followers(self, *versions: Object | None) -> frozenset[Key]:
        """The groups that follow these endpoints although no route asks for them any more."""
        slices = (version for version in versions if isinstance(version, EndpointSlice) and version.service_name)
        return frozenset(
            key for piece in slices for key in self._env.board.followers(piece.namespace, piece.service_name or "")
        )

    def _serves(self, key: Key) -> bool:
        """Whether the key is that of a target group that was filled once, so that rules point to it."""
        group = self._env.inventory.target_group(key) if isinstance(key, TargetGroupKey) else None
        return group is not None and group.registered

    async def _scan(self) -> None:
        """Add the keys of everything, as bulk work, whenever it is asked for; asking twice meanwhile is asking once."""
        while True:
            await self._scan_asked.wait()
            self._scan_asked = anyio.Event()
            for kind, resource in PARENTS:
                for obj in self.cluster.informer(resource).store.list():
                    self._env.queue.add(ObjectKey(kind, obj.namespace, obj.name), BULK)
            for gateway in self.cluster.informer(GATEWAYS).store.list() if self._env.ctx.import_certificates else ():
                for certificate in certificate_keys(gateway):
                    self._env.queue.add(certificate, BULK)
            routes = [
                (resource, route)
                for resource in ROUTES.values()
                for route in self.cluster.informer(resource).store.list()
            ]
            for number, (resource, route) in enumerate(routes, start=1):
                self._add(resource, None, route, BULK)
                if number % SCAN_SLICE == 0:
                    await anyio.lowlevel.checkpoint()

    async def _find_imported(self) -> None:
        """Add what an earlier run imported from Secrets, for what no listener refers to any more is to go."""
        while True:
            try:
                imported = await self._env.certificates.imports.load(lane=Lane.BULK)
            except LatticeError as error:
                log.warning("what was imported into ACM is not known yet", extra={"error": str(error)})
                await anyio.sleep(RETRY_MOST)
            else:
                for key in imported:
                    self._env.queue.add(key, BULK)
                return

    async def _narrow(self, held: set[RouteRef] | None) -> None:
        """Find out for which routes another controller has worked, as soon as that can be known.

        Those are the ones that bear a finalizer, `held` of which it was known before any key was handed out, and those
        that the tags of what is in Lattice name.
        """
        inventory = self._env.inventory
        while self.take_over.left.everything:
            held = self._held() if held is None else held
            if held is not None:
                try:
                    await inventory.ensure_loaded()
                except LatticeError as error:
                    log.warning("what is to be taken over is not known yet", extra={"error": str(error)})
                else:
                    self.take_over.narrow(held | inventory.routes())
                    for ref in self.take_over.left.routes:
                        self._env.queue.add(ref.key, BULK)
                    return
            await anyio.sleep(NARROW_RETRY)

    def _held(self) -> set[RouteRef] | None:
        """The routes that bear our finalizer, those that cannot be decoded too; None while it is not known which."""
        if not self.cluster.doubts().keys().isdisjoint(ROUTES):
            return None
        found: set[RouteRef] = set()
        for kind, resource in ROUTES.items():
            store = self.cluster.informer(resource).store
            for route in (*store.list(), *store.undecodable.values()):
                if ROUTE_FINALIZERS[kind] in route.metadata.finalizers:
                    found.add(RouteRef(kind, route.namespace, route.name))
        return found

    async def _resync(self, interval: float, spread: Callable[[], float] = random.random) -> None:
        while True:
            await anyio.sleep(interval * (1 + 0.2 * spread()))
            self._scan_asked.set()


def _name(*versions: Object | None) -> str:
    return next((f"{obj.namespace}/{obj.name}" for obj in versions if obj is not None), "")
