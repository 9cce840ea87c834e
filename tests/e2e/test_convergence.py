"""Whatever is asked for in whatever order, and whatever goes wrong meanwhile: in the end Lattice holds what the objects
say, no more and no less, as a recomputation says that shares nothing with the controller.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

import anyio
import pytest

from sandbox.lattice import Quotas, Refuse, Reset, Throttle
from tests.e2e import observed
from tests.e2e.fleet import Fleet
from tests.e2e.harness import Json, World, eventually, world
from tests.e2e.reference import Reference, probes

pytestmark = pytest.mark.anyio


def assert_same(is_there: dict[str, Json], should_be: dict[str, Json]) -> None:
    """Fail with what differs, and only that."""
    differences = [
        f"{title}: {name}\n    is        {is_there.get(title, {}).get(name)}\n    should be {entry}"
        for title in sorted(is_there.keys() | should_be.keys())
        for name, entry in {**dict.fromkeys(is_there.get(title, {})), **should_be.get(title, {})}.items()
        if is_there.get(title, {}).get(name, "nothing") != entry
    ]
    assert not differences, "\n".join(differences)


def check_lattice(one: World) -> None:
    """Lattice is exactly as the objects say, and no object is left that should be gone."""
    reference = Reference(one.all, one.owner)
    assert_same(observed.services(one.lattice), reference.services())
    assert_same(observed.groups(one.lattice), reference.groups())
    for shared in reference.shared():
        for port, listener in observed.listeners(one.lattice, shared.label).items():
            for request in probes(shared):
                assert observed.answer(listener, request) == reference.answer(shared, port, request), request
    for kind in ("GatewayClass", "Gateway", "HTTPRoute"):
        assert [obj["metadata"] for obj in one.all(kind) if "deletionTimestamp" in obj["metadata"]] == []
    assert len(one.lattice.state.service_associations) == sum(
        len(service["networks"]) for service in reference.services().values()
    )


def check_empty(one: World) -> None:
    """Nothing is left in Lattice but the networks."""
    one.lattice.state.transitions.run_due()
    state = one.lattice.state
    assert [service.name for service in state.services] == []
    assert [group.name for group in state.target_groups] == []
    assert list(state.service_associations) == []
    assert one.all("HTTPRoute") == []


async def settled(one: World, check: Callable[[World], None]) -> None:
    """Wait until the check holds, which takes a look only when the controller rests."""
    await one.quiet()
    await eventually(lambda: check(one))


async def busy_days(one: World, rng: Random, *, routes: int, restarts: int) -> Fleet:
    """A fleet that reaches this number of routes, with the controller stopped and crashed on the way."""
    fleet = Fleet(one, rng)
    await fleet.found()
    await one.start()
    pauses = {(number + 1) * routes // (restarts + 1) for number in range(restarts)}
    while fleet.made < routes:
        await fleet.create_route()
        for _ in range(rng.randrange(4)):
            await fleet.act()
        if rng.random() < 0.2:
            await anyio.sleep(rng.random() / 2)
        if fleet.made in pauses:
            await (one.crash() if rng.random() < 0.5 else one.stop())
            for _ in range(rng.randrange(6)):
                await fleet.act()
            await one.start()
    return fleet


async def test_two_hundred_routes_at_random_with_restarts(tmp_path: Path) -> None:
    async with world(tmp_path, quotas=Quotas.unlimited()) as one:
        fleet = await busy_days(one, Random(1), routes=200, restarts=4)
        await settled(one, check_lattice)
        await fleet.delete_all_routes()
        await settled(one, check_empty)


async def test_with_throttles_failures_resets_and_conflicts_on_both_sides(tmp_path: Path) -> None:
    async with world(tmp_path, quotas=Quotas.unlimited()) as one:
        dice = Random(2)
        effects = (
            Throttle(),
            Refuse(),
            Refuse(after=True),
            Refuse("ConflictException", 409, "somebody else is changing this"),
            Reset(),
            Reset(after=True),
        )
        for effect in effects:
            one.lattice.faults.add("*", effect, when=lambda _: dice.random() < 0.01)
        for code in (409, 500):
            for resource in ("httproutes.gateway.networking.k8s.io", "httproutes.gateway.networking.k8s.io/status"):
                one.kube.faults.fail(code, verb="patch", resource=resource, times=5)
        fleet = await busy_days(one, Random(3), routes=30, restarts=2)
        one.lattice.faults.clear()
        one.kube.faults.clear()
        await settled(one, check_lattice)
        await fleet.delete_all_routes()
        await settled(one, check_empty)


async def test_with_watches_that_are_cut_and_versions_that_are_too_old(tmp_path: Path) -> None:
    async with world(tmp_path, quotas=Quotas.unlimited(), history=50) as one:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cut_watches, one)
            await busy_days(one, Random(4), routes=30, restarts=1)
            tasks.cancel_scope.cancel()
        await settled(one, check_lattice)


async def cut_watches(one: World) -> None:
    while True:
        await anyio.sleep(0.3)
        one.kube.faults.expire_watch(times=2)
        one.kube.faults.cut_watches()
