"""Rules of a listener: matches, priorities, and changing many at once.

Sources: API reference `CreateRule` (unique names and priorities), `UpdateRule` and `DeleteRule` (the default rule can
be neither updated nor deleted by them), `BatchUpdateRule` (meant for swapping priorities, so the priorities of a batch
take effect together; a rule whose update fails does not keep the others from theirs).
"""

from typing import Any, cast

from sandbox.lattice.actions import release, replace, resolve_action, retain
from sandbox.lattice.errors import ApiError, conflict, invalid, not_found
from sandbox.lattice.listeners import find_listener
from sandbox.lattice.resources import Action, Described, Listener, Rule
from sandbox.lattice.state import Call, Handler, State, page, require_active


def _find_listener(state: State, call: Call) -> Listener:
    service = state.services.find(call.params["serviceIdentifier"])
    return find_listener(service, call.params["listenerIdentifier"])


def _find_rule(listener: Listener, identifier: str) -> Rule:
    rule = listener.rules.get(identifier.rpartition("/")[2])
    if rule is None or identifier not in {rule.id, rule.arn}:
        raise not_found(Rule.kind, identifier)
    return rule


def _find_own_rule(listener: Listener, identifier: str) -> Rule:
    rule = _find_rule(listener, identifier)
    if rule.is_default:
        raise invalid("ruleIdentifier", "the default rule can only be changed by UpdateListener")
    return rule


def _check_match(match: dict[str, Any], where: str) -> None:
    """An HTTP match that says nothing is not documented; what matches everything is the path prefix `/`."""
    if not any(match["httpMatch"].values()):
        raise invalid(f"{where}.httpMatch", "must have a method, a path match or header matches")


def _priority_taken(rule: Rule) -> ApiError:
    return conflict(rule.kind, rule.id, f"the listener has a rule of priority {rule.priority}")


def create_rule(state: State, call: Call) -> Described:
    params = call.params
    listener = _find_listener(state, call)
    service = listener.service
    require_active(service)
    if listener.protocol == "TLS_PASSTHROUGH":
        raise invalid("listenerIdentifier", "a TLS_PASSTHROUGH listener has its default rule only")
    _check_match(params["match"], "match")
    if existing := listener.names.get(params["name"]):
        raise conflict(existing.kind, existing.id, f"the listener has a rule of the name {existing.name}")
    if existing := listener.priorities.get(params["priority"]):
        raise _priority_taken(existing)
    state.quotas.check("rules_per_listener", len(listener.rules), Rule.kind, listener.id)
    action = resolve_action(state, service, listener.protocol, params["action"], "action")
    rule = Rule(
        name=params["name"],
        match=params["match"],
        priority=params["priority"],
        action=action,
        **state.identity("rule", f"service/{service.id}/listener/{listener.id}/rule", params.get("tags")),
    )
    retain(state, service, action)
    listener.rules[rule.id] = listener.names[rule.name] = listener.priorities[params["priority"]] = rule
    state.register(rule)
    return rule.describe()


def get_rule(state: State, call: Call) -> Described:
    return _find_rule(_find_listener(state, call), call.params["ruleIdentifier"]).describe()


def list_rules(state: State, call: Call) -> Described:
    listener = _find_listener(state, call)
    beginning = f"{listener.arn}/"
    found = state.visibility.shown(listener.rules.values(), Rule, lambda rule: rule.arn.startswith(beginning))
    return page(call, found, Rule.describe)


def _resolve_change(state: State, listener: Listener, rule: Rule, change: dict[str, Any]) -> Action:
    """The rule's action after the change; raises what `resolve_action` raises."""
    if "match" in change:
        _check_match(change["match"], "match")
    if "action" not in change:
        return rule.action
    return resolve_action(state, listener.service, listener.protocol, change["action"], "action", replacing=rule.action)


def _set(state: State, rule: Rule, change: dict[str, Any]) -> None:
    rule.match = change.get("match", rule.match)
    rule.priority = change.get("priority", rule.priority)
    rule.updated_at = state.now()


def _wanted_priority(rule: Rule, change: dict[str, Any]) -> int:
    return cast("int", change.get("priority", rule.priority))


def _index_priorities(listener: Listener) -> None:
    listener.priorities = {rule.priority: rule for rule in listener.rules.values() if rule.priority is not None}
    listener.service.routing = None


def update_rule(state: State, call: Call) -> Described:
    params = call.params
    listener = _find_listener(state, call)
    rule = _find_own_rule(listener, params["ruleIdentifier"])
    require_active(listener.service)
    holder = listener.priorities.get(_wanted_priority(rule, params))
    if holder is not None and holder is not rule:
        raise _priority_taken(holder)
    replace(state, listener.service, rule, _resolve_change(state, listener, rule, params))
    _set(state, rule, params)
    _index_priorities(listener)
    return rule.describe()


def batch_update_rule(state: State, call: Call) -> Described:
    listener = _find_listener(state, call)
    service = listener.service
    require_active(service)
    updates = call.params["rules"]
    failures: dict[int, ApiError] = {}
    accepted: dict[int, Rule] = {}
    actions: dict[int, Action] = {}
    for position, change in enumerate(updates):
        try:
            rule = _find_own_rule(listener, change["ruleIdentifier"])
            _refuse_spoiled_or_repeated(call, position, rule, accepted)
            actions[position] = _resolve_change(state, listener, rule, change)
        except ApiError as error:
            failures[position] = error
        else:
            accepted[position] = rule
            retain(state, service, actions[position])
    clashes = _priority_clashes(listener, updates, accepted)
    for position, rule in accepted.items():
        if position in clashes:
            release(service, actions[position])
        else:
            release(service, rule.action)
            rule.action = actions[position]
            _set(state, rule, updates[position])
    _index_priorities(listener)
    failures |= clashes
    return {
        "successful": [rule.describe() for position, rule in accepted.items() if position not in clashes],
        "unsuccessful": [_failure(updates[position], failures[position]) for position in sorted(failures)],
    }


def _refuse_spoiled_or_repeated(call: Call, position: int, rule: Rule, accepted: dict[int, Rule]) -> None:
    if position in call.spoiled:
        raise ApiError("InternalServerException", 500, "the update failed")
    if any(rule is other for other in accepted.values()):
        raise invalid("ruleIdentifier", f"rule {rule.id} is there twice")


def _failure(change: dict[str, Any], error: ApiError) -> Described:
    return {
        "ruleIdentifier": change["ruleIdentifier"],
        "failureCode": error.code,
        "failureMessage": error.message,
    }


def _priority_clashes(
    listener: Listener, updates: list[dict[str, Any]], accepted: dict[int, Rule]
) -> dict[int, ApiError]:
    """The updates that cannot have their priority once all others are made; an earlier one goes before a later one.

    An update that is refused keeps its old priority, which may in turn be in the way of another, so it is decided anew
    after each refusal.
    """
    refused: dict[int, ApiError] = {}
    remaining = dict(accepted)
    while True:
        moving = {rule.id for rule in remaining.values()}
        taken = {
            rule.priority: rule
            for rule in listener.rules.values()
            if rule.priority is not None and rule.id not in moving
        }
        for position, rule in remaining.items():
            wanted = _wanted_priority(rule, updates[position])
            if wanted in taken:
                refused[position] = _priority_taken(taken[wanted])
                del remaining[position]
                break
            taken[wanted] = rule
        else:
            return refused


def delete_rule(state: State, call: Call) -> Described:
    listener = _find_listener(state, call)
    rule = _find_own_rule(listener, call.params["ruleIdentifier"])
    require_active(listener.service)
    del listener.rules[rule.id], listener.names[rule.name]
    _index_priorities(listener)
    release(listener.service, rule.action)
    state.unregister(rule)
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateRule": create_rule,
    "GetRule": get_rule,
    "ListRules": list_rules,
    "UpdateRule": update_rule,
    "BatchUpdateRule": batch_update_rule,
    "DeleteRule": delete_rule,
}
