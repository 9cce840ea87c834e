"""An emulated account with our inventory and applier on it, and a loop that does what the reconcilers do."""

from collections.abc import Iterable, Sequence
from typing import Any

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.apply import Applied, Applier
from controller.lattice.client import LatticeClient
from controller.lattice.errors import SuspectError
from controller.lattice.inventory import Inventory
from controller.lattice.model import (
    TAG_PREFIX,
    DesiredListener,
    DesiredRule,
    DesiredService,
    DesiredTargetGroup,
    FixedResponse,
    Forward,
    HealthCheck,
    Identity,
    Match,
    Target,
)
from controller.lattice.plan import plan_service, plan_target_group
from controller.lattice.refs import ResourceType
from sandbox.lattice import LatticeServer
from workqueue.testing import FakeClock

VPC = "vpc-0123456789abcdef0"
IDENTITY = Identity(account="123456789012", region="us-west-2", cluster="cluster", vpc=VPC)
ROUTE = RouteRef("HTTPRoute", "default", "rates")
KEY = ServiceKey(kind="HTTPRoute", route=ROUTE)
NOT_FOUND = FixedResponse(status_code=404)
STATES: tuple[ResourceType, ...] = ("service", "target_group", "service_association")


def group_key(service: str = "parking", owner: ServiceKey = KEY) -> TargetGroupKey:
    return TargetGroupKey(owner=owner, namespace="default", service=service, port=80)


def group(service: str = "parking", *targets: str, owner: ServiceKey = KEY, **more: Any) -> DesiredTargetGroup:
    tags = {
        "ServiceName": service,
        "ServiceNamespace": "default",
        "SourceTypeKey": "HTTPRoute",
        "ProtocolVersion": "HTTP1",
        "RouteName": ROUTE.name,
        "RouteNamespace": ROUTE.namespace,
    }
    if owner.hostname:
        tags["Hostname"] = owner.hostname
    identity = {TAG_PREFIX + name: value for name, value in tags.items()}
    fields: dict[str, Any] = {
        "key": group_key(service, owner),
        "name": f"k8s-default-{service}-abcdefghij" + ("-h" if owner.hostname else ""),
        "port": 80,
        "protocol": "HTTP",
        "protocol_version": "HTTP1",
        "ip_address_type": "IPV4",
        "vpc": VPC,
        "health_check": HealthCheck(),
        "identity_tags": identity,
        "targets": frozenset(Target(ip=ip, port=8090) for ip in targets),
    }
    fields |= more
    return DesiredTargetGroup(tags={**fields["identity_tags"], **fields.pop("user_tags", {})}, **fields)


def forward(*groups: str, weights: Sequence[int] = (), owner: ServiceKey = KEY) -> Forward:
    chosen = weights or (1,) * len(groups)
    return Forward(weights=tuple((group_key(one, owner), weight) for one, weight in zip(groups, chosen, strict=True)))


def rule(path: str, *groups: str, weights: Sequence[int] = (), owner: ServiceKey = KEY) -> DesiredRule:
    return DesiredRule(match=Match(path_prefix=path), action=forward(*groups, weights=weights, owner=owner))


def listener(*rules: DesiredRule, port: int = 80, protocol: str = "HTTP") -> DesiredListener:
    name = f"rates-default-{port}-{protocol.lower()}"
    return DesiredListener(name=name, port=port, protocol=protocol, default_action=NOT_FOUND, rules=rules)


def service(*listeners: DesiredListener, user_tags: dict[str, str] | None = None, **more: Any) -> DesiredService:
    tags = {"RouteName": ROUTE.name, "RouteNamespace": ROUTE.namespace, "RouteType": "http"}
    fields: dict[str, Any] = {"key": KEY, "name": "rates-default", "networks": ("my-hotel",)} | more
    users = user_tags or {}
    return DesiredService(
        tags={**{TAG_PREFIX + name: value for name, value in tags.items()}, **users},
        user_tags=users,
        listeners=listeners,
        **fields,
    )


class World:
    """One controller on one emulated account; `restart` makes another controller on the same account."""

    def __init__(self, server: LatticeServer, client: LatticeClient) -> None:
        self.server = server
        self.client = client
        self.clock = FakeClock()
        self.now = 1_800_000_000
        self.restart()

    def restart(self, **settings: Any) -> None:
        self.inventory = Inventory(self.client, IDENTITY, self.clock, **settings)
        self.applier = Applier(self.client, self.inventory)

    async def network(self, name: str = "my-hotel") -> str:
        return str((await self.client.call("CreateServiceNetwork", {"name": name}))["id"])

    async def service_pass(self, desired: DesiredService | None, key: ServiceKey = KEY) -> Applied:
        observed = await self.inventory.observe_service(key, desired)
        plan = plan_service(desired, observed, self.inventory.context(self.now))
        return await self.applier.apply(plan, key=key)

    async def group_pass(self, desired: DesiredTargetGroup | None, key: TargetGroupKey) -> Applied:
        observed = await self.inventory.observe_target_group(key, desired)
        plan = plan_target_group(desired, observed, self.inventory.context(self.now))
        return await self.applier.apply(plan, key=key)

    async def settle(
        self,
        desired: DesiredService | None,
        groups: Iterable[DesiredTargetGroup] = (),
        gone: Iterable[TargetGroupKey] = (),
        key: ServiceKey = KEY,
    ) -> Applied:
        """Pass after pass over all keys, with looks at states between, until all are done; the service's last."""
        for _ in range(12):
            passes = [await self.again(self.group_pass, one, one.key) for one in groups]
            last = await self.again(self.service_pass, desired, key)
            passes += [last, *[await self.again(self.group_pass, None, one) for one in gone]]
            if all(applied.done for applied in passes):
                return last
            for ref in dict.fromkeys(ref for applied in passes for ref in applied.waits):
                await self.inventory.get(ref)
        raise AssertionError(f"not settled: {passes}")

    async def again(self, work: Any, *arguments: Any) -> Applied:
        """As the reconcilers do: once more when what was believed turned out wrong."""
        try:
            applied: Applied = await work(*arguments)
        except SuspectError:
            applied = await work(*arguments)
        return applied

    def calls(self, mark: int = 0) -> list[str]:
        return [record.operation for record in self.server.calls.since(mark)]

    def writes(self, mark: int = 0) -> list[str]:
        return [record.operation for record in self.server.calls.writes(mark)]

    @property
    def mark(self) -> int:
        return self.server.calls.mark()

    async def listed(self, operation: str, **where: Any) -> list[dict[str, Any]]:
        return [item async for page in self.client.pages(operation, where) for item in page["items"]]

    async def tags(self, arn: str) -> dict[str, str]:
        return dict((await self.client.call("ListTagsForResource", {"resourceArn": arn}))["tags"])
