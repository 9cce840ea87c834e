"""The rules of one listener: steps after each of which every request gets the old or the new answer, never a third.

Rules are told apart by their match, deeply equal; name and priority do not count. Each rule that changes makes one step
from its old place to its new one, action and priority together: a new rule comes from nowhere, a surplus one goes
there, and "nowhere" lies below all priorities. The default action is a rule that matches everything, just above
nowhere. Let rule r go from priority p(r) to q(r). Of two rules that some request can match both, a has to step before
b if

    q(a) < q(b) < p(a)      or b, in its new place, would answer what a is to answer: a rises over b's goal
    p(b) < p(a) < q(b)      or a, in its old place, would answer what b has answered: b sinks over a's start
    p(b) < p(a), q(a) < q(b)   or a third would answer in between: they change places

These conditions suffice. Were a request answered by a third rule in its new place, the rule that is to answer has not
stepped, and one of the first and last lines says that it should have; likewise for one in its old place. And they never
contradict each other, because this order obeys them all: first what rises, by new priority; then what stays in place;
then what sinks, by old priority from the bottom. New and more specific rules thus come first, then updates, then
deletes.

A priority that a step wants may be taken, though only where users fix priorities. Then the rule that has it gives way
to a free number that no rule is to have, so that it is in nobody's way again, and the steps are counted anew from
there. It passes no rule that some request may match too; such rules move with it, in their order. So rules that change
places in a circle take one step more than they are, and a listener's whole order at most two for each rule.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from controller.lattice.model import Action, DesiredRule, HeaderMatch, Match
from controller.lattice.observed import ObservedRule
from controller.lattice.plan.priorities import HIGHEST, LOWEST, NoPriorityError, Slot, assign

DEFAULT = HIGHEST + 1
"""The place of the default action."""
NOWHERE = HIGHEST + 2
"""The place of a rule that does not exist."""


class Standing(NamedTuple):
    """A rule on its way: what the listener has, or is to have, at present."""

    rule_id: str | None
    """None for a rule that is not created yet; empty for the default action."""
    match: Match | None
    """Normal form; None for one that the model cannot express, which may overlap with any."""
    place: int
    goal: int
    wanted: DesiredRule | None
    """What the rule is to be; None for the default action and for a surplus rule."""
    changes: bool
    """Whether its action differs from the wanted one."""


class Steps(NamedTuple):
    steps: list["Step"]
    whole: bool
    """False if the rest can only be planned when these have run, because a rule that is yet to get an id has to
    move."""


class Step(NamedTuple):
    """One change of one rule: a create (rule_id None), a delete (goal `NOWHERE`), else an update."""

    standing: Standing
    goal: int
    barrier: bool = False
    """Gives way to another rule, so that all after it come after it."""


def normal(match: Match) -> Match:
    """The one form of all matches that mean the same: a path always, names of headers in lower case and in order."""
    prefix = match.path_prefix or "/" if match.path_exact is None else None
    headers = tuple(sorted(HeaderMatch(name=header.name.lower(), value=header.value) for header in match.headers))
    return msgspec.structs.replace(match, path_prefix=prefix, headers=headers)


def overlap(one: Match | None, other: Match | None) -> bool:
    """Whether some request may match both, for normal forms; true in doubt.

    Headers do not tell apart, because a request may carry the same one twice.
    """
    if one is None or other is None:
        return True
    if one.method is not None and other.method is not None and one.method != other.method:
        return False
    if one.path_exact is not None and other.path_exact is not None:
        return one.path_exact == other.path_exact
    if one.path_exact is not None:
        return one.path_exact.startswith((other.path_prefix or "/").rstrip("/"))
    if other.path_exact is not None:
        return other.path_exact.startswith((one.path_prefix or "/").rstrip("/"))
    left, right = (one.path_prefix or "/").rstrip("/"), (other.path_prefix or "/").rstrip("/")
    return left.startswith(right) or right.startswith(left)


def precedes(one: Step, other: Step) -> bool:
    """Whether `one`, which comes earlier in the list of steps, has to be done before `other`."""
    a, b = one.standing, other.standing
    if (
        one.barrier
        or other.barrier
        or other.goal == a.place < DEFAULT
        or (a.rule_id is not None and a.rule_id == b.rule_id)
    ):
        return True
    rises = one.goal < other.goal < a.place
    sinks = b.place < a.place < other.goal
    swaps = b.place < a.place and one.goal < other.goal
    return (rises or sinks or swaps) and overlap(a.match, b.match)


def steps(
    observed: Iterable[ObservedRule],
    desired: Sequence[DesiredRule],
    *,
    same_action: Callable[[Action, Action], bool],
    default_changes: bool,
) -> Steps:
    """The steps from the observed rules to the desired ones, in an order that is safe after each.

    `same_action(observed, desired)` tells whether an action is as desired. Raises NoPriorityError.
    """
    standings = _pair(observed, desired, same_action)
    standings.append(Standing("", None, DEFAULT, DEFAULT, None, default_changes))
    result: list[Step] = []
    for _ in range(4 * len(standings) + 8):
        done, blocked = _unblocked(standings, _ordered(standings))
        result += done
        _advance(standings, done)
        if not blocked:
            return Steps(result, whole=True)
        if done:
            continue
        aside = _give_way(standings, blocked[0].goal)
        if any(step.standing.rule_id is None for step in aside):
            return Steps(result, whole=False)
        result += aside
        _advance(standings, aside)
    raise NoPriorityError("the fixed priorities leave no room to exchange the rules that have them now")


def _pair(
    observed: Iterable[ObservedRule], desired: Sequence[DesiredRule], same_action: Callable[[Action, Action], bool]
) -> list[Standing]:
    wanted: dict[Match, DesiredRule] = {}
    for rule in desired:
        wanted.setdefault(normal(rule.match), rule)
    present = sorted(observed, key=lambda rule: rule.priority)
    holders: dict[Match, ObservedRule] = {}
    for held in present:
        if held.match is not None and normal(held.match) in wanted:
            holders.setdefault(normal(held.match), held)
    slots = [Slot(holders[m].priority if m in holders else None, rule.priority) for m, rule in wanted.items()]
    goals = assign(slots, {rule.priority for rule in present})
    result: list[Standing] = []
    for (match, rule), goal in zip(wanted.items(), goals, strict=True):
        holder = holders.get(match)
        if holder is None:
            result.append(Standing(None, match, NOWHERE, goal, rule, changes=True))
        else:
            changes = not same_action(holder.action, rule.action)
            result.append(Standing(holder.id, match, holder.priority, goal, rule, changes))
    kept = {holder.id for holder in holders.values()}
    for surplus in present:
        if surplus.id not in kept:
            match_ = None if surplus.match is None else normal(surplus.match)
            result.append(Standing(surplus.id, match_, surplus.priority, NOWHERE, None, changes=False))
    return result


def _ordered(standings: Iterable[Standing]) -> list[Step]:
    pending = [standing for standing in standings if standing.place != standing.goal or standing.changes]
    rising = sorted((s for s in pending if s.goal < s.place), key=lambda s: s.goal)
    staying = sorted((s for s in pending if s.goal == s.place), key=lambda s: s.goal)
    sinking = sorted((s for s in pending if s.goal > s.place), key=lambda s: -s.place)
    return [Step(standing, standing.goal) for standing in (*rising, *staying, *sinking)]


def _unblocked(standings: Iterable[Standing], todo: Iterable[Step]) -> tuple[list[Step], list[Step]]:
    """The steps that can be made, and those that cannot: their priority is taken, or they come after such a step."""
    taken = {standing.place for standing in standings if standing.place < DEFAULT}
    done: list[Step] = []
    blocked: list[Step] = []
    for step in todo:
        moves = step.goal != step.standing.place
        if (moves and step.goal in taken) or any(precedes(one, step) for one in blocked):
            blocked.append(step)
            continue
        if moves:
            taken.discard(step.standing.place)
            if step.goal < DEFAULT:
                taken.add(step.goal)
        done.append(step)
    return done, blocked


def _advance(standings: list[Standing], done: Iterable[Step]) -> None:
    for step in done:
        at = standings.index(step.standing)
        if step.goal == NOWHERE:
            del standings[at]
        else:
            moved = standings[at]._replace(place=step.goal, changes=step.standing.changes and step.barrier)
            standings[at] = moved


def _give_way(standings: Sequence[Standing], wanted: int) -> list[Step]:
    """Frees a priority: the rule that has it goes to a free number, and before it those that it must not pass."""
    rules = sorted((one for one in standings if one.place < DEFAULT), key=lambda one: one.place)
    taken, goals = {one.place for one in rules}, {one.goal for one in standings}
    free = [number for number in range(LOWEST, HIGHEST + 1) if number not in taken]
    for numbers in ([number for number in free if number not in goals], free):
        up = _evacuate(rules, wanted, numbers, 1)
        down = _evacuate(rules[::-1], wanted, numbers[::-1], -1)
        ways = [way for way in (up, down) if way is not None]
        if ways:
            return min(ways, key=lambda way: (len(way), sum(step.standing.goal == step.standing.place for step in way)))
    raise NoPriorityError("all priorities of the listener are taken")


def _evacuate(rules: Sequence[Standing], wanted: int, numbers: Sequence[int], sign: int) -> list[Step] | None:
    """The steps by which the holder of a priority leaves it in one direction, the farthest first; None without room.

    `rules` and `numbers` are in the order of that direction. No rule passes another that some request may match too:
    those that are in the way move as well, and all keep their order.
    """
    room = [number for number in numbers if sign * number > sign * wanted]
    ahead = [rule for rule in rules if sign * rule.place >= sign * wanted]
    moving = ahead[:1]
    while len(moving) <= len(room):
        goals = room[: len(moving)]
        passed = [
            rule
            for rule in ahead
            if rule not in moving
            and any(
                sign * one.place < sign * rule.place < sign * goal and overlap(one.match, rule.match)
                for one, goal in zip(moving, goals, strict=True)
            )
        ]
        if not passed:
            return [Step(one, goal, barrier=True) for one, goal in zip(moving[::-1], goals[::-1], strict=True)]
        moving = [rule for rule in ahead if rule in moving or rule in passed]
    return None
