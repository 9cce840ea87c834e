"""After shut-down nothing new comes in, what waits still goes out, and a drain ends when all of it is done."""

import anyio
import pytest

from tests.workqueue.settling import settle
from workqueue import BULK, ShutDown

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patience")]


async def test_adds_after_shut_down_are_ignored(queue, clock):
    queue.shut_down()
    queue.add("a")
    queue.add_after("b", 0)
    queue.add_after("c", 1)
    queue.add_rate_limited("d")
    clock.advance(1000)
    with pytest.raises(ShutDown):
        await queue.get()
    assert queue.num_requeues("d") == 0


async def test_keys_that_wait_at_shut_down_are_still_handed_out(queue):
    queue.add("a")
    queue.add("b")
    queue.shut_down()
    assert await queue.get() == "a"
    assert await queue.get() == "b"
    with pytest.raises(ShutDown):
        await queue.get()


async def test_delayed_keys_are_dropped_at_shut_down(queue, clock):
    queue.add_after("a", 50)
    queue.shut_down()
    clock.advance(50)
    assert queue.delayed == 0
    with pytest.raises(ShutDown):
        await queue.get()


async def test_a_key_asked_for_while_held_before_shut_down_is_handed_out_again(queue):
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.shut_down()
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_key_asked_for_while_held_after_shut_down_is_not(queue):
    queue.add("a")
    await queue.get()
    queue.shut_down()
    queue.add("a")
    queue.done("a")
    with pytest.raises(ShutDown):
        await queue.get()


def expect_shut_down(queue, ended):
    async def worker():
        with pytest.raises(ShutDown):
            await queue.get()
        ended.append(True)

    return worker


async def test_workers_that_wait_are_told_of_shut_down(queue):
    ended = []
    async with anyio.create_task_group() as group:
        group.start_soon(expect_shut_down(queue, ended))
        group.start_soon(expect_shut_down(queue, ended))
        await settle()
        queue.shut_down()
    assert ended == [True, True]


async def test_workers_held_back_by_the_bulk_limit_are_told_when_the_last_key_is_handed_out(queue):
    ended = []
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK)
    await queue.get()
    async with anyio.create_task_group() as group:
        group.start_soon(expect_shut_down(queue, ended))
        group.start_soon(expect_shut_down(queue, ended))
        await settle()
        queue.shut_down()
        await settle()
        assert ended == []
        queue.done("a")
        assert queue.take_nowait() == ("b", BULK)
    assert ended == [True, True]


async def test_shutting_down_tells_that_it_does(queue):
    assert not queue.shutting_down
    queue.shut_down()
    assert queue.shutting_down


@pytest.fixture
def drain(queue):
    """Starts a drain in a task group; returns the event that is set when it has ended."""

    async def start(group):
        ended = anyio.Event()

        async def run():
            await queue.shut_down_with_drain()
            ended.set()

        group.start_soon(run)
        await settle()
        return ended

    return start


async def test_a_drain_of_an_idle_queue_ends_at_once(queue):
    queue.add_after("dropped", 50)
    await queue.shut_down_with_drain()
    assert queue.shutting_down


async def test_a_drain_waits_for_keys_in_hand(queue, drain):
    queue.add("a")
    queue.add("b")
    await queue.get()
    await queue.get()
    async with anyio.create_task_group() as group:
        ended = await drain(group)
        queue.done("a")
        await settle()
        assert not ended.is_set()
        queue.done("b")


async def test_a_drain_waits_for_keys_that_nobody_took_yet(queue, drain):
    queue.add("a")
    async with anyio.create_task_group() as group:
        ended = await drain(group)
        assert not ended.is_set()
        queue.done(await queue.get())


async def test_a_drain_does_not_end_while_a_key_waits_and_none_is_in_hand(queue, drain):
    queue.add("a")
    queue.add("b")
    await queue.get()
    async with anyio.create_task_group() as group:
        ended = await drain(group)
        queue.done("a")
        await settle()
        assert not ended.is_set()
        queue.done(await queue.get())


async def test_a_drain_waits_for_a_key_that_was_asked_for_again_while_in_hand(queue, drain):
    queue.add("a")
    await queue.get()
    queue.add("a")
    async with anyio.create_task_group() as group:
        ended = await drain(group)
        queue.done("a")
        await settle()
        assert not ended.is_set()
        queue.done(await queue.get())


async def test_a_drain_tells_workers_that_nothing_more_comes(queue, drain):
    queue.add("a")
    queue.add("b")
    await queue.get()
    async with anyio.create_task_group() as group:
        await drain(group)
        assert await queue.get() == "b"
        with pytest.raises(ShutDown):
            await queue.get()
        queue.done("a")
        queue.done("b")


async def test_shut_down_ends_the_wait_of_a_drain(queue, drain):
    queue.add("a")
    await queue.get()
    async with anyio.create_task_group() as group:
        ended = await drain(group)
        queue.shut_down()
        await settle()
        assert ended.is_set()
    queue.done("a")


async def test_a_drain_may_follow_a_shut_down(queue, drain):
    queue.add("a")
    await queue.get()
    queue.shut_down()
    async with anyio.create_task_group() as group:
        ended = await drain(group)
        assert not ended.is_set()
        queue.done("a")


async def test_several_may_wait_for_the_same_drain(queue, drain):
    queue.add("a")
    await queue.get()
    async with anyio.create_task_group() as group:
        first = await drain(group)
        second = await drain(group)
        queue.done("a")
    assert first.is_set()
    assert second.is_set()


async def test_a_cancelled_drain_leaves_the_queue_shut_down(queue):
    queue.add("a")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await queue.shut_down_with_drain()
    assert scope.cancelled_caught
    assert queue.shutting_down
    assert await queue.get() == "a"


async def test_a_drain_may_drop_what_waits_and_end_with_what_is_in_work(queue, clock):
    queue.add("held")
    await queue.get()
    queue.add("held")
    queue.add("waits")
    queue.add_after("delayed", 5)
    ended = []

    async def drain():
        await queue.shut_down_with_drain(drop_waiting=True)
        ended.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(drain)
        await settle()
        assert (len(queue), queue.depth(), queue.delayed, ended) == (0, {}, 0, [])
        queue.done("held")
    assert ended == [True]
    with pytest.raises(ShutDown):
        await queue.get()
