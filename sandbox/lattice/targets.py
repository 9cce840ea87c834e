"""Targets of a group: registering, deregistering with draining, and their states.

Sources: user guide "Register targets with a VPC Lattice target group" (a deregistered target is DRAINING for a while
and can be registered again at any time; the port defaults to the group's); API reference `TargetSummary` for the
states, `RegisterTargets` for the single target of a Lambda group. Which addresses an IP group takes is not listed for
VPC Lattice; here it is what Elastic Load Balancing documents for its target type of the same name (API reference
`CreateTargetGroup`, `TargetType`: RFC 1918 and RFC 6598, nothing that is publicly routable), and for IPv6 what a VPC
can have (Amazon VPC user guide, "IP addressing for your VPCs and subnets": global unicast and unique local addresses).
"""

import ipaddress
import re
from typing import Any

from sandbox.lattice.errors import invalid
from sandbox.lattice.health import begin_checks
from sandbox.lattice.resources import Described, Target, TargetGroup
from sandbox.lattice.state import Call, Handler, State, page, require_active

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")

_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "2000::/3", "fd00::/8")
)
"""Where the addresses of targets may be."""

TargetKey = tuple[str, int | None]


def _key(group: TargetGroup, entry: dict[str, Any], where: str) -> TargetKey:
    """What identifies the target in the group; raises `ValidationException` if the group's type has no such target."""
    identifier = entry["id"]
    if group.type == "LAMBDA":
        if "port" in entry:
            raise invalid(f"{where}.port", "is not supported for the type LAMBDA")
        if not identifier.startswith("arn:"):
            raise invalid(f"{where}.id", "must be the ARN of a function")
        return identifier, None
    if group.type == "ALB" and not identifier.startswith("arn:"):
        raise invalid(f"{where}.id", "must be the ARN of an Application Load Balancer")
    if group.type == "INSTANCE" and not _INSTANCE.fullmatch(identifier):
        raise invalid(f"{where}.id", "must be an instance ID")
    if group.type == "IP":
        try:
            version = ipaddress.ip_address(identifier).version
        except ValueError as error:
            raise invalid(f"{where}.id", "must be an IP address") from error
        if f"IPV{version}" != group.config["ipAddressType"]:
            raise invalid(f"{where}.id", f"must be an address of type {group.config['ipAddressType']}")
    return identifier, entry.get("port", group.config["port"])


def _keys(group: TargetGroup, call: Call) -> list[TargetKey]:
    return [_key(group, entry, f"targets[{position}]") for position, entry in enumerate(call.params.get("targets", ()))]


def _require_private(group: TargetGroup, keys: list[TargetKey]) -> None:
    for position, (identifier, _) in enumerate(keys):
        if group.type == "IP" and not any(ipaddress.ip_address(identifier) in block for block in _PRIVATE):
            raise invalid(
                f"targets[{position}].id", f"{identifier} is not in {', '.join(str(block) for block in _PRIVATE)}"
            )


def _failed(key: TargetKey, code: str, message: str) -> Described:
    return {"id": key[0], "port": key[1], "failureCode": code, "failureMessage": message}


def register_targets(state: State, call: Call) -> Described:
    group = state.target_groups.find(call.params["targetGroupIdentifier"])
    require_active(group)
    keys = _keys(group, call)
    _require_private(group, keys)
    wanted = len(group.targets.keys() | set(keys))
    if group.type == "LAMBDA" and wanted > 1:
        raise invalid("targets", "a group of the type LAMBDA has one target only")
    state.quotas.check("targets_per_target_group", wanted, "TARGET", group.id)
    successful, unsuccessful = [], []
    for position, key in enumerate(keys):
        if position in call.spoiled:
            unsuccessful.append(_failed(key, "InternalServerException", "the target could not be registered"))
            continue
        target = group.targets.get(key)
        if target is None or target.draining:
            target = Target(number=state.next_number(), id=key[0], port=key[1])
            group.targets.pop(key, None)
            group.targets[key] = target
        successful.append(target.key())
    begin_checks(state, group)
    state.rerouted(group)
    return {"successful": successful, "unsuccessful": unsuccessful}


def deregister_targets(state: State, call: Call) -> Described:
    group = state.target_groups.find(call.params["targetGroupIdentifier"])
    require_active(group)
    successful, unsuccessful = [], []
    for position, key in enumerate(_keys(group, call)):
        target = group.targets.get(key)
        if position in call.spoiled:
            unsuccessful.append(_failed(key, "InternalServerException", "the target could not be deregistered"))
        elif target is None:
            unsuccessful.append(_failed(key, "TargetNotFound", "the target is not registered"))
        else:
            _deregister(state, group, target)
            successful.append(target.key())
    state.rerouted(group)
    return {"successful": successful, "unsuccessful": unsuccessful}


def _deregister(state: State, group: TargetGroup, target: Target) -> None:
    key = (target.id, target.port)
    if group.service is None:
        del group.targets[key]
        return
    if target.draining:
        return
    target.draining = True

    def gone() -> None:
        if group.targets.get(key) is target:
            del group.targets[key]
            state.rerouted(group)

    state.transitions.after(state.random.uniform(*state.timings.draining), gone)


def list_targets(state: State, call: Call) -> Described:
    group = state.target_groups.find(call.params["targetGroupIdentifier"])
    wanted = frozenset(_keys(group, call))
    found = (target for key, target in group.targets.items() if not wanted or key in wanted)
    return page(call, found, lambda target: target.describe(group))


OPERATIONS: dict[str, Handler] = {
    "RegisterTargets": register_targets,
    "DeregisterTargets": deregister_targets,
    "ListTargets": list_targets,
}
