"""One listener and its rules: created whole, changed in place, or replaced where Lattice cannot change it.

Steps of rules become calls: creates and deletes one each, updates up to ten in a batch as long as no two of them have
to keep an order, because a batch may be done in part and in any order.

Where there would be more rules for a while than the quota surely allows, a new rule that may match the requests of a
surplus one is not made beside it, only to be refused: the surplus rule becomes it, by one call. That is both steps at
once, and possible where one of them can be moved next to the other past all steps between.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

from controller.api.keys import ServiceKey, TargetGroupKey
from controller.lattice.model import MANAGED_BY, Action, DesiredListener, DesiredService, Forward
from controller.lattice.observed import ObservedListener, ObservedService
from controller.lattice.plan.context import PlanContext
from controller.lattice.plan.draft import Draft, action_text, group_text, match_text
from controller.lattice.plan.operations import Active, ListenerOf, Need, Problem, Reference, Registered, Warm
from controller.lattice.plan.priorities import NoPriorityError
from controller.lattice.plan.rules import DEFAULT, NOWHERE, Step, normal, overlap, precedes, steps
from controller.lattice.plan.warming import Group, Warming, all_groups, kept_groups
from controller.lattice.plan.wire import action_shape, group_identifier, match_shape, resolved, short_id

_BATCH = 10
"""Rules in one call (API: `BatchUpdateRule`)."""

_ALLOWED = 10
"""Rules that a listener may have where nobody asked for more (VPC Lattice quotas, "Rules per listener")."""

_GROUPS_ALLOWED = 10
"""Groups that a service may use where nobody asked for more (VPC Lattice quotas, "Target groups per service")."""


class ListenerPlanner:
    """Plans the listeners of one service into a draft.

    Target groups to which the observed service forwards already need not wait for registration.
    """

    def __init__(
        self,
        draft: Draft,
        desired: DesiredService,
        service_id: str | Reference,
        observed: ObservedService | None,
        context: PlanContext,
    ) -> None:
        self._draft = draft
        self._key: ServiceKey = desired.key
        self._service_id = service_id
        self._tags = {MANAGED_BY: context.identity.owner, **desired.user_tags}
        self._context = context
        self._in_use: frozenset[str] = frozenset() if observed is None else observed.groups()
        self._relied_upon = observed is not None and not observed.young
        self._kept: set[Group] = set() if observed is None else {*kept_groups(desired, observed, self._identify)}
        allowed = max(context.groups_per_service or _GROUPS_ALLOWED, len(self._in_use))
        self._has_room = observed is None or len(all_groups(desired, observed, self._identify)) <= allowed
        self._introductions: dict[Group, int] = {}
        """Indexes of the operations by which groups come into use."""

    def create(self, listener: DesiredListener, after: Iterable[int]) -> list[int]:
        """The listener and all its rules. Returns the indexes of the operations."""
        listener_of = ListenerOf(self._key, listener.port)
        created = self._draft.add(
            "CreateListener",
            _name(listener),
            f"listen on {listener.port} for {listener.protocol}, by default {action_text(listener.default_action)}",
            {
                "serviceIdentifier": self._service_id,
                "name": listener.name,
                "protocol": listener.protocol,
                "port": listener.port,
                "defaultAction": action_shape(listener.default_action, self._context),
                "tags": self._tags,
            },
            after=after,
            needs=(Active(self._key), *self._registered(listener.default_action)),
            creates=listener_of,
        )
        return [created, *self._rules(listener, None, Reference(to=listener_of), (created,))]

    def change(
        self, listener: DesiredListener, observed: ObservedListener, after: Iterable[int], needs: Iterable[Need] = ()
    ) -> list[int]:
        """From what there is on the port to what is desired; `needs` is for a listener that has to go for that.

        Returns the indexes of the operations.
        """
        if listener.protocol == observed.protocol:
            return self._rules(listener, observed, observed.id, after)
        actions = [listener.default_action, *(rule.action for rule in listener.rules)]
        ready = (Active(self._key), *needs, *(need for action in actions for need in self._registered(action)))
        deleted = self.delete(observed, after, ready)
        return [deleted, *self.create(listener, (deleted,))]

    def delete(self, observed: ObservedListener, after: Iterable[int], needs: Iterable[Need] = ()) -> int:
        """Where the quota leaves no room for what is to come before, it goes first: nobody is to use it any more."""
        return self._draft.add(
            "DeleteListener",
            f"listener {observed.name}",
            f"stop listening on {observed.port} for {observed.protocol}",
            {"serviceIdentifier": self._service_id, "listenerIdentifier": observed.id},
            after=after,
            needs=needs,
            makes_room=True,
        )

    def _registered(self, action: Action) -> tuple[Need, ...]:
        if not isinstance(action, Forward):
            return ()
        needs: list[Need] = []
        for group, _ in action.weights:
            if isinstance(group, TargetGroupKey):
                observed = self._context.target_group(group)
                if observed is None or observed.id not in self._in_use:
                    needs.append(Registered(group))
        return tuple(needs)

    def _identify(self, group: Group) -> Group:
        """The id of a group, or its key while it has none."""
        identifier = group_identifier(group, self._context)
        return group if isinstance(identifier, Reference) else short_id(identifier)

    def _checked(self, group: Group) -> bool:
        """Whether the group has targets that have to pass a health check, as far as is known."""
        observed = None if isinstance(group, str) else self._context.target_group(group)
        if observed is None:
            return True
        enabled = observed.health_check is None or observed.health_check.enabled
        return enabled and not (observed.registered and observed.targets == {})

    def _same(self, observed: Action | None, desired: Action) -> bool:
        wanted = resolved(desired, self._context)
        return wanted is not None and resolved(observed, self._context) == wanted

    def _rules(
        self,
        listener: DesiredListener,
        observed: ObservedListener | None,
        listener_id: str | Reference,
        after: Iterable[int],
    ) -> list[int]:
        try:
            todo = steps(
                () if observed is None else observed.rules.values(),
                listener.rules,
                same_action=self._same,
                default_changes=observed is not None
                and not self._same(observed.default_action, listener.default_action),
            )
        except NoPriorityError as error:
            self._draft.problems.append(Problem(reason="NoPriority", message=f"{_name(listener)}: {error}"))
            return []
        self._draft.whole = self._draft.whole and todo.whole
        place: dict[str, Any] = {"serviceIdentifier": self._service_id, "listenerIdentifier": listener_id}
        taken: Collection[str] = () if observed is None else {rule.name for rule in observed.rules.values()}
        created = sum(_call_name(step) == "CreateRule" for step in todo.steps)
        crowded = observed is not None and len(observed.rules) + created > _ALLOWED
        warming = self._warming(todo.steps, observed, listener)
        self._draft.whole = self._draft.whole and (warming is None or warming.whole)

        def ordered(one: Step, other: Step) -> bool:
            return precedes(one, other) or (warming is not None and warming.orders(one, other))

        turns = _turned(todo.steps, ordered) if crowded else [[step] for step in todo.steps]
        first, calls = tuple(after), _calls(turns, lambda step: self._step_needs(step, listener, warming), ordered)
        carriers = {} if observed is None else self._introduce(observed, warming, place, first)
        indexes: list[int] = []
        for position, call in enumerate(calls):
            before = [
                index
                for index, earlier in zip(indexes, calls[:position], strict=True)
                if any(ordered(one, other) for one in earlier.steps for other in call.steps)
            ]
            for step in call.steps:
                before += [carriers[rule_id] for rule_id in (step.standing.rule_id,) if rule_id in carriers]
                awaited = () if warming is None else warming.awaited.get(step, ())
                before += [self._introductions[group] for group in awaited if group in self._introductions]
            indexes.append(self._add(call, listener, place, taken, (*first, *before), warming))
        return [*carriers.values(), *indexes]

    def _warming(
        self, todo: Sequence[Step], observed: ObservedListener | None, listener: DesiredListener
    ) -> Warming | None:
        """None where nobody relies on what is served."""
        if observed is None or not self._relied_upon:
            return None
        return Warming(
            todo,
            observed,
            listener,
            kept=self._kept,
            identify=self._identify,
            checked=self._checked,
            has_room=self._has_room,
        )

    def _introduce(
        self, observed: ObservedListener, warming: Warming | None, place: dict[str, Any], after: tuple[int, ...]
    ) -> dict[str, int]:
        """Have groups checked before they get requests. Returns the operations by the ids of the rules that carry."""
        carriers: dict[str, int] = {}
        for rule_id, groups in () if warming is None else warming.introduced.items():
            assert warming is not None
            action = action_shape(warming.present(rule_id), self._context)
            names = [warming.name(group) for group in groups]
            needs = self._registered(Forward(weights=tuple((name, 0) for name in names)))
            text = "begin to check " + ", ".join(group_text(name) for name in names)
            if rule_id:
                rule = observed.rules[rule_id]
                call, name = "UpdateRule", f"rule {rule.priority} of listener {observed.name}"
                arguments = {**place, "ruleIdentifier": rule_id, "action": action}
            else:
                call, name = "UpdateListener", f"listener {observed.name}"
                arguments = {**place, "defaultAction": action}
            carriers[rule_id] = self._draft.add(call, name, text, arguments, after=after, needs=needs, dispensable=True)
            self._introductions |= dict.fromkeys(groups, carriers[rule_id])
            self._kept |= warming.settled.intersection(groups)
        return carriers

    def _step_needs(self, step: Step, listener: DesiredListener, warming: Warming | None) -> tuple[Need, ...]:
        standing = step.standing
        if not standing.changes or step.barrier:
            return ()
        awaited = () if warming is None else warming.awaited.get(step, ())
        return (
            *self._registered(listener.default_action if standing.wanted is None else standing.wanted.action),
            *(Warm(warming.name(group)) for group in awaited if warming is not None),
        )

    def _add(
        self,
        call: "_Call",
        listener: DesiredListener,
        place: dict[str, Any],
        taken: Collection[str],
        after: tuple[int, ...],
        warming: Warming | None,
    ) -> int:
        step, *others = call.steps
        wanted, name = step.standing.wanted, f"rule {step.goal} of {_name(listener)}"
        if call.name == "UpdateListener":
            arguments = {**place, "defaultAction": self._action(listener.default_action, step, warming)}
            name, text = _name(listener), f"by default {action_text(listener.default_action)}"
        elif call.name == "DeleteRule":
            arguments = {**place, "ruleIdentifier": step.standing.rule_id}
            name = f"rule {step.standing.place} of {_name(listener)}"
            text = "remove" if step.standing.match is None else f"remove {match_text(step.standing.match)}"
        elif call.name == "CreateRule":
            assert wanted is not None
            arguments = {
                **place,
                "name": self._rule_name(step.goal, taken),
                "priority": step.goal,
                "match": match_shape(normal(wanted.match)),
                "action": action_shape(wanted.action, self._context),
                "tags": self._tags,
            }
            text = f"{match_text(wanted.match)}: {action_text(wanted.action)}"
        elif call.name == "UpdateRule" and others:
            assert wanted is not None
            surplus = others[0].standing
            arguments = {
                **place,
                "ruleIdentifier": surplus.rule_id,
                "priority": step.goal,
                "match": match_shape(normal(wanted.match)),
                "action": action_shape(wanted.action, self._context),
            }
            text = f"instead of priority {surplus.place}, {match_text(wanted.match)}: {action_text(wanted.action)}"
        elif call.name == "UpdateRule":
            arguments = {**place, **self._update(step, warming)}
            text = _change_text(step)
        else:
            arguments = {**place, "rules": [self._update(each, warming) for each in call.steps]}
            name = f"{len(call.steps)} rules of {_name(listener)}"
            text = "; ".join(_change_text(each) for each in call.steps)
        return self._draft.add(call.name, name, text, arguments, after=after, needs=call.needs)

    def _rule_name(self, priority: int, taken: Collection[str]) -> str:
        """Names are unique in a listener; a rule that was made in this second may have moved and kept its name."""
        times = count(self._context.now)
        return next(name for name in (f"k8s-{time}-rule-{priority}" for time in times) if name not in taken)

    def _action(self, action: Action, step: Step, warming: Warming | None) -> dict[str, Any]:
        """What a step makes of an action, with the groups that the rule carries for others."""
        carried = [] if warming is None else [warming.name(group) for group in warming.carried.get(step, ())]
        if carried and isinstance(action, Forward):
            action = Forward(weights=(*action.weights, *((group, 0) for group in carried)))
        return action_shape(action, self._context)

    def _update(self, step: Step, warming: Warming | None) -> dict[str, Any]:
        standing = step.standing
        update: dict[str, Any] = {"ruleIdentifier": standing.rule_id}
        if step.goal != standing.place:
            update["priority"] = step.goal
        if standing.changes and not step.barrier and standing.wanted is not None:
            update["action"] = self._action(standing.wanted.action, step, warming)
        return update


class _Call(NamedTuple):
    name: str
    steps: list[Step]
    """Several for a batch of updates, and for a surplus rule that becomes a new one: the new one's step, then its own.
    """
    needs: tuple[Need, ...]


def _turned(todo: Sequence[Step], ordered: Callable[[Step, Step], bool]) -> list[list[Step]]:
    """The steps in a safe order, those two together by which a surplus rule becomes a new one."""
    turns = [[step] for step in todo]
    to_delete = [step for step in todo if _call_name(step) == "DeleteRule"]
    for created in [step for step in todo if _call_name(step) == "CreateRule"]:
        for surplus in to_delete:
            if not overlap(created.standing.match, surplus.standing.match):
                continue
            start, end = turns.index([created]), turns.index([surplus])
            between = [step for turn in turns[start + 1 : end] for step in turn]
            if end < start:
                continue
            if not any(ordered(step, surplus) for step in between):
                turns[start : end + 1] = [[created, surplus], *turns[start + 1 : end]]
            elif not any(ordered(created, step) for step in between):
                turns[start : end + 1] = [*turns[start + 1 : end], [created, surplus]]
            else:
                continue
            to_delete.remove(surplus)
            break
    return turns


def _calls(
    turns: Sequence[list[Step]],
    needs_of: Callable[[Step], tuple[Need, ...]],
    ordered: Callable[[Step, Step], bool],
) -> list[_Call]:
    calls: list[_Call] = []
    batch: _Call | None = None
    """The last call, if it is one that more updates may join."""
    for turn in turns:
        needs = tuple(need for step in turn for need in needs_of(step))
        name = "UpdateRule" if len(turn) > 1 else _call_name(turn[0])
        alone = name != "UpdateRule" or len(turn) > 1
        if (
            batch is not None
            and not alone
            and batch.needs == needs
            and len(batch.steps) < _BATCH
            and not any(ordered(earlier, turn[0]) for earlier in batch.steps)
        ):
            calls[-1] = batch = _Call("BatchUpdateRule", [*batch.steps, *turn], needs)
        else:
            calls.append(_Call(name, turn, needs))
            batch = None if alone else calls[-1]
    return calls


def _call_name(step: Step) -> str:
    if step.standing.place == DEFAULT:
        return "UpdateListener"
    if step.goal == NOWHERE:
        return "DeleteRule"
    return "CreateRule" if step.standing.rule_id is None else "UpdateRule"


def _change_text(step: Step) -> str:
    standing = step.standing
    parts = [match_text(standing.match) + ":"] if standing.match is not None else []
    if step.goal != standing.place:
        parts.append(f"priority {standing.place} → {step.goal}")
    if standing.changes and not step.barrier and standing.wanted is not None:
        parts.append(action_text(standing.wanted.action))
    return " ".join(parts)


def _name(listener: DesiredListener) -> str:
    return f"listener {listener.name}"
