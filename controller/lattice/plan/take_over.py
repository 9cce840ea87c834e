"""What of a plan goes on although the service or group is another controller's work, and what is held back.

When this controller follows another one, what it finds in VPC Lattice was made by other rules than its own, and serves
traffic. Until somebody says that the difference is meant (`controller.translate.take_over`), nothing that exists is
removed, and no request that is answered by a rule gets another answer. What adds to it goes on: services, listeners,
associations, groups, targets, tags, rules for requests that so far only the default action refuses.

A plan is judged call by call, by what the calls do and not by why the planner makes them: a call that is not known to
be harmless is held back. Rules are compared two by two. Two rules that some request may match both, and that answer
differently, must not change places: in none of the places that either has in the plan, be it before, on its way or in
the end. So whatever goes on and whatever is held, of the rules that match a request the first one answers as the first
one did. A new rule must lie below all existing ones that it overlaps and that answer differently, and must take nothing
from a default action that forwards.

What comes after a call that is held back is held back too. What goes on is then a beginning of the plan in some order
that its `after` allows, and after every beginning of a plan each request gets the old or the new answer
(`controller.lattice.plan.rules`): a held change never leaves half of another one behind.
"""

from collections.abc import Iterable, Mapping
from math import gcd
from typing import Any, Final

from msgspec.structs import replace

from controller.lattice.model import Action, FixedResponse, Forward, Frozen, Match
from controller.lattice.observed import ObservedListener, ObservedRule, ObservedService, ObservedTargetGroup
from controller.lattice.plan.operations import Active, Gone, Operation, Plan, Reference
from controller.lattice.plan.rules import normal, overlap
from controller.lattice.plan.wire import action_of, match_of

_HARMLESS: Final = frozenset(
    {
        "CreateService",
        "CreateServiceNetworkServiceAssociation",
        "CreateListener",
        "CreateTargetGroup",
        "RegisterTargets",
        "DeregisterTargets",
        "TagResource",
        "UntagResource",
    }
)
"""Calls that neither remove nor re-route: they add, they follow the endpoints, or they label. (Only tags that this very
process wrote are removed.)"""


class Held(Frozen, frozen=True):
    """A plan in two parts."""

    plan: Plan
    """What goes on, a plan by itself."""
    operations: tuple[Operation, ...] = ()
    """What is held back, in the plan's order."""
    places: frozenset[int] = frozenset()
    """The places in the whole plan of what is held back."""


def hold_back(plan: Plan, observed: ObservedService | ObservedTargetGroup | None) -> Held:
    """Hold back what removes or re-routes something of what was observed, and all that comes after it.

    `plan` is the one that was made from `observed`.
    """
    harmful = _Judge(plan, observed).harmful()
    held: set[int] = set()
    for index, operation in enumerate(plan.operations):
        if index in harmful or not held.isdisjoint(operation.after):
            held.add(index)
    if not held:
        return Held(plan=plan)
    stays = [index for index in range(len(plan.operations)) if index not in held]
    places = {index: place for place, index in enumerate(stays)}
    unmade = {plan.operations[index].creates for index in held}
    return Held(
        plan=Plan(
            operations=tuple(
                replace(plan.operations[index], after=tuple(places[one] for one in plan.operations[index].after))
                for index in stays
            ),
            # What is not to go, or not to be made, is not waited for; what goes by itself is asked by who needs it.
            needs=tuple(
                need
                for need in plan.needs
                if not isinstance(need, Gone) and not (isinstance(need, Active) and need.resource in unmade)
            ),
            problems=plan.problems,
            # `whole` is not handed on: what is yet to be planned comes after what is held, and is not tried until then.
        ),
        operations=tuple(plan.operations[index] for index in sorted(held)),
        places=frozenset(held),
    )


class _Judge:
    def __init__(self, plan: Plan, observed: ObservedService | ObservedTargetGroup | None) -> None:
        self._operations = plan.operations
        listeners = (observed.listeners or {}) if isinstance(observed, ObservedService) else {}
        self._listeners: Mapping[str, ObservedListener] = {listener.id: listener for listener in listeners.values()}
        self._deleted = {
            operation.arguments["targetGroupIdentifier"]
            for operation in plan.operations
            if operation.call == "DeleteTargetGroup"
        }
        self._places: dict[str, set[int]] = {
            rule.id: {rule.priority} for listener in self._listeners.values() for rule in listener.rules.values()
        }
        for operation in plan.operations:
            for update in _updates(operation):
                if "priority" in update:
                    self._places.setdefault(update["ruleIdentifier"], set()).add(update["priority"])

    def harmful(self) -> set[int]:
        return {index for index, operation in enumerate(self._operations) if not self._harmless(operation)}

    def _harmless(self, operation: Operation) -> bool:
        arguments = operation.arguments
        match operation.call:
            case "DeregisterTargets":
                return arguments["targetGroupIdentifier"] not in self._deleted
            case "CreateRule":
                place = arguments["listenerIdentifier"]
                return isinstance(place, Reference) or (
                    place in self._listeners and self._adds(arguments, self._listeners[place])
                )
            case "UpdateRule" | "BatchUpdateRule":
                listener = self._listeners.get(arguments["listenerIdentifier"])
                return listener is not None and all(self._keeps(one, listener) for one in _updates(operation))
            case "UpdateListener":
                listener = self._listeners.get(arguments["listenerIdentifier"])
                return listener is not None and _keeps(_action(arguments["defaultAction"]), listener.default_action)
            case call:
                return call in _HARMLESS

    def _adds(self, created: Mapping[str, Any], listener: ObservedListener) -> bool:
        """Whether a new rule takes requests only from a default action that refuses them, or answers as before."""
        action, match, place = _action(created["action"]), match_of(created["match"]), created["priority"]
        return (isinstance(listener.default_action, FixedResponse) or _same(action, listener.default_action)) and all(
            max(self._places[other.id]) < place for other in _rivals(match, action, listener.rules.values())
        )

    def _keeps(self, update: Mapping[str, Any], listener: ObservedListener) -> bool:
        """Whether an updated rule answers as before, and changes places with none that answers differently."""
        rule = listener.rules.get(update["ruleIdentifier"])
        if (
            rule is None
            or "match" in update
            or ("action" in update and not _keeps(_action(update["action"]), rule.action))
        ):
            return False
        own = self._places[rule.id]
        return all(
            max(own) < min(self._places[other.id]) or min(own) > max(self._places[other.id])
            for other in _rivals(rule.match, rule.action, listener.rules.values())
            if other.id != rule.id
        )


def _updates(operation: Operation) -> Iterable[Mapping[str, Any]]:
    if operation.call == "UpdateRule":
        return (operation.arguments,)
    return operation.arguments["rules"] if operation.call == "BatchUpdateRule" else ()


def _rivals(match: Match | None, action: Action | None, rules: Iterable[ObservedRule]) -> Iterable[ObservedRule]:
    """The rules that answer otherwise than this action, and that may match a request that this match does."""
    ours = None if match is None else normal(match)
    return [
        rule
        for rule in rules
        if not _same(action, rule.action) and overlap(ours, None if rule.match is None else normal(rule.match))
    ]


def _action(shape: Mapping[str, Any]) -> Action | None:
    """The action of a call; None where it forwards to a group that is yet to be made."""
    groups = shape.get("forward", {}).get("targetGroups", ())
    if any(isinstance(group["targetGroupIdentifier"], Reference) for group in groups):
        return None
    return action_of(shape)


def _same(one: Action | None, other: Action | None) -> bool:
    """Whether requests are answered alike, as far as can be told: an action that is not known is like no other."""
    return one is not None and other is not None and (shares := _shares(one)) != () and shares == _shares(other)


def _keeps(new: Action | None, old: Action | None) -> bool:
    """Whether requests are answered alike, and no group comes that gets none: that is for what is held back."""
    return _same(new, old) and _groups(new) <= _groups(old)


def _groups(action: Action | None) -> frozenset[str]:
    return frozenset(str(group) for group, _ in action.weights) if isinstance(action, Forward) else frozenset()


def _shares(action: Action) -> object:
    """The status, or the groups that get requests with their shares in lowest terms; empty for what is not known."""
    if not isinstance(action, Forward):
        return action.status_code
    weights: dict[str, int] = {}
    for group, weight in action.weights:
        if weight:
            weights[str(group)] = weights.get(str(group), 0) + weight
    whole = gcd(*weights.values())
    return tuple(sorted((group, weight // whole) for group, weight in weights.items()))
