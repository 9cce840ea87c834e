"""Reading into the mirror what is ours, the states of it, and the service networks; what is below it: `children`.

**What is ours** is found by one query for the owner tag (Resource Groups Tagging API, 100 resources a page), or, in a
VPC without a way to that API, by listing everything and asking for the tags of each. The tagging API follows changes
after some seconds; what it tells of that is gone is dropped as soon as states are read.

**States** come from lists, which are account-wide and show everybody's resources, or from one Get for each of ours. How
long the lists are is only known by reading them, so pages are read until all of ours were seen, but never more than
there are Gets left to do: that costs at most twice the better way, whichever it is.

**What is gone** is told by nobody alone. The tagging API shows what was deleted, a list may not show yet what was made,
and a Get may not find what the next one finds. What a Get does not find although nobody was deleting it is looked for
in the list, because nothing else would ever find again what is forgotten by mistake.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import anyio
from msgspec.structs import replace

from controller.lattice.errors import LatticeError, RetryError, SuspectError
from controller.lattice.inventory import decode
from controller.lattice.inventory.mirror import Mirror
from controller.lattice.inventory.once import Once
from controller.lattice.limits import Lane
from controller.lattice.model import MANAGED_BY, TAG_PREFIX, Identity
from controller.lattice.observed import DELETE_IN_PROGRESS
from controller.lattice.plan.wire import short_id
from controller.lattice.refs import ResourceType

_SERVICE, _GROUP = "vpc-lattice:service", "vpc-lattice:targetgroup"
_PROTOCOL_VERSION = TAG_PREFIX + "ProtocolVersion"


class Client(Protocol):
    """What is needed of `controller.lattice.client.LatticeClient`."""

    async def call(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = ..., token: str | None = ...
    ) -> dict[str, Any]: ...

    def pages(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = ...
    ) -> AsyncGenerator[dict[str, Any], None]: ...

    async def tagged(
        self, tags: Mapping[str, str], resource_types: Sequence[str], *, lane: Lane = ...
    ) -> list[tuple[str, dict[str, str]]]: ...


async def together(*work: Callable[[], Awaitable[None]]) -> None:
    """Run all at the same time; the first LatticeError ends the others and is raised."""
    first: list[LatticeError] = []

    async def one(task: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
        try:
            await task()
        except LatticeError as error:
            first.append(error)
            scope.cancel()

    async with anyio.create_task_group() as group:
        for task in work:
            group.start_soon(one, task, group.cancel_scope)
    if first:
        raise first[0]


class States:
    """Reads into one mirror. All methods raise LatticeError, and leave what was read before an error."""

    def __init__(self, client: Client, mirror: Mirror, identity: Identity, *, use_tagging_api: bool) -> None:
        self._client = client
        self._mirror = mirror
        self._identity = identity
        self._use_tagging_api = use_tagging_api
        self._pages: dict[ResourceType, int] = {}
        self._looks: dict[ResourceType, Once[dict[str, dict[str, Any]]]] = {kind: Once() for kind in _LISTS}

    def pages(self, kind: ResourceType) -> int:
        """How many calls the list of a type took last time."""
        return self._pages.get(kind, 1)

    async def load(self, lane: Lane) -> None:
        """All of ours: services and target groups with their tags and states, and the service networks."""
        await together(lambda: self._load_ours(lane), lambda: self.networks(lane))

    async def _load_ours(self, lane: Lane) -> None:
        if not self._use_tagging_api:
            await together(
                lambda: self._load_by_tags_of_each("service", lane),
                lambda: self._load_by_tags_of_each("target_group", lane),
            )
            return
        found = await self._client.tagged({MANAGED_BY: self._identity.owner}, (_SERVICE, _GROUP), lane=lane)
        services = {short_id(arn): tags for arn, tags in found if _is(arn, "service")}
        groups = {short_id(arn): tags for arn, tags in found if _is(arn, "targetgroup")}
        await together(
            lambda: self._load_states("service", services, lane),
            lambda: self._load_states("target_group", groups, lane),
        )

    async def _load_states(self, kind: ResourceType, tags: Mapping[str, Mapping[str, str]], lane: Lane) -> None:
        missing = dict(tags)
        read = 0
        if len(missing) > 1:
            async with aclosing(self._client.pages(_LISTS[kind], self._filter(kind), lane=lane)) as pages:
                async for page in pages:
                    read += 1
                    for item in page.get("items", ()):
                        if item["id"] in missing:
                            self.put(kind, item, missing.pop(item["id"]))
                    if not page.get("nextToken"):
                        self._pages[kind] = read
                        return
                    if len(missing) <= read:
                        break
        self._pages[kind] = max(read + 1, self.pages(kind))
        await together(*(bind(self._load_one, kind, ident, tags[ident], lane) for ident in missing))

    async def _load_one(self, kind: ResourceType, ident: str, tags: Mapping[str, str], lane: Lane) -> None:
        answer = await self.read(kind, ident, lane)
        if answer is not None:
            self.put(kind, answer, tags)
            if kind == "service":
                self._mirror.detailed.add(ident)
        elif (listed := await self._listed(kind, ident, lane)) is not None:
            self.put(kind, listed, tags)

    async def _listed(self, kind: ResourceType, ident: str, lane: Lane) -> Mapping[str, Any] | None:
        """What the list says of a resource that a Get did not find; all who ask meanwhile share one list."""

        async def look() -> dict[str, dict[str, Any]]:
            return {item["id"]: item for item in await self.items(kind, lane)}

        return (await self._looks[kind].run(look)).get(ident)

    async def _vanished(self, kind: ResourceType, ident: str, lane: Lane) -> bool:
        """Whether what a Get did not find is gone. Raises RetryError where the list still shows it."""
        held = self._mirror.services.get(ident) if kind == "service" else self._mirror.groups.get(ident)
        if held is None or held.status == DELETE_IN_PROGRESS or await self._listed(kind, ident, lane) is None:
            return True
        operation, _ = _GETS[kind]
        raise RetryError(operation, "Contradiction", f"{ident} was not found, but is in the list")

    async def _load_by_tags_of_each(self, kind: ResourceType, lane: Lane) -> None:
        items = await self.items(kind, lane)

        async def one(item: Mapping[str, Any]) -> None:
            tags = await self.tags(item["arn"], lane)
            if self._mirror.ours(tags):
                self.put(kind, item, tags)

        await together(*(bind(one, item) for item in items))

    async def tags(self, arn: str, lane: Lane) -> dict[str, str]:
        """The tags of one resource; none for what does not exist."""
        try:
            answer = await self._client.call("ListTagsForResource", {"resourceArn": arn}, lane=lane)
        except SuspectError as error:
            if error.not_found:
                return {}
            raise
        return dict(answer.get("tags", {}))

    def _filter(self, kind: ResourceType) -> dict[str, str]:
        return {"vpcIdentifier": self._identity.vpc} if kind == "target_group" else {}

    async def items(self, kind: ResourceType, lane: Lane) -> list[dict[str, Any]]:
        """All that the list of services or target groups shows, whoever's it is."""
        items: list[dict[str, Any]] = []
        read = 0
        async for page in self._client.pages(_LISTS[kind], self._filter(kind), lane=lane):
            items.extend(page.get("items", ()))
            read += 1
        self._pages[kind] = read
        return items

    async def read(self, kind: ResourceType, ident: str, lane: Lane) -> dict[str, Any] | None:
        """What Get says of one resource; None if it does not exist."""
        operation, parameter = _GETS[kind]
        try:
            return await self._client.call(operation, {parameter: ident}, lane=lane)
        except SuspectError as error:
            if error.not_found:
                return None
            raise

    def put(self, kind: ResourceType, answer: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Take an answer into the mirror; what was known and is not in it stays: children, and which tags we wrote."""
        mirror = self._mirror
        if kind == "service":
            service = decode.service(answer, tags)
            old = mirror.services.get(service.id)
            if old is not None:
                detail = (
                    {} if "authType" in answer else {"certificate_arn": old.certificate_arn, "auth_type": old.auth_type}
                )
                service = replace(
                    service,
                    written_tags=old.written_tags,
                    associations=old.associations,
                    listeners=old.listeners,
                    young=old.young,
                    domain=service.domain or old.domain,
                    **detail,
                )
            mirror.put_service(service)
        else:
            known = mirror.groups.get(answer["id"])
            version = tags.get(_PROTOCOL_VERSION, "") if known is None else known.protocol_version
            group = decode.target_group(answer, tags, version)
            if known is not None:
                group = replace(
                    group,
                    written_tags=known.written_tags,
                    targets=known.targets,
                    registered=known.registered,
                    health_check=group.health_check or known.health_check,
                )
            mirror.put_group(group)

    async def networks(self, lane: Lane) -> None:
        """The service networks that the list shows."""
        found: dict[str, Any] = {}
        read = 0
        async for page in self._client.pages("ListServiceNetworks", {}, lane=lane):
            found.update({item["id"]: decode.network(item) for item in page.get("items", ())})
            read += 1
        self._pages["network"] = read
        self._mirror.networks = found

    async def vpc_associations(self, lane: Lane) -> None:
        """This VPC's associations: their states, and the networks behind the active ones."""
        networks: dict[str, Any] = {}
        states: dict[str, str] = {}
        read = 0
        where = {"vpcIdentifier": self._identity.vpc}
        async for page in self._client.pages("ListServiceNetworkVpcAssociations", where, lane=lane):
            read += 1
            for item in page.get("items", ()):
                states[item["id"]] = item["status"]
                if item["status"] == "ACTIVE":
                    one = decode.associated_network(item)
                    networks[one.id] = one
        self._pages["vpc_association"] = read
        self._mirror.networks_elsewhere = networks
        self._mirror.vpc_states = states

    async def refresh(self, kind: ResourceType, ident: str, lane: Lane) -> None:
        """The state of one resource by one Get; it is dropped if it does not exist, and no list shows it."""
        mirror = self._mirror
        if kind in {"network", "vpc_association"}:
            await (self.networks(lane) if kind == "network" else self.vpc_associations(lane))
            return
        answer = await self.read(kind, ident, lane)
        if kind == "service_association":
            if answer is None:
                mirror.drop_association(ident)
            else:
                mirror.put_association(answer["serviceId"], decode.association(answer))
        elif kind == "service":
            known = mirror.services.get(ident)
            if answer is None and await self._vanished(kind, ident, lane):
                mirror.drop_service(ident)
            elif answer is not None and known is not None:
                self.put(kind, answer, known.tags)
                mirror.detailed.add(ident)
        else:
            group = mirror.groups.get(ident)
            if answer is None and await self._vanished(kind, ident, lane):
                mirror.drop_group(ident)
            elif answer is not None and group is not None:
                self.put(kind, answer, group.tags)

    async def refresh_all(self, kind: ResourceType, lane: Lane) -> None:
        """The states of all of ours of a type by lists.

        What they do not show is gone if it was being deleted, and otherwise suspect: a list may not show yet what was
        just made.
        """
        mirror = self._mirror
        if kind == "network":
            await self.networks(lane)
        elif kind == "vpc_association":
            await self.vpc_associations(lane)
        elif kind == "service_association":
            await self._refresh_associations(lane)
        else:
            known = set(mirror.services if kind == "service" else mirror.groups)
            seen = {item["id"]: item for item in await self.items(kind, lane)}
            for ident in known:
                held = mirror.services.get(ident) if kind == "service" else mirror.groups.get(ident)
                if held is None:
                    continue
                if ident in seen:
                    self.put(kind, seen[ident], held.tags)
                elif held.status != DELETE_IN_PROGRESS:
                    mirror.suspects.add(held.ref)
                elif kind == "service":
                    mirror.drop_service(ident)
                else:
                    mirror.drop_group(ident)

    async def _refresh_associations(self, lane: Lane) -> None:
        """Network by network, those in which something is changing: the API lists them in no other way."""
        mirror = self._mirror
        changing = mirror.changing_associations()
        read = 0
        for network_id in sorted({association.network_id for association in changing}):
            seen: set[str] = set()
            where = {"serviceNetworkIdentifier": network_id}
            async for page in self._client.pages("ListServiceNetworkServiceAssociations", where, lane=lane):
                read += 1
                for item in page.get("items", ()):
                    seen.add(item["id"])
                    mirror.put_association(item["serviceId"], decode.association(item))
            for association in changing:
                known = mirror.association(association.id)
                deleted = known is not None and known.status == DELETE_IN_PROGRESS
                if deleted and association.network_id == network_id and association.id not in seen:
                    mirror.drop_association(association.id)
        self._pages["service_association"] = read


_LISTS: Mapping[ResourceType, str] = {"service": "ListServices", "target_group": "ListTargetGroups"}
_GETS: Mapping[ResourceType, tuple[str, str]] = {
    "service": ("GetService", "serviceIdentifier"),
    "target_group": ("GetTargetGroup", "targetGroupIdentifier"),
    "service_association": (
        "GetServiceNetworkServiceAssociation",
        "serviceNetworkServiceAssociationIdentifier",
    ),
}


def _is(arn: str, kind: str) -> bool:
    """Whether the ARN names such a resource itself, and not one below it."""
    parts = arn.split(":", 5)[-1].split("/")
    return len(parts) == 2 and parts[0] == kind


def bind(work: Callable[..., Awaitable[None]], *arguments: Any) -> Callable[[], Awaitable[None]]:
    """For `together`."""
    return lambda: work(*arguments)
