"""Write-through: the answers to our own writes, so that what we did is known without reading it back.

What was created here is known to be empty, and is never read. What an answer leaves out is taken from the arguments. A
target that was deregistered is forgotten: it drains for minutes, but nothing is done about that.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from controller.lattice.inventory import decode
from controller.lattice.inventory.mirror import Mirror
from controller.lattice.model import Target
from controller.lattice.observed import (
    ObservedAssociation,
    ObservedListener,
    ObservedRule,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan.wire import action_of, match_of, short_id

Shape = Mapping[str, Any]

_Tagged = TypeVar("_Tagged", ObservedService, ObservedTargetGroup)


def record(mirror: Mirror, operation: str, arguments: Shape, answer: Shape) -> None:
    """Take note of a write that succeeded. Operations that concern nothing in the mirror are ignored."""
    writer = _WRITERS.get(operation)
    if writer is not None:
        writer(mirror, arguments, answer)


def _create_service(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    tags = arguments.get("tags", {})
    service = decode.service({"status": "CREATE_IN_PROGRESS", **answer}, tags)
    mirror.detailed.add(service.id)
    mirror.put_service(replace(service, written_tags=frozenset(tags), associations={}, listeners={}, young=True))


def _update_service(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    service = mirror.services.get(short_id(arguments["serviceIdentifier"]))
    if service is not None:
        certificate = answer.get("certificateArn", arguments.get("certificateArn", service.certificate_arn))
        mirror.put_service(replace(service, certificate_arn=certificate, auth_type=answer.get("authType", "NONE")))


def _delete_service(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    service = mirror.services.get(short_id(arguments["serviceIdentifier"]))
    if service is not None:
        mirror.put_service(replace(service, status=answer.get("status", "DELETE_IN_PROGRESS")))


def _create_association(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    network_id = short_id(arguments["serviceNetworkIdentifier"])
    association = ObservedAssociation(
        id=answer["id"],
        arn=answer["arn"],
        status=answer.get("status", "CREATE_IN_PROGRESS"),
        network_id=network_id,
        network_name=mirror.network_name(network_id),
    )
    mirror.put_association(short_id(arguments["serviceIdentifier"]), association)


def _delete_association(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    ident = short_id(arguments["serviceNetworkServiceAssociationIdentifier"])
    association = mirror.association(ident)
    if association is not None:
        for service_id in mirror.service_associations[ident]:
            status = answer.get("status", "DELETE_IN_PROGRESS")
            mirror.put_association(service_id, replace(association, status=status))


def _put_listener(mirror: Mirror, service: ObservedService, listener: ObservedListener) -> None:
    mirror.put_service(replace(service, listeners={**(service.listeners or {}), listener.port: listener}))


def _listener(mirror: Mirror, arguments: Shape) -> tuple[ObservedService, ObservedListener] | None:
    service = mirror.services.get(short_id(arguments["serviceIdentifier"]))
    if service is None or service.listeners is None:
        return None
    ident = short_id(arguments["listenerIdentifier"])
    return next(((service, one) for one in service.listeners.values() if one.id == ident), None)


def _create_listener(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    service = mirror.services.get(short_id(arguments["serviceIdentifier"]))
    if service is not None and service.listeners is not None:
        _put_listener(mirror, service, decode.listener({**arguments, **answer}, {}))


def _update_listener(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    found = _listener(mirror, arguments)
    if found is not None:
        action = action_of(answer.get("defaultAction", arguments["defaultAction"]))
        _put_listener(mirror, found[0], replace(found[1], default_action=action))


def _delete_listener(mirror: Mirror, arguments: Shape, _: Shape) -> None:
    found = _listener(mirror, arguments)
    if found is not None:
        rest = {port: one for port, one in (found[0].listeners or {}).items() if one.id != found[1].id}
        mirror.put_service(replace(found[0], listeners=rest))


def _put_rules(mirror: Mirror, arguments: Shape, change: Callable[[dict[str, ObservedRule]], None]) -> None:
    found = _listener(mirror, arguments)
    if found is not None:
        rules = dict(found[1].rules)
        change(rules)
        _put_listener(mirror, found[0], replace(found[1], rules=rules))


def _create_rule(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    rule = decode.rule({**arguments, **answer})
    _put_rules(mirror, arguments, lambda rules: rules.__setitem__(rule.id, rule))


def _update_rule(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    def change(rules: dict[str, ObservedRule]) -> None:
        _updated(rules, {**arguments, **answer}, short_id(arguments["ruleIdentifier"]))

    _put_rules(mirror, arguments, change)


def _batch_update_rule(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    def change(rules: dict[str, ObservedRule]) -> None:
        asked = {short_id(one["ruleIdentifier"]): one for one in arguments["rules"]}
        for done in answer.get("successful", ()):
            _updated(rules, {**asked.get(done["id"], {}), **done}, done["id"])

    _put_rules(mirror, arguments, change)


def _updated(rules: dict[str, ObservedRule], shape: Shape, ident: str) -> None:
    rule = rules.get(ident)
    if rule is None:
        return
    action = action_of(shape.get("action")) or rule.action
    match = match_of(shape["match"]) if "match" in shape else rule.match
    rules[ident] = replace(rule, priority=shape.get("priority", rule.priority), action=action, match=match)


def _delete_rule(mirror: Mirror, arguments: Shape, _: Shape) -> None:
    _put_rules(mirror, arguments, lambda rules: _drop(rules, short_id(arguments["ruleIdentifier"])))


def _drop(rules: dict[str, ObservedRule], ident: str) -> None:
    rules.pop(ident, None)


def _create_target_group(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    tags = arguments.get("tags", {})
    config = {**arguments.get("config", {}), **answer.get("config", {})}
    group = decode.target_group({"status": "CREATE_IN_PROGRESS", **answer, "config": config}, tags)
    mirror.put_group(replace(group, written_tags=frozenset(tags), targets={}))


def _group(mirror: Mirror, arguments: Shape) -> ObservedTargetGroup | None:
    return mirror.groups.get(short_id(arguments["targetGroupIdentifier"]))


def _update_target_group(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    group = _group(mirror, arguments)
    if group is not None:
        check = answer.get("config", {}).get("healthCheck", arguments["healthCheck"])
        mirror.put_group(replace(group, health_check=decode.health_check(check)))


def _delete_target_group(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    group = _group(mirror, arguments)
    if group is not None:
        mirror.put_group(replace(group, status=answer.get("status", "DELETE_IN_PROGRESS")))


def _register(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    _put_targets(mirror, arguments, answer, present=True)


def _deregister(mirror: Mirror, arguments: Shape, answer: Shape) -> None:
    _put_targets(mirror, arguments, answer, present=False)


def _put_targets(mirror: Mirror, arguments: Shape, answer: Shape, *, present: bool) -> None:
    group = _group(mirror, arguments)
    if group is None or group.targets is None:
        return
    failed = {(one.get("id"), one.get("port")) for one in answer.get("unsuccessful", ())}
    done = {
        Target(ip=one["id"], port=one["port"]) for one in arguments["targets"] if (one["id"], one["port"]) not in failed
    }
    targets = {target: was for target, was in group.targets.items() if target not in done}
    if present:
        targets.update(dict.fromkeys(sorted(done)))
    mirror.put_group(replace(group, targets=targets))


def _tag(mirror: Mirror, arguments: Shape, _: Shape) -> None:
    new = arguments["tags"]

    def change(resource: _Tagged) -> _Tagged:
        tags, written = {**resource.tags, **new}, resource.written_tags | frozenset(new)
        return replace(resource, tags=tags, written_tags=written)

    _put_tags(mirror, arguments, change)


def _untag(mirror: Mirror, arguments: Shape, _: Shape) -> None:
    keys = frozenset(arguments["tagKeys"])

    def change(resource: _Tagged) -> _Tagged:
        tags = {key: value for key, value in resource.tags.items() if key not in keys}
        return replace(resource, tags=tags, written_tags=resource.written_tags - keys)

    _put_tags(mirror, arguments, change)


def _put_tags(mirror: Mirror, arguments: Shape, change: Callable[[Any], Any]) -> None:
    ident = short_id(arguments["resourceArn"])
    if ident in mirror.services:
        mirror.put_service(change(mirror.services[ident]))
    elif ident in mirror.groups:
        mirror.put_group(change(mirror.groups[ident]))


_WRITERS: Mapping[str, Callable[[Mirror, Shape, Shape], None]] = {
    "CreateService": _create_service,
    "UpdateService": _update_service,
    "DeleteService": _delete_service,
    "CreateServiceNetworkServiceAssociation": _create_association,
    "DeleteServiceNetworkServiceAssociation": _delete_association,
    "CreateListener": _create_listener,
    "UpdateListener": _update_listener,
    "DeleteListener": _delete_listener,
    "CreateRule": _create_rule,
    "UpdateRule": _update_rule,
    "BatchUpdateRule": _batch_update_rule,
    "DeleteRule": _delete_rule,
    "CreateTargetGroup": _create_target_group,
    "UpdateTargetGroup": _update_target_group,
    "DeleteTargetGroup": _delete_target_group,
    "RegisterTargets": _register,
    "DeregisterTargets": _deregister,
    "TagResource": _tag,
    "UntagResource": _untag,
}
