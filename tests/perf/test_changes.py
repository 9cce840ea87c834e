"""What each kind of change costs, counted in small worlds: the same in each, whatever its fleet."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from perf import changes
from perf.changes import Cost
from perf.loadtest.shape import Route, Shape, gateway_name, gateways, namespaces
from sandbox.lattice import Quotas
from tests.e2e.harness import CONTROLLER, world

pytestmark = pytest.mark.anyio

WRITES: Mapping[str, int] = {
    "nothing but a label": 0,
    "a weight": 1,
    "a weight, with two listeners": 2,
    "an endpoint comes": 1,
    "an endpoint goes": 1,
    "a rule comes, for a backend in use": 1,
    "a rule's path changes": 2,
    "a rule goes": 1,
    "two rules change places": 1,
    "a new backend in a rule's place": 4,
    "a backend's port": 6,
    "a tag on all that a route has": 10,
    "a listener's port": 6,
    "a listener's protocol": 6,
    "back to HTTP": 6,
    "another Gateway, with another network": 13,
    "a hostname": 26,
    "another hostname": 26,
    "a route is created": 18,
    "the first route is deleted since the start": 8,
    "a route is deleted": 8,
}
AT_ONCE = [
    "nothing but a label",
    "a weight",
    "a weight, with two listeners",
    "an endpoint comes",
    "an endpoint goes",
    "a rule's path changes",
    "a rule goes",
    "two rules change places",
    "a tag on all that a route has",
    "a listener's port",
    "a listener's protocol",
    "back to HTTP",
]
"""What begins nothing in Lattice that has to be waited for."""


async def measured(directory: Path, routes: int) -> dict[str, Cost]:
    shape = Shape(routes=routes)
    async with world(directory, quotas=Quotas.unlimited()) as one:
        one.make_network(gateway_name(0))
        await one.apply(*namespaces(shape), *gateways(shape, CONTROLLER))
        for number in range(routes):
            route = Route(shape, number)
            await one.apply(*route.backends(), route.object())
        await one.start()
        await one.quiet()
        found = {cost.change: cost async for cost in changes.costs(one)}
        await one.stop()
    return found


@pytest.mark.parametrize("routes", [1, 12])
async def test_a_change_costs_what_it_changes_whatever_the_size_of_the_fleet(tmp_path: Path, routes: int) -> None:
    found = await measured(tmp_path, routes)
    assert {change: cost.writes for change, cost in found.items()} == WRITES
    assert {change: found[change].reads for change in AT_ONCE} == dict.fromkeys(AT_ONCE, 0)
    # Its targets came into use with the route, a moment ago: whether they are healthy yet has to be seen.
    assert found["a rule comes, for a backend in use"].reads <= 1
    assert found["nothing but a label"].kubernetes == 0
    assert max(cost.kubernetes for cost in found.values()) <= 4
