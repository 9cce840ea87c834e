"""Getting suspends only when nothing can be handed out, and a cancelled wait loses nothing."""

import asyncio

import anyio
import pytest

from tests.workqueue.settling import settle
from workqueue import BULK, LIVE

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patience")]


async def test_get_returns_a_waiting_key(queue):
    queue.add("a")
    assert await queue.get() == "a"


async def test_take_returns_the_priority_too(queue):
    queue.add("a", BULK)
    assert await queue.take() == ("a", BULK)


async def test_get_does_not_switch_tasks_while_a_key_is_ready(queue):
    ran = []

    async def other():
        ran.append("other")

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        for key in "abc":
            queue.add(key)
            queue.done(await queue.get())
        assert ran == []


async def test_get_waits_for_an_add(queue):
    got = []

    async def worker():
        got.append(await queue.get())

    async with anyio.create_task_group() as group:
        group.start_soon(worker)
        await settle()
        assert got == []
        queue.add("a")
    assert got == ["a"]


async def test_get_waits_for_a_delay_to_end(queue, clock):
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        queue.add_after("a", 50)
        await settle()
        assert queue.processing == 0
        clock.advance(50)
    assert queue.processing == 1


async def test_get_waits_for_a_key_that_is_held_and_was_added_again(queue):
    queue.add("a")
    await queue.get()
    queue.add("a")
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        await settle()
        assert queue.depth() == {LIVE: 1}
        queue.done("a")
    assert queue.depth() == {}
    assert queue.processing == 1


async def test_each_of_several_waiting_workers_gets_a_key_of_its_own(queue):
    got = []

    async def worker():
        got.append(await queue.get())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(worker)
        await settle()
        for key in "abc":
            queue.add(key)
    assert sorted(got) == ["a", "b", "c"]


async def test_a_worker_that_is_woken_too_late_waits_again(queue):
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        await settle()
        queue.add("taken first by another")
        assert queue.take_nowait() is not None
        await settle()
        assert queue.processing == 1
        queue.add("b")
    assert queue.processing == 2


async def test_a_cancelled_wait_leaves_the_next_key_to_others(queue):
    got = []

    async def worker(scope):
        with scope:
            got.append(await queue.get())

    cancelled = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(worker, cancelled)
        group.start_soon(worker, anyio.CancelScope())
        await settle()
        cancelled.cancel()
        await settle()
        queue.add("a")
    assert got == ["a"]


async def test_a_worker_cancelled_after_it_was_woken_passes_the_key_on(queue):
    """The add wakes the worker that has waited longest; being cancelled before it runs, it must wake the next."""
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await settle()
    queue.add("a")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "a"


async def test_a_worker_cancelled_before_an_add_that_reaches_it_first_does_not_swallow_it(queue):
    """Cancelled but not yet run, it still stands first in line when the add looks for somebody to wake."""
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await settle()
    first.cancel()
    queue.add("a")
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "a"


async def test_a_key_stays_when_its_only_waiting_worker_is_cancelled(queue):
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        await settle()
        group.cancel_scope.cancel()
        await settle()
    queue.add("a")
    assert queue.take_nowait() == ("a", LIVE)
