"""The thread that keeps the lease, at the sandbox's API server, with leases of a second or two."""

import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import orjson
import pytest

from controller.kube.client import KubeClient
from controller.kube.errors import ConfigError
from controller.kube.lease_keeper import LeaseKeeper
from controller.kube.lease_times import LeaseTimes
from sandbox.kube import KubeServer
from tests.kube.scripted import until

pytestmark = pytest.mark.anyio

NAME = "amazon-vpc-lattice.io"
TIMES = LeaseTimes(lease_duration=1.0, renew_deadline=0.6, retry_period=0.1)
PATIENT = LeaseTimes(lease_duration=60.0, renew_deadline=40.0, retry_period=0.05)

Connect = Callable[[], AbstractAsyncContextManager[KubeClient]]


class Watched:
    """A watchdog that remembers."""

    def __init__(self) -> None:
        self.armed: list[float] = []
        self.retired = 0

    def arm(self, moment: float) -> None:
        self.armed.append(moment)

    def retire(self) -> None:
        self.retired += 1


@pytest.fixture
def connect(kube: KubeServer, tmp_path: Path) -> Connect:
    config = tmp_path / "thread-kubeconfig"
    config.write_bytes(orjson.dumps(kube.kubeconfig()))
    return lambda: KubeClient.from_config(config, user_agent="test/1")


def keeper(connect: Connect, identity: str, times: LeaseTimes = PATIENT, **named: Any) -> LeaseKeeper:
    return LeaseKeeper(connect, "shop", NAME, identity, times, **named)


def lease(kube: KubeServer) -> dict[str, Any]:
    store = kube.api.store
    stored = store.collection(kube.api.resource("coordination.k8s.io", "v1", "leases").storage).get(("shop", NAME))
    assert stored is not None
    spec: dict[str, Any] = stored.obj["spec"]
    return spec


async def test_the_lease_goes_from_one_replica_to_the_next(kube: KubeServer, connect: Connect) -> None:
    first, second = keeper(connect, "one"), keeper(connect, "two")
    seen: list[tuple[bool, bool]] = []
    stop = anyio.Event()

    async def lead_first() -> None:
        seen.append((first.leads, second.leads))
        await stop.wait()

    async def lead_second() -> None:
        seen.append((first.leads, second.leads))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first.run, lead_first, anyio.Event())
        await until(lambda: bool(seen))
        tasks.start_soon(second.run, lead_second, anyio.Event())
        await until(lambda: second.holder == "one")
        stop.set()
    assert seen == [(True, False), (False, True)]
    assert (lease(kube)["holderIdentity"], lease(kube)["leaseTransitions"]) == ("", 1)


class Blocked:
    """A keeper with a main loop of its own, in another thread, which its work blocks until `unblock`."""

    def __init__(self, one: LeaseKeeper) -> None:
        self.blocked, self.unblock = threading.Event(), threading.Event()
        self.kept: bool | None = None
        self._keeper = one

    def run(self) -> None:
        anyio.run(self._main)

    async def _main(self) -> None:
        self.kept = await self._keeper.run(self._lead, anyio.Event())

    async def _lead(self) -> None:
        self.blocked.set()
        self.unblock.wait()
        await anyio.lowlevel.checkpoint()


async def test_a_main_loop_that_is_blocked_for_a_moment_keeps_the_lease(kube: KubeServer, connect: Connect) -> None:
    one = Blocked(keeper(connect, "one"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, one.run)
        await until(one.blocked.is_set)
        for _ in range(2):
            before = lease(kube)["renewTime"]
            await until(lambda before=before: lease(kube)["renewTime"] != before)
        one.unblock.set()
    assert one.kept


async def test_a_main_loop_that_stands_still_loses_the_lease_to_another(kube: KubeServer, connect: Connect) -> None:
    watched = Watched()
    stuck, other = Blocked(keeper(connect, "one", TIMES, watchdog=watched)), keeper(connect, "two", TIMES)
    led: list[bool] = []

    async def lead() -> None:
        led.append(stuck._keeper.leads)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, stuck.run)
        await until(stuck.blocked.is_set)
        assert await other.run(lead, anyio.Event())
        assert watched.retired == 0, "while the main loop is stuck, the process may end at any time"
        stuck.unblock.set()
    assert led == [False]
    assert stuck.kept is False
    assert watched.retired > 0


async def test_a_lost_lease_cancels_the_work_and_is_not_given_back(kube: KubeServer, connect: Connect) -> None:
    one = keeper(connect, "one")
    seen: list[str] = []

    async def lead() -> None:
        kube.apply(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": NAME, "namespace": "shop"},
                "spec": {**lease(kube), "holderIdentity": "thief", "renewTime": "2026-01-01T00:00:00.000000Z"},
            }
        )
        try:
            await anyio.sleep_forever()
        finally:
            seen.append(f"leads {one.leads}")

    assert not await one.run(lead, anyio.Event())
    assert seen == ["leads False"]
    assert (lease(kube)["holderIdentity"], one.holder) == ("thief", "thief")


async def test_the_lease_runs_out_by_itself_while_a_write_is_unsettled(kube: KubeServer, connect: Connect) -> None:
    one = keeper(connect, "one")
    asked_while_leading: list[bool] = []

    def settled() -> bool:
        asked_while_leading.append(one.leads)
        return False

    async def lead() -> None:
        pass

    assert await one.run(lead, anyio.Event(), settled=settled)
    assert asked_while_leading == [True]
    assert lease(kube)["holderIdentity"] == "one"
    assert not one.leads


async def test_who_is_told_to_stop_while_waiting_stops(kube: KubeServer, connect: Connect) -> None:
    first, second = keeper(connect, "one"), keeper(connect, "two")
    stop, told = anyio.Event(), anyio.Event()

    async def never() -> None:
        raise AssertionError

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first.run, stop.wait, anyio.Event())
        await until(lambda: first.leads)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(second.run, never, told)
            await until(lambda: second.holder == "one")
            told.set()
        assert lease(kube)["holderIdentity"] == "one"
        stop.set()


async def test_cancelling_gives_the_lease_back_and_leaves_no_thread(kube: KubeServer, connect: Connect) -> None:
    one = keeper(connect, "one")
    ended = threading.Event()
    live = one._keep

    async def keep(*promises: Any) -> None:
        try:
            await live(*promises)
        finally:
            ended.set()

    one._keep = keep  # type: ignore[method-assign]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.run, anyio.sleep_forever, anyio.Event())
        await until(lambda: one.leads)
        tasks.cancel_scope.cancel()
    assert ended.is_set()
    assert lease(kube)["holderIdentity"] == ""


async def test_what_the_work_raises_is_raised_and_the_lease_given_back(kube: KubeServer, connect: Connect) -> None:
    async def fail() -> None:
        raise LookupError("of the work")

    with pytest.raises(ExceptionGroup) as raised:
        await keeper(connect, "one").run(fail, anyio.Event())
    assert raised.group_contains(LookupError)
    assert lease(kube)["holderIdentity"] == ""


async def test_what_the_thread_raises_is_raised() -> None:
    @asynccontextmanager
    async def connect() -> AsyncGenerator[KubeClient]:
        raise ConfigError("no kubeconfig")
        yield

    with pytest.raises(ExceptionGroup) as raised:
        await keeper(connect, "one").run(anyio.sleep_forever, anyio.Event())
    assert raised.group_contains(ConfigError)


async def test_the_process_is_to_end_before_the_lease_does_and_not_once_the_work_has_ended(
    kube: KubeServer, connect: Connect
) -> None:
    watched = Watched()
    times = LeaseTimes(lease_duration=60.0, renew_deadline=40.0, retry_period=0.05)
    one = keeper(connect, "one", times, watchdog=watched, clock=lambda: 1000.0)

    async def lead() -> None:
        assert watched.armed[-1] == 1000.0 + 60.0 - 10.0
        assert not watched.retired

    assert await one.run(lead, anyio.Event())
    assert watched.retired
