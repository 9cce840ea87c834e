"""What plans are made from, in short: an account as it was observed, and the context of what is known beside."""

from typing import Any

from controller.lattice.model import MANAGED_BY, Forward, HealthCheck, Match, Target
from controller.lattice.observed import (
    NetworkFound,
    NetworkLookup,
    ObservedAssociation,
    ObservedListener,
    ObservedNetwork,
    ObservedRule,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan import PlanContext
from tests.lattice.world import IDENTITY, NOT_FOUND, VPC, group, group_key, service

NETWORK = ObservedNetwork(id="sn-1", arn="arn:aws:vpc-lattice:us-west-2:1:servicenetwork/sn-1", name="my-hotel")
OWNED = {MANAGED_BY: IDENTITY.owner}


def context(network: NetworkLookup | None = None, *groups: ObservedTargetGroup) -> PlanContext:
    known = {group_key(one.name): one for one in groups}
    return PlanContext(
        identity=IDENTITY,
        now=1_800_000_000,
        network=lambda _: network or NetworkFound(network=NETWORK),
        target_group=known.get,
        group_named={one.name for one in groups}.__contains__,
    )


def observed_service(*listeners: ObservedListener, **more: Any) -> ObservedService:
    fields: dict[str, Any] = {
        "status": "ACTIVE",
        "custom_domain": None,
        "certificate_arn": None,
        "tags": {**OWNED, **service().tags},
        "associations": {"sn-1": observed_association()},
    } | more
    return ObservedService(
        id="svc-1",
        arn="arn:svc-1",
        name="rates-default",
        domain="rates.example",
        auth_type="NONE",
        listeners={one.port: one for one in listeners},
        **fields,
    )


def observed_association(network: str = "sn-1", name: str = "my-hotel", status: str = "ACTIVE") -> ObservedAssociation:
    return ObservedAssociation(id=f"snsa-{network}", arn="", status=status, network_id=network, network_name=name)


def observed_listener(*rules: ObservedRule, port: int = 80, protocol: str = "HTTP") -> ObservedListener:
    return ObservedListener(
        id=f"listener-{port}",
        arn=f"arn:listener-{port}",
        name=f"listener-{port}",
        port=port,
        protocol=protocol,
        default_action=NOT_FOUND,
        rules={one.id: one for one in rules},
    )


def observed_rule(path: str, *ids: str, priority: int = 1000) -> ObservedRule:
    action = Forward(weights=tuple((ident, 1) for ident in ids))
    match = Match(path_prefix=path)
    return ObservedRule(id=f"rule-{priority}", arn="", name="", priority=priority, match=match, action=action)


def observed_group(name: str = "parking", **more: Any) -> ObservedTargetGroup:
    fields: dict[str, Any] = {
        "status": "ACTIVE",
        "tags": {**OWNED, **group(name).tags},
        "health_check": HealthCheck(),
        "targets": {},
        "registered": True,
    } | more
    return ObservedTargetGroup(
        id=f"tg-{name}",
        arn=f"arn:tg-{name}",
        name=name,
        port=80,
        protocol="HTTP",
        protocol_version="HTTP1",
        ip_address_type="IPV4",
        vpc=VPC,
        **fields,
    )


def with_targets(name: str) -> ObservedTargetGroup:
    return observed_group(name, targets={Target(ip="10.0.0.1", port=8090): None})
