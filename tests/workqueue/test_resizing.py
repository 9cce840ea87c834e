"""The number of workers can change at any time, and no reconcile is interrupted by it."""

import anyio
import pytest

from tests.workqueue.settling import settle
from workqueue import BULK, WorkerPool

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patience")]


class Working:
    """A pool at work on reconciles that wait to be told to finish."""

    def __init__(self, queue, size):
        self.queue = queue
        self.running = {}
        self.pool = WorkerPool(queue, self.reconcile, size=size, on_error=self.fail)

    async def reconcile(self, key):
        self.running[key] = anyio.Event()
        await self.running[key].wait()
        del self.running[key]

    def fail(self, key, error):
        raise AssertionError(f"{key}: {error!r}")

    async def add(self, *keys, **priority):
        for key in keys:
            self.queue.add(key, **priority)
        await settle()
        return list(self.running)

    async def finish(self, *keys):
        for key in keys:
            self.running[key].set()
        await settle()
        return list(self.running)

    async def resize(self, size):
        self.pool.resize(size)
        await settle()
        return list(self.running)


@pytest.fixture
async def working(queue):
    """A pool of two workers."""
    working = Working(queue, 2)
    async with anyio.create_task_group() as group:
        group.start_soon(working.pool.run)
        yield working
        group.cancel_scope.cancel()


async def test_a_larger_pool_starts_on_waiting_keys_at_once(working):
    assert await working.add("a", "b", "c", "d") == ["a", "b"]
    assert await working.resize(3) == ["a", "b", "c"]
    assert working.pool.size == 3


async def test_a_smaller_pool_finishes_what_it_began_and_starts_less(working):
    assert await working.add("a", "b", "c", "d") == ["a", "b"]
    assert await working.resize(1) == ["a", "b"]
    assert await working.finish("a") == ["b"]
    assert await working.finish("b") == ["c"]
    assert await working.finish("c") == ["d"]


async def test_a_pool_made_smaller_while_idle_starts_less(working):
    await working.resize(1)
    assert await working.add("a", "b") == ["a"]
    assert await working.finish("a") == ["b"]


async def test_a_pool_made_smaller_while_partly_idle_keeps_the_busy_worker(working):
    await working.add("a")
    await working.resize(1)
    assert await working.add("b") == ["a"]
    assert await working.finish("a") == ["b"]


async def test_a_key_added_in_the_moment_of_shrinking_is_not_lost(working):
    working.queue.add("a")
    working.pool.resize(1)
    assert await working.add("b") == ["a"]
    assert await working.finish("a") == ["b"]


async def test_shrinking_and_growing_in_one_moment_changes_nothing(working):
    working.pool.resize(1)
    working.pool.resize(2)
    assert await working.add("a", "b", "c") == ["a", "b"]


async def test_growing_and_shrinking_in_one_moment_changes_nothing(working):
    working.pool.resize(7)
    working.pool.resize(2)
    assert await working.add("a", "b", "c") == ["a", "b"]


async def test_the_share_of_bulk_keys_grows_and_shrinks_with_the_pool(working):
    assert await working.add("a", "b", "c", "d", "e", priority=BULK) == ["a"]
    assert await working.resize(4) == ["a", "b"]
    assert await working.resize(2) == ["a", "b"]
    assert await working.finish("a") == ["b"]
    assert await working.finish("b") == ["c"]


async def test_a_pool_resized_before_it_runs_starts_with_that_size(queue):
    working = Working(queue, 1)
    working.pool.resize(3)
    async with anyio.create_task_group() as group:
        group.start_soon(working.pool.run)
        assert await working.add("a", "b", "c", "d") == ["a", "b", "c"]
        group.cancel_scope.cancel()


async def test_a_pool_made_larger_during_a_drain_drains_faster(queue):
    working = Working(queue, 1)
    async with anyio.create_task_group() as group:
        group.start_soon(working.pool.run)
        await working.add("a", "b", "c")
        queue.shut_down()
        assert await working.resize(3) == ["a", "b", "c"]
        await working.finish("a", "b", "c")


async def test_a_pool_can_be_resized_after_it_has_ended(queue):
    working = Working(queue, 1)
    queue.shut_down()
    await working.pool.run()
    working.pool.resize(5)
    assert working.pool.size == 5


@pytest.mark.parametrize("size", [0, -1])
async def test_a_pool_without_workers_is_refused(queue, size):
    with pytest.raises(ValueError, match="at least one worker"):
        Working(queue, size)
    working = Working(queue, 1)
    with pytest.raises(ValueError, match="at least one worker"):
        working.pool.resize(size)
