"""What of a plan goes on where another controller was before, and what waits until somebody releases it.

The properties run plans of the real planner on generated rules, what goes on in any order that a plan allows, and look
at every request after every call.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.lattice.model import (
    Action,
    DesiredRule,
    FixedResponse,
    Forward,
    HeaderMatch,
    HealthCheck,
    Match,
)
from controller.lattice.observed import ObservedListener, ObservedRule
from controller.lattice.plan import Active, AssociationOf, Gone, Held, Operation, Plan, hold_back
from controller.lattice.plan import plan_service as plan_of_service
from controller.lattice.plan import plan_target_group as plan_of_group
from controller.lattice.plan.wire import action_of, match_of
from tests.lattice.observed import (
    context,
    observed_association,
    observed_group,
    observed_listener,
    observed_rule,
    observed_service,
    with_targets,
)
from tests.lattice.test_rules import REQUESTS, Listener, desired, observed
from tests.lattice.world import KEY, NOT_FOUND, forward, group, listener, rule, service

GROUPS = ("v1", "v2", "v3")
CONTEXT = context(None, *map(observed_group, GROUPS))
FILLED = context(None, *map(with_targets, GROUPS))


def first_run(wanted: Any, found: Any) -> Held:
    return hold_back(plan_of_service(wanted, found, CONTEXT), found)


def calls(operations: Sequence[Operation]) -> list[str]:
    return [operation.call for operation in operations]


def outcome(*wanted: DesiredRule, there: Sequence[ObservedRule]) -> tuple[list[str], list[str]]:
    """The calls that go on, and those that are held, for a listener's rules."""
    held = first_run(service(listener(*wanted)), observed_service(observed_listener(*there)))
    return calls(held.plan.operations), calls(held.operations)


def test_what_nobody_has_made_is_made() -> None:
    held = first_run(service(listener(rule("/", "v1"))), None)
    assert held.operations == ()
    assert calls(held.plan.operations) == [
        "CreateService",
        "CreateServiceNetworkServiceAssociation",
        "CreateListener",
        "CreateRule",
    ]


def test_a_plan_without_operations_holds_nothing() -> None:
    assert hold_back(Plan(), None) == Held(plan=Plan())


def test_a_service_is_not_deleted() -> None:
    held = first_run(None, observed_service())
    assert calls(held.operations) == ["DeleteServiceNetworkServiceAssociation", "DeleteService"]
    assert held.plan == Plan()


def test_a_listener_is_not_removed_and_another_one_is_added() -> None:
    found = observed_service(observed_listener(port=8080), observed_listener())
    held = first_run(service(listener(), listener(port=443, protocol="HTTPS")), found)
    assert calls(held.plan.operations) == ["CreateListener"]
    assert calls(held.operations) == ["DeleteListener"]


def test_a_listener_of_another_protocol_waits_whole() -> None:
    held = first_run(service(listener(rule("/", "v1"), protocol="HTTPS")), observed_service(observed_listener()))
    assert calls(held.plan.operations) == []
    assert calls(held.operations) == ["DeleteListener", "CreateListener", "CreateRule"]


def test_an_association_is_added_and_none_is_ended() -> None:
    found = observed_service(observed_listener(), associations={"sn-2": observed_association("sn-2", "elsewhere")})
    held = first_run(service(listener()), found)
    assert calls(held.plan.operations) == ["CreateServiceNetworkServiceAssociation"]
    assert calls(held.operations) == ["DeleteServiceNetworkServiceAssociation"]
    assert not any(isinstance(need, Gone) for need in held.plan.needs)


def test_what_is_held_is_not_waited_for() -> None:
    broken = {"sn-1": observed_association(status="CREATE_FAILED")}
    held = first_run(service(listener()), observed_service(observed_listener(), associations=broken))
    assert calls(held.operations) == [
        "DeleteServiceNetworkServiceAssociation",
        "CreateServiceNetworkServiceAssociation",
    ]
    assert held.plan.needs == (Active(KEY),)
    assert Active(AssociationOf(KEY, "sn-1")) not in held.plan.needs


def test_a_service_without_an_owner_is_tagged_as_ours() -> None:
    held = first_run(service(listener()), observed_service(observed_listener(), tags={}))
    assert set(calls(held.plan.operations)) == {"TagResource"}
    assert held.operations == ()


def test_another_certificate_waits() -> None:
    held = first_run(service(listener(), certificate_arn="arn:new"), observed_service(observed_listener()))
    assert calls(held.operations) == ["UpdateService"]


def test_a_rule_for_what_only_the_default_refuses_is_added() -> None:
    assert outcome(rule("/a", "v1"), rule("/b", "v2"), there=[observed_rule("/a", "tg-v1")]) == (["CreateRule"], [])


def test_a_rule_above_one_that_answers_otherwise_waits() -> None:
    assert outcome(rule("/a/b", "v2"), rule("/a", "v1"), there=[observed_rule("/a", "tg-v1")]) == ([], ["CreateRule"])


def test_a_rule_above_one_that_answers_alike_is_added() -> None:
    assert outcome(rule("/a/b", "v1"), rule("/a", "v1"), there=[observed_rule("/a", "tg-v1")]) == (["CreateRule"], [])


def test_a_rule_below_one_that_it_overlaps_is_added() -> None:
    assert outcome(rule("/a/b", "v1"), rule("/a", "v2"), there=[observed_rule("/a/b", "tg-v1")]) == (["CreateRule"], [])


def test_a_rule_is_not_removed() -> None:
    there = [observed_rule("/a", "tg-v1"), observed_rule("/b", "tg-v2", priority=1100)]
    assert outcome(rule("/a", "v1"), there=there) == ([], ["DeleteRule"])


def test_a_rule_keeps_its_backend() -> None:
    assert outcome(rule("/a", "v2"), there=[observed_rule("/a", "tg-v1")]) == ([], ["UpdateRule"])


def test_a_rule_does_not_go_to_a_group_that_is_yet_to_be_made() -> None:
    assert outcome(rule("/a", "v9"), there=[observed_rule("/a", "tg-v1")]) == ([], ["UpdateRule"])


def test_no_group_is_introduced_for_what_is_held_back() -> None:
    changed, there = rule("/a", "v2"), [observed_rule("/a", "tg-v1")]
    plan = plan_of_service(service(listener(changed)), observed_service(observed_listener(*there)), FILLED)
    assert [operation.arguments["action"]["forward"]["targetGroups"][-1] for operation in plan.operations] == [
        {"targetGroupIdentifier": "tg-v2", "weight": 0},
        {"targetGroupIdentifier": "tg-v2", "weight": 1},
    ]
    held = hold_back(plan, observed_service(observed_listener(*there)))
    assert (held.plan.operations, held.operations) == ((), plan.operations)


def test_a_rule_that_goes_on_waits_for_nothing_that_is_held_back() -> None:
    found = observed_service(observed_listener(observed_rule("/cart", "tg-v1")))
    wanted = service(listener(rule("/cart", "v1"), rule("/", "v1", "v2", weights=(9, 1))))
    held = hold_back(plan_of_service(wanted, found, FILLED), found)
    assert (calls(held.plan.operations), calls(held.operations)) == (["CreateRule"], [])


def test_other_weights_of_the_same_ratio_are_written() -> None:
    action = Forward(weights=(("tg-v1", 90), ("tg-v2", 10)))
    there = [replace(observed_rule("/a"), action=action)]
    wanted = DesiredRule(match=Match(path_prefix="/a"), action=forward("v1", "v2", weights=(9, 1)))
    assert outcome(wanted, there=there) == (["UpdateRule"], [])
    wanted = DesiredRule(match=Match(path_prefix="/a"), action=forward("v1", "v2", weights=(8, 1)))
    assert outcome(wanted, there=there) == ([], ["UpdateRule"])


def test_rules_of_other_paths_are_put_in_order() -> None:
    there = [observed_rule("/b", "tg-v2", priority=1), observed_rule("/a", "tg-v1", priority=2)]
    assert outcome(rule("/a", "v1"), rule("/b", "v2"), there=there) == (["UpdateRule"], [])


def test_rules_that_overlap_do_not_change_places() -> None:
    there = [observed_rule("/", "tg-v2", priority=1), observed_rule("/a", "tg-v1", priority=2)]
    assert outcome(rule("/a", "v1"), rule("/", "v2"), there=there) == ([], ["UpdateRule"])


def test_half_of_an_exchange_of_fixed_priorities_is_not_made() -> None:
    """The one that gives way, and the one that takes its number."""
    there = [observed_rule("/", "tg-v2", priority=5), observed_rule("/a", "tg-v1", priority=7)]
    first, second = replace(rule("/a", "v1"), priority=5), replace(rule("/", "v2"), priority=7)
    going, held = outcome(first, second, there=there)
    assert going == []
    assert set(held) == {"UpdateRule"}
    assert len(held) > 1


def test_a_rule_that_the_model_cannot_express_gives_way_only_to_one_that_answers_alike() -> None:
    """As the other controller writes them: header values in any case."""
    there = [replace(observed_rule("/a", "tg-v2", priority=2000), match=None)]
    match = Match(path_prefix="/a", headers=(HeaderMatch(name="x", value="1"),))
    assert outcome(DesiredRule(match=match, action=forward("v1")), there=there) == ([], ["CreateRule", "DeleteRule"])
    assert outcome(DesiredRule(match=match, action=forward("v2")), there=there) == (["CreateRule"], ["DeleteRule"])


def test_nothing_is_taken_from_a_default_action_that_forwards() -> None:
    default = Forward(weights=(("tg-v2", 1),))
    found = observed_service(replace(observed_listener(), default_action=default))
    held = first_run(service(listener(rule("/a", "v1"))), found)
    assert held.plan.operations == ()
    assert calls(held.operations) == ["CreateRule", "UpdateListener"]


def test_the_targets_of_a_group_follow_its_endpoints() -> None:
    found = observed_group("v1", targets=dict.fromkeys(group("v1", "10.0.0.1").targets, "HEALTHY"))
    held = hold_back(plan_of_group(group("v1", "10.0.0.2"), found, CONTEXT), found)
    assert calls(held.plan.operations) == ["RegisterTargets", "DeregisterTargets"]
    assert held.operations == ()


def test_the_health_check_of_a_group_stays() -> None:
    found = observed_group("v1")
    wanted = group("v1", health_check=HealthCheck(path="/healthz"))
    assert calls(hold_back(plan_of_group(wanted, found, CONTEXT), found).operations) == ["UpdateTargetGroup"]


def test_a_group_that_is_not_wanted_keeps_its_targets() -> None:
    found = observed_group("v1", targets=dict.fromkeys(group("v1", "10.0.0.1").targets, "UNUSED"))
    held = hold_back(plan_of_group(None, found, CONTEXT), found)
    assert calls(held.operations) == ["DeregisterTargets", "DeleteTargetGroup"]
    assert held.plan == Plan()


@pytest.mark.parametrize("call", ["DeleteEverything", "PutResourcePolicy", "UpdateServiceNetwork"])
def test_a_call_that_is_not_known_to_be_harmless_waits(call: str) -> None:
    unknown = Operation(call=call, arguments={}, resource="it", description="")
    after = Operation(call="CreateListener", arguments={}, resource="that", description="", after=(0,))
    beside = Operation(call="CreateListener", arguments={}, resource="this", description="")
    held = hold_back(Plan(operations=(unknown, after, beside)), observed_service())
    assert held.operations == (unknown, after)
    assert held.plan.operations == (beside,)


def found_with(rules: Sequence[ObservedRule], default: Action) -> ObservedListener:
    return replace(observed_listener(*rules), default_action=default)


def take(table: Listener, operation: Operation) -> None:
    """One call, as Lattice does it."""
    arguments = operation.arguments
    if operation.call == "CreateRule":
        made = f"rule-{10_000 + arguments['priority']}"
        table.rules[made] = ObservedRule(
            id=made,
            arn="",
            name="",
            priority=arguments["priority"],
            match=match_of(arguments["match"]),
            action=action_of(arguments["action"]),
        )
    elif operation.call == "DeleteRule":
        del table.rules[arguments["ruleIdentifier"]]
    elif operation.call == "UpdateListener":
        table.default = action_of(arguments["defaultAction"])
    else:
        for update in arguments["rules"] if operation.call == "BatchUpdateRule" else [arguments]:
            old = table.rules[update["ruleIdentifier"]]
            action = action_of(update["action"]) if "action" in update else old.action
            match = match_of(update["match"]) if "match" in update else old.match
            table.rules[old.id] = replace(
                old, priority=update.get("priority", old.priority), action=action, match=match
            )
    assert len({one.priority for one in table.rules.values()}) == len(table.rules)


def in_some_order(operations: Sequence[Operation], data: st.DataObject) -> list[Operation]:
    left, done, order = list(range(len(operations))), set[int](), []
    while left:
        index = data.draw(st.sampled_from([one for one in left if done.issuperset(operations[one].after)]))
        order.append(operations[index])
        left.remove(index)
        done.add(index)
    return order


defaults = st.sampled_from((NOT_FOUND, NOT_FOUND, Forward(weights=(("tg-1", 1),))))


@given(observed(), desired, defaults, st.data())
def test_what_is_answered_by_a_rule_is_answered_as_before(
    old: list[ObservedRule], new: list[DesiredRule], default: Action, data: st.DataObject
) -> None:
    wanted, found = service(listener(*new)), found_with(old, default)
    plan = plan_of_service(wanted, observed_service(found), CONTEXT)
    held = hold_back(plan, observed_service(found))
    before, final = Listener(old, default), Listener(old, default)
    refused = [isinstance(default, FixedResponse) and not _by_rule(before, request) for request in REQUESTS]
    for operation in plan.operations:
        take(final, operation)
    table = Listener(old, default)
    for operation in in_some_order(held.plan.operations, data):
        take(table, operation)
        for request, was, now, will, free in zip(
            REQUESTS, before.answers(), table.answers(), final.answers(), refused, strict=True
        ):
            assert now in ((was, will) if free else (was,)), request


def _by_rule(table: Listener, request: Any) -> bool:
    """Whether a rule answers, and not the default action."""
    alone = Listener(list(table.rules.values()), Forward(weights=(("default", 1),)))
    return alone.answer(request) != alone.default


@given(observed(), desired, defaults)
def test_a_plan_is_parted_without_loss_and_what_goes_on_depends_on_nothing_that_is_held(
    old: list[ObservedRule], new: list[DesiredRule], default: Action
) -> None:
    found = observed_service(found_with(old, default))
    plan = plan_of_service(service(listener(*new)), found, CONTEXT)
    held = hold_back(plan, found)
    where = {id(operation.arguments): place for place, operation in enumerate(plan.operations)}
    going = [where[id(operation.arguments)] for operation in held.plan.operations]
    waiting = [where[id(operation.arguments)] for operation in held.operations]
    assert sorted([*going, *waiting]) == list(range(len(plan.operations)))
    for place, operation in zip(going, held.plan.operations, strict=True):
        assert [going[index] for index in operation.after] == list(plan.operations[place].after)


@given(observed(), desired, defaults)
def test_when_it_is_released_the_rest_leads_where_the_whole_plan_does(
    old: list[ObservedRule], new: list[DesiredRule], default: Action
) -> None:
    new = [replace(one, priority=None) for one in new]
    wanted = service(listener(*new))

    def run(table: Listener, *, held: bool) -> None:
        while True:
            found = observed_service(found_with(list(table.rules.values()), table.default))
            plan = plan_of_service(wanted, found, CONTEXT)
            for operation in (hold_back(plan, found).plan if held else plan).operations:
                take(table, operation)
            if held or plan.whole:
                return

    at_once, in_parts = Listener(old, default), Listener(old, default)
    run(at_once, held=False)
    run(in_parts, held=True)
    run(in_parts, held=True)
    run(in_parts, held=False)
    assert in_parts.answers() == at_once.answers()


@given(observed(), desired, defaults)
def test_once_the_rest_is_done_nothing_is_held(
    old: list[ObservedRule], new: list[DesiredRule], default: Action
) -> None:
    new = [replace(one, priority=None) for one in new]
    table = Listener(old, default)
    for _ in range(2):
        found = observed_service(found_with(list(table.rules.values()), table.default))
        plan = plan_of_service(service(listener(*new)), found, CONTEXT)
        for operation in plan.operations:
            take(table, operation)
    assert hold_back(plan, found).operations == ()
