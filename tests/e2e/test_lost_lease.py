"""A leader that cannot renew its lease ends before another may lead; a replica that may have none says why."""

import itertools
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from sandbox.kube import Fault, Request
from sandbox.kube.errors import ApiError
from tests.e2e.harness import World, eventually, world
from tests.e2e.objects import endpoints
from tests.e2e.test_replicas import LEASE, NAMESPACE, leads, pair, replica

pytestmark = pytest.mark.anyio

LEASES = "leases.coordination.k8s.io"
DURATION, DEADLINE, PERIOD = 9.0, 6.0, 0.5
FLAGS = (
    f"--leader-elect-lease-duration={DURATION}s",
    f"--leader-elect-renew-deadline={DEADLINE}s",
    f"--leader-elect-retry-period={PERIOD}s",
)


def broken(_: Request) -> ApiError:
    return ApiError(500, "InternalError", "etcd has no leader")


TROUBLES: dict[str, dict[str, Any]] = {
    "errors of the server": {"error": broken},
    "stalled connections": {"connection": "stalled"},
    "answers that take longer than an attempt may": {"delay": 4.0},
}


def renewed(one: World) -> float:
    """When the Lease was renewed, in Unix time."""
    lease = one.get("Lease", LEASE, namespace=NAMESPACE)
    assert lease is not None
    return datetime.fromisoformat(lease["spec"]["renewTime"]).timestamp()


async def change_endpoints(one: World) -> None:
    """Give whoever leads something to write all the time."""
    for number in itertools.count():
        await one.apply(endpoints("rates", ["10.0.0.1", f"10.0.1.{number % 250}"]))
        await anyio.sleep(0.1)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_leader_that_cannot_renew_its_lease_ends_in_time_and_the_other_leads(
    tmp_path: Path, trouble: dict[str, Any]
) -> None:
    async with (
        world(tmp_path) as one,
        pair(one, tmp_path, *FLAGS) as (first, _),
        anyio.create_task_group() as tasks,
    ):
        attempts: list[float] = []
        mark = one.lattice.calls.mark()

        def writes(name: str) -> list[float]:
            return [call.time for call in one.lattice.calls.writes(mark) if call.access_key == name]

        def while_the_first_lives(_: Request) -> bool:
            """It renews; the other only looks, until the lease has run out."""
            if first.process.returncode is None:
                attempts.append(time.time())
            return first.process.returncode is None

        tasks.start_soon(change_endpoints, one)
        await eventually(lambda: writes("first")[0])
        began, last = time.time(), renewed(one)
        one.kube.faults.add(Fault("patch", LEASES, when=while_the_first_lives, **trouble))

        assert await first.process.wait() == 1
        (lost,) = [line["time"] for line in first.lines() if line["msg"] == "lease lost"]
        assert began + DEADLINE - 2 * PERIOD < datetime.fromisoformat(lost).timestamp() < last + DURATION
        assert max(attempts) < last + DURATION, "it had ended before the other tried"
        await eventually(lambda: leads(one, "second"))
        await eventually(lambda: writes("second")[0])
        assert max(writes("first")) < min(last + DURATION, *writes("second"))
        tasks.cancel_scope.cancel()


async def test_a_replica_that_may_not_have_the_lease_says_so_where_it_is_looked_at(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.kube.faults.forbid(LEASES)
        async with replica(one, tmp_path, "alone") as alone:
            told = ""
            with anyio.fail_after(60):
                while "not reached" not in told:
                    told = await alone.readiness()
            assert told.startswith("ok\nleader election: follows nobody yet; the lease is not reached: ")
            assert f"get, create and patch on {LEASES} in namespace {NAMESPACE}" in told
