"""The specification of waiting for a turn, on a clock that stands still."""

import asyncio

import anyio
import pytest
from anyio.lowlevel import checkpoint

from controller.lattice.limits import Lane, Limits, Rate
from workqueue.testing import FakeClock

pytestmark = pytest.mark.anyio

ONE = Rate(1, 1)


async def settled() -> None:
    for _ in range(5):
        await checkpoint()


class Callers:
    """Tasks that each take one turn, and what they got in which order."""

    def __init__(self, limits: Limits, group: anyio.abc.TaskGroup) -> None:
        self.limits = limits
        self.group = group
        self.went: list[str] = []

    async def call(self, name: str, operation: str = "CreateService", lane: Lane = Lane.LIVE) -> anyio.CancelScope:
        scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await self.limits.acquire(operation, lane)
                self.went.append(name)

        self.group.start_soon(run)
        await settled()
        return scope


async def test_the_first_goes_at_once_and_the_next_when_the_bucket_has_filled() -> None:
    clock = FakeClock()
    async with anyio.create_task_group() as group:
        callers = Callers(Limits(clock, default=ONE), group)
        await callers.call("first")
        await callers.call("second")
        assert callers.went == ["first"]
        clock.advance(0.9)
        await settled()
        assert callers.went == ["first"]
        clock.advance(0.2)
        await settled()
        assert callers.went == ["first", "second"]


async def test_operations_do_not_wait_for_each_other() -> None:
    async with anyio.create_task_group() as group:
        callers = Callers(Limits(FakeClock(), default=ONE), group)
        await callers.call("a", "CreateService")
        await callers.call("b", "CreateRule")
        assert callers.went == ["a", "b"]


async def test_overrides_set_the_rate_of_their_operation_alone() -> None:
    limits = Limits(FakeClock(), default=Rate(10, 10), overrides={"CreateRule": ONE})
    assert (limits.rate("CreateRule"), limits.rate("CreateService")) == (1.0, 2.5)


async def test_live_calls_pass_bulk_calls_that_wait() -> None:
    clock = FakeClock()
    async with anyio.create_task_group() as group:
        callers = Callers(Limits(clock, default=ONE), group)
        for name, lane in (("first", Lane.LIVE), ("bulk", Lane.BULK), ("live", Lane.LIVE)):
            await callers.call(name, lane=lane)
        clock.advance(1)
        await settled()
        clock.advance(1)
        await settled()
        assert callers.went == ["first", "live", "bulk"]


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    clock = FakeClock()
    async with anyio.create_task_group() as group:
        callers = Callers(Limits(clock, default=ONE), group)
        await callers.call("first")
        scope = await callers.call("second")
        await callers.call("third")
        scope.cancel()
        await settled()
        clock.advance(1)
        await settled()
        assert callers.went == ["first", "third"]
        assert callers.limits.waiting("CreateService") == 0


async def test_who_is_cancelled_when_its_turn_has_just_come_gives_the_turn_to_the_next() -> None:
    clock = FakeClock()
    limits = Limits(clock, default=ONE)
    await limits.acquire("CreateService", Lane.LIVE)
    second = asyncio.create_task(limits.acquire("CreateService", Lane.LIVE))
    third = asyncio.create_task(limits.acquire("CreateService", Lane.LIVE))
    await settled()
    clock.advance(1)
    second.cancel()
    await settled()
    assert second.cancelled()
    assert third.done()


async def test_a_throttled_call_goes_again_before_those_that_came_after_it() -> None:
    clock = FakeClock()
    limits = Limits(clock, default=ONE)
    async with anyio.create_task_group() as group:
        callers = Callers(limits, group)
        ticket = await limits.acquire("CreateService", Lane.LIVE)
        await callers.call("later")
        limits.throttled("CreateService", ticket, None)

        async def again() -> None:
            await limits.acquire("CreateService", Lane.LIVE, again=ticket)
            callers.went.append("throttled")

        group.start_soon(again)
        await settled()
        clock.advance(10)
        await settled()
        clock.advance(10)
        await settled()
        assert callers.went == ["throttled", "later"]


async def test_operations_throttled_for_the_same_quota_pause_together() -> None:
    clock = FakeClock()
    limits = Limits(clock, default=Rate(10, 10))
    async with anyio.create_task_group() as group:
        callers = Callers(limits, group)
        for operation in ("CreateRule", "CreateService"):
            ticket = await limits.acquire(operation, Lane.LIVE)
            limits.throttled(operation, ticket, 5.0, "L-1")
        clock.advance(4.9)
        await callers.call("rule", "CreateRule")
        await callers.call("other quota", "CreateListener")
        assert callers.went == ["other quota"]
        ticket = await limits.acquire("DeleteService", Lane.LIVE)
        limits.throttled("DeleteService", ticket, 3.0, "L-1")
        clock.advance(2.9)
        await settled()
        assert callers.went == ["other quota"]
        clock.advance(0.2)
        await settled()
        assert callers.went == ["other quota", "rule"]


async def test_however_long_aws_asks_to_wait_an_operation_comes_back_within_a_minute() -> None:
    clock = FakeClock()
    limits = Limits(clock, default=ONE)
    async with anyio.create_task_group() as group:
        callers = Callers(limits, group)
        ticket = await limits.acquire("CreateService", Lane.LIVE)
        limits.throttled("CreateService", ticket, 3600.0)
        await callers.call("later")
        clock.advance(61)
        await settled()
        assert callers.went == ["later"]


async def test_no_timer_is_left_when_nobody_waits() -> None:
    clock = FakeClock()
    limits = Limits(clock, default=ONE)
    await limits.acquire("CreateService", Lane.LIVE)
    with anyio.move_on_after(0):
        await limits.acquire("CreateService", Lane.LIVE)
    assert not limits._timers
