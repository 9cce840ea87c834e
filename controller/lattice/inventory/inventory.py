"""The inventory: what this controller knows of VPC Lattice, read when first needed and kept by write-through.

Reconcilers call, in this order: `ensure_loaded` (free after the first time), `observe_service` or
`observe_target_group`, the plan with `context()`, and `apply`, which writes its answers back here. What is observed
again comes from memory, unless somebody marked it suspect. The poller refreshes the states of what changes by itself.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress

from msgspec.structs import replace

from controller.api.keys import Key, RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.inventory.children import Children
from controller.lattice.inventory.groups import group_for, same_backend
from controller.lattice.inventory.mirror import Mirror, route_of_group, route_of_service
from controller.lattice.inventory.missed import Missed
from controller.lattice.inventory.needs import Needs
from controller.lattice.inventory.once import Once
from controller.lattice.inventory.record import Shape, record
from controller.lattice.inventory.states import Client, States
from controller.lattice.inventory.turns import TakenError, Turns
from controller.lattice.inventory.warmth import Warmth
from controller.lattice.limits import Lane
from controller.lattice.model import DesiredService, DesiredTargetGroup, Identity
from controller.lattice.observed import (
    NetworkLookup,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan import (
    PlanContext,
    Resource,
)
from controller.lattice.plan.services import conflict_of
from controller.lattice.plan.wire import short_id
from controller.lattice.quotas import KnownQuotas
from controller.lattice.refs import ResourceRef, ResourceType
from workqueue import Clock

_NETWORKS_AT_MOST_EVERY = 5.0
"""Seconds between two refreshes of the service networks."""

_WRITTEN = (
    "serviceIdentifier",
    "targetGroupIdentifier",
    "serviceNetworkServiceAssociationIdentifier",
    "resourceArn",
)
"""The arguments that name what a write changes, or below what."""

_READ_ANEW: tuple[ResourceType, ...] = ("service", "target_group")


class Inventory:
    """All methods that are async may raise LatticeError, as the client does. For one event loop.

    `clock` is monotonic, `now` gives Unix time in seconds. `use_tagging_api` False is for VPCs that cannot reach the
    Resource Groups Tagging API. `quotas` are those that plans are told of. `wake` adds a key to its queue: one that
    lost what it claimed to another, or that may have now what another was at work on.
    """

    def __init__(
        self,
        client: Client,
        identity: Identity,
        clock: Clock,
        *,
        use_tagging_api: bool = True,
        now: Callable[[], float] = time.time,
        quotas: KnownQuotas | None = None,
        wake: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._mirror = Mirror(identity)
        self._turns = Turns(wake)
        self._states = States(client, self._mirror, identity, use_tagging_api=use_tagging_api)
        self._children = Children(client, self._mirror, self._states)
        self._quotas = KnownQuotas() if quotas is None else quotas
        self._warmth = Warmth(client, clock, self._mirror)
        self.needs = Needs(self._mirror, self._warmth)
        """Whether what an operation needs holds: `apply` asks."""
        self._missed = Missed(self._mirror, self._states, now, lagging=use_tagging_api)
        self._loading: Once[None] = Once()
        self._loaded = False
        self._doubted = False
        self._terms = 0
        self._listing_networks: Once[None] = Once()
        self._looking_elsewhere: Once[None] = Once()
        self._networks_at: float | None = None
        self._elsewhere_read = False

    async def ensure_loaded(self) -> None:
        """Know all that is ours: services, target groups, and the service networks.

        One load, which concurrent callers share; an error reaches all of them, and the next caller tries again. It goes
        in the lane of live work whoever asks, because all live work waits for it.
        """
        while not self._loaded:
            await self._loading.run(self._load)

    async def _load(self) -> None:
        term = self._terms
        self._missed.loading()
        await self._states.load(Lane.LIVE)
        self._networks_at = self._clock.time()
        self._loaded = term == self._terms

    def pass_of(self, key: ServiceKey | TargetGroupKey) -> AbstractContextManager[None]:
        """Around all that a pass of a key does: what the key claims stays its own meanwhile."""
        return self._turns.pass_of(key)

    def forget(self) -> None:
        """Another replica has written meanwhile: everything is to be read again. Claims of keys stay."""
        self._mirror.clear()
        self._warmth.clear()
        self._terms += 1
        self._doubted = self._loaded = False
        self._networks_at = None

    def doubt(self) -> None:
        """Another replica has written until now, perhaps: what is known is no more than where to look.

        All is loaded again before anything is taken to be absent. But a target group that is known is observed at once,
        by reading it and nothing else: an endpoint that changes after a take-over does not wait for the load.
        """
        self._mirror.doubt()
        self._terms += 1
        self._doubted = self._loaded
        self._loaded = False
        self._networks_at = None

    def network(self, name_or_id: str) -> NetworkLookup:
        """A service network by name or by id: ours, or shared with this account through RAM. From memory."""
        return self._mirror.network(name_or_id)

    async def refresh_networks(self, *names: str, lane: Lane = Lane.LIVE) -> None:
        """Read the service networks again, if the last time is more than a few seconds ago; callers share one read.

        If one of `names` is not in the list, this VPC's associations are read too: they show networks that are shared
        in a way that the list does not. What is known and exists no longer is missing afterwards.
        """
        now = self._clock.time()
        if self._networks_at is None or now - self._networks_at >= _NETWORKS_AT_MOST_EVERY:
            await self._listing_networks.run(lambda: self._refresh_networks(lane))
        if not self._elsewhere_read and not all(map(self._mirror.lists_network, names)):
            await self._looking_elsewhere.run(lambda: self._refresh_elsewhere(lane))

    async def _refresh_networks(self, lane: Lane) -> None:
        await self._states.networks(lane)
        self._networks_at = self._clock.time()
        self._elsewhere_read = False

    async def _refresh_elsewhere(self, lane: Lane) -> None:
        await self._states.vpc_associations(lane)
        self._elsewhere_read = True

    async def observe_service(
        self, key: ServiceKey, desired: DesiredService | None, *, lane: Lane = Lane.LIVE
    ) -> ObservedService | None:
        """The service of a key with all below it; None if there is none. `plan_service` takes it.

        With `desired`, it is the one that the key used before, or that tags and associations say was the key's, or the
        one of that name, whoever's it is; the key claims it if it is of the desired custom domain and may be used for
        what is desired: what is claimed is deleted with its key. Without, it is never one that another key claims, and
        never one for its name alone. Raises TakenError while a pass of another key uses it.
        """
        await self.ensure_loaded()
        await self._missed.of_key(key, None if desired is None else desired.name, lane)
        mirror = self._mirror
        ident = mirror.service_claims.id_of(key)
        if ident not in mirror.services:
            ident = await self._unclaimed(key, lane) if desired is None else await self._wanted(key, desired, lane)
        service = None if ident is None else mirror.services.get(ident)
        if service is None or ident is None:
            return None
        self._turns.ask(mirror.service_claims, key, ident)
        foreign = desired is not None and not mirror.ours(service.tags)
        with self._turns.reading(key, ident), mirror.reading(service.ref) as suspect:
            await self._children.service(ident, lane, anew=suspect or foreign)
        read = mirror.services.get(ident)
        if read is not None and read.listeners is not service.listeners:
            self._warmth.found(service.groups(), read.groups())
        service = mirror.services.get(ident)
        if service is not None and (desired is None or _usable(service, desired, self._identity)):
            self._turns.take(mirror.service_claims, key, ident)
        return service

    async def _wanted(self, key: ServiceKey, desired: DesiredService, lane: Lane) -> str | None:
        """The service of the name or the alternative name, unless it is not for this key and the key has another.

        A name is chosen when a service is created, and stays when the annotation or the owning route changes.
        """
        mirror = self._mirror
        named = [mirror.services[ident] for ident in mirror.service_names[desired.name]]
        otherwise = [mirror.services[ident] for ident in mirror.service_names[desired.alternative_name or ""]]
        for service in (*named, *otherwise):
            another = key.route is not None and route_of_service(service.tags) not in {None, key.route}
            if mirror.ours(service.tags) and service.custom_domain == desired.custom_domain and not another:
                return service.id
        if (ident := await self._unclaimed(key, lane)) is not None:
            return ident
        if named and named[0].custom_domain != desired.custom_domain and otherwise:
            return otherwise[0].id
        return named[0].id if named else None

    async def _unclaimed(self, key: ServiceKey, lane: Lane) -> str | None:
        mirror = self._mirror
        surplus = mirror.services.get(key.hostname)
        if surplus is not None:
            free = mirror.ours(surplus.tags) and mirror.service_claims.key_of(surplus.id) is None
            return surplus.id if free else None
        idents = mirror.service_domains[key.hostname] if key.route is None else mirror.service_routes[key.route]
        for ident in idents:
            if mirror.service_claims.key_of(ident) is None and await self._key_of(ident, lane) == key:
                return ident
        return None

    async def _key_of(self, ident: str, lane: Lane) -> ServiceKey | None:
        service = self._mirror.services.get(ident)
        if service is not None and service.custom_domain is not None and service.associations is None:
            await self._children.associations(ident, lane)
            service = self._mirror.services.get(ident)
        return self._mirror.service_key(service) if service is not None and self._mirror.ours(service.tags) else None

    async def surplus_of(self, key: ServiceKey, *, lane: Lane = Lane.LIVE) -> list[ServiceKey]:
        """Keys for those of our services that by what they bear would be this key's, which has another.

        A crash leaves such a one, if what it was made for passes to another route meanwhile. Nothing is desired for
        these keys: add them to the queue, and the services are deleted.
        """
        mirror = self._mirror
        alike = mirror.service_domains[key.hostname] if key.route is None else mirror.service_routes[key.route]
        free = [ident for ident in alike if mirror.service_claims.key_of(ident) is None]
        keys = [await self._key_of(ident, lane) for ident in free]
        return [one for one, ident in zip(keys, free, strict=True) if one is not None and one.hostname == ident]

    async def services_of(self, route: RouteRef, *, lane: Lane = Lane.LIVE) -> Mapping[ServiceKey, ObservedService]:
        """Our services whose tags name the route, each with the key whose it is, whether claimed or not.

        A route's finalizer may go when this and `target_groups_of` are empty, and `find_missed` had no reason to look.
        """
        await self.ensure_loaded()
        found: dict[ServiceKey, ObservedService] = {}
        for ident in self._mirror.service_routes[route]:
            key = await self._key_of(ident, lane)
            service = self._mirror.services.get(ident)
            if key is not None and service is not None:
                found[key] = service
        return found

    def routes(self) -> set[RouteRef]:
        """All routes that the tags of ours name. From memory, after a load."""
        mirror = self._mirror
        services = (route_of_service(one.tags) for one in mirror.services.values() if mirror.ours(one.tags))
        groups = (route_of_group(one.tags) for one in mirror.groups.values() if mirror.ours(one.tags))
        return {ref for ref in (*services, *groups) if ref is not None}

    async def find_missed(self, route: RouteRef, *, lane: Lane = Lane.LIVE) -> bool:
        """Find what bears the route's name though neither the load nor an answer showed it.

        Ask before a route is let go of which `services_of` and `target_groups_of` know nothing. True tells that there
        was a reason to look, by lists, so that those two may know more now: an unanswered create for this route, or
        the first question since the load, which the tagging API made blind for what is young. False was free.
        """
        await self.ensure_loaded()
        return await self._missed.of_route(route, lane)

    def target_groups_of(
        self, route: RouteRef, desired: Iterable[DesiredTargetGroup] = ()
    ) -> Mapping[TargetGroupKey, ObservedTargetGroup]:
        """Our target groups whose tags name the route, each with the key whose it is. From memory, after a load.

        The groups of `desired`, all that is desired for the route, are claimed first. What nobody claims comes with a
        key made for it, for which nothing is ever desired: add it to the queue, and the group is deleted once unused.
        """
        for one in desired:
            with suppress(TakenError):
                self._find_group(one.key, one)
        mirror = self._mirror
        found: dict[TargetGroupKey, ObservedTargetGroup] = {}
        for ident in mirror.group_routes[route]:
            group = mirror.groups[ident]
            key = mirror.group_key(group) if mirror.ours(group.tags) else None
            if key is not None:
                found[key] = group
        return found

    async def observe_target_group(
        self, key: TargetGroupKey, desired: DesiredTargetGroup | None, *, lane: Lane = Lane.LIVE
    ) -> ObservedTargetGroup | None:
        """The group of a key with its targets; None if there is none. `plan_target_group` takes it.

        With `desired`, it is the one that the key used before, or the one whose identity tags are exactly the desired
        ones and whose fixed fields are as desired, or the one of that name, the alternative identity before the other;
        the key claims it. If there is an alternative, it is never one that serves another custom domain. Without
        `desired`, it is the one that the key used; never one that another key claims. Raises TakenError while a pass of
        another key uses it.
        """
        if not self._doubted or desired is None or self._find_group(key, desired) is None:
            await self.ensure_loaded()
        observed = await self._observe_group(key, desired, lane)
        if observed is None and not self._loaded:
            await self.ensure_loaded()
            observed = await self._observe_group(key, desired, lane)
        return observed

    async def _observe_group(
        self, key: TargetGroupKey, desired: DesiredTargetGroup | None, lane: Lane
    ) -> ObservedTargetGroup | None:
        await self._missed.of_key(key, None if desired is None else desired.name, lane)
        mirror = self._mirror
        ident = self._find_group(key, desired)
        if ident is None:
            return None
        self._turns.take(mirror.group_claims, key, ident)
        group = mirror.groups[ident]
        with mirror.reading(group.ref) as suspect, self._warmth.changing({"targetGroupIdentifier": ident}):
            await self._children.group(ident, lane, anew=suspect)
        group_ = mirror.groups.get(ident)
        if group_ is not None and desired is None and self._foreign_users(group_):
            await self._states.refresh("target_group", ident, lane)
            group_ = mirror.groups.get(ident)
        return group_

    def _foreign_users(self, group: ObservedTargetGroup) -> bool:
        return any(short_id(arn) not in self._mirror.services for arn in group.service_arns)

    def _find_group(self, key: TargetGroupKey, desired: DesiredTargetGroup | None) -> str | None:
        mirror = self._mirror
        ident = mirror.group_claims.id_of(key)
        if ident in mirror.groups:
            return ident
        if desired is None:
            ident = key.owner.hostname
            return ident if ident in mirror.groups and mirror.group_claims.key_of(ident) is None else None
        ident = group_for(mirror, key, desired)
        if ident is not None:
            holder = mirror.group_claims.key_of(ident)
            self._turns.take(mirror.group_claims, key, ident)
            if holder is not None and not same_backend(holder, key):
                # Its targets are another backend's: rules may point to it when it has this one's.
                mirror.put_group(replace(mirror.groups[ident], registered=False))
        return ident

    def target_group(self, key: TargetGroupKey) -> ObservedTargetGroup | None:
        """The group that a key claims, from memory; None if it has none yet."""
        return self._mirror.group_of(key)

    def service(self, key: ServiceKey) -> ObservedService | None:
        """The service that a key claims, from memory; None if it has none yet."""
        return self._mirror.service_of(key)

    def context(self, now: int) -> PlanContext:
        """For a plan; `now` is Unix time in seconds."""
        return PlanContext(
            identity=self._identity,
            now=now,
            network=self.network,
            target_group=self.target_group,
            group_named=lambda name: bool(self._mirror.group_names[name]),
            groups_per_service=self._quotas.now.target_groups_per_service,
        )

    def mark_suspect(self, ref: ResourceRef) -> None:
        """Lattice contradicts what is known of this: the key that observes it next reads it, and all below it, anew.

        An association is read anew with its service. A network is taken for missing until the networks are read anew,
        which whoever needs a missing one does.
        """
        if ref.type == "service_association":
            for ident in self._mirror.service_associations[ref.id]:
                self._mirror.suspects.add(ResourceRef("service", ident))
        elif ref.type == "network":
            self._mirror.drop_network(ref.id)
            self._networks_at = None
        else:
            self._mirror.suspects.add(ref)

    async def get(self, ref: ResourceRef, lane: Lane = Lane.LIVE) -> None:
        """Read one state (`poller.Look`)."""
        if ref.type == "targets":
            await self._warmth.look(ref.id, lane)
        else:
            await self._states.refresh(ref.type, ref.id, lane)

    async def list(self, kind: ResourceType, lane: Lane = Lane.LIVE) -> None:
        """Read all states of a type (`poller.Look`); not of targets, of which Lattice lists those of one group only."""
        await self._states.refresh_all(kind, lane)

    def state(self, ref: ResourceRef) -> str | None:
        """The status as last read; None when the resource does not exist (`poller.Look`)."""
        return self._warmth.state(ref.id) if ref.type == "targets" else self._mirror.state(ref)

    def pages(self, kind: ResourceType) -> int:
        """How many calls `list` is expected to take (`poller.Look`); for targets, more than any number of Gets."""
        return sys.maxsize if kind == "targets" else self._states.pages(kind)

    def record(self, operation: str, arguments: Shape, answer: Shape, creates: Resource | None = None) -> None:
        """Write-through: take note of a write of ours that succeeded; `creates` claims what it made."""
        with self._warmth.changing(arguments):
            record(self._mirror, operation, arguments, answer)
        if isinstance(creates, ServiceKey):
            self._turns.keep(self._mirror.service_claims, creates, answer["id"])
            self._missed.answered(creates, arguments["name"])
        elif isinstance(creates, TargetGroupKey):
            self._turns.keep(self._mirror.group_claims, creates, answer["id"])
            self._missed.answered(creates, arguments["name"])

    def unanswered(self, arguments: Shape, creates: Resource | None = None) -> None:
        """A write of ours had no definite answer: it may have been done, or not.

        What it wrote to is suspect. What it may have made is looked for by name when its key wants it no longer, or
        when its route is let go (`find_missed`).
        """
        if isinstance(creates, ServiceKey | TargetGroupKey):
            self._missed.doubt(creates, arguments["name"], arguments.get("tags", {}))
        for ident in [short_id(arguments[name]) for name in _WRITTEN if name in arguments]:
            self.mark_suspect(ResourceRef("service_association", ident))
            for kind in _READ_ANEW:
                if self._mirror.knows(kind, ident):
                    self.mark_suspect(ResourceRef(kind, ident))

    def absent(self, operation: str, arguments: Shape) -> None:
        """Write-through: a delete of ours found nothing to delete."""
        mirror = self._mirror
        if operation == "DeleteService":
            mirror.drop_service(short_id(arguments["serviceIdentifier"]))
        elif operation == "DeleteTargetGroup":
            mirror.drop_group(short_id(arguments["targetGroupIdentifier"]))
        elif operation == "DeleteServiceNetworkServiceAssociation":
            mirror.drop_association(short_id(arguments["serviceNetworkServiceAssociationIdentifier"]))
        else:
            record(mirror, operation, arguments, {})

    def registered(self, key: TargetGroupKey) -> None:
        """All desired targets of the group were registered once: rules may point to it from now on."""
        group = self.target_group(key)
        if group is not None and not group.registered:
            self._mirror.put_group(replace(group, registered=True))

    def finished(self, key: ServiceKey) -> None:
        """All that is desired of the service was there once: from now on somebody may rely on what it answers."""
        service = self.service(key)
        if service is not None and service.young:
            self._mirror.put_service(replace(service, young=False))

    async def look_up(self, resource: ServiceKey | TargetGroupKey, name: str, *, lane: Lane = Lane.LIVE) -> bool:
        """A create met a name that is taken: read whoever has it, so that the next plan can decide. False if nobody."""
        read = self._children.service_named if isinstance(resource, ServiceKey) else self._children.group_named
        found = await read(name, lane) is not None
        self._missed.answered(resource, name)
        return found


def _usable(service: ObservedService, desired: DesiredService, identity: Identity) -> bool:
    return service.custom_domain == desired.custom_domain and conflict_of(desired, service, identity) is None
