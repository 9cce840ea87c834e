"""A hostname passes from one route to another, and what only the first used goes."""

from pathlib import Path

import pytest

from sandbox.lattice.services import create_service
from sandbox.lattice.state import Call
from tests.e2e.harness import World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, parent, route, rule, service
from tests.e2e.test_convergence import check_empty, check_lattice, settled

pytestmark = pytest.mark.anyio

ROUTES = "httproutes.gateway.networking.k8s.io"


async def two_contenders(one: World) -> None:
    """An older route that has a hostname, by two ports of a Service, and a younger one that wants it in fewer networks,
    so that they cannot share a service."""
    one.make_network("my-hotel")
    one.make_network("annex")
    wide = service("wide")
    wide["spec"]["ports"] = [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("a", 80), ("b", 8080))]
    await one.apply(
        gateway_class(), gateway(), gateway("annex"), wide, service("blue"), endpoints("blue", ["10.0.0.1"])
    )
    ports = rule(backend("wide"), backend("wide", port=8080))
    older = route("older", ports, hostnames=["shop.example.com"], parents=[parent(), parent("annex")])
    await one.apply(older)
    await one.start()
    await settled(one, check_lattice)
    await one.apply(route("younger", rule(backend("blue")), hostnames=["shop.example.com"]))
    await settled(one, check_lattice)


async def test_groups_go_while_the_successor_has_no_finalizer_and_when_it_goes_without_ever_having_had_one(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as one:
        await two_contenders(one)
        refused = one.kube.faults.fail(500, verb="patch", resource=ROUTES, name="younger", times=None)
        await one.delete("HTTPRoute", "older")

        def tried() -> None:
            assert refused.hits > 1

        await eventually(tried)
        await one.delete("HTTPRoute", "younger")
        await settled(one, check_empty)


async def test_a_second_service_of_a_hostname_goes_though_its_route_still_wants_the_hostname(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await two_contenders(one)
        await one.stop()
        (kept,) = one.lattice.state.services
        create_service(
            one.lattice.state,
            Call(
                "CreateService",
                {"name": "left", "customDomainName": kept.custom_domain, "tags": dict(kept.tags)},
            ),
        )
        await one.start()
        await settled(one, check_lattice)
        assert [service.id for service in one.lattice.state.services] == [kept.id]


async def test_the_successor_takes_the_hostname_over_with_groups_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await two_contenders(one)
        await one.delete("HTTPRoute", "older")
        await settled(one, check_lattice)
        await one.delete("HTTPRoute", "younger")
        await settled(one, check_empty)
