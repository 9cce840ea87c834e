"""An endpoint change of what already serves traffic goes before everything that is still being set up."""

from pathlib import Path

import pytest

from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service

pytestmark = pytest.mark.anyio

OTHERS = 20


async def test_an_endpoint_change_does_not_wait_for_routes_that_are_being_created(tmp_path: Path) -> None:
    """All workers stand at the limit for creating groups; the change has a worker and a place in line all the same."""
    slow = {"LATTICE_API_RATES": "10000,CreateTargetGroup=2:1", "ROUTE_MAX_CONCURRENT_RECONCILES": "4"}
    async with world(tmp_path, settings=slow) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel"))
        await one.apply(service("rates"), endpoints("rates", ["10.0.0.1"]), route("rates", rule(backend("rates"))))
        await eventually(lambda: programmed(one))
        await one.quiet()
        for number in range(OTHERS):
            name = f"other-{number}"
            await one.apply(service(name), endpoints(name, [f"10.0.1.{number}"]), route(name, rule(backend(name))))
        await one.apply(endpoints("rates", ["10.0.0.1", "10.0.0.2"]))
        await eventually(lambda: registered(one, "10.0.0.2"))
        assert one.lattice.calls.count("CreateTargetGroup") < OTHERS / 2


def programmed(one: World) -> None:
    found = one.get("HTTPRoute", "rates")
    assert found is not None
    assert found["metadata"].get("annotations", {}).get(f"{PREFIX}lattice-service-arn")


def registered(one: World, address: str) -> None:
    assert any(
        address in {target["id"] for target in call.parameters["targets"]}
        for call in one.lattice.calls.of("RegisterTargets")
    )
