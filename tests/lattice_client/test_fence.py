"""The fence before writes: asked as late as can be, before each attempt, those of aiohttp's own too."""

import anyio
import pytest

from controller.lattice.client import LatticeClient
from controller.lattice.errors import FencedError
from controller.lattice.limits import Limits, Rate
from sandbox.lattice import Hang, LatticeServer, Refuse, Reset
from tests.lattice_client.conftest import Connect
from tests.lattice_client.observing import SERVICE
from workqueue.testing import FakeClock

pytestmark = pytest.mark.anyio


async def test_a_write_that_the_fence_stops_is_not_sent_and_a_read_is(connect: Connect, lattice: LatticeServer) -> None:
    async with connect(fence=lambda _: False) as client:
        with pytest.raises(FencedError):
            await client.call("CreateService", {"name": "late"})
        await client.call("ListServices", {})
    assert [record.operation for record in lattice.calls] == ["ListServices"]


async def test_the_fence_is_asked_for_the_whole_time_out_before_each_attempt(
    connect: Connect, lattice: LatticeServer
) -> None:
    asked: list[float] = []
    lattice.faults.add("CreateService", Refuse(), times=1)

    def fence(seconds: float) -> bool:
        asked.append(seconds)
        return lattice.calls.count("CreateService") == 0

    async with connect(fence=fence, timeout=7.0) as client:
        with pytest.raises(FencedError):
            await client.call("CreateService", {"name": "late"})
    assert set(asked) == {7.0}
    assert lattice.calls.count("CreateService") == 1


async def test_the_fence_is_asked_only_when_the_turn_has_come(connect: Connect) -> None:
    clock = FakeClock()
    asked: list[float] = []

    def fence(seconds: float) -> bool:
        asked.append(clock.time())
        return True

    limits = Limits(clock, default=Rate(1, 1))
    async with connect(clock=clock, limits=limits, fence=fence) as client, anyio.create_task_group() as group:
        await client.call("CreateService", {"name": "first"})
        group.start_soon(client.call, "CreateService", {"name": "second"})
        while not limits.waiting("CreateService"):
            await anyio.lowlevel.checkpoint()
        clock.advance(5)
    assert list(dict.fromkeys(asked)) == [0.0, 5.0]


async def test_the_fence_is_asked_after_a_connection_was_waited_for(connect: Connect, lattice: LatticeServer) -> None:
    arrived = anyio.Event()
    leads = True

    def arrives(_: object) -> bool:
        arrived.set()
        return True

    def lost_meanwhile(**_: object) -> None:
        nonlocal leads
        leads = False
        holds_the_connection.cancel()

    lattice.faults.add("ListServices", Hang(), when=arrives)
    holds_the_connection = anyio.CancelScope()

    async def hold(client: LatticeClient) -> None:
        with holds_the_connection:
            await client.call("ListServices", {})

    async with connect(fence=lambda _: leads, connections=1) as client, anyio.create_task_group() as group:
        group.start_soon(hold, client)
        await arrived.wait()
        client._clients["vpc-lattice"].meta.events.register("before-send.vpc-lattice.DeleteService", lost_meanwhile)
        with pytest.raises(FencedError):
            await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert not leads
    assert lattice.calls.count("DeleteService") == 0


async def test_what_aiohttp_sends_again_by_itself_asks_the_fence_again(
    connect: Connect, lattice: LatticeServer
) -> None:
    lattice.faults.add("DeleteService", Reset(), times=1)

    def fence(_: float) -> bool:
        return lattice.calls.count("DeleteService") == 0

    async with connect(fence=fence) as client:
        with pytest.raises(FencedError) as raised:
            await client.call("DeleteService", {"serviceIdentifier": SERVICE})
        assert raised.value.undecided
        assert client.unsettled, "the one that was reset may have had its effect"
    assert lattice.calls.count("DeleteService") == 1


async def test_a_write_without_an_answer_is_unsettled_until_it_can_no_longer_arrive(
    connect: Connect, lattice: LatticeServer
) -> None:
    clock = FakeClock()
    arrived = anyio.Event()

    def arrives(_: object) -> bool:
        arrived.set()
        return True

    lattice.faults.add("DeleteService", Hang(), when=arrives)
    limits = Limits(clock, default=Rate(100, 100))
    async with connect(clock=clock, limits=limits, timeout=7.0) as client:
        await client.call("CreateService", {"name": "answered"})
        assert not client.unsettled
        async with anyio.create_task_group() as group:
            group.start_soon(client.call, "DeleteService", {"serviceIdentifier": SERVICE})
            await arrived.wait()
            group.cancel_scope.cancel()
        assert client.unsettled
        clock.advance(7.0)
        assert not client.unsettled
