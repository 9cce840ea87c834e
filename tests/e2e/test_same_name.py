"""Two routes of a namespace whose names begin alike contend for the name of one service in VPC Lattice."""

from pathlib import Path

import pytest

from tests.e2e.bad_input_seen import condition, is_gone, is_programmed
from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service

pytestmark = pytest.mark.anyio

FIRST, SECOND = "reservations-of-rooms-by-day", "reservations-of-rooms-by-night"


def is_told(one: World) -> None:
    accepted = condition(one, "Accepted", SECOND)
    assert (accepted["status"], accepted["reason"]) == ("False", "Conflicted")
    assert f"belongs to the route default/{FIRST}" in accepted["message"]
    assert f"{PREFIX}service-name-override" in accepted["message"]


def owner(one: World) -> str:
    [found] = one.lattice.state.services
    return found.tags[f"{PREFIX}RouteName"]


async def test_the_second_is_told_and_has_the_name_when_the_first_goes(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway(), service("rates"), endpoints("rates", ["10.0.0.1"]))
        await one.start()
        await one.apply(route(FIRST, rule(backend("rates"))))
        await eventually(lambda: is_programmed(one, FIRST))
        await one.apply(route(SECOND, rule(backend("rates"))))
        await eventually(lambda: is_told(one))
        await one.crash()
        await one.start()
        await one.patch("HTTPRoute", SECOND, {"metadata": {"annotations": {f"{PREFIX}tags": "a=b"}}})
        await eventually(lambda: is_told(one))
        assert owner(one) == FIRST
        assert "UpdateRule" not in one.lattice_calls()
        await one.delete("HTTPRoute", FIRST)
        await eventually(lambda: is_gone(one, FIRST))
        await eventually(lambda: is_programmed(one, SECOND))
        assert owner(one) == SECOND


async def test_another_name_ends_the_conflict(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway(), service("rates"), endpoints("rates", ["10.0.0.1"]))
        await one.apply(route(FIRST, rule(backend("rates"))))
        await one.start()
        await eventually(lambda: is_programmed(one, FIRST))
        await one.apply(route(SECOND, rule(backend("rates"))))
        await eventually(lambda: is_told(one))
        override = {f"{PREFIX}service-name-override": "by-night"}
        await one.patch("HTTPRoute", SECOND, {"metadata": {"annotations": override}})
        await eventually(lambda: is_programmed(one, SECOND))
        assert {each.name for each in one.lattice.state.services} == {"reservations-of-room-default", "by-night"}
