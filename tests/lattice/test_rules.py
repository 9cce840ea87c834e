"""Rules change so that after every step each request gets the old or the new answer, never a third."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.lattice.model import Action, DesiredRule, FixedResponse, Forward, HeaderMatch, Match
from controller.lattice.observed import ObservedRule
from controller.lattice.plan.priorities import NoPriorityError
from controller.lattice.plan.rules import DEFAULT, NOWHERE, Step, normal, overlap, precedes, steps

Request = tuple[str, str, str]

METHODS = ("GET", "POST")
PATHS = ("/", "/a", "/a/b", "/ab", "/c")
REQUESTS: list[Request] = [(m, p, h) for m in METHODS for p in PATHS for h in ("blue", "red")]

methods = st.sampled_from((None, *METHODS))
headers = st.sampled_from(((), (HeaderMatch(name="X-Team", value="blue"),)))
matches = st.one_of(
    st.builds(lambda p, m, h: Match(path_prefix=p, method=m, headers=h), st.sampled_from(PATHS), methods, headers),
    st.builds(lambda p, m, h: Match(path_exact=p, method=m, headers=h), st.sampled_from(PATHS), methods, headers),
    st.builds(lambda m: Match(method=m), methods),
)
actions = st.sampled_from([Forward(weights=((f"tg-{n}", 1),)) for n in range(4)] + [FixedResponse(status_code=500)])


def rule(number: int, priority: int, match: Match, action: Action) -> ObservedRule:
    return ObservedRule(id=f"rule-{number}", arn="", name="", priority=priority, match=match, action=action)


@st.composite
def observed(draw: st.DrawFn) -> list[ObservedRule]:
    found = draw(st.lists(st.tuples(matches, actions), max_size=7))
    tight = st.integers(1, len(found) + 2) if draw(st.booleans()) else st.integers(1, 2000)
    numbers = draw(st.lists(tight, min_size=len(found), max_size=len(found), unique=True))
    return [rule(i, n, m, a) for i, ((m, a), n) in enumerate(zip(found, numbers, strict=True))]


desired = st.lists(
    st.builds(
        lambda m, a, p: DesiredRule(match=m, action=a, priority=p),
        matches,
        actions,
        st.one_of(st.none(), st.none(), st.integers(1, 8), st.sampled_from((1000, 2000))),
    ),
    max_size=7,
)


class Listener:
    """The rules of a listener, as Lattice holds them."""

    def __init__(self, rules: Sequence[ObservedRule], default: Action) -> None:
        self.rules = {one.id: one for one in rules}
        self.default = default

    def answer(self, request: Request) -> Action:
        for one in sorted(self.rules.values(), key=lambda r: r.priority):
            assert one.match is not None
            if serves(one.match, request):
                return one.action
        return self.default

    def answers(self) -> list[Action]:
        return [self.answer(request) for request in REQUESTS]

    def take(self, step: Step, default: Action) -> None:
        standing = step.standing
        if standing.place == DEFAULT:
            self.default = default
            return
        if step.goal == NOWHERE:
            del self.rules[standing.rule_id]
            return
        assert step.goal not in {one.priority for one in self.rules.values() if one.id != standing.rule_id}
        if standing.rule_id is None:
            created = rule(len(self.rules) + 1000 * step.goal, step.goal, standing.match, standing.wanted.action)
            self.rules[created.id] = created
            return
        old = self.rules[standing.rule_id]
        action = standing.wanted.action if standing.changes and not step.barrier else old.action
        self.rules[old.id] = rule(int(old.id.split("-")[1]), step.goal, old.match, action)


def serves(match: Match, request: Request) -> bool:
    method, path, team = request
    if match.method is not None and match.method != method:
        return False
    if any(header.name.lower() != "x-team" or header.value != team for header in match.headers):
        return False
    if match.path_exact is not None:
        return path == match.path_exact
    prefix = (match.path_prefix or "/").rstrip("/")
    return path == prefix or path.startswith(prefix + "/")


def wanted_answers(rules: Sequence[ObservedRule], default: Action) -> list[Action]:
    return Listener(rules, default).answers()


def plan(old: Sequence[ObservedRule], new: Sequence[DesiredRule], changes: bool):
    return steps(old, new, same_action=lambda a, b: a == b, default_changes=changes)


OLD, NEW = FixedResponse(status_code=404), Forward(weights=(("tg-default", 1),))


def orders(todo: Sequence[Step], data: st.DataObject) -> list[Step]:
    """Any order that keeps each step behind those that have to precede it."""
    left, order = list(todo), []
    while left:
        ready = [s for i, s in enumerate(left) if not any(precedes(earlier, s) for earlier in left[:i])]
        chosen = data.draw(st.sampled_from(range(len(ready))))
        order.append(ready[chosen])
        left = [s for s in left if s is not ready[chosen]]
    return order


@given(observed(), desired, st.booleans(), st.data())
def test_after_each_step_every_request_gets_the_old_or_the_new_answer(old, new, changes, data):
    todo = plan(old, new, changes)
    default = NEW if changes else OLD
    listener = Listener(old, OLD)
    before = listener.answers()
    final = Listener(old, OLD)
    for step in todo.steps:
        final.take(step, default)
    after = final.answers()
    for step in orders(todo.steps, data):
        listener.take(step, default)
        for request, was, now, will in zip(REQUESTS, before, listener.answers(), after, strict=True):
            assert now in (was, will), request


@given(observed(), desired)
def test_the_new_answers_are_those_of_the_rules_in_their_order(old, new):
    """Without fixed priorities."""
    new = [DesiredRule(match=one.match, action=one.action) for one in new]
    listener = Listener(old, OLD)
    for step in plan(old, new, False).steps:
        listener.take(step, OLD)
    assert listener.answers() == wanted_answers([rule(i, i + 1, r.match, r.action) for i, r in enumerate(new)], OLD)


@given(observed(), desired)
def test_when_all_steps_are_done_there_is_nothing_to_do(old, new):
    listener = Listener(old, OLD)
    for _ in range(5):
        todo = plan(list(listener.rules.values()), new, False)
        for step in todo.steps:
            listener.take(step, OLD)
        if todo.whole:
            break
    assert todo.whole
    assert plan(list(listener.rules.values()), new, False).steps == []


@given(observed(), desired)
def test_fixed_priorities_are_honoured(old, new):
    listener = Listener(old, OLD)
    todo = plan(old, new, False)
    for step in todo.steps:
        listener.take(step, OLD)
    if not todo.whole:
        return
    first: dict[Match, DesiredRule] = {}
    for one in new:
        first.setdefault(normal(one.match), one)
    at = {normal(one.match): one.priority for one in listener.rules.values()}
    taken: set[int] = set()
    for match, one in first.items():
        if one.priority is not None and one.priority not in taken:
            taken.add(one.priority)
            assert at[match] == one.priority


@given(observed(), st.data())
def test_reordering_moves_the_fewest(old, data):
    """The longest part that keeps its order stays."""
    distinct: dict[Match, ObservedRule] = {}
    for one in sorted(old, key=lambda r: r.priority):
        distinct.setdefault(normal(one.match), one)
    rules = list(distinct.values())
    order = data.draw(st.permutations(rules))
    todo = plan(rules, [DesiredRule(match=one.match, action=one.action) for one in order], False).steps
    spaced = [rule(int(r.id.split("-")[1]), 200 * (i + 1), r.match, r.action) for i, r in enumerate(rules)]
    places = {normal(r.match): i for i, r in enumerate(rules)}
    sequence = [places[normal(one.match)] for one in order]
    longest = [1] * len(sequence)
    for i in range(len(sequence)):
        longest[i] = 1 + max((longest[j] for j in range(i) if sequence[j] < sequence[i]), default=0)
    best = len(sequence) - max(longest, default=0)
    wanted = [DesiredRule(match=one.match, action=one.action) for one in order]
    assert len(plan(spaced, wanted, False).steps) == best
    assert len(todo) >= best


@given(matches, matches, st.sampled_from(REQUESTS))
def test_matches_that_share_a_request_overlap(one, other, request_):
    if serves(one, request_) and serves(other, request_):
        assert overlap(normal(one), normal(other))


def test_a_fixed_priority_that_is_taken_by_a_surplus_rule_is_freed_without_a_third_answer():
    old = [rule(1, 5, Match(path_prefix="/a"), FixedResponse(status_code=500))]
    new = [DesiredRule(match=Match(path_prefix="/a/b"), action=NEW, priority=5)]
    kinds = [(s.standing.rule_id, s.goal) for s in plan(old, new, False).steps]
    assert kinds == [("rule-1", 6), (None, 5), ("rule-1", NOWHERE)]


@pytest.mark.parametrize("size", [2, 10, 128])
def test_fixed_priorities_that_are_reversed_take_one_step_more_for_each_pair(size):
    old = [rule(i, i, Match(path_exact=f"/{i}"), OLD) for i in range(1, size + 1)]
    new = [DesiredRule(match=one.match, action=one.action, priority=size + 1 - one.priority) for one in old]
    assert len(plan(old, new, False).steps) == size + size // 2


def test_fixed_priorities_in_a_circle_take_one_step_more_than_there_are_rules():
    old = [rule(i, i, Match(path_exact=f"/{i}"), OLD) for i in range(1, 9)]
    new = [DesiredRule(match=one.match, action=one.action, priority=one.priority % 8 + 1) for one in old]
    assert len(plan(old, new, False).steps) == 9


@pytest.mark.parametrize("size", [2, 10, 128])
def test_fixed_priorities_of_rules_for_the_same_requests_are_reversed_in_two_steps_each(size):
    old = [rule(i, i, Match(path_prefix="/" + "a/" * i), OLD) for i in range(1, size + 1)]
    new = [DesiredRule(match=one.match, action=one.action, priority=size + 1 - one.priority) for one in old]
    assert len(plan(old, new, False).steps) <= 2 * size


def test_a_new_rule_moves_no_other():
    old = [rule(i, 1000 + 50 * i, Match(path_exact=f"/{i}"), OLD) for i in range(5)]
    rules = [DesiredRule(match=one.match, action=one.action) for one in old]
    for at in range(6):
        new = [*rules[:at], DesiredRule(match=Match(path_exact="/new"), action=OLD), *rules[at:]]
        assert [step.standing.rule_id for step in plan(old, new, False).steps] == [None]


def test_rules_that_are_appended_one_after_another_move_none():
    old: list[ObservedRule] = []
    for number in range(20):
        new = [DesiredRule(match=one.match, action=one.action) for one in old]
        (step,) = plan(old, [*new, DesiredRule(match=Match(path_exact=f"/{number}"), action=OLD)], False).steps
        old.append(rule(number, step.goal, step.standing.match, OLD))


def test_two_rules_with_one_fixed_priority_the_first_has_it():
    new = [
        DesiredRule(match=Match(path_exact="/a"), action=OLD, priority=7),
        DesiredRule(match=Match(path_exact="/b"), action=OLD, priority=7),
    ]
    goals = {s.standing.match.path_exact: s.goal for s in plan([], new, False).steps}
    assert goals["/a"] == 7
    assert goals["/b"] > 7


def test_more_rules_than_priorities_is_an_error():
    new = [DesiredRule(match=Match(path_exact=f"/{i}"), action=OLD) for i in range(2001)]
    with pytest.raises(NoPriorityError, match="2001 rules"):
        plan([], new, False)
