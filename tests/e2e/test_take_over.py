"""The first run after another controller: what adds goes on, what removes or re-routes waits until it is released.

What the other controller has left in VPC Lattice is made here by ours; while no controller runs, the objects come to
ask for something else, as they do when another controller reads them. That the last holder of the Lease was another is
what `left` says; that it does so when it has to is tested with the Lease (`tests/kube/test_lease_marks.py`).
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.kube.lease_marks import EVERYTHING
from tests.e2e.bad_input_seen import event_texts
from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grant,
    listener,
    parent,
    prefix,
    route,
    rule,
    service,
)
from tests.e2e.test_convergence import check_lattice, settled

pytestmark = pytest.mark.anyio

HARMFUL = ("Update", "Delete", "Batch", "Deregister")
RELEASED = {f"{PREFIX}take-over": "released"}
HELD = f"{PREFIX}TakenOver"
GRANT = grant("payments", "default", name="all")


def namespace(name: str, annotations: Mapping[str, str | None]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations}}


def canary(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return route("rates", *rules, **more)


OLD = (rule(backend("v1"), matches=[prefix("/rates")]), rule(backend("v2"), matches=[prefix("/reviews")]))
NEW = (
    rule(backend("v2"), matches=[prefix("/rates/special")]),
    rule(backend("v1"), matches=[prefix("/rates")]),
    rule(backend("v2"), matches=[prefix("/stars")]),
)
"""A rule less, one more for what was refused, one more for what is answered by another."""


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        await other_controller(made)
        yield made


async def other_controller(one: World) -> None:
    """What it leaves: a route with two rules; and one that is as everybody would make it."""
    one.make_network("my-hotel")
    await one.apply(gateway_class(), gateway("my-hotel", listener()), service("v1"), service("v2"))
    await one.apply(endpoints("v1", ["10.0.0.1"]), endpoints("v2", ["10.0.0.2"]))
    await one.apply(canary(*OLD), route("plain", rule(backend("v1"))))
    await one.start()
    await one.quiet()
    await one.stop()
    one.left = EVERYTHING


async def first_run(one: World) -> dict[str, int]:
    """A run after another controller's; returns its calls that are not free of harm."""
    mark = one.lattice.calls.mark()
    await one.start()
    await one.quiet()
    return harm(one, mark)


def harm(one: World, mark: int) -> dict[str, int]:
    return {operation: times for operation, times in one.lattice_calls(mark).items() if operation.startswith(HARMFUL)}


def paths(one: World, name: str = "rates-default") -> list[str]:
    """What the rules of a service match, the first first."""
    (made,) = (each for each in one.lattice.state.services if each.name == name)
    (listening,) = made.listeners.values()
    rules = sorted((each for each in listening.rules.values() if each.priority), key=lambda each: each.priority)
    return [each.match["httpMatch"]["pathMatch"]["match"]["prefix"] for each in rules]


def condition(one: World, name: str, type_: str = HELD, kind: str = "HTTPRoute") -> dict[str, Any] | None:
    made = one.get(kind, name)
    assert made is not None
    (parent,) = made["status"]["parents"]
    return next((each for each in parent["conditions"] if each["type"] == type_), None)


def held_plans(one: World) -> float | None:
    assert one.controller is not None
    return one.controller.metrics.get_sample_value("lattice_controller_take_over_held_plans")


def assert_told(one: World) -> None:
    """By an Event on the route."""
    assert any(reason == "HeldBack" for _, reason, _ in event_texts(one, "HTTPRoute", "rates"))


async def test_what_is_as_desired_is_taken_over_at_once(one: World) -> None:
    assert await first_run(one) == {}
    assert one.left == ""
    assert condition(one, "rates") is None
    assert held_plans(one) == 0


async def test_a_hostname_is_not_left_for_a_service_of_which_the_rules_are_held_back(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway("my-hotel", listener()), service("v1"), service("v2"))
        await one.apply(endpoints("v1", ["10.0.0.1"]), endpoints("v2", ["10.0.0.2"]))
        await one.apply(canary(*OLD, hostnames=["shop.example.com"]))
        await one.apply(route("plain", rule(backend("v1")), hostnames=["plain.example.com"]))
        await one.start()
        await one.quiet()
        await one.stop()
        one.left = EVERYTHING
        await one.apply(canary(*NEW, hostnames=["shop.example.com"]))
        assert await first_run(one) == {}

        joins = rule(backend("v2"), matches=[prefix("/rates/x")])
        await one.apply(route("plain", joins, hostnames=["shop.example.com"]))
        await one.quiet()
        assert "plain.example.com" in {each.custom_domain for each in one.lattice.state.services}
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": RELEASED}})
        await settled(one, check_lattice)
        assert {each.custom_domain for each in one.lattice.state.services} == {"shop.example.com"}


async def test_what_removes_or_re_routes_waits_and_what_adds_goes_on(one: World) -> None:
    await one.apply(canary(*NEW))
    assert await first_run(one) == {}
    assert set(paths(one)) == {"/rates", "/reviews", "/stars"}

    held = condition(one, "rates")
    assert held is not None
    assert (held["status"], held["reason"]) == ("False", "HeldBack")
    assert "/rates/special" in held["message"]
    assert "remove /reviews" in held["message"]
    assert f"{PREFIX}take-over=released" in held["message"]
    accepted = condition(one, "rates", "Accepted")
    assert accepted is not None
    assert accepted["status"] == "True"
    assert "DNS Name" in accepted["message"]
    assert condition(one, "plain") is None
    assert one.left == "HTTPRoute/default/rates"
    assert held_plans(one) == 1
    await eventually(lambda: assert_told(one))


async def test_it_is_released_on_the_route(one: World) -> None:
    await one.apply(canary(*NEW))
    await first_run(one)
    await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": RELEASED}})
    await one.quiet()
    assert set(paths(one)) == {"/rates/special", "/rates", "/stars"}
    assert condition(one, "rates") is None
    assert one.left == ""
    assert held_plans(one) == 0


async def test_it_is_released_for_a_namespace(one: World) -> None:
    await one.apply(canary(*NEW))
    await first_run(one)
    await one.apply(namespace("default", RELEASED))
    await one.quiet()
    assert set(paths(one)) == {"/rates/special", "/rates", "/stars"}
    assert one.left == ""


async def test_a_routes_own_word_beats_that_of_its_namespace(one: World) -> None:
    await one.apply(canary(*NEW, annotations={f"{PREFIX}take-over": "not yet"}), namespace("default", RELEASED))
    assert await first_run(one) == {}
    assert condition(one, "rates") is not None


async def test_it_is_released_for_all_by_the_setting(tmp_path: Path) -> None:
    async with world(tmp_path, settings={"TAKE_OVER_RELEASE": "true"}) as one:
        await other_controller(one)
        await one.apply(canary(*NEW))
        assert await first_run(one) != {}
        assert set(paths(one)) == {"/rates/special", "/rates", "/stars"}
        assert one.left == ""


async def test_a_restart_in_the_middle_releases_nothing_and_takes_nothing_back(one: World) -> None:
    await one.apply(canary(*NEW))
    await first_run(one)
    await one.stop()
    await one.apply(route("plain", rule(backend("v2"))))
    mark = one.lattice.calls.mark()
    await one.start()
    await one.quiet()
    assert "/reviews" in paths(one)
    assert one.left == "HTTPRoute/default/rates"
    assert harm(one, mark).keys() <= {"UpdateRule", "DeregisterTargets", "DeleteTargetGroup"}, "of the other route"
    assert condition(one, "plain") is None


async def test_a_crash_at_once_leaves_everything_to_be_taken_over(one: World) -> None:
    await one.apply(canary(*NEW))
    await one.start()
    await one.crash()
    assert await first_run(one) == {}
    assert "/reviews" in paths(one)


async def test_what_is_released_and_done_stays_ours_without_its_annotation(one: World) -> None:
    await one.apply(canary(*NEW, annotations=RELEASED))
    await first_run(one)
    await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}take-over": None}}})
    await one.apply(canary(*OLD))
    await one.quiet()
    assert paths(one) == ["/reviews", "/rates"]


async def test_targets_follow_their_endpoints_meanwhile(one: World) -> None:
    await one.apply(canary(*NEW))
    await first_run(one)
    await one.apply(endpoints("v2", ["10.0.0.3"]))
    await one.quiet()
    registered = {ip for group in one.lattice.state.target_groups for ip, _ in group.targets}
    assert "10.0.0.3" in registered


async def test_a_refused_route_keeps_what_it_has(one: World) -> None:
    await one.apply(canary({**OLD[0], "timeouts": {"request": "1s"}}))
    assert await first_run(one) == {}
    assert set(paths(one)) == {"/rates", "/reviews"}
    accepted, held = condition(one, "rates", "Accepted"), condition(one, "rates")
    assert accepted is not None
    assert accepted["reason"] == "UnsupportedValue"
    assert held is not None
    assert "DeleteService" in held["message"]


async def test_a_deleted_route_waits_too(one: World) -> None:
    await one.delete("HTTPRoute", "rates")
    assert await first_run(one) == {}
    assert one.get("HTTPRoute", "rates") is not None
    await eventually(lambda: assert_told(one))
    await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": RELEASED}})
    await one.quiet()
    assert one.get("HTTPRoute", "rates") is None
    assert [each.name for each in one.lattice.state.services] == ["plain-default"]
    assert one.left == ""


async def test_what_comes_later_is_changed_and_deleted_as_ever(one: World) -> None:
    await one.apply(canary(*NEW))
    await first_run(one)
    await one.apply(route("later", rule(backend("v1"))))
    await one.quiet()
    await one.apply(route("later", rule(backend("v2"))))
    await one.quiet()
    await one.delete("HTTPRoute", "later")
    await one.quiet()
    assert one.get("HTTPRoute", "later") is None
    assert {each.name for each in one.lattice.state.services} == {"rates-default", "plain-default"}


async def test_a_route_that_comes_back_inherits_only_what_it_would_add_to(one: World) -> None:
    """Its objects were lost, and what they had made is still there."""
    await one.patch("HTTPRoute", "rates", {"metadata": {"finalizers": None}})
    await one.delete("HTTPRoute", "rates")
    await first_run(one)
    await one.apply(canary(*NEW))
    await one.quiet()
    assert "/reviews" in paths(one)
    assert condition(one, "rates") is not None


async def test_after_nobody_there_is_nothing_to_hold(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.left = EVERYTHING
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway("my-hotel", listener()), service("v1"), endpoints("v1", ["10.0.0.1"]))
        await one.apply(route("plain", rule(backend("v1"))))
        await one.start()
        await one.quiet()
        assert one.left == ""
        await one.delete("HTTPRoute", "plain")
        await one.quiet()
        assert list(one.lattice.state.services) == []


async def test_what_was_made_by_nobody_else_is_not_held_though_it_is_not_done(tmp_path: Path) -> None:
    """Its service network is missing, so the route of a new cluster is never as desired before it goes."""
    async with world(tmp_path) as one:
        one.left = EVERYTHING
        await one.apply(gateway_class(), gateway("my-hotel", listener()), service("v1"), endpoints("v1", ["10.0.0.1"]))
        await one.apply(route("plain", rule(backend("v1"))))
        await one.start()
        await eventually(lambda: assert_made(one))
        assert one.left == ""
        await one.delete("HTTPRoute", "plain")
        await eventually(lambda: assert_gone(one))


def assert_made(one: World) -> None:
    assert [each.name for each in one.lattice.state.services] == ["plain-default"]


def assert_gone(one: World) -> None:
    assert list(one.lattice.state.services) == []
    assert one.get("HTTPRoute", "plain") is None


async def test_a_route_that_only_bears_the_finalizer_is_another_controllers_too(one: World) -> None:
    """Its service bears no tags: somebody has taken them off."""
    for made in one.lattice.state.services:
        made.tags.clear()
    await one.apply(canary(*NEW))
    assert await first_run(one) == {}
    assert one.left == "HTTPRoute/default/rates"
    assert "/reviews" in paths(one)


async def test_what_the_other_controller_does_in_its_own_way_is_left_as_it_is(tmp_path: Path) -> None:
    """It asks for no ReferenceGrant and for no listener's hostname, and writes rules in any order."""
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        listeners = listener(), listener("named", 8080)
        await one.apply(namespace("payments", {}), gateway_class(), gateway("my-hotel", *listeners), GRANT)
        await one.apply(service("v1"), service("v2"), service("pay", namespace="payments"))
        await one.apply(endpoints("v1", ["10.0.0.1"]), endpoints("v2", ["10.0.0.2"]))
        await one.apply(endpoints("pay", ["10.0.0.3"], namespace="payments"))
        shuffled = [rule(backend("v1"), matches=[prefix("/a/b")]), rule(backend("v2"), matches=[prefix("/c")])]
        await one.apply(
            route("ungranted", rule(backend("pay", namespace="payments")), parents=[parent(sectionName="http")]),
            route("unmatched", rule(backend("v1")), parents=[parent(sectionName="named")], hostnames=["b.example.com"]),
            route("shuffled", *shuffled, parents=[parent(sectionName="http")]),
        )
        await one.start()
        await one.quiet()
        await one.stop()

        one.left = EVERYTHING
        await one.delete("ReferenceGrant", "all", namespace="payments")
        await one.apply(gateway("my-hotel", listener(), listener("named", 8080, hostname="*.example.org")))
        (made,) = (each for each in one.lattice.state.services if each.name == "shuffled-default")
        for listening in made.listeners.values():
            first, second = (each for each in listening.rules.values() if each.priority)
            first.priority, second.priority = second.priority, first.priority
        assert paths(one, "shuffled-default") == ["/c", "/a/b"]

        mark = one.lattice.calls.mark()
        await one.start()
        await one.quiet()
        assert harm(one, mark).keys() <= {"UpdateRule", "BatchUpdateRule"}, "rules for other paths, put in order"
        held = {name for name in ("ungranted", "unmatched", "shuffled") if condition(one, name) is not None}
        assert held == {"ungranted", "unmatched"}
