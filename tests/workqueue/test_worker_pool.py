"""What becomes of a key after its reconcile, and how many keys are worked on at a time."""

import asyncio

import anyio
import pytest

from tests.workqueue.settling import settle
from workqueue import BULK, LIVE, URGENT, Queue, Result, WorkerPool, current_priority

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patience")]


def no_error(key, error):
    raise AssertionError(f"{key}: {error!r}")


class Reconciler:
    """Starts keys, and ends each when the test says so."""

    def __init__(self):
        self.running = {}
        self.finished = []

    async def __call__(self, key):
        self.running[key] = anyio.Event()
        try:
            await self.running[key].wait()
        finally:
            del self.running[key]
        self.finished.append(key)

    async def finish(self, *keys):
        for key in keys:
            self.running[key].set()
        await settle()


@pytest.fixture
def reconciler():
    return Reconciler()


def answering(*answers):
    """A reconcile that gives these answers in turn and raises those that are exceptions."""
    remaining = list(answers)

    async def reconcile(key):
        answer = remaining.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return reconcile


async def run_until_idle(pool):
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run)
        await settle()
        group.cancel_scope.cancel()


@pytest.mark.parametrize("answer", [None, Result()])
async def test_a_key_that_succeeded_is_done_and_its_failures_are_forgotten(queue, answer):
    queue.add_rate_limited("a")
    queue.add("a")
    await run_until_idle(WorkerPool(queue, answering(answer), size=1, on_error=no_error))
    assert queue.num_requeues("a") == 0
    assert (queue.depth(), queue.processing, queue.delayed) == ({}, 0, 0)


async def test_a_key_that_wants_to_be_seen_later_is_forgotten_and_added_after_that_time(queue, clock):
    queue.add_rate_limited("a")
    queue.add("a")
    await run_until_idle(WorkerPool(queue, answering(Result(requeue_after=30)), size=1, on_error=no_error))
    assert queue.num_requeues("a") == 0
    clock.advance(29)
    assert queue.take_nowait() is None
    clock.advance(1)
    assert queue.take_nowait() == ("a", LIVE)


async def test_a_key_that_wants_to_be_seen_again_is_rate_limited(queue, clock):
    queue.add("a")
    await run_until_idle(WorkerPool(queue, answering(Result(requeue=True)), size=1, on_error=no_error))
    assert queue.num_requeues("a") == 1
    assert queue.take_nowait() is None
    clock.advance(1)
    assert queue.take_nowait() == ("a", LIVE)


async def test_a_time_to_be_seen_goes_before_a_wish_to_be_seen_again(queue):
    queue.add("a")
    answer = Result(requeue_after=30, requeue=True)
    await run_until_idle(WorkerPool(queue, answering(answer), size=1, on_error=no_error))
    assert (queue.num_requeues("a"), queue.delayed) == (0, 1)


async def test_a_key_that_failed_is_reported_and_rate_limited(queue, clock):
    errors = []
    failure = LookupError("not there")
    queue.add("a")
    pool = WorkerPool(queue, answering(failure), size=1, on_error=lambda key, error: errors.append((key, error)))
    await run_until_idle(pool)
    assert errors == [("a", failure)]
    assert queue.num_requeues("a") == 1
    clock.advance(1)
    assert queue.take_nowait() == ("a", LIVE)


async def test_the_pool_goes_on_after_a_failure(queue):
    queue.add("a")
    queue.add("b")
    errors = []
    pool = WorkerPool(queue, answering(LookupError(), None), size=1, on_error=lambda key, error: errors.append(key))
    await run_until_idle(pool)
    assert errors == ["a"]
    assert queue.depth() == {}


@pytest.mark.parametrize("answer", [Result(requeue_after=1), Result(requeue=True), LookupError()])
async def test_a_key_comes_back_at_the_priority_it_was_handed_out_with(queue, clock, answer):
    queue.add("a", BULK)
    await run_until_idle(WorkerPool(queue, answering(answer), size=1, on_error=lambda key, error: None))
    clock.advance(1)
    assert queue.take_nowait() == ("a", BULK)


async def test_a_reconcile_and_what_it_starts_see_the_priority_of_its_key(queue):
    seen = {}

    async def look(key):
        seen[key] = current_priority.get()

    async def reconcile(key):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look, key)

    queue.add("bulk", BULK)
    queue.add("live")
    await run_until_idle(WorkerPool(queue, reconcile, size=1, on_error=no_error))
    assert seen == {"bulk": BULK, "live": LIVE}


async def test_a_key_added_during_its_reconcile_is_reconciled_again_afterwards(queue, reconciler):
    queue.add("a")
    async with anyio.create_task_group() as group:
        group.start_soon(WorkerPool(queue, reconciler, size=2, on_error=no_error).run)
        await settle()
        queue.add("a")
        await settle()
        assert list(reconciler.running) == ["a"]
        await reconciler.finish("a")
        assert list(reconciler.running) == ["a"]
        await reconciler.finish("a")
        queue.shut_down()
    assert reconciler.finished == ["a", "a"]


async def test_as_many_keys_as_there_are_workers_are_worked_on(queue, reconciler):
    for key in "abc":
        queue.add(key)
    pool = WorkerPool(queue, reconciler, size=2, on_error=no_error)
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run)
        await settle()
        assert list(reconciler.running) == ["a", "b"]
        assert (pool.size, pool.busy) == (2, 2)
        await reconciler.finish("b")
        assert list(reconciler.running) == ["a", "c"]
        await reconciler.finish("a", "c")
        assert pool.busy == 0
        queue.shut_down()


@pytest.mark.parametrize(("size", "bulk"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)])
async def test_bulk_keys_hold_at_most_half_of_the_workers_and_live_keys_find_the_rest(queue, reconciler, size, bulk):
    for n in range(size):
        queue.add(f"bulk {n}", BULK)
    async with anyio.create_task_group() as group:
        group.start_soon(WorkerPool(queue, reconciler, size=size, on_error=no_error).run)
        await settle()
        assert list(reconciler.running) == [f"bulk {n}" for n in range(bulk)]
        for n in range(size):
            queue.add(f"live {n}")
        await settle()
        assert list(reconciler.running)[bulk:] == [f"live {n}" for n in range(size - bulk)]
        group.cancel_scope.cancel()


@pytest.mark.parametrize(("size", "more"), [(1, 1), (3, 1), (4, 2), (20, 6)])
async def test_urgent_keys_find_workers_of_their_own_when_all_others_are_busy(queue, reconciler, size, more):
    for n in range(size + 1):
        queue.add(f"live {n}")
    async with anyio.create_task_group() as group:
        group.start_soon(WorkerPool(queue, reconciler, size=size, on_error=no_error).run)
        await settle()
        assert len(reconciler.running) == size
        for n in range(more + 1):
            queue.add(f"urgent {n}", URGENT)
        await settle()
        assert list(reconciler.running)[size:] == [f"urgent {n}" for n in range(more)]
        await reconciler.finish("urgent 0")
        assert f"urgent {more}" in reconciler.running
        assert f"live {size}" not in reconciler.running
        group.cancel_scope.cancel()


async def test_the_pool_ends_when_the_queue_is_shut_down_and_every_waiting_key_is_done(queue, reconciler):
    queue.add("a")
    queue.add("b")
    ended = []

    async def run():
        await WorkerPool(queue, reconciler, size=1, on_error=no_error).run()
        ended.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await settle()
        queue.shut_down()
        await reconciler.finish("a")
        assert ended == []
        await reconciler.finish("b")
        assert ended == [True]
    assert reconciler.finished == ["a", "b"]


async def test_a_drain_ends_when_the_pool_has_done_its_work(queue, reconciler):
    queue.add("a")
    drained = []

    async def drain():
        await queue.shut_down_with_drain()
        drained.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(WorkerPool(queue, reconciler, size=3, on_error=no_error).run)
        await settle()
        group.start_soon(drain)
        await settle()
        assert drained == []
        await reconciler.finish("a")
        assert drained == [True]


async def test_a_cancelled_pool_gives_its_keys_back_and_adds_none(queue, reconciler):
    for key in "ab":
        queue.add(key)
    async with anyio.create_task_group() as group:
        group.start_soon(WorkerPool(queue, reconciler, size=2, on_error=no_error).run)
        await settle()
        group.cancel_scope.cancel()
    assert reconciler.finished == []
    assert reconciler.running == {}
    assert (queue.processing, queue.delayed, queue.depth()) == (0, 0, {})


async def test_a_cancelled_pool_can_run_again(queue, reconciler):
    pool = WorkerPool(queue, reconciler, size=1, on_error=no_error)
    await run_until_idle(pool)
    queue.add("a")
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run)
        await settle()
        assert list(reconciler.running) == ["a"]
        queue.shut_down()
        await reconciler.finish("a")


async def test_a_cancellation_meant_for_something_that_a_reconcile_awaits_is_a_failure_of_its_key(queue):
    """As when two reconciles share a request and the one that made it is gone."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    errors = []

    async def reconcile(key):
        if key == "a":
            await shared

    queue.add("a")
    queue.add("b")
    pool = WorkerPool(queue, reconcile, size=1, on_error=lambda key, error: errors.append((key, str(error))))
    await run_until_idle(pool)
    assert errors == [("a", "what the reconcile was waiting for has been cancelled")]
    assert queue.num_requeues("a") == 1
    assert queue.depth() == {}


async def test_an_error_in_reporting_an_error_ends_the_pool_and_the_key_is_not_lost(queue, clock):
    class BrokenError(Exception):
        pass

    def broken(key, error):
        raise BrokenError

    queue.add("a")
    with pytest.raises(ExceptionGroup) as raised:
        await WorkerPool(queue, answering(LookupError()), size=2, on_error=broken).run()
    assert raised.group_contains(BrokenError)
    clock.advance(1)
    assert queue.take_nowait() == ("a", LIVE)


async def test_between_two_keys_others_get_their_turn():
    """A live change that arrives while a re-sync finds nothing to do goes before the rest of the re-sync."""
    queue = Queue(name="test")
    seen = []

    async def reconcile(key):
        seen.append(key)

    async def event():
        queue.add("live")

    for n in range(100):
        queue.add(f"bulk {n}", BULK)
    async with anyio.create_task_group() as group:
        group.start_soon(WorkerPool(queue, reconcile, size=1, on_error=no_error).run)
        group.start_soon(event)
        await settle()
        queue.shut_down()
    assert seen.index("live") < 5
    assert len(seen) == 101


async def test_a_pool_runs_once_at_a_time(queue):
    pool = WorkerPool(queue, answering(), size=1, on_error=no_error)
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run)
        await settle()
        with pytest.raises(RuntimeError, match="already running"):
            await pool.run()
        queue.shut_down()
