"""What a crash left of a route goes, whatever has become of the route's hostnames before the next start."""

from pathlib import Path
from typing import Any

import pytest

from controller.api.keys import RouteRef
from controller.gateway.view import UnknownError
from controller.reconcile.environment import Environment
from controller.reconcile.leftovers import add_leftovers
from sandbox.lattice.services import create_service
from sandbox.lattice.state import Call
from tests.e2e.harness import PREFIX, World, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, prefix, route, rule, service
from tests.e2e.test_convergence import check_lattice, settled

pytestmark = pytest.mark.anyio

SHOP = "shop.example.com"
NO_HOSTNAMES: dict[str, Any] = {"spec": {"hostnames": None}}


async def two_of_a_hostname(one: World, **more: Any) -> None:
    one.make_network("my-hotel")
    await one.apply(gateway_class(), gateway(), service("parking"), endpoints("parking", ["10.0.0.1"]))
    for name in ("first", "second"):
        await one.apply(route(name, rule(backend("parking"), matches=[prefix(f"/{name}")]), hostnames=[SHOP], **more))
    await one.start()
    await settled(one, check_lattice)


def leave(one: World, route_name: str, hostname: str) -> None:
    """A service of a route, as a crash leaves it that comes right after it was created."""
    (served,) = one.lattice.state.services
    tags = {**served.tags, f"{PREFIX}RouteName": route_name}
    made = {"name": "left", "customDomainName": hostname, "tags": tags}
    create_service(one.lattice.state, Call("CreateService", made))


@pytest.mark.parametrize("name", ["first", "second"])
async def test_of_a_hostname_that_the_route_has_no_more(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as one:
        await two_of_a_hostname(one)
        await one.stop()
        leave(one, name, "former.example.com")
        await one.start()
        await settled(one, check_lattice)


async def test_what_cannot_be_told_of_one_route_holds_up_nobody_who_shares_its_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(env: Environment, ref: RouteRef, *, again: bool) -> bool:
        if ref.name == "second":
            raise UnknownError("EndpointSlice", "one of them cannot be read")
        return await add_leftovers(env, ref, again=again)

    monkeypatch.setattr("controller.reconcile.service.add_leftovers", look)
    async with world(tmp_path) as one:
        await two_of_a_hostname(one)


@pytest.mark.parametrize("name", ["first", "second"])
async def test_of_a_hostname_that_another_route_has_now(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as one:
        await two_of_a_hostname(one, annotations={f"{PREFIX}standalone": "true"})
        await one.stop()
        leave(one, name, SHOP)
        await one.patch("HTTPRoute", name, NO_HOSTNAMES)
        await one.start()
        await settled(one, check_lattice)


async def test_the_name_stays_with_the_hostname_so_the_route_gets_a_service_of_another(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await two_of_a_hostname(one)
        (kept,) = one.lattice.state.services
        await one.patch("HTTPRoute", "first", NO_HOSTNAMES)
        await settled(one, check_lattice)
        assert {one.custom_domain: one.name for one in one.lattice.state.services} == {
            SHOP: kept.name,
            None: "first-default-e3b0c44",
        }
        await one.crash()
        await one.start()
        await settled(one, check_lattice)
