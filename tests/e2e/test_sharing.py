"""Several routes with one hostname, served by one Lattice service, through all that becomes of them."""

from pathlib import Path

import pytest

from sandbox.kube.errors import ApiError
from sandbox.kube.faults import Fault, Request
from sandbox.lattice import Refuse
from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, prefix, route, rule, service
from tests.e2e.test_convergence import check_empty, check_lattice, settled

pytestmark = pytest.mark.anyio

SHOP = {"hostnames": ["shop.example.com"]}


async def three(one: World) -> None:
    """Three routes of a hostname, one after the other: the second forwards also where the first does."""
    one.make_network("my-hotel")
    await one.apply(gateway_class(), gateway())
    for number, name in enumerate(("blue", "green", "red"), start=1):
        await one.apply(service(name), endpoints(name, [f"10.0.0.{number}"]))
    await one.start()
    await one.apply(route("a", rule(backend("blue"), matches=[prefix("/blue")]), **SHOP))
    await settled(one, check_lattice)
    await one.apply(
        route(
            "b",
            rule(backend("green"), matches=[prefix("/green")]),
            rule(backend("blue"), matches=[prefix("/more")]),
            **SHOP,
        ),
        route("c", rule(backend("red")), **SHOP),
    )
    await settled(one, check_lattice)


def only_service(one: World) -> str:
    (found,) = one.lattice.state.services
    return found.id


async def test_what_comes_and_goes_is_added_to_the_service_and_taken_out_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await three(one)
        kept = only_service(one)
        for name in ("b", "c"):
            meta = one.get("HTTPRoute", name)["metadata"]
            assert meta["annotations"][f"{PREFIX}lattice-service-arn"].endswith(kept)
        await one.delete("HTTPRoute", "b")
        await settled(one, check_lattice)
        assert only_service(one) == kept
        await one.delete("HTTPRoute", "a")
        await one.delete("HTTPRoute", "c")
        await settled(one, check_empty)


async def test_when_the_oldest_goes_the_next_gets_the_service_as_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await three(one)
        kept, groups = only_service(one), {group.id for group in one.lattice.state.target_groups}
        mark = one.lattice.calls.mark()
        await one.delete("HTTPRoute", "a")
        await settled(one, check_lattice)
        assert only_service(one) == kept
        assert {group.id for group in one.lattice.state.target_groups} == groups
        assert "CreateTargetGroup" not in [record.operation for record in one.lattice.calls.since(mark)]


async def test_a_hand_over_while_nobody_is_there(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await three(one)
        await one.crash()
        await one.delete("HTTPRoute", "a")
        await one.start()
        await settled(one, check_lattice)
        await one.crash()
        await one.delete("HTTPRoute", "b")
        await one.delete("HTTPRoute", "c")
        await one.start()
        await settled(one, check_empty)


async def test_a_route_leaves_by_taking_another_hostname(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await three(one)
        for name in ("a", "c"):
            await one.patch("HTTPRoute", name, {"spec": {"hostnames": [f"{name}.example.com"]}})
            await settled(one, check_lattice)
        await one.patch("HTTPRoute", "a", {"spec": SHOP})
        await settled(one, check_lattice)


def _of_the_controller_at_late(request: Request) -> bool:
    return (request.verb, request.name) == ("patch", "late") and request.user_agent.startswith("lattice-controller")


def _fails(_: Request) -> ApiError:
    return ApiError(500, "InternalError", "a fault on demand")


async def test_nobody_waits_for_another_routes_finalizer(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await three(one)
        late = route("late", rule(backend("red"), matches=[prefix("/late")]), **SHOP)
        refused = one.kube.faults.add(Fault(error=_fails, when=_of_the_controller_at_late))
        await one.apply(late)
        await one.patch("HTTPRoute", "c", {"spec": {"rules": [rule(backend("green"))]}})

        def changed() -> None:
            (found,) = one.lattice.state.services
            (listener,) = found.listeners.values()
            (default,) = (each for each in listener.rules.values() if each.match and "'prefix': '/'" in str(each.match))
            assert [group.tags[f"{PREFIX}ServiceName"] for group, _ in default.action.forward] == ["green"]
            assert not any("/late" in str(each.match) for each in listener.rules.values())

        await eventually(changed)
        assert refused.hits > 0
        one.kube.faults.remove(refused)
        await settled(one, check_lattice)


async def test_the_rules_of_a_deleted_route_are_out_before_it_is_let_go(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await three(one)
        refused = one.lattice.faults.add("DeleteRule", Refuse("AccessDeniedException", 403, "not allowed"))
        mark = one.lattice.calls.mark()
        await one.delete("HTTPRoute", "b")

        def tried() -> None:
            assert [record.operation for record in one.lattice.calls.since(mark)].count("DeleteRule") > 2

        await eventually(tried)
        assert one.get("HTTPRoute", "b") is not None
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)
        assert one.get("HTTPRoute", "b") is None
