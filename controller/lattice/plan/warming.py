"""Groups that come to serve where something serves already: how their targets pass a health check before.

VPC Lattice checks the targets of groups in use only, and sends requests to none before it has passed one check (user
guide, "Health checks for your target groups"). A rule that is switched to a group that no rule used before would have
its requests fail until then. So such a group is introduced first: a rule that forwards today gets it with the weight
0, which puts it in use and sends nothing there. The step that gives it requests waits until it is warm (`Warm`).

For the same reason a group that passes from one rule to another must never be without use between the two. Either
another rule keeps it all the time, or the rule that leaves it steps after the one that takes it, or, where it has to
step before, it keeps the group with the weight 0 for one more pass. A rule that carries a group for another one is
bound by the same three.

Only what is answered by a rule that forwards is worth the calls. Where nothing serves, nothing is introduced. Nor is it
where a service may not use all groups at the same time that it uses and that it is to use: there a group comes into use
by the step that takes another one out of it, or not at all.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from controller.api.keys import TargetGroupKey
from controller.lattice.model import Action, DesiredListener, DesiredService, Forward, Match
from controller.lattice.observed import ObservedListener, ObservedService
from controller.lattice.plan.rules import DEFAULT, NOWHERE, Step, normal, overlap

_GROUPS = 10
"""Groups to which a rule may forward (API: `ForwardAction`)."""

Group = TargetGroupKey | str
"""A group of ours by its key; somebody else's by its id or ARN; any that is in use by its id."""


class _Holder(NamedTuple):
    """A rule, or the default action, as it is."""

    rule_id: str
    """Empty for the default action."""
    match: Match | None
    action: Action | None
    place: int

    def weights(self) -> dict[Group, int]:
        return dict(self.action.weights) if isinstance(self.action, Forward) else {}

    @property
    def serving(self) -> set[Group]:
        """The groups that get requests."""
        return {group for group, weight in self.weights().items() if weight}


class Warming:
    """What the steps of one listener have to heed, so that no group gets requests before it is warm.

    `identify` gives the id of a group, or the group itself where it does not exist yet; `checked` tells whether
    targets of it are checked. `kept` are the groups that the service uses now and goes on to use by the same rule.
    `has_room` is whether it may use all that it uses and all that it is to use.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        observed: ObservedListener,
        listener: DesiredListener,
        *,
        kept: Iterable[Group],
        identify: Callable[[Group], Group],
        checked: Callable[[Group], bool],
        has_room: bool,
    ) -> None:
        self._steps = steps
        self._listener = listener
        self._identify = identify
        self._has_room = has_room
        self._holders = _holders(observed)
        self._places = {
            step.standing.rule_id: place
            for place, step in enumerate(steps)
            if step.goal == NOWHERE or (step.standing.changes and not step.barrier)
        }
        self._kept = set(kept)
        self._names: dict[Group, Group] = {}
        """Groups that are wanted as they are called there, by their identity."""
        self.introduced: dict[str, list[Group]] = {}
        """By the id of the rule that gets them with the weight 0, empty for the default action."""
        self.awaited: dict[Step, list[Group]] = {}
        """Groups that have to be warm before a step."""
        self.carried: dict[Step, list[Group]] = {}
        """Groups that the rule is to keep with the weight 0 when it makes a step."""
        self.settled: set[Group] = set()
        """Introduced groups that the rule which carries them is to serve itself."""
        self._after: set[tuple[Step, Step]] = set()
        for place, step in enumerate(steps):
            for group in self._new(step):
                if checked(self.name(group)):
                    self._warm(place, step, group)
                elif group in self._kept:
                    # By the time of the step it may have got its first targets.
                    self.awaited.setdefault(step, []).append(group)

    def name(self, group: Group) -> Group:
        """A group as the desired service calls it, by its identity."""
        return self._names.get(group, group)

    def orders(self, one: Step, other: Step) -> bool:
        """Whether `one` has to be done before `other`, which leaves a group that it takes."""
        return (one, other) in self._after

    def present(self, rule_id: str) -> Forward:
        """What a rule that carries groups forwards to, with them."""
        action = self._holder(rule_id).action
        assert isinstance(action, Forward)
        return Forward(weights=(*action.weights, *((self.name(group), 0) for group in self.introduced[rule_id])))

    @property
    def whole(self) -> bool:
        """False if some rule will have to be rid of a group that it carries for another."""
        return not self.carried and all(group in self.settled for some in self.introduced.values() for group in some)

    def _holder(self, rule_id: str) -> _Holder:
        return next(one for one in self._holders if one.rule_id == rule_id)

    def _wanted(self, step: Step) -> dict[Group, int]:
        standing = step.standing
        wanted = standing.wanted.action if standing.wanted is not None else None
        if standing.place == DEFAULT:
            wanted = self._listener.default_action
        weights = wanted.weights if isinstance(wanted, Forward) and step.goal != NOWHERE else ()
        found: dict[Group, int] = {}
        for group, weight in weights:
            identity = self._identify(group)
            self._names[identity] = group
            found[identity] = weight
        return found

    def _new(self, step: Step) -> list[Group]:
        """The groups that get requests by the step of a rule that has sent them none."""
        standing = step.standing
        if not standing.changes or step.barrier:
            return []
        has = {} if standing.rule_id is None else self._holder(standing.rule_id).weights()
        return [group for group, weight in self._wanted(step).items() if weight and not has.get(group)]

    def _answering(self, step: Step) -> list[_Holder]:
        """The rules that may answer today what the step's rule is to answer; none if nothing serves it.

        They are the rule itself, and those before it that do not stay there.
        """
        own = step.standing.rule_id
        itself = [one for one in self._holders if one.rule_id == own]
        before = [
            one
            for one in self._holders
            if one.place < step.standing.place
            and not self._stays_before(one, step)
            and overlap(step.standing.match, one.match)
        ]
        return [one for one in (*itself, *before) if one.serving]

    def _stays_before(self, holder: _Holder, step: Step) -> bool:
        goals = [other.goal for other in self._steps if other.standing.rule_id == holder.rule_id]
        return all(place < step.goal for place in (holder.place, *goals))

    def _warm(self, place: int, step: Step, group: Group) -> None:
        """Have the group in use before the step, and until it."""
        answering = self._answering(step)
        if not answering:
            return
        if isinstance(group, TargetGroupKey):
            # It may turn out to be in use, when its key has found it.
            if self._has_room:
                self.awaited.setdefault(step, []).append(group)
            return
        users = [
            one.rule_id
            for one in self._holders
            if group in one.weights() or group in self.introduced.get(one.rule_id, ())
        ]
        users.sort(key=lambda user: self._places.get(user, place) < place)
        if group not in self._kept and not any(self._holds(user, place, step, group) for user in users):
            carrier = next((one for one in answering if self._carries(one, place, step, group)), None)
            if carrier is None:
                return
            self.introduced.setdefault(carrier.rule_id, []).append(group)
            if carrier.rule_id == step.standing.rule_id:
                self.settled.add(group)
        if not all(one.serving == {group} for one in answering):
            self.awaited.setdefault(step, []).append(group)

    def _carries(self, holder: _Holder, place: int, step: Step, group: Group) -> bool:
        has_place = len(holder.weights()) + len(self.introduced.get(holder.rule_id, ())) < _GROUPS
        return self._has_room and has_place and self._holds(holder.rule_id, place, step, group)

    def _holds(self, rule_id: str, place: int, step: Step, group: Group) -> bool:
        """Whether a rule that uses the group can be had to use it until the step."""
        leaves = self._places.get(rule_id)
        if leaves is None or leaves == place or group in self._wanted(self._steps[leaves]):
            return True
        leaving = self._steps[leaves]
        if leaves > place:
            self._after.add((step, leaving))
            return True
        carried = self.carried.get(leaving, [])
        if not self._has_room or not 0 < len(self._wanted(leaving)) + len(carried) < _GROUPS:
            return False
        if group not in carried:
            self.carried[leaving] = [*carried, group]
        return True


def _holders(listener: ObservedListener) -> list[_Holder]:
    """In the order in which they answer."""
    rules = sorted(listener.rules.values(), key=lambda rule: rule.priority)
    return [
        *(
            _Holder(rule.id, None if rule.match is None else normal(rule.match), rule.action, rule.priority)
            for rule in rules
        ),
        _Holder("", None, listener.default_action, DEFAULT),
    ]


def all_groups(
    desired: DesiredService, observed: ObservedService, identify: Callable[[Group], Group]
) -> frozenset[Group]:
    """The groups that a service uses, and those that it is to use."""
    return observed.groups() | {identify(group) for group in wanted_groups(desired)}


def wanted_groups(desired: DesiredService) -> frozenset[Group]:
    """The groups that a service is to use, as it calls them."""
    actions = [
        action
        for listener in desired.listeners
        for action in (listener.default_action, *(rule.action for rule in listener.rules))
    ]
    return frozenset(group for action in actions if isinstance(action, Forward) for group, _ in action.weights)


def kept_groups(
    desired: DesiredService, observed: ObservedService, identify: Callable[[Group], Group]
) -> frozenset[Group]:
    """The groups that some rule of a service, or some default action, uses and goes on to use."""
    kept: set[Group] = set()
    for listener in desired.listeners:
        present = (observed.listeners or {}).get(listener.port)
        if present is None or present.protocol != listener.protocol:
            continue
        wanted: dict[Match | None, Action] = {normal(rule.match): rule.action for rule in reversed(listener.rules)}
        wanted[None] = listener.default_action
        for holder in _holders(present):
            action = wanted.get(holder.match) if holder.match is not None or not holder.rule_id else None
            if isinstance(action, Forward):
                kept |= holder.weights().keys() & {identify(group) for group, _ in action.weights}
    return frozenset(kept)
