"""What rules and listeners do with a request: resolving an action's target groups, and keeping count of their use.

A target group can only be used by a single service (API: `CreateTargetGroup`), and a service may use only so many
groups (quota), so each rule and default action retains its groups in the service and releases them when it changes or
goes.
"""

from typing import Any

from sandbox.lattice.errors import conflict, invalid
from sandbox.lattice.health import begin_checks
from sandbox.lattice.resources import Action, Listener, Rule, Service, TargetGroup
from sandbox.lattice.state import State, require_active

FIXED_RESPONSES = (404, 500)
DEFAULT_WEIGHT = 100


def resolve_action(
    state: State,
    service: Service,
    protocol: str,
    document: dict[str, Any],
    where: str,
    *,
    replacing: Action | None = None,
) -> Action:
    """The action that `document` (API: `RuleAction`) asks for on a listener of this protocol.

    `where` names the member in errors; `replacing` is the action that would go. Raises `ValidationException` for what
    the listener cannot do, `ResourceNotFoundException` for a group that is not there, `ConflictException` for one that
    is not ACTIVE or that another service uses, and `ServiceQuotaExceededException` for one group too many.
    """
    fixed = document.get("fixedResponse")
    if fixed is not None:
        if protocol == "TLS_PASSTHROUGH":
            raise invalid(where, "a TLS_PASSTHROUGH listener can only forward")
        if fixed["statusCode"] not in FIXED_RESPONSES:
            raise invalid(f"{where}.fixedResponse.statusCode", "only 404 and 500 are supported")
        return Action(fixed_response=fixed["statusCode"])
    entries = document["forward"]["targetGroups"]
    forward: list[tuple[TargetGroup, int]] = []
    for index, entry in enumerate(entries):
        name = f"{where}.forward.targetGroups[{index}]"
        group = state.target_groups.find(entry["targetGroupIdentifier"])
        weight = entry.get("weight")
        if weight is None:
            if len(entries) > 1:
                raise invalid(f"{name}.weight", "is required where there is more than one target group")
            weight = DEFAULT_WEIGHT
        if any(group is other for other, _ in forward):
            raise invalid(name, f"target group {group.id} is there twice")
        _check_usable(service, protocol, group, name)
        forward.append((group, weight))
    action = Action(forward=tuple(forward))
    _check_group_quota(state, service, action, replacing)
    return action


def _check_usable(service: Service, protocol: str, group: TargetGroup, name: str) -> None:
    require_active(group)
    if group.service is not None and group.service is not service:
        raise conflict(
            group.kind,
            group.id,
            f"target group {group.id} is used by service {group.service.id}; a target group can only be used by one",
        )
    if (protocol == "TLS_PASSTHROUGH") != (group.config.get("protocol") == "TCP"):
        raise invalid(name, f"a {protocol} listener cannot forward to a group of {group.config.get('protocol')}")


def _check_group_quota(state: State, service: Service, action: Action, replacing: Action | None) -> None:
    leaving = {group.id for group, _ in replacing.forward if service.groups[group.id] == 1} if replacing else set()
    wanted = (service.groups.keys() - leaving) | {group.id for group, _ in action.forward}
    if len(wanted) > len(service.groups):
        state.quotas.check("target_groups_per_service", len(wanted), TargetGroup.kind, service.id)


def retain(state: State, service: Service, action: Action) -> None:
    """Count a rule's use of its target groups."""
    for group, _ in action.forward:
        if group.service is None:
            group.service = service
            group.routing = None
            begin_checks(state, group)
        service.groups[group.id] = service.groups.get(group.id, 0) + 1
    service.routing = None


def release(service: Service, action: Action) -> None:
    """Undo `retain`. A group that nothing uses any more is free for another service, its targets unchecked."""
    for group, _ in action.forward:
        service.groups[group.id] -= 1
        if service.groups[group.id] == 0:
            del service.groups[group.id]
            group.service = None
            group.routing = None
            for target in group.targets.values():
                target.healthy = target.reason = None
    service.routing = None


def replace(state: State, service: Service, rule: Rule, action: Action) -> None:
    """Give a rule another action."""
    retain(state, service, action)
    release(service, rule.action)
    rule.action = action


def remove_listener(state: State, listener: Listener) -> None:
    """Take a listener and its rules away."""
    for rule in listener.rules.values():
        release(listener.service, rule.action)
        if not rule.is_default:
            state.unregister(rule)
    state.unregister(listener)
    del listener.service.listeners[listener.id]
    listener.service.routing = None
