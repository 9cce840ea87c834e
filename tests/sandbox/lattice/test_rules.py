"""Rules: unique names and priorities, batches, the default rule, and the use of target groups."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.lattice import LatticeServer, Partial, Timings
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.state import Call
from tests.sandbox.lattice.harness import Account, forward, prefix

pytestmark = pytest.mark.anyio


def address(listener: dict[str, Any], rule: dict[str, Any] | None = None) -> dict[str, str]:
    where = {"serviceIdentifier": listener["serviceId"], "listenerIdentifier": listener["id"]}
    return where if rule is None else where | {"ruleIdentifier": rule["id"]}


async def test_names_and_priorities_are_unique_within_the_listener(account: Account):
    listener = await account.listener(await account.service())
    rule = await account.rule(listener, "one", 1)
    for name, priority in (("one", 2), ("two", 1)):
        with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
            await account.rule(listener, name, priority)
        assert raised.value.response["resourceId"] == rule["id"]


async def test_match_and_action_are_shown_by_get_and_not_by_list(account: Account):
    listener, group = await account.listener(await account.service()), await account.group()
    rule = await account.rule(listener, "one", 1, match=prefix("/a"), action=forward(group))
    summaries = await account.all_of("list_rules", **address(listener))
    assert [summary["isDefault"] for summary in summaries] == [True, False]
    assert not any("match" in summary or "action" in summary for summary in summaries)
    shown = await account.lattice.get_rule(**address(listener, rule))
    assert (shown["match"], shown["action"], shown["priority"]) == (prefix("/a"), forward(group), 1)


async def test_the_default_rule_can_be_read_and_not_changed(account: Account):
    listener = await account.listener(await account.service())
    (default,) = await account.all_of("list_rules", **address(listener))
    shown = await account.lattice.get_rule(**address(listener, default))
    assert shown["isDefault"]
    assert shown["action"] == {"fixedResponse": {"statusCode": 404}}
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.update_rule(**address(listener, default), priority=5)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.delete_rule(**address(listener, default))


async def test_a_match_that_says_nothing_is_refused(account: Account):
    listener = await account.listener(await account.service())
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.rule(listener, "one", 1, match={"httpMatch": {}})


async def test_a_group_serves_one_service_only(account: Account):
    group = await account.group()
    first = await account.listener(await account.service("first"))
    second = await account.listener(await account.service("second"))
    rule = await account.rule(first, "one", 1, action=forward(group))
    with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
        await account.rule(second, "one", 1, action=forward(group))
    assert raised.value.response["resourceId"] == group["id"]
    await account.lattice.delete_rule(**address(first, rule))
    await account.rule(second, "one", 1, action=forward(group))


async def test_a_weight_is_required_among_several_and_defaults_to_100_alone(account: Account):
    listener = await account.listener(await account.service())
    one, two = await account.group("one"), await account.group("two")
    alone = {"forward": {"targetGroups": [{"targetGroupIdentifier": one["arn"]}]}}
    rule = await account.rule(listener, "one", 1, action=alone)
    assert rule["action"] == forward(one, weights=(100,))
    both = {"forward": {"targetGroups": [{"targetGroupIdentifier": group["id"]} for group in (one, two)]}}
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.rule(listener, "two", 2, action=both)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.rule(listener, "two", 2, action=forward(one, one))


async def test_an_update_to_a_taken_priority_is_a_conflict_and_changes_nothing(account: Account):
    listener, group = await account.listener(await account.service()), await account.group()
    await account.rule(listener, "one", 1)
    rule = await account.rule(listener, "two", 2)
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.update_rule(**address(listener, rule), priority=1, action=forward(group))
    shown = await account.lattice.get_rule(**address(listener, rule))
    assert (shown["priority"], shown["action"]) == (2, {"fixedResponse": {"statusCode": 500}})
    updated = await account.lattice.update_rule(**address(listener, rule), priority=3, action=forward(group))
    assert (updated["priority"], updated["action"]) == (3, forward(group))
    await account.rule(listener, "three", 2)


async def test_a_batch_swaps_priorities(account: Account):
    listener = await account.listener(await account.service())
    one, two = await account.rule(listener, "one", 1), await account.rule(listener, "two", 2)
    answer = await account.lattice.batch_update_rule(
        **address(listener),
        rules=[{"ruleIdentifier": one["id"], "priority": 2}, {"ruleIdentifier": two["arn"], "priority": 1}],
    )
    assert [(rule["id"], rule["priority"]) for rule in answer["successful"]] == [(one["id"], 2), (two["id"], 1)]
    assert answer["unsuccessful"] == []
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.rule(listener, "three", 1)


async def test_a_batch_succeeds_in_part(account: Account):
    listener = await account.listener(await account.service())
    one, two = await account.rule(listener, "one", 1), await account.rule(listener, "two", 2)
    answer = await account.lattice.batch_update_rule(
        **address(listener),
        rules=[
            {"ruleIdentifier": one["id"], "priority": 7},
            {"ruleIdentifier": two["id"], "action": {"fixedResponse": {"statusCode": 403}}},
            {"ruleIdentifier": "rule-" + "0" * 17, "priority": 9},
        ],
    )
    assert [rule["id"] for rule in answer["successful"]] == [one["id"]]
    assert [failure["failureCode"] for failure in answer["unsuccessful"]] == [
        "ValidationException",
        "ResourceNotFoundException",
    ]


async def test_a_batch_can_be_spoiled_in_part(account: Account):
    listener = await account.listener(await account.service())
    rules = [await account.rule(listener, f"rule{number}", number) for number in (1, 2)]
    account.server.faults.add("BatchUpdateRule", Partial(positions=(0,)), times=1)
    changes = [{"ruleIdentifier": rule["id"], "priority": rule["priority"] + 10} for rule in rules]
    answer = await account.lattice.batch_update_rule(**address(listener), rules=changes)
    assert [failure["ruleIdentifier"] for failure in answer["unsuccessful"]] == [rules[0]["id"]]
    assert [rule["priority"] for rule in answer["successful"]] == [12]


async def test_rules_and_groups_are_limited_by_quotas(account: Account):
    service = await account.service()
    listener = await account.listener(service)
    for number in range(1, 11):
        await account.rule(listener, f"rule{number}", number)
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException) as raised:
        await account.rule(listener, "rule11", 11)
    assert raised.value.response["quotaCode"] == "L-CF78395E"
    groups = [await account.group(f"group{number}") for number in range(11)]
    rules = [summary for summary in await account.all_of("list_rules", **address(listener)) if not summary["isDefault"]]
    for rule, group in zip(rules, groups, strict=False):
        await account.lattice.update_rule(**address(listener, rule), action=forward(group))
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException) as raised:
        await account.listener(service, "second", port=81, defaultAction=forward(groups[10]))
    assert raised.value.response["quotaCode"] == "L-3DEC3B9F"
    replaced = await account.lattice.update_rule(**address(listener, rules[0]), action=forward(groups[10]))
    assert replaced["action"] == forward(groups[10])


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=3, max_size=3, unique=True),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=6),
)
def test_after_any_batch_priorities_are_unique_and_only_the_successful_have_changed(before, changes):
    state = LatticeServer(timings=Timings.instant()).state

    def call(operation: str, **params: Any) -> dict[str, Any]:
        state.transitions.run_due()
        return LATTICE_HANDLERS[operation](state, Call(operation, params))

    fixed = {"fixedResponse": {"statusCode": 404}}
    service = call("CreateService", name="rates")
    where = {"serviceIdentifier": service["id"]}
    listener = call("CreateListener", **where, name="http", protocol="HTTP", defaultAction=fixed)
    where["listenerIdentifier"] = listener["id"]
    rules = [
        call("CreateRule", **where, name=f"rule{n}", priority=n, match=prefix("/"), action=fixed)["id"] for n in before
    ]
    answer = call(
        "BatchUpdateRule",
        **where,
        rules=[{"ruleIdentifier": rules[index], "priority": priority} for index, priority in changes],
    )
    expected = dict(zip(rules, before, strict=True))
    expected |= {rule["id"]: rule["priority"] for rule in answer["successful"]}
    listed = call("ListRules", **where)["items"]
    after = {rule["id"]: rule["priority"] for rule in listed if not rule["isDefault"]}
    assert after == expected
    assert len(set(after.values())) == len(after)
    assert len(answer["successful"]) + len(answer["unsuccessful"]) == len(changes)
