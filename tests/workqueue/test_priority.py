"""The highest priority goes first, and a key has the highest priority that was asked for it."""

import pytest

from workqueue import BULK, LIVE


def test_a_live_change_goes_before_every_key_of_a_resync(queue, handed_out):
    queue.add("bulk-1", BULK)
    queue.add("bulk-2", BULK)
    queue.add("live")
    assert handed_out(queue) == ["live", "bulk-1", "bulk-2"]


def test_an_add_without_a_priority_is_live(queue):
    queue.add("a")
    assert queue.take_nowait() == ("a", LIVE)


def test_any_integer_is_a_priority_and_higher_goes_first(queue, handed_out):
    for priority in [BULK - 1, 7, LIVE, BULK, 1000, -50]:
        queue.add(str(priority), priority)
    assert handed_out(queue) == ["1000", "7", "0", "-50", "-100", "-101"]


def test_a_higher_add_lifts_a_waiting_key_behind_those_of_that_priority(queue, handed_out):
    queue.add("lifted", BULK)
    queue.add("bulk", BULK)
    queue.add("live")
    queue.add("lifted")
    assert handed_out(queue) == ["live", "lifted", "bulk"]


def test_a_lifted_key_is_handed_out_once(queue, handed_out):
    queue.add("a", BULK)
    queue.add("a", LIVE)
    assert queue.depth() == {LIVE: 1}
    assert handed_out(queue) == ["a"]


def test_a_key_lifted_and_added_again_queues_anew_at_its_old_priority(queue, handed_out):
    queue.add("a", BULK)
    queue.add("b", BULK)
    queue.add("a", LIVE)
    queue.take_nowait()
    queue.done("a")
    queue.add("a", BULK)
    assert handed_out(queue) == ["b", "a"]


@pytest.mark.parametrize("lower", [BULK, LIVE])
def test_an_add_that_is_not_higher_leaves_a_waiting_key_in_its_place(queue, handed_out, lower):
    queue.add("first")
    queue.add("second")
    queue.add("first", lower)
    assert queue.depth() == {LIVE: 2}
    assert handed_out(queue) == ["first", "second"]


def test_a_key_added_while_processed_keeps_the_highest_priority_added(queue):
    queue.add("a", BULK)
    queue.take_nowait()
    queue.add("a", BULK)
    queue.add("a", LIVE)
    queue.add("a", BULK)
    queue.done("a")
    assert queue.take_nowait() == ("a", LIVE)


def test_the_priority_a_key_was_handed_out_with_does_not_raise_its_next_one(queue):
    queue.add("a", LIVE)
    queue.take_nowait()
    queue.add("a", BULK)
    queue.done("a")
    assert queue.take_nowait() == ("a", BULK)
