"""Within a priority tenants take turns, so that one with many keys cannot starve the rest."""

import pytest

from workqueue import BULK, LIVE, Queue


@pytest.fixture
def queue(clock):
    """Keys such as `shop/1` belong to the tenant before the slash."""
    return Queue(name="test", clock=clock, tenant=lambda key: key.partition("/")[0])


def test_a_tenant_with_one_key_does_not_wait_for_a_tenant_with_many(queue, handed_out):
    for n in range(5):
        queue.add(f"noisy/{n}")
    queue.add("quiet/0")
    assert handed_out(queue) == ["noisy/0", "quiet/0", "noisy/1", "noisy/2", "noisy/3", "noisy/4"]


def test_tenants_take_turns_and_each_tenants_keys_keep_their_order(queue, handed_out):
    for key in ["a/1", "a/2", "a/3", "b/1", "b/2", "c/1"]:
        queue.add(key)
    assert handed_out(queue) == ["a/1", "b/1", "c/1", "a/2", "b/2", "a/3"]


def test_a_tenant_that_comes_back_queues_behind_those_that_waited(queue):
    queue.add("a/1")
    queue.add("b/1")
    queue.add("c/1")
    order = []
    for _ in range(4):
        key, _ = queue.take_nowait()
        order.append(key)
        queue.done(key)
        queue.add("a/again")
    assert order == ["a/1", "b/1", "c/1", "a/again"]


def test_priority_goes_before_fairness(queue, handed_out):
    queue.add("quiet/1", BULK)
    queue.add("noisy/1", LIVE)
    queue.add("noisy/2", LIVE)
    assert handed_out(queue) == ["noisy/1", "noisy/2", "quiet/1"]


def test_turns_are_kept_for_each_priority_apart(queue, handed_out):
    for priority in [BULK, LIVE]:
        for key in ["a/1", "a/2", "b/1"]:
            queue.add(f"{key} at {priority}", priority)
    assert handed_out(queue) == [
        "a/1 at 0", "b/1 at 0", "a/2 at 0",
        "a/1 at -100", "b/1 at -100", "a/2 at -100",
    ]  # fmt: skip


def test_a_lifted_key_takes_its_tenants_turn_at_the_higher_priority_only(queue, handed_out):
    for key in ["a/1", "a/2", "b/1", "b/2"]:
        queue.add(key, BULK)
    queue.add("a/1", LIVE)
    assert handed_out(queue) == ["a/1", "a/2", "b/1", "b/2"]


def test_a_tenant_whose_last_waiting_key_is_lifted_leaves_the_ring(queue, handed_out):
    queue.add("a/1", BULK)
    queue.add("b/1", BULK)
    queue.add("a/1", LIVE)
    queue.add("a/2", BULK)
    assert handed_out(queue) == ["a/1", "b/1", "a/2"]


def test_without_a_tenant_function_all_keys_stand_in_one_line(clock, handed_out):
    queue = Queue(name="test", clock=clock)
    for key in ["a/1", "a/2", "b/1"]:
        queue.add(key)
    assert handed_out(queue) == ["a/1", "a/2", "b/1"]


def test_a_failing_tenant_function_fails_the_add_and_leaves_nothing_behind(clock):
    def tenant(key):
        raise LookupError(key)

    queue = Queue(name="test", clock=clock, tenant=tenant)
    with pytest.raises(LookupError):
        queue.add("a")
    assert queue.depth() == {}
    assert queue.take_nowait() is None
