"""What is paused stays as it is in Lattice, whatever is said of it, until it is not paused any more."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.bad_input_seen import condition, event_texts, is_gone, is_programmed
from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service
from tests.e2e.observed import groups, services

pytestmark = pytest.mark.anyio

PAUSED = f"{PREFIX}paused"
WEB, SHOP = "web.example.com", "shop.example.com"


@asynccontextmanager
async def hotel(directory: Path) -> AsyncGenerator[World]:
    """A world with two Services, and the route `rates` of the hostname WEB to the first of them, programmed."""
    async with world(directory) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel"))
        for name, address in (("parking", "10.0.0.1"), ("review", "10.0.0.2")):
            await one.apply(service(name), endpoints(name, [address]))
        await one.apply(route("rates", rule(backend("parking")), hostnames=[WEB]))
        await eventually(lambda: is_programmed(one, "rates"))
        await one.quiet()
        yield one


async def annotate(one: World, kind: str, name: str, value: str | None) -> None:
    await one.patch(kind, name, {"metadata": {"annotations": {PAUSED: value}}})


async def change(one: World) -> None:
    """Change all of the route that there is to change: endpoints, backend and hostname."""
    await one.apply(endpoints("parking", ["10.0.0.1", "10.0.0.9"]))
    await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": [SHOP], "rules": [rule(backend("review"))]}})
    await one.quiet()


def held(one: World) -> tuple[dict[str, Json], dict[str, Json]]:
    return services(one.lattice), groups(one.lattice)


def told_paused(one: World) -> None:
    accepted = condition(one, "Accepted", "rates")
    assert accepted["status"] == "True"
    assert PAUSED in accepted["message"]
    assert any(reason == "Paused" for _, reason, _ in event_texts(one, "HTTPRoute", "rates"))


def goes_on_with_shop(one: World) -> None:
    assert list(services(one.lattice)) == [f"default/rates@{SHOP}"]
    assert len(groups(one.lattice)) == 1
    accepted = condition(one, "Accepted", "rates")
    assert accepted["status"] == "True"
    assert PAUSED not in accepted["message"]


async def test_a_paused_route_says_so_and_stays_as_it_is_until_it_goes_on(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await annotate(one, "HTTPRoute", "rates", "true")
        await eventually(lambda: told_paused(one))
        mark, before = one.lattice.calls.mark(), held(one)
        await change(one)
        assert one.lattice.calls.writes(mark) == []
        assert held(one) == before

        await annotate(one, "HTTPRoute", "rates", None)
        await eventually(lambda: goes_on_with_shop(one))


async def test_other_routes_go_on_but_do_not_inherit_what_a_paused_one_holds(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await annotate(one, "HTTPRoute", "rates", "true")
        await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": [SHOP]}})
        await one.apply(route("other", rule(backend("review"))))
        await one.apply(route("heir", rule(backend("review")), hostnames=[WEB]))
        await eventually(lambda: is_programmed(one, "other"))
        await one.quiet()
        assert f"default/rates@{WEB}" in services(one.lattice)
        assert any("waits for" in text for _, _, text in event_texts(one, "HTTPRoute", "heir"))
        accepted = condition(one, "Accepted", "heir")
        assert (accepted["status"], accepted["reason"]) == ("Unknown", "Pending")

        await annotate(one, "HTTPRoute", "rates", None)
        await eventually(lambda: is_programmed(one, "heir"))
        assert f"default/heir@{WEB}" in services(one.lattice)


async def test_what_was_dropped_before_a_restart_goes_when_the_route_goes_on(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await annotate(one, "HTTPRoute", "rates", "true")
        await one.quiet()
        await one.crash()
        await change(one)
        before = held(one)
        mark = one.lattice.calls.mark()
        await one.start()
        await one.quiet()
        assert one.lattice.calls.writes(mark) == []
        assert held(one) == before
        await annotate(one, "HTTPRoute", "rates", "false")
        await eventually(lambda: goes_on_with_shop(one))


async def test_a_paused_route_that_is_deleted_waits_and_says_so(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await annotate(one, "HTTPRoute", "rates", "true")
        await one.quiet()
        mark = one.lattice.calls.mark()
        await one.delete("HTTPRoute", "rates")
        await one.quiet()
        assert one.get("HTTPRoute", "rates") is not None
        assert one.lattice.calls.writes(mark) == []
        assert any("until the annotation is removed" in text for _, _, text in event_texts(one, "HTTPRoute", "rates"))

        await annotate(one, "HTTPRoute", "rates", None)
        await eventually(lambda: is_gone(one, "rates"))


async def test_a_paused_gateway_pauses_its_routes_but_those_that_say_otherwise(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.apply(route("busy", rule(backend("review")), annotations={PAUSED: "false"}))
        await eventually(lambda: is_programmed(one, "busy"))
        await annotate(one, "Gateway", "my-hotel", "true")
        await eventually(lambda: told_paused(one))
        mark = one.lattice.calls.mark()
        await change(one)
        assert one.lattice.calls.writes(mark) == []
        await one.delete("HTTPRoute", "busy")
        await eventually(lambda: is_gone(one, "busy"))
        assert attached(one) == 1

        await annotate(one, "Gateway", "my-hotel", None)
        await eventually(lambda: goes_on_with_shop(one))


def attached(one: World) -> int:
    found = one.get("Gateway", "my-hotel")
    assert found is not None
    [listener] = found["status"]["listeners"]
    return int(listener["attachedRoutes"])


async def test_the_status_tells_of_the_route_as_it_is_also_when_it_is_paused_from_the_start(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.stop()
        paused = {"metadata": {"annotations": {PAUSED: "true"}}, "spec": {"hostnames": [SHOP]}}
        await one.patch("HTTPRoute", "rates", paused)
        await one.apply(route("new", rule(backend("parking")), annotations={PAUSED: "true"}))
        await one.start()
        await one.quiet()
        for name in ("rates", "new"):
            accepted = condition(one, "Accepted", name)
            assert accepted["observedGeneration"] == one.get("HTTPRoute", name)["metadata"]["generation"]
            assert PAUSED in accepted["message"]
        assert list(services(one.lattice)) == [f"default/rates@{WEB}"]
        before = [one.get("HTTPRoute", name) for name in ("rates", "new")]
        await one.stop()
        await one.start()
        await one.quiet()
        assert [one.get("HTTPRoute", name) for name in ("rates", "new")] == before
