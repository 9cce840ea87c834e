"""Two controllers as processes of their own, and one Lease: one of them writes, however its leader ends."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.e2e.harness import eventually
from tests.e2e.objects import endpoints
from tests.e2e.test_replicas import LEASE, NAMESPACE, Replica, add_route, kill_the_leader, leads, pair, serves
from tests.real.world import RealWorld, world
from tests.support.kube_apiserver import KubeApiserver

pytestmark = pytest.mark.anyio

SHORT = (
    "--leader-elect-lease-duration=12s",
    "--leader-elect-renew-deadline=9s",
    "--leader-elect-retry-period=0.5s",
)
"""A lease that runs out soon, and that a leader on a busy machine keeps."""
LONG = (
    "--leader-elect-lease-duration=600s",
    "--leader-elect-renew-deadline=590s",
    "--leader-elect-retry-period=0.5s",
)
"""A lease that nobody gets in a test's time unless it was given back."""
RESTARTED = (
    "--leader-elect-lease-duration=90s",
    "--leader-elect-renew-deadline=80s",
    "--leader-elect-retry-period=0.5s",
)
"""A lease that lasts longer than an API server is away, however slowly it starts."""

Two = tuple[RealWorld, Replica, Replica]


@asynccontextmanager
async def two(server: KubeApiserver, directory: Path, *flags: str) -> AsyncIterator[Two]:
    async with world(server, directory) as one, pair(one, directory, *flags) as (first, second):
        yield one, first, second


def writes(one: RealWorld, name: str, since: int = 0) -> list[str]:
    return [call.operation for call in one.lattice.calls.writes(since) if call.access_key == name]


def has_written(one: RealWorld, name: str, since: int) -> None:
    assert writes(one, name, since)


def renew_time(one: RealWorld) -> str:
    lease = one.get("Lease", LEASE, namespace=NAMESPACE)
    assert lease is not None
    renewed: str = lease["spec"]["renewTime"]
    return renewed


def renewed_since(one: RealWorld, time: str) -> None:
    assert renew_time(one) > time


async def change_endpoints(one: RealWorld) -> None:
    """Something to write, again and again."""
    number = 0
    while True:
        number = number % 250 + 1
        await one.apply(endpoints("rates", [f"10.0.1.{number}"]))
        await anyio.sleep(0.2)


async def test_leader_election_when_the_leader_is_killed(server: KubeApiserver, tmp_path: Path) -> None:
    async with two(server, tmp_path, *SHORT) as (one, first, second):
        await kill_the_leader(one, first, second)


async def test_leader_election_when_the_leader_is_told_to_stop(server: KubeApiserver, tmp_path: Path) -> None:
    async with two(server, tmp_path, *LONG) as (one, first, second):
        assert await first.end(signal.SIGTERM) == 0
        await eventually(lambda: leads(one, "second"))
        await add_route(one, "parking")
        await eventually(lambda: serves(one, "rates", "parking"))
        assert await second.end(signal.SIGTERM) == 0


async def test_leader_election_when_the_leader_is_stopped_and_woken(server: KubeApiserver, tmp_path: Path) -> None:
    async with two(server, tmp_path, *SHORT) as (one, first, second), anyio.create_task_group() as tasks:
        tasks.start_soon(change_endpoints, one)
        await eventually(lambda: has_written(one, "first", 0))
        before = one.lattice.calls.mark()
        first.process.send_signal(signal.SIGSTOP)
        await eventually(lambda: leads(one, "second"))
        await eventually(lambda: has_written(one, "second", before))
        taken_over = one.lattice.calls.mark()
        first.process.send_signal(signal.SIGCONT)
        assert await first.process.wait() != 0
        assert writes(one, "first", taken_over) == []
        tasks.cancel_scope.cancel()
        assert await second.end(signal.SIGTERM) == 0


async def test_leader_keeps_the_lease_while_the_api_server_restarts(server: KubeApiserver, tmp_path: Path) -> None:
    async with two(server, tmp_path, *RESTARTED) as (one, first, second):
        await anyio.to_thread.run_sync(server.stop)
        await anyio.to_thread.run_sync(server.start)
        before, renewed = one.lattice.calls.mark(), renew_time(one)
        await add_route(one, "parking")
        await eventually(lambda: serves(one, "rates", "parking"))
        await eventually(lambda: renewed_since(one, renewed))
        assert (writes(one, "second"), one.lattice.calls.by_operation(before)["CreateService"]) == ([], 1)
        leads(one, "first")
        assert await second.end(signal.SIGTERM) == 0
        assert await first.end(signal.SIGTERM) == 0
