"""Reading what hangs below a service or a target group: associations, listeners, rules, targets, when first needed.

Rules have to be read one by one, because the list of rules shows neither match nor action. All that does not depend on
each other is read at the same time; the client's limits keep the order.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec.structs import replace

from controller.lattice.errors import SuspectError
from controller.lattice.inventory import decode
from controller.lattice.inventory.mirror import Mirror
from controller.lattice.inventory.states import Client, States, bind, together
from controller.lattice.limits import Lane
from controller.lattice.model import Target
from controller.lattice.observed import (
    ObservedAssociation,
    ObservedListener,
    ObservedRule,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.refs import ResourceRef, ResourceType


class Children:
    """Reads into one mirror. All methods raise LatticeError, and leave what was read before an error."""

    def __init__(self, client: Client, mirror: Mirror, states: States) -> None:
        self._client = client
        self._mirror = mirror
        self._states = states

    async def service(self, ident: str, lane: Lane, *, anew: bool) -> None:
        """A service and all below it; only what was not read yet, unless `anew`."""
        mirror = self._mirror
        known = mirror.services.get(ident)
        if known is None:
            return
        work: list[Callable[[], Awaitable[None]]] = []
        if anew or (known.custom_domain is not None and ident not in mirror.detailed) or _unexplained(known):
            work.append(bind(self._states.refresh, "service", ident, lane))
        if anew:
            work.append(bind(self._retag, ident, known.arn, lane))
        if anew or known.associations is None:
            work.append(bind(self.associations, ident, lane))
        if anew or known.listeners is None:
            work.append(bind(self._listeners, ident, lane))
        await together(*work)

    async def group(self, ident: str, lane: Lane, *, anew: bool) -> None:
        """A target group, its health check and its targets; only what was not read yet, unless `anew`."""
        known = self._mirror.groups.get(ident)
        if known is None:
            return
        work: list[Callable[[], Awaitable[None]]] = []
        if anew or known.health_check is None or _unexplained(known):
            work.append(bind(self._states.refresh, "target_group", ident, lane))
        if anew:
            work.append(bind(self._retag, ident, known.arn, lane))
        if anew or known.targets is None:
            work.append(bind(self._targets, ident, lane))
        await together(*work)

    async def _retag(self, ident: str, arn: str, lane: Lane) -> None:
        tags, mirror = await self._states.tags(arn, lane), self._mirror
        if ident in mirror.services:
            mirror.put_service(replace(mirror.services[ident], tags=tags))
        elif ident in mirror.groups:
            mirror.put_group(replace(mirror.groups[ident], tags=tags))

    async def associations(self, ident: str, lane: Lane) -> None:
        """The associations of a service with networks."""
        found: dict[str, ObservedAssociation] = {}
        where = {"serviceIdentifier": ident}
        async for page in self._client.pages("ListServiceNetworkServiceAssociations", where, lane=lane):
            found.update({item["serviceNetworkId"]: decode.association(item) for item in page.get("items", ())})
        failed = [key for key, one in found.items() if _unexplained(one)]

        async def reason(key: str) -> None:
            answer = await self._states.read("service_association", found[key].id, lane)
            if answer is not None:
                found[key] = decode.association(answer)

        await together(*(bind(reason, key) for key in failed))
        service = self._mirror.services.get(ident)
        if service is not None:
            self._mirror.put_service(replace(service, associations=found))

    async def _listeners(self, ident: str, lane: Lane) -> None:
        found: dict[int, ObservedListener] = {}

        async def one(listener_id: str) -> None:
            where = {"serviceIdentifier": ident, "listenerIdentifier": listener_id}
            rules: dict[str, ObservedRule] = {}
            answers: list[dict[str, Any]] = []

            async def itself() -> None:
                answers.append(await self._client.call("GetListener", where, lane=lane))

            await together(itself, lambda: self._rules(where, rules, lane))
            listener = decode.listener(answers[0], rules)
            found[listener.port] = listener

        try:
            ids = await self._ids("ListListeners", {"serviceIdentifier": ident}, lane)
            await together(*(bind(one, listener_id) for listener_id in ids))
        except SuspectError as error:
            await self._gone_or_raise(error, "service", ident, lane)
        service = self._mirror.services.get(ident)
        if service is not None:
            self._mirror.put_service(replace(service, listeners=found))

    async def _gone_or_raise(self, error: SuspectError, kind: ResourceType, ident: str, lane: Lane) -> None:
        """Something below it was not found: that is an answer only if the resource itself is gone."""
        await self._states.refresh(kind, ident, lane)
        if self._mirror.state(ResourceRef(kind, ident)) is not None:
            raise error

    async def _rules(self, where: dict[str, str], rules: dict[str, ObservedRule], lane: Lane) -> None:
        async def one(rule_id: str) -> None:
            rule = decode.rule(await self._client.call("GetRule", {**where, "ruleIdentifier": rule_id}, lane=lane))
            rules[rule.id] = rule

        ids = await self._ids("ListRules", where, lane)
        await together(*(bind(one, rule_id) for rule_id in ids))

    async def _ids(self, operation: str, where: Mapping[str, str], lane: Lane) -> list[str]:
        return [
            item["id"]
            async for page in self._client.pages(operation, where, lane=lane)
            for item in page["items"]
            if not item.get("isDefault", False)
        ]

    async def _targets(self, ident: str, lane: Lane) -> None:
        found: dict[Target, str | None] = {}
        try:
            async for page in self._client.pages("ListTargets", {"targetGroupIdentifier": ident}, lane=lane):
                found.update({Target(ip=one["id"], port=one["port"]): one.get("status") for one in page["items"]})
        except SuspectError as error:
            await self._gone_or_raise(error, "target_group", ident, lane)
        group = self._mirror.groups.get(ident)
        if group is not None:
            self._mirror.put_group(replace(group, targets=found))

    async def service_named(self, name: str, lane: Lane) -> str | None:
        """The id of this account's service of that name, whoever's it is; read with all below it, and kept."""
        for item in await self._states.items("service", lane):
            if item["name"] == name and self._mirror.of_this_account(item["arn"]):
                self._states.put("service", item, await self._states.tags(item["arn"], lane))
                await self.service(item["id"], lane, anew=False)
                return str(item["id"])
        return None

    async def group_named(self, name: str, lane: Lane) -> str | None:
        """The id of this account's group of that name, whoever's it is; read with tags and targets, and kept."""
        for item in await self._states.items("target_group", lane):
            if item["name"] == name and self._mirror.of_this_account(item["arn"]):
                self._states.put("target_group", item, await self._states.tags(item["arn"], lane))
                await self.group(item["id"], lane, anew=False)
                return str(item["id"])
        return None


def _unexplained(observed: ObservedService | ObservedTargetGroup | ObservedAssociation) -> bool:
    """Whether something failed of which the reason was not read: lists do not show it."""
    return observed.status.endswith("_FAILED") and not observed.failure
