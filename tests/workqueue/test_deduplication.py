"""Adds of one key are merged until it is handed out, and a key is never in two hands."""

import pytest


def test_a_key_added_twice_is_handed_out_once(queue, handed_out):
    queue.add("a")
    queue.add("a")
    assert len(queue) == 1
    assert handed_out(queue) == ["a"]


def test_keys_are_handed_out_in_the_order_of_their_first_add(queue, handed_out):
    for key in ["a", "b", "a", "c", "b"]:
        queue.add(key)
    assert handed_out(queue) == ["a", "b", "c"]


def test_a_key_added_while_processed_is_not_handed_out_before_done(queue):
    queue.add("a")
    queue.take_nowait()
    queue.add("a")
    assert len(queue) == 0
    assert queue.take_nowait() is None


def test_a_key_added_while_processed_is_handed_out_once_more_after_done(queue, handed_out):
    queue.add("a")
    queue.take_nowait()
    queue.add("a")
    queue.add("a")
    queue.done("a")
    assert handed_out(queue) == ["a"]


def test_a_key_added_while_processed_queues_behind_those_that_were_ready_before_its_done(queue, handed_out):
    queue.add("a")
    queue.take_nowait()
    queue.add("a")
    queue.add("b")
    queue.done("a")
    assert handed_out(queue) == ["b", "a"]


def test_a_key_that_was_not_added_while_processed_is_gone_after_done(queue):
    queue.add("a")
    queue.take_nowait()
    queue.done("a")
    assert queue.take_nowait() is None
    assert queue.depth() == {}


def test_a_key_can_be_added_again_after_done(queue, handed_out):
    queue.add("a")
    assert handed_out(queue) == ["a"]
    queue.add("a")
    assert handed_out(queue) == ["a"]


def test_giving_back_a_key_that_nobody_holds_is_refused(queue):
    queue.add("a")
    with pytest.raises(ValueError, match="'a' is not being processed"):
        queue.done("a")
    assert len(queue) == 1


def test_length_counts_what_can_be_handed_out(queue):
    queue.add("ready")
    queue.add("held")
    queue.take_nowait()
    queue.take_nowait()
    queue.add("held")
    queue.add("new")
    queue.add_after("later", 1)
    assert (len(queue), queue.processing, queue.delayed) == (1, 2, 1)
