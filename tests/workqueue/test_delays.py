"""A delayed key is handed out once, at the earliest time and with the highest priority of what was asked for it."""

import pytest

from workqueue import BULK, LIVE, Queue


def test_a_delayed_key_is_handed_out_when_its_time_has_come_and_not_before(queue, clock, handed_out):
    queue.add_after("a", 50)
    clock.advance(49)
    assert handed_out(queue) == []
    clock.advance(1)
    assert handed_out(queue) == ["a"]


@pytest.mark.parametrize("delay", [0, -1, float("nan")])
def test_a_delay_that_is_not_positive_is_an_add(queue, handed_out, delay):
    queue.add_after("a", delay)
    assert handed_out(queue) == ["a"]


def test_delayed_keys_come_in_the_order_of_their_times(queue, clock, handed_out):
    queue.add_after("third", 3)
    queue.add_after("first", 1)
    queue.add_after("second", 2)
    clock.advance(10)
    assert handed_out(queue) == ["first", "second", "third"]


def test_delayed_keys_of_the_same_time_come_in_the_order_of_being_added(queue, clock, handed_out):
    for key in "dabc":
        queue.add_after(key, 1)
    clock.advance(1)
    assert handed_out(queue) == ["d", "a", "b", "c"]


def test_delayed_keys_keep_their_order_however_often_others_are_overtaken(queue, clock, handed_out):
    for seconds in [40, 20, 30, 10]:
        queue.add_after(f"after {seconds}", seconds)
    for _ in range(500):
        queue.add_after("busy", 60)
        queue.add("busy")
        assert handed_out(queue) == ["busy"]
    clock.advance(60)
    assert handed_out(queue) == ["after 10", "after 20", "after 30", "after 40"]


def test_each_delayed_key_comes_at_its_own_time(queue, clock, handed_out):
    for seconds in [3, 1, 2]:
        queue.add_after(f"after {seconds}", seconds)
    seen = []
    for _ in range(3):
        clock.advance(1)
        seen.append(handed_out(queue))
    assert seen == [["after 1"], ["after 2"], ["after 3"]]


def test_a_later_time_for_a_delayed_key_changes_nothing(queue, clock, handed_out):
    queue.add_after("a", 50)
    queue.add_after("a", 70)
    clock.advance(60)
    assert handed_out(queue) == ["a"]
    clock.advance(1000)
    assert handed_out(queue) == []


def test_an_earlier_time_for_a_delayed_key_replaces_the_later_one(queue, clock, handed_out):
    queue.add_after("a", 50)
    queue.add_after("a", 30)
    clock.advance(40)
    assert handed_out(queue) == ["a"]
    clock.advance(1000)
    assert handed_out(queue) == []


def test_a_delayed_key_that_is_added_meanwhile_is_handed_out_once(queue, clock, handed_out):
    queue.add_after("a", 50)
    queue.add("a")
    assert handed_out(queue) == ["a"]
    clock.advance(1000)
    assert handed_out(queue) == []


def test_a_delay_asked_for_a_key_that_waits_for_its_turn_is_answered_by_that_turn(queue, clock, handed_out):
    queue.add("a")
    queue.add_after("a", 50)
    assert handed_out(queue) == ["a"]
    clock.advance(1000)
    assert handed_out(queue) == []


def test_a_delay_asked_for_while_the_key_is_processed_begins_at_once(queue, clock, handed_out):
    queue.add("a")
    queue.take_nowait()
    queue.add_after("a", 50)
    clock.advance(20)
    queue.done("a")
    assert handed_out(queue) == []
    clock.advance(30)
    assert handed_out(queue) == ["a"]


def test_a_delay_that_ends_while_the_key_is_processed_makes_it_run_again_after_done(queue, clock, handed_out):
    queue.add("a")
    queue.take_nowait()
    queue.add_after("a", 50)
    clock.advance(50)
    assert handed_out(queue) == []
    queue.done("a")
    assert handed_out(queue) == ["a"]


def test_a_delayed_key_keeps_its_priority(queue, clock):
    queue.add_after("a", 50, BULK)
    clock.advance(50)
    assert queue.take_nowait() == ("a", BULK)


@pytest.mark.parametrize("delays", [(50, 30), (30, 50)])
@pytest.mark.parametrize("priorities", [(BULK, LIVE), (LIVE, BULK)])
def test_of_several_delays_the_highest_priority_holds_whichever_is_earlier(queue, clock, delays, priorities):
    for delay, priority in zip(delays, priorities, strict=True):
        queue.add_after("a", delay, priority)
    clock.advance(30)
    assert queue.take_nowait() == ("a", LIVE)


def test_a_low_add_of_a_delayed_key_ends_the_delay_and_keeps_the_higher_priority(queue):
    queue.add_after("a", 50, LIVE)
    queue.add("a", BULK)
    assert queue.take_nowait() == ("a", LIVE)


def test_a_high_delayed_add_lifts_a_key_that_waits_for_its_turn(queue):
    queue.add("a", BULK)
    queue.add_after("a", 50, LIVE)
    assert queue.take_nowait() == ("a", LIVE)


def test_keys_that_come_due_together_are_ordered_by_priority(queue, clock, handed_out):
    queue.add_after("bulk", 1, BULK)
    queue.add_after("live", 2, LIVE)
    clock.advance(2)
    assert handed_out(queue) == ["live", "bulk"]


def test_a_timer_that_fires_early_is_set_again(handed_out):
    class Hasty:
        """A clock whose timers can be fired by hand, as an event loop may fire them a little early."""

        def __init__(self):
            self.now = 0.0
            self.timers = []

        def time(self):
            return self.now

        def call_at(self, when, callback):
            self.timers.append((when, callback))
            return self

        def cancel(self):
            raise AssertionError("there is only one delay, nothing replaces its timer")

    clock = Hasty()
    queue = Queue(name="test", clock=clock)
    queue.add_after("a", 1)
    clock.now = 0.9999
    clock.timers.pop()[1]()
    assert handed_out(queue) == []
    clock.now = 1.0
    when, fire = clock.timers.pop()
    assert when == 1.0
    fire()
    assert handed_out(queue) == ["a"]
    assert clock.timers == []
