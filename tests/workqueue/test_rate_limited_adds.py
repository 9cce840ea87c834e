"""A key that failed comes back after the delay that the queue's rate limiter says."""

from workqueue import BULK, Queue


def test_each_rate_limited_add_waits_longer(queue, clock, handed_out):
    for delay in [1, 2, 4]:
        queue.add_rate_limited("a")
        clock.advance(delay - 0.5)
        assert handed_out(queue) == []
        clock.advance(0.5)
        assert handed_out(queue) == ["a"]


def test_the_queue_tells_how_often_a_key_was_added_rate_limited(queue):
    queue.add_rate_limited("a")
    queue.add_rate_limited("a")
    queue.add("a")
    assert queue.num_requeues("a") == 2


def test_forgetting_a_key_starts_its_delays_over(queue, clock, handed_out):
    queue.add_rate_limited("a")
    clock.advance(1)
    handed_out(queue)
    queue.forget("a")
    assert queue.num_requeues("a") == 0
    queue.add_rate_limited("a")
    clock.advance(1)
    assert handed_out(queue) == ["a"]


def test_forgetting_a_key_does_not_take_it_out_of_the_queue(queue, clock, handed_out):
    queue.add("waiting")
    queue.add_rate_limited("delayed")
    queue.forget("waiting")
    queue.forget("delayed")
    clock.advance(1)
    assert handed_out(queue) == ["waiting", "delayed"]


def test_a_change_does_not_wait_for_the_delay_of_an_earlier_failure(queue, handed_out):
    queue.add_rate_limited("a")
    queue.add("a")
    assert handed_out(queue) == ["a"]


def test_a_rate_limited_add_keeps_its_priority(queue, clock):
    queue.add_rate_limited("a", BULK)
    clock.advance(1)
    assert queue.take_nowait() == ("a", BULK)


def test_without_a_limiter_of_ones_own_the_default_one_limits(clock, handed_out):
    queue = Queue(name="test", clock=clock)
    for n in range(150):
        queue.add_rate_limited(str(n))
    clock.advance(0.005)
    assert len(handed_out(queue)) == 100
    clock.advance(5)
    assert len(handed_out(queue)) == 50
