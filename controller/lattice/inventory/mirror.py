"""What is known of our corner of VPC Lattice, in memory: observed structs, indexes to find them, and who claims them.

Synchronous and without I/O: `record` writes the answers to our own calls in, `states` and `children` what they read.
Finding is by index, never by a scan.

**Claims.** A key claims the resource that it observed for something desired. The last claim wins, because an identity
can pass from one key to another: a route that changes a backend's port keeps its target group. A key for which
nothing is desired any more finds what it claimed, or what nobody claims and whose tags say that it was this key's; so
a key that cleans up never reaches what another key is using.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, get_args

from msgspec.structs import replace

from controller.api.keys import RouteKind, RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.model import MANAGED_BY, TAG_PREFIX, Identity
from controller.lattice.observed import (
    NetworkAmbiguous,
    NetworkFound,
    NetworkLookup,
    NetworkMissing,
    NetworkUnknown,
    ObservedAssociation,
    ObservedNetwork,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.refs import ResourceRef, ResourceType

Label = TypeVar("Label", bound=Hashable)
Item = TypeVar("Item")
Claimant = TypeVar("Claimant", bound=ServiceKey | TargetGroupKey)

_ROUTE_KINDS: Mapping[str, RouteKind] = {kind.removesuffix("Route").lower(): kind for kind in get_args(RouteKind)}
"""By the value of the tag RouteType."""


def _tag(tags: Mapping[str, str], name: str) -> str:
    return tags.get(TAG_PREFIX + name, "")


def route_of_service(tags: Mapping[str, str]) -> RouteRef | None:
    """The route that a service's tags name; None if they name none of a kind that we know."""
    kind = _ROUTE_KINDS.get(_tag(tags, "RouteType"))
    name, namespace = _tag(tags, "RouteName"), _tag(tags, "RouteNamespace")
    return RouteRef(kind, namespace, name) if kind is not None and name else None


def route_of_group(tags: Mapping[str, str]) -> RouteRef | None:
    """The route that a target group's tags name; None if they name none of a kind that we know."""
    source, name, namespace = _tag(tags, "SourceTypeKey"), _tag(tags, "RouteName"), _tag(tags, "RouteNamespace")
    kind = next((kind for kind in _ROUTE_KINDS.values() if kind == source), None)
    return RouteRef(kind, namespace, name) if kind is not None and name else None


def backend_of_group(tags: Mapping[str, str]) -> tuple[str, str]:
    """Namespace and name of the Service whose endpoints a target group holds."""
    return _tag(tags, "ServiceNamespace"), _tag(tags, "ServiceName")


class Index(Generic[Label, Item]):
    """Ids by what their item is labelled with; kept up as items come, change and go."""

    def __init__(self, labels: Callable[[Item], Iterable[Label | None]]) -> None:
        self._labels = labels
        self._ids: dict[Label, dict[str, None]] = {}
        self._of: dict[str, frozenset[Label]] = {}

    def put(self, ident: str, item: Item) -> None:
        labels = frozenset(label for label in self._labels(item) if label is not None)
        if self._of.get(ident) != labels:
            self.drop(ident)
            self._of[ident] = labels
            for label in labels:
                self._ids.setdefault(label, {})[ident] = None

    def drop(self, ident: str) -> None:
        for label in self._of.pop(ident, ()):
            ids = self._ids[label]
            del ids[ident]
            if not ids:
                del self._ids[label]

    def labels(self) -> tuple[Label, ...]:
        return tuple(self._ids)

    def __getitem__(self, label: Label) -> tuple[str, ...]:
        return tuple(self._ids.get(label, ()))


class Claims(Generic[Claimant]):
    """Which key uses which resource: at most one each way, the last claim wins."""

    def __init__(self) -> None:
        self._ids: dict[Claimant, str] = {}
        self._keys: dict[str, Claimant] = {}

    def claim(self, key: Claimant, ident: str) -> None:
        self.drop(self._ids.get(key, ""))
        self.drop(ident)
        self._ids[key] = ident
        self._keys[ident] = key

    def drop(self, ident: str) -> None:
        key = self._keys.pop(ident, None)
        if key is not None:
            del self._ids[key]

    def id_of(self, key: Claimant) -> str | None:
        return self._ids.get(key)

    def key_of(self, ident: str) -> Claimant | None:
        return self._keys.get(ident)


class Mirror:
    """All that is known. Items are frozen: to change one, put another in its place."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.services: dict[str, ObservedService] = {}
        self.groups: dict[str, ObservedTargetGroup] = {}
        self.networks: dict[str, ObservedNetwork] | None = None
        """By id; None when not read."""
        self.networks_elsewhere: dict[str, ObservedNetwork] = {}
        """Networks that only this VPC's associations show, by id."""
        self.vpc_states: dict[str, str] = {}
        """States of this VPC's associations, by id."""
        self.service_claims: Claims[ServiceKey] = Claims()
        self.group_claims: Claims[TargetGroupKey] = Claims()
        self.suspects: set[ResourceRef] = set()
        self.detailed: set[str] = set()
        """Ids of services that were read by Get or made by us; lists leave fields out."""
        self.service_names: Index[str, ObservedService] = Index(lambda one: (one.name,))
        self.service_routes: Index[RouteRef, ObservedService] = Index(lambda one: (route_of_service(one.tags),))
        self.service_domains: Index[str, ObservedService] = Index(lambda one: (one.custom_domain,))
        self.service_associations: Index[str, ObservedService] = Index(
            lambda one: (association.id for association in (one.associations or {}).values())
        )
        self.service_changes: Index[str, ObservedService] = Index(
            lambda one: (
                association.id
                for association in (one.associations or {}).values()
                if association.status.endswith("_IN_PROGRESS")
            )
        )
        self.group_users: Index[str, ObservedService] = Index(lambda one: one.groups())
        self.group_names: Index[str, ObservedTargetGroup] = Index(lambda one: (one.name,))
        self.group_routes: Index[RouteRef, ObservedTargetGroup] = Index(lambda one: (route_of_group(one.tags),))
        self.group_backends: Index[tuple[str, str], ObservedTargetGroup] = Index(
            lambda one: (backend_of_group(one.tags),)
        )

    def _service_indexes(self) -> tuple[Index[Any, ObservedService], ...]:
        return (
            self.service_names,
            self.service_routes,
            self.service_domains,
            self.service_associations,
            self.service_changes,
            self.group_users,
        )

    def _group_indexes(self) -> tuple[Index[Any, ObservedTargetGroup], ...]:
        return self.group_names, self.group_routes, self.group_backends

    def clear(self) -> None:
        """Forget everything but the claims, which are ours and not Lattice's."""
        for ident in tuple(self.services):
            self._unlist_service(ident)
        for ident in tuple(self.groups):
            self._unlist_group(ident)
        self.networks = None
        self.networks_elsewhere.clear()
        self.vpc_states.clear()
        self.suspects.clear()
        self.detailed.clear()

    def doubt(self) -> None:
        """Keep what identifies services and groups, and have all else of each read anew by who observes it."""
        for service in tuple(self.services.values()):
            self.put_service(replace(service, associations=None, listeners=None))
            self.suspects.add(service.ref)
        for group in tuple(self.groups.values()):
            self.put_group(replace(group, targets=None))
            self.suspects.add(group.ref)

    def put_service(self, service: ObservedService) -> None:
        self.services[service.id] = service
        for index in self._service_indexes():
            index.put(service.id, service)

    def drop_service(self, ident: str) -> None:
        self._unlist_service(ident)
        self.service_claims.drop(ident)

    def _unlist_service(self, ident: str) -> None:
        service = self.services.pop(ident, None)
        if service is None:
            return
        for index in self._service_indexes():
            index.drop(ident)
        self.detailed.discard(ident)
        self.suspects.discard(service.ref)

    def put_group(self, group: ObservedTargetGroup) -> None:
        self.groups[group.id] = group
        for index in self._group_indexes():
            index.put(group.id, group)

    def drop_group(self, ident: str) -> None:
        self._unlist_group(ident)
        self.group_claims.drop(ident)

    def _unlist_group(self, ident: str) -> None:
        group = self.groups.pop(ident, None)
        if group is None:
            return
        for index in self._group_indexes():
            index.drop(ident)
        self.suspects.discard(group.ref)

    def put_association(self, service_id: str, association: ObservedAssociation) -> None:
        """For a service whose associations were read."""
        service = self.services.get(service_id)
        if service is not None and service.associations is not None:
            others = {key: one for key, one in service.associations.items() if one.id != association.id}
            self.put_service(replace(service, associations={**others, association.network_id: association}))

    def drop_association(self, ident: str) -> None:
        for service_id in self.service_associations[ident]:
            service = self.services[service_id]
            assert service.associations is not None
            rest = {key: one for key, one in service.associations.items() if one.id != ident}
            self.put_service(replace(service, associations=rest))

    def association(self, ident: str) -> ObservedAssociation | None:
        for service_id in self.service_associations[ident]:
            for one in (self.services[service_id].associations or {}).values():
                if one.id == ident:
                    return one
        return None

    def changing_associations(self) -> list[ObservedAssociation]:
        """Those that are being created or deleted."""
        found = [self.association(ident) for ident in self.service_changes.labels()]
        return [association for association in found if association is not None]

    def knows(self, kind: ResourceType, ident: str) -> bool:
        """Whether it is one of the services or target groups here."""
        return ident in (self.services if kind == "service" else self.groups)

    @contextmanager
    def reading(self, ref: ResourceRef) -> Iterator[bool]:
        """Around reading a service or a target group: whether it is suspect, so that all of it is to be read anew.

        It stays suspect if the reading fails: what it was suspected for has not been seen.
        """
        suspect = ref in self.suspects
        self.suspects.discard(ref)
        try:
            yield suspect
        except BaseException:
            if suspect and self.knows(ref.type, ref.id):
                self.suspects.add(ref)
            raise

    def state(self, ref: ResourceRef) -> str | None:
        """The status as last read; None for what does not exist. A network has no states: it is ACTIVE if it exists.

        Targets have none here, as a whole (`inventory.warmth`).
        """
        match ref.type:
            case "service":
                service = self.services.get(ref.id)
                return None if service is None else service.status
            case "target_group":
                group = self.groups.get(ref.id)
                return None if group is None else group.status
            case "service_association":
                association = self.association(ref.id)
                return None if association is None else association.status
            case "vpc_association":
                return self.vpc_states.get(ref.id)
            case "targets":
                return None
            case "network":
                return "ACTIVE" if ref.id in {**(self.networks or {}), **self.networks_elsewhere} else None

    def ours(self, tags: Mapping[str, str]) -> bool:
        return tags.get(MANAGED_BY) == self._identity.owner

    def of_this_account(self, arn: str) -> bool:
        """Whether it is of this account, and not shared with it: names are unique in an account only."""
        return arn.split(":")[4] == self._identity.account

    def network(self, name_or_id: str) -> NetworkLookup:
        """A service network by name or id: among all that the list shows, then among those of this VPC's
        associations."""
        if self.networks is None:
            return NetworkUnknown()
        for known in (self.networks, self.networks_elsewhere):
            if name_or_id in known:
                return NetworkFound(network=known[name_or_id])
            named = [network for network in known.values() if network.name == name_or_id]
            if len(named) == 1:
                return NetworkFound(network=named[0])
            if named:
                return NetworkAmbiguous(ids=tuple(sorted(network.id for network in named)))
        return NetworkMissing()

    def lists_network(self, name_or_id: str) -> bool:
        """Whether the list of service networks shows one of that name or id."""
        known = self.networks or {}
        return name_or_id in known or any(network.name == name_or_id for network in known.values())

    def drop_network(self, ident: str) -> None:
        """Forget a service network, if it is known."""
        for known in (self.networks or {}, self.networks_elsewhere):
            known.pop(ident, None)

    def network_name(self, ident: str) -> str:
        known = (self.networks or {}).get(ident) or self.networks_elsewhere.get(ident)
        return "" if known is None else known.name

    def service_of(self, key: ServiceKey) -> ObservedService | None:
        """The service that a key claims."""
        ident = self.service_claims.id_of(key)
        return None if ident is None else self.services.get(ident)

    def group_of(self, key: TargetGroupKey) -> ObservedTargetGroup | None:
        """The group that a key claims."""
        ident = self.group_claims.id_of(key)
        return None if ident is None else self.groups.get(ident)

    def service_key(self, service: ObservedService) -> ServiceKey | None:
        """The key whose service this is: who claims it, else what tags, domain and associations say.

        None while that cannot be told: the associations were not read, or its tags name no route. If that key has
        another service, then one that finds it by its id, and nothing is desired for.
        """
        claimed = self.service_claims.key_of(service.id)
        if claimed is not None:
            return claimed
        route = route_of_service(service.tags)
        if route is None:
            return None
        if service.custom_domain is None:
            key = ServiceKey(kind=route.kind, route=route)
        elif service.associations is None:
            return None
        else:
            names = sorted(one.network_name or one.network_id for one in service.associations.values())
            key = ServiceKey(
                kind=route.kind, hostname=service.custom_domain, networks=tuple(names), namespace=route.namespace
            )
        if self.service_claims.id_of(key) in self.services:
            return ServiceKey(kind=route.kind, hostname=service.id, namespace=route.namespace)
        return key

    def group_key(self, group: ObservedTargetGroup) -> TargetGroupKey | None:
        """The key whose group this is: who claims it, else one that finds it by its id, and nothing is desired for.

        Tags do not tell the service's hostname, so such a key bears the group's id in its place. None if the tags name
        no route.
        """
        claimed = self.group_claims.key_of(group.id)
        if claimed is not None:
            return claimed
        route = route_of_group(group.tags)
        if route is None:
            return None
        namespace, name = backend_of_group(group.tags)
        return TargetGroupKey(
            owner=ServiceKey(kind=route.kind, hostname=group.id, namespace=route.namespace),
            namespace=namespace,
            service=name,
            port=None,
            protocol=group.protocol,
            protocol_version=group.protocol_version,
            ip_address_type=group.ip_address_type,
        )
