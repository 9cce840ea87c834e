"""What happens to an API server and on the way to it, while routes and endpoints change: in the end Lattice holds what
the objects say, and what nobody touched has stayed the same all the time.
"""

from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import NamedTuple

import anyio
import anyio.to_thread
import pytest

from controller.kube import client, informer, reflector
from tests.e2e.fleet import Fleet
from tests.e2e.harness import PATIENCE, PREFIX, eventually
from tests.e2e.objects import backend, endpoints, parent, route, rule, service
from tests.e2e.test_convergence import check_lattice, settled
from tests.real.proxy import Proxy, proxy
from tests.real.world import RealWorld, world
from tests.support.kube_apiserver import KubeApiserver

pytestmark = pytest.mark.anyio

STEADY = tuple(f"steady-{number}" for number in range(5))
"""Routes that nobody changes."""


@pytest.fixture(scope="module")
def impatient() -> Iterator[None]:
    """The controller's patience with what is silent: some seconds instead of minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(informer.Informer.__init__.__kwdefaults__, "timing", reflector.Timing(stall=3.0, request=3.0))
        patch.setitem(client.KubeClient.request.__kwdefaults__, "timeout", 3.0)
        yield


def steady_in(one: RealWorld) -> list[tuple[str, ...]]:
    """What there is in Lattice for the routes that nobody changes, by its ids."""
    services = [
        (found.id, *sorted(found.listeners), *sorted(found.associations))
        for found in one.lattice.state.services
        if found.tags.get(f"{PREFIX}RouteName") in STEADY
    ]
    groups = [
        (found.id, *sorted(ip for ip, _ in found.targets))
        for found in one.lattice.state.target_groups
        if found.tags.get(f"{PREFIX}RouteName") in STEADY
    ]
    return sorted(services + groups)


class Busy(NamedTuple):
    """A cluster with the authors of a fleet, and a controller that reaches it through a proxy."""

    one: RealWorld
    fleet: Fleet
    between: Proxy


@pytest.fixture(scope="module")
async def busy(
    server: KubeApiserver, account: str, tmp_path_factory: pytest.TempPathFactory, impatient: None
) -> AsyncIterator[Busy]:
    """One for all runs of this module, which find it at rest, and leave it so."""
    directory = tmp_path_factory.mktemp("busy")
    async with proxy(server) as between, world(server, directory, url=between.url, token=account) as one:
        fleet = Fleet(one, Random(1))
        await fleet.found()
        for name in STEADY:
            await one.apply(
                service(name),
                endpoints(name, ["10.200.0.1"]),
                route(name, rule(backend(name)), parents=[parent("public", sectionName="http")]),
            )
        for _ in range(5):
            await fleet.create_route()
        await one.start()
        await settled(one, check_lattice)
        yield Busy(one, fleet, between)


@pytest.fixture
async def steady(busy: Busy) -> AsyncIterator[None]:
    """Lattice is as it should be when the run has ended, and what nobody touched has stayed meanwhile."""
    before = steady_in(busy.one)
    assert len(before) == 2 * len(STEADY)
    yield
    busy.between.come_back()
    busy.between.pace = None
    await settled(busy.one, check_lattice)
    assert steady_in(busy.one) == before


async def changes(fleet: Fleet, routes: int) -> None:
    """So many more routes, and what happens between them."""
    for _ in range(routes):
        await fleet.create_route()
        for _ in range(4):
            await fleet.act()


async def restart(kube: KubeApiserver) -> None:
    await anyio.to_thread.run_sync(kube.stop)
    await anyio.to_thread.run_sync(kube.start)


async def test_api_server_restarted_under_load(server: KubeApiserver, busy: Busy, steady: None) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(changes, busy.fleet, 8)
        await restart(server)
        tasks.start_soon(changes, busy.fleet, 4)
        await restart(server)


async def test_etcd_compacted_under_a_watch(server: KubeApiserver, busy: Busy, steady: None) -> None:
    """What happened while the controller was away can only be told by a new list: there is no history any more."""
    busy.between.go_away()
    await changes(busy.fleet, 3)
    await anyio.to_thread.run_sync(server.compact)
    # Without a restart, the server would tell what it has in its cache.
    await restart(server)
    busy.between.come_back()
    await eventually(lambda: is_expired(busy.between))


def is_expired(between: Proxy) -> None:
    """Whether a watch was told that its version is no longer kept."""
    assert between.expired


async def test_watch_stream_cut_mid_line(busy: Busy, steady: None) -> None:
    with anyio.fail_after(PATIENCE):
        while busy.between.cuts < 4:
            busy.between.cut_watches()
            await changes(busy.fleet, 1)


async def test_connection_that_is_stalled_for_ever(busy: Busy, steady: None) -> None:
    busy.between.freeze()
    await changes(busy.fleet, 2)


async def test_connection_that_is_slow(busy: Busy, steady: None) -> None:
    busy.between.pace = 60_000
    await changes(busy.fleet, 2)
    await settled(busy.one, check_lattice)
