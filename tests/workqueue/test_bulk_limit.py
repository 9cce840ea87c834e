"""Of bulk keys only so many are held at a time, and of live and bulk keys together; urgent ones are never held back."""

import anyio
import pytest

from tests.workqueue.settling import settle
from workqueue import BULK, LIVE, URGENT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patience")]


def test_without_a_limit_any_number_of_bulk_keys_is_handed_out(queue):
    for key in "abc":
        queue.add(key, BULK)
    assert [queue.take_nowait()[0] for _ in "abc"] == ["a", "b", "c"]


def test_bulk_keys_beyond_the_limit_wait_until_one_is_done(queue):
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK)
    assert queue.take_nowait() == ("a", BULK)
    assert queue.take_nowait() is None
    queue.done("a")
    assert queue.take_nowait() == ("b", BULK)


def test_everything_at_or_below_bulk_counts(queue):
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK - 1)
    queue.take_nowait()
    assert queue.take_nowait() is None


def test_above_bulk_there_is_no_limit(queue):
    queue.limit(BULK, 1)
    queue.add("bulk", BULK)
    queue.take_nowait()
    queue.add("a", LIVE)
    queue.add("b", BULK + 1)
    assert queue.take_nowait() == ("a", LIVE)
    assert queue.take_nowait() == ("b", BULK + 1)


def test_a_key_held_as_bulk_counts_as_bulk_even_when_it_was_asked_for_live_meanwhile(queue):
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK)
    queue.take_nowait()
    queue.add("a", LIVE)
    assert queue.take_nowait() is None
    queue.done("a")
    assert queue.take_nowait() == ("a", LIVE)
    assert queue.take_nowait() == ("b", BULK)


async def test_done_of_a_bulk_key_lets_a_waiting_worker_have_the_next(queue):
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK)
    await queue.get()
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        await settle()
        queue.done("a")
    assert queue.depth() == {}


async def test_lifting_a_held_back_key_wakes_a_waiting_worker(queue):
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK)
    await queue.get()
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        await settle()
        queue.add("b", LIVE)
    assert queue.processing == 2


async def test_done_of_a_bulk_key_asked_for_live_meanwhile_serves_two_waiting_workers(queue):
    """It gives back a place for a bulk key and itself is ready as a live one."""
    queue.limit(BULK, 1)
    queue.add("a", BULK)
    queue.add("b", BULK)
    await queue.get()
    queue.add("a", LIVE)
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        group.start_soon(queue.get)
        await settle()
        assert queue.processing == 1
        queue.done("a")
    assert queue.processing == 2


async def test_raising_the_limit_serves_waiting_workers(queue):
    queue.limit(BULK, 1)
    for key in "abc":
        queue.add(key, BULK)
    await queue.get()
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        group.start_soon(queue.get)
        await settle()
        queue.limit(BULK, None)
    assert queue.processing == 3


def test_lowering_the_limit_takes_no_key_away(queue):
    queue.limit(BULK, 2)
    for key in "abc":
        queue.add(key, BULK)
    queue.take_nowait()
    queue.take_nowait()
    queue.limit(BULK, 1)
    queue.done("a")
    assert queue.take_nowait() is None
    queue.done("b")
    assert queue.take_nowait() == ("c", BULK)


def test_a_limit_for_live_keys_counts_bulk_keys_too_and_holds_back_both(queue):
    queue.limit(BULK, 1)
    queue.limit(LIVE, 2)
    queue.add("bulk", BULK)
    assert queue.take_nowait() == ("bulk", BULK)
    queue.add("a", LIVE)
    queue.add("b", LIVE)
    assert queue.take_nowait() == ("a", LIVE)
    assert queue.take_nowait() is None
    queue.done("bulk")
    assert queue.take_nowait() == ("b", LIVE)


def test_urgent_keys_are_handed_out_whatever_else_is_held(queue):
    queue.limit(LIVE, 1)
    queue.add("a", LIVE)
    queue.take_nowait()
    queue.add("b", LIVE)
    assert queue.take_nowait() is None
    queue.add("c", URGENT)
    assert queue.take_nowait() == ("c", URGENT)


def test_a_limit_set_late_counts_what_is_held_already(queue):
    for key in "abc":
        queue.add(key, LIVE)
    queue.take_nowait()
    queue.take_nowait()
    queue.limit(LIVE, 2)
    assert queue.take_nowait() is None
    queue.done("a")
    assert queue.take_nowait() == ("c", LIVE)


async def test_done_of_a_live_key_lets_a_waiting_worker_have_the_next(queue):
    queue.limit(LIVE, 1)
    queue.add("a", LIVE)
    queue.add("b", LIVE)
    await queue.get()
    async with anyio.create_task_group() as group:
        group.start_soon(queue.get)
        await settle()
        assert queue.processing == 1
        queue.done("a")
    assert queue.processing == 1
    assert queue.depth() == {}
