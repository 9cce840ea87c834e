"""A target group, its health check and its targets.

The fields that Lattice cannot change are part of the group's key: when they change, another key makes another group,
and this one's key is left to delete its own. A group is emptied and deleted only when no service forwards to it.

What goes is deregistered at the same time as what comes is registered, unless nothing else is left: a group whose
targets all change has the new ones before it loses the old.
"""

from collections.abc import Sequence, Set

from msgspec.structs import replace

from controller.api.keys import TargetGroupKey
from controller.lattice.model import MANAGED_BY, DesiredTargetGroup, Target
from controller.lattice.observed import (
    ACTIVE,
    CREATE_FAILED,
    DELETE_FAILED,
    DELETE_IN_PROGRESS,
    DRAINING,
    ObservedTargetGroup,
)
from controller.lattice.plan.context import PlanContext
from controller.lattice.plan.draft import Draft
from controller.lattice.plan.operations import Active, Gone, Need, Plan, Problem, Reference, Unused, settled
from controller.lattice.plan.tags import difference, retag
from controller.lattice.plan.wire import health_check_shape, target_shape

_TARGETS = 100
"""Targets in one call (API: `RegisterTargets`, `DeregisterTargets`)."""


def plan_target_group(
    desired: DesiredTargetGroup | None, observed: ObservedTargetGroup | None, context: PlanContext
) -> Plan:
    """What brings a target group from observed to desired; `desired` None deletes it, and only if it is ours."""
    draft = Draft()
    if desired is not None and desired.alternative_name is not None and _otherwise(desired, observed, context):
        tags = {**desired.tags, **desired.alternative_tags}
        desired = replace(desired, name=desired.alternative_name, identity_tags=desired.alternative_tags, tags=tags)
    if desired is None:
        if observed is not None and observed.tags.get(MANAGED_BY) == context.identity.owner:
            _delete(draft, observed)
    elif observed is None:
        _create(draft, desired, context)
    else:
        if observed.status == DELETE_IN_PROGRESS:
            draft.needs.append(Gone(observed.ref))
        elif observed.status in {CREATE_FAILED, DELETE_FAILED}:
            _delete(draft, observed)
        else:
            _change(draft, desired, observed, context)
        draft.whole = draft.whole and Gone(observed.ref) not in draft.needs
    return draft.plan()


def _otherwise(desired: DesiredTargetGroup, observed: ObservedTargetGroup | None, context: PlanContext) -> bool:
    """Whether the group has its alternative identity, or has to get it because the name is taken."""
    if observed is None:
        return context.group_named(desired.name)
    return all(observed.tags.get(key) == value for key, value in desired.alternative_tags.items())


def _create(draft: Draft, desired: DesiredTargetGroup, context: PlanContext) -> None:
    config = {
        "port": desired.port,
        "protocol": desired.protocol,
        "ipAddressType": desired.ip_address_type,
        "vpcIdentifier": desired.vpc,
        "healthCheck": health_check_shape(desired.health_check),
    }
    if desired.protocol_version:
        config["protocolVersion"] = desired.protocol_version
    created = draft.add(
        "CreateTargetGroup",
        f"target group {desired.name}",
        f"create the target group for {_backend(desired.key)}, {desired.protocol_version or desired.protocol}",
        {
            "name": desired.name,
            "type": "IP",
            "config": config,
            "tags": {MANAGED_BY: context.identity.owner, **desired.tags},
        },
        creates=desired.key,
    )
    draft.needs.append(Active(desired.key))
    _register(
        draft, desired.name, Reference(to=desired.key), sorted(desired.targets), (created,), (Active(desired.key),)
    )


def _change(draft: Draft, desired: DesiredTargetGroup, observed: ObservedTargetGroup, context: PlanContext) -> None:
    assert observed.targets is not None
    active: tuple[Need, ...] = () if observed.status == ACTIVE else (Active(desired.key),)
    draft.needs.append(Active(desired.key))
    tags = {MANAGED_BY: context.identity.owner, **desired.tags}
    retag(draft, f"target group {observed.name}", observed.arn, difference(tags, observed.tags, observed.written_tags))
    if observed.health_check != desired.health_check and (
        desired.health_check.enabled or observed.health_check is None or observed.health_check.enabled
    ):
        draft.add(
            "UpdateTargetGroup",
            f"target group {observed.name}",
            "change the health check" if desired.health_check.enabled else "disable the health check",
            {"targetGroupIdentifier": observed.id, "healthCheck": health_check_shape(desired.health_check)},
            needs=active,
        )
    _follow(draft, observed, desired.name, desired.targets, active)


def plan_targets(observed: ObservedTargetGroup, targets: Set[Target]) -> Plan:
    """What makes these the targets of a group of which nothing else is to be changed."""
    draft = Draft()
    if observed.status == ACTIVE:
        _follow(draft, observed, observed.name, targets, ())
    return draft.plan()


def _follow(
    draft: Draft, observed: ObservedTargetGroup, name: str, targets: Set[Target], needs: Sequence[Need]
) -> None:
    serving = {target for target, status in (observed.targets or {}).items() if status != DRAINING}
    added = _register(draft, name, observed.id, sorted(targets - serving), (), needs)
    stays = not serving.isdisjoint(targets)
    _deregister(draft, observed, sorted(serving - targets), needs, () if stays else added)


def _delete(draft: Draft, observed: ObservedTargetGroup) -> None:
    draft.needs.append(Gone(observed.ref))
    if observed.status == DELETE_IN_PROGRESS:
        return
    if observed.status in {CREATE_FAILED, DELETE_FAILED}:
        done = "creating" if observed.status == CREATE_FAILED else "deleting"
        message = f"{done} the target group {observed.name} failed: {observed.failure or 'Lattice gives no reason'}"
        draft.problems.append(
            Problem(reason="CreateFailed" if observed.status == CREATE_FAILED else "DeleteFailed", message=message)
        )
    unused = (Unused(observed.id),)
    serving = sorted(target for target, status in (observed.targets or {}).items() if status != DRAINING)
    emptied = _deregister(draft, observed, serving, unused)
    draft.add(
        "DeleteTargetGroup",
        f"target group {observed.name}",
        "delete the target group",
        {"targetGroupIdentifier": observed.id},
        after=emptied,
        needs=(*settled(observed), *unused),
    )


def _register(
    draft: Draft,
    name: str,
    group_id: str | Reference,
    targets: Sequence[Target],
    after: Sequence[int],
    needs: Sequence[Need],
) -> list[int]:
    return [
        draft.add(
            "RegisterTargets",
            f"target group {name}",
            f"register {_targets_text(some)}",
            {"targetGroupIdentifier": group_id, "targets": [target_shape(target) for target in some]},
            after=after,
            needs=needs,
        )
        for some in _chunks(targets)
    ]


def _deregister(
    draft: Draft,
    observed: ObservedTargetGroup,
    targets: Sequence[Target],
    needs: Sequence[Need],
    after: Sequence[int] = (),
) -> list[int]:
    return [
        draft.add(
            "DeregisterTargets",
            f"target group {observed.name}",
            f"deregister {_targets_text(some)}",
            {"targetGroupIdentifier": observed.id, "targets": [target_shape(target) for target in some]},
            after=after,
            needs=needs,
        )
        for some in _chunks(targets)
    ]


def _chunks(targets: Sequence[Target]) -> list[Sequence[Target]]:
    return [targets[start : start + _TARGETS] for start in range(0, len(targets), _TARGETS)]


def _targets_text(targets: Sequence[Target]) -> str:
    shown = ", ".join(f"{target.ip}:{target.port}" for target in targets[:3])
    return shown if len(targets) <= 3 else f"{shown} and {len(targets) - 3} more"


def _backend(key: TargetGroupKey) -> str:
    return f"{key.namespace}/{key.service}" + ("" if key.port is None else f":{key.port}")
