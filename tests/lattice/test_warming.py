"""Groups that come to serve: what introduces them, and when and how long their targets are awaited.

All else of plans is in `test_plan`, what clients meet meanwhile in `test_moments`.
"""

import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from unittest import mock

import pytest
from msgspec.structs import replace

from controller.lattice.errors import RetryError
from controller.lattice.inventory.warmth import DEADLINE
from controller.lattice.limits import Lane
from controller.lattice.model import DesiredService, DesiredTargetGroup, HealthCheck, Target
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Warm, plan_service
from sandbox.lattice import Timings
from tests.lattice.here import Here
from tests.lattice.observed import (
    context,
    observed_group,
    observed_listener,
    observed_rule,
    observed_service,
    with_targets,
)
from tests.lattice.world import KEY, group, group_key, listener, rule, service

pytestmark = pytest.mark.anyio


def switched(desired: DesiredService, observed: ObservedService, *groups: ObservedTargetGroup) -> list[tuple[str, Any]]:
    """The calls that change rules: what they forward to, and what they wait for."""
    plan = plan_service(desired, observed, context(None, *groups))
    return [
        (
            operation.call,
            [
                (group_["targetGroupIdentifier"], group_["weight"])
                for group_ in operation.arguments["action"]["forward"]["targetGroups"]
            ],
        )
        for operation in plan.operations
    ]


def test_a_group_that_no_rule_used_is_introduced_before_it_gets_what_another_one_answers() -> None:
    there = observed_service(observed_listener(observed_rule("/", "tg-one")))
    desired = service(listener(rule("/", "two")))
    both = with_targets("one"), with_targets("two")
    assert switched(desired, there, *both) == [
        ("UpdateRule", [("tg-one", 1), ("tg-two", 0)]),
        ("UpdateRule", [("tg-two", 1)]),
    ]
    introduce, switch = plan_service(desired, there, context(None, *both)).operations
    assert switch.after == (0,)
    assert Warm(group_key("two")) in switch.needs
    assert Warm(group_key("two")) not in introduce.needs


@pytest.mark.parametrize(
    "two",
    [
        observed_group("two"),
        observed_group("two", targets={Target(ip="10.0.0.1", port=80): None}, health_check=HealthCheck(enabled=False)),
    ],
    ids=["no targets", "no health check"],
)
def test_a_group_of_which_nothing_is_checked_is_not_introduced(two: ObservedTargetGroup) -> None:
    there = observed_service(observed_listener(observed_rule("/", "tg-one")))
    assert switched(service(listener(rule("/", "two"))), there, with_targets("one"), two) == [
        ("UpdateRule", [("tg-two", 1)])
    ]


def test_a_service_that_was_never_finished_has_nothing_to_protect() -> None:
    there = observed_service(observed_listener(observed_rule("/", "tg-one")), young=True)
    assert len(switched(service(listener(rule("/", "two"))), there, with_targets("one"), with_targets("two"))) == 1


def test_a_rule_after_those_that_answer_takes_nothing_from_them_and_waits_for_nothing() -> None:
    there = observed_service(observed_listener(observed_rule("/cart", "tg-one")))
    desired = service(listener(rule("/cart", "one"), rule("/", "one", "two", weights=(9, 1))))
    both = with_targets("one"), with_targets("two")
    assert switched(desired, there, *both) == [("CreateRule", [("tg-one", 9), ("tg-two", 1)])]
    (create,) = plan_service(desired, there, context(None, *both)).operations
    assert not [need for need in create.needs if isinstance(need, Warm)]


def test_a_rule_before_one_that_answers_takes_from_it_and_waits() -> None:
    there = observed_service(observed_listener(observed_rule("/", "tg-one")))
    desired = service(listener(rule("/cart", "two"), rule("/", "one")))
    assert switched(desired, there, with_targets("one"), with_targets("two")) == [
        ("UpdateRule", [("tg-one", 1), ("tg-two", 0)]),
        ("CreateRule", [("tg-two", 1)]),
    ]


def test_weights_of_groups_that_have_requests_wait_for_nothing() -> None:
    there = observed_service(observed_listener(observed_rule("/", "tg-one", "tg-two")))
    desired = service(listener(rule("/", "one", "two", weights=(90, 10))))
    (update,) = plan_service(desired, there, context(None, with_targets("one"), with_targets("two"))).operations
    assert not [need for need in update.needs if isinstance(need, Warm)]


def test_a_rule_that_leaves_a_group_to_a_later_one_carries_it_until_then() -> None:
    rules = observed_rule("/a", "tg-one", priority=1000), observed_rule("/b", "tg-two", priority=1050)
    desired = service(listener(rule("/a", "two"), rule("/b", "one")))
    both = with_targets("one"), with_targets("two")
    plan = plan_service(desired, observed_service(observed_listener(*rules)), context(None, *both))
    assert not plan.whole
    assert switched(desired, observed_service(observed_listener(*rules)), *both) == [
        ("UpdateRule", [("tg-two", 1), ("tg-one", 0)]),
        ("UpdateRule", [("tg-one", 1)]),
    ]
    assert plan.operations[1].after == (0,)


TEN = [str(n) for n in range(10)]


@pytest.mark.parametrize(("quota", "introduced"), [(None, 0), (10, 0), (11, 1)])
def test_a_service_that_uses_all_the_groups_it_may_is_switched_at_once(quota: int | None, introduced: int) -> None:
    rules = [observed_rule(f"/{name}", f"tg-{name}", priority=1000 + 50 * int(name)) for name in TEN]
    desired = service(listener(*(rule(f"/{name}", "new" if name == "4" else name) for name in TEN)))
    known = replace(context(None, *map(with_targets, (*TEN, "new"))), groups_per_service=quota)
    plan = plan_service(desired, observed_service(observed_listener(*rules)), known)
    assert [operation.call for operation in plan.operations] == ["UpdateRule"] * (introduced + 1)
    assert (Warm(group_key("new")) in plan.operations[-1].needs) == bool(introduced)


def test_where_the_quota_has_no_room_no_rule_carries_a_group_for_another() -> None:
    rules = [observed_rule(f"/{name}", f"tg-{name}", priority=1000 + 50 * int(name)) for name in TEN]
    wanted = {**dict(zip(TEN, TEN, strict=True)), "0": "1", "1": "0", "9": "new"}
    desired = service(listener(*(rule(f"/{name}", to) for name, to in wanted.items())))
    found = switched(desired, observed_service(observed_listener(*rules)), *map(with_targets, (*TEN, "new")))
    assert all(weight for _, action in found for _, weight in action)


def test_a_group_in_use_that_has_no_targets_yet_may_have_some_by_the_time_it_gets_requests() -> None:
    there = observed_rule("/", "tg-one")
    action = replace(there.action, weights=(("tg-one", 100), ("tg-two", 0)))
    present = observed_service(observed_listener(replace(there, action=action)))
    desired = service(listener(rule("/", "one", "two", weights=(50, 50))))
    (update,) = plan_service(desired, present, context(None, with_targets("one"), observed_group("two"))).operations
    assert Warm(group_key("two")) in update.needs


NEVER_HEALTHY = dataclasses.replace(Timings.instant(), first_health_check=(1e6, 1e6))


async def canary(two: DesiredTargetGroup, *, timings: Timings) -> Here:
    """A service of long standing whose second group is in use and has no requests."""
    here = Here()
    await here.settle(split(100, 0), [group("one", "10.0.0.1"), two])
    here.clock.advance(10 * DEADLINE)
    here.lattice.state.timings = timings
    here.log.clear()
    return here


def split(*weights: int) -> DesiredService:
    return service(listener(rule("/", "one", "two", weights=weights)), networks=())


async def test_a_group_whose_first_targets_come_with_its_weight_gets_requests_when_one_is_healthy() -> None:
    here = await canary(group("two"), timings=NEVER_HEALTHY)
    await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    applied = await here.service_pass(split(50, 50))
    assert here.lattice.writes == ["RegisterTargets"]
    (awaited,) = applied.waits
    assert awaited.type == "targets"
    await here.inventory.get(awaited)
    assert (await here.service_pass(split(50, 50))).waits == (awaited,), "it is INITIAL"
    here.clock.advance(DEADLINE)
    assert (await here.service_pass(split(50, 50))).done


async def test_so_it_does_where_they_come_after_the_plan() -> None:
    here = await canary(group("two"), timings=NEVER_HEALTHY)
    observed = await here.inventory.observe_service(KEY, split(50, 50))
    plan = plan_service(split(50, 50), observed, here.inventory.context(here.now))
    await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    assert not (await here.applier.apply(plan, key=KEY)).done
    assert here.lattice.writes == ["RegisterTargets"]


async def test_so_it_does_where_the_call_that_gave_them_was_not_answered() -> None:
    here = await canary(group("two"), timings=NEVER_HEALTHY)
    here.lattice.lost = "RegisterTargets"
    with pytest.raises(RetryError):
        await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    assert not (await here.service_pass(split(50, 50))).done


async def test_a_group_that_has_targets_for_long_gets_requests_at_once_though_there_come_more() -> None:
    here = await canary(group("two", "10.0.0.2"), timings=NEVER_HEALTHY)
    await here.group_pass(group("two", "10.0.0.2", "10.0.0.3"), group_key("two"))
    assert (await here.service_pass(split(50, 50))).done


async def test_a_service_that_is_read_again_does_not_begin_to_wait_again() -> None:
    here = await canary(group("two"), timings=NEVER_HEALTHY)
    await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    here.clock.advance(DEADLINE - 1)
    ref = here.inventory.service(KEY).ref
    here.inventory.mark_suspect(ref)
    assert not (await here.service_pass(split(50, 50))).done
    here.clock.advance(1)
    here.inventory.mark_suspect(ref)
    assert (await here.service_pass(split(50, 50))).done


async def test_a_group_is_awaited_for_two_of_its_health_checks_where_these_are_far_apart() -> None:
    check = HealthCheck(interval=300, timeout=20)
    here = await canary(group("two", health_check=check), timings=NEVER_HEALTHY)
    await here.group_pass(group("two", "10.0.0.2", health_check=check), group_key("two"))
    here.clock.advance(619)
    assert not (await here.service_pass(split(50, 50))).done
    here.clock.advance(1)
    assert (await here.service_pass(split(50, 50))).done


async def test_a_look_ends_at_the_first_page_that_shows_a_healthy_target() -> None:
    here = await canary(group("two"), timings=Timings.instant())
    await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    (awaited,) = (await here.service_pass(split(50, 50))).waits
    with mock.patch.object(here.lattice, "pages", Pages("INITIAL", "HEALTHY")) as pages:
        await here.inventory.get(awaited)
    assert pages.read == ["INITIAL", "HEALTHY"]
    assert (await here.service_pass(split(50, 50))).done


async def test_an_empty_group_that_gets_targets_during_a_look_is_awaited() -> None:
    here = await canary(group("two"), timings=NEVER_HEALTHY)
    await here.group_pass(group("two", "10.0.0.2"), group_key("two"))
    (awaited,) = (await here.service_pass(split(50, 50))).waits
    await here.group_pass(group("two"), group_key("two"))

    async def filled() -> None:
        here.clock.advance(1)
        await here.group_pass(group("two", "10.0.0.3"), group_key("two"))

    with mock.patch.object(here.lattice, "pages", Pages(meanwhile=filled)):
        await here.inventory.get(awaited)
    assert not (await here.service_pass(split(50, 50))).done


class Pages:
    """The list of a group's targets in pages of one, each of which `read` remembers."""

    def __init__(self, *states: str, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        self.read: list[str] = []
        self._states = states
        self._meanwhile = meanwhile

    async def __call__(self, operation: str, params: object, *, lane: Lane) -> AsyncGenerator[dict[str, Any]]:
        assert operation == "ListTargets"
        for state in self._states:
            self.read.append(state)
            yield {"items": [{"status": state}]}
        if self._meanwhile is None:
            raise AssertionError("a page that nobody needs")
        await self._meanwhile()
