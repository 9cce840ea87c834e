"""What changes while nobody leads is the first thing that the next leader does, before it looks at the whole fleet."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.api.resources import ENDPOINT_SLICES, HTTP_ROUTES
from tests.e2e.harness import World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service
from tests.e2e.test_convergence import check_lattice, settled

pytestmark = pytest.mark.anyio

NAMES = [f"route-{number:02}" for number in range(12)]
CHANGED = NAMES[-1]
"""The one that a look at everything comes to last."""


@asynccontextmanager
async def leaderless(directory: Path) -> AsyncGenerator[World]:
    """A fleet of which the leader has just died, and a follower that knows everything."""
    async with world(directory, settings={"ROUTE_MAX_CONCURRENT_RECONCILES": "2"}) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel"))
        for number, name in enumerate(NAMES):
            await one.apply(service(name), endpoints(name, [f"10.0.0.{number}"]), route(name, rule(backend(name))))
        await settled(one, check_lattice)
        await one.stand_by()
        await one.crash()
        yield one


async def seen(one: World, name: str, address: str) -> None:
    """Return when the follower knows the route, and that its Service has this endpoint."""

    def knows() -> None:
        assert one.follower is not None
        cluster = one.follower.work.cluster
        assert cluster.informer(HTTP_ROUTES).store.get("default", name) is not None
        piece = cluster.informer(ENDPOINT_SLICES).store.get("default", f"{name}-1")
        assert piece is not None
        assert address in piece.endpoints[0].addresses

    await eventually(knows)


def group_of(one: World, name: str) -> str:
    (found,) = [group.id for group in one.lattice.state.target_groups if f"-{name}-" in group.name]
    return found


def read_first(one: World, mark: int) -> str:
    """The target group whose targets were read first."""
    return str(one.lattice.calls.of("ListTargets", mark)[0].parameters["targetGroupIdentifier"])


async def test_a_pod_that_comes_while_nobody_leads_is_registered_before_the_fleet_is_looked_at(tmp_path: Path) -> None:
    async with leaderless(tmp_path) as one:
        await one.apply(endpoints(CHANGED, ["10.0.1.1"]))
        await seen(one, CHANGED, "10.0.1.1")
        mark = one.lattice.calls.mark()
        one.take_over()
        await settled(one, check_lattice)
        assert read_first(one, mark) == group_of(one, CHANGED)


async def test_a_route_that_comes_while_nobody_leads_is_made_before_the_fleet_is_looked_at(tmp_path: Path) -> None:
    async with leaderless(tmp_path) as one:
        await one.apply(service("late"), endpoints("late", ["10.0.1.1"]), route("late", rule(backend("late"))))
        await seen(one, "late", "10.0.1.1")
        mark = one.lattice.calls.mark()
        one.take_over()
        await settled(one, check_lattice)
        looked_at = [record.operation for record in one.lattice.calls.since(mark)]
        assert looked_at.index("CreateTargetGroup") < looked_at.index("ListTargets")
