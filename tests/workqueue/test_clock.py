"""The clock of production calls back in the event loop; the one for tests moves only when told to."""

import anyio
import pytest

from workqueue import MonotonicClock, Queue
from workqueue.testing import FakeClock


@pytest.mark.anyio
@pytest.mark.usefixtures("patience")
async def test_a_real_timer_calls_back_in_the_event_loop():
    clock = MonotonicClock()
    due = anyio.Event()
    clock.call_at(clock.time() + 0.001, due.set)
    assert not due.is_set()
    await due.wait()


@pytest.mark.anyio
@pytest.mark.usefixtures("patience")
async def test_a_cancelled_real_timer_does_not_call_back():
    clock = MonotonicClock()
    called = []
    later = anyio.Event()
    clock.call_at(clock.time() + 0.001, lambda: called.append(True)).cancel()
    clock.call_at(clock.time() + 0.002, later.set)
    await later.wait()
    assert called == []


@pytest.mark.anyio
@pytest.mark.usefixtures("patience")
async def test_a_queue_on_the_real_clock_hands_out_a_delayed_key():
    queue = Queue(name="test")
    queue.add_after("a", 0.001)
    assert queue.take_nowait() is None
    assert await queue.get() == "a"


def test_a_fake_clock_runs_what_comes_due_in_order_and_at_its_moment():
    clock = FakeClock(now=100)
    seen = []
    clock.call_at(103, lambda: seen.append(("late", clock.time())))
    clock.call_at(101, lambda: seen.append(("early", clock.time())))
    clock.call_at(106, lambda: seen.append(("never", clock.time())))
    clock.advance(5)
    assert seen == [("early", 101), ("late", 103)]
    assert clock.time() == 105


def test_a_fake_clock_runs_what_is_scheduled_on_the_way():
    clock = FakeClock()
    seen = []
    clock.call_at(1, lambda: clock.call_at(2, lambda: seen.append(clock.time())))
    clock.advance(3)
    assert seen == [2]


def test_a_cancelled_fake_timer_does_not_call_back():
    clock = FakeClock()
    seen = []
    clock.call_at(1, lambda: seen.append(True)).cancel()
    clock.advance(1)
    assert seen == []
