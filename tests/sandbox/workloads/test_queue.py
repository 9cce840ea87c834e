"""Keys to work off: each once, in order, later if so wished, again if it failed."""

import anyio
import pytest

from sandbox.workloads.client import KubeError
from sandbox.workloads.queue import KeyQueue, work

pytestmark = pytest.mark.anyio


@pytest.fixture
def queue(anyio_backend):
    return KeyQueue()


async def test_a_key_added_twice_comes_once_and_keys_come_in_order(queue):
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    queue.add("c")
    assert await queue.get() == "c"


async def test_a_key_for_later_comes_after_its_time(queue):
    queue.add_after("later", 0.05)
    queue.add("now")
    assert await queue.get() == "now"
    with anyio.fail_after(60):
        assert await queue.get() == "later"


async def test_the_earlier_of_two_times_counts(queue):
    queue.add_after("a", 0.01)
    queue.add_after("a", 3600)
    with anyio.fail_after(60):
        assert await queue.get() == "a"


async def test_a_key_wakes_who_waits(queue):
    queue.add_after("never", 3600)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 0)
        tasks.start_soon(add_soon, queue)
        with anyio.fail_after(60):
            assert await queue.get() == "a"


async def add_soon(queue):
    await anyio.wait_all_tasks_blocked()
    queue.add("a")


@pytest.mark.parametrize("error", [KubeError("PUT /x", 409, "Conflict", ""), TimeoutError(), KeyError("spec")])
async def test_what_failed_is_tried_again_and_others_go_on(queue, error):
    attempts, done = [], anyio.Event()

    async def reconcile(key):
        attempts.append(key)
        if key == "bad" and attempts.count("bad") < 3:
            raise error
        if attempts.count("bad") == 3:
            done.set()

    queue.add("bad")
    queue.add("good")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, "test", queue, reconcile)
        with anyio.fail_after(60):
            await done.wait()
        tasks.cancel_scope.cancel()
    assert attempts == ["bad", "good", "bad", "bad"]
