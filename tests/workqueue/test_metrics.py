"""What a queue reports as it happens, and what can be read from it, with client-go's names and meanings."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

from workqueue import BULK, LIVE, Queue


class Recorder:
    """A provider that keeps what it is told."""

    def __init__(self):
        self.events = []

    def bind(self, queue):
        self.queue = queue
        return self

    def added(self, priority):
        self.events.append(("added", priority))

    def got(self, priority, waited):
        self.events.append(("got", priority, waited))

    def done(self, worked):
        self.events.append(("done", worked))

    def retried(self):
        self.events.append(("retried",))


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def queue(clock, recorder):
    return Queue(name="routes", clock=clock, metrics=recorder)


def test_a_keys_way_through_the_queue_is_reported_with_its_times(queue, recorder, clock):
    queue.add("a")
    clock.advance(2)
    queue.take_nowait()
    clock.advance(3)
    queue.done("a")
    assert recorder.events == [("added", LIVE), ("got", LIVE, 2), ("done", 3)]


def test_a_merged_add_is_not_counted(queue, recorder):
    queue.add("a")
    queue.add("a")
    assert recorder.events == [("added", LIVE)]


def test_the_wait_of_a_key_counts_from_its_first_add_even_when_it_is_lifted(queue, recorder, clock):
    queue.add("a", BULK)
    clock.advance(5)
    queue.add("a", LIVE)
    clock.advance(1)
    queue.take_nowait()
    assert recorder.events == [("added", BULK), ("got", LIVE, 6)]


def test_the_wait_of_a_key_added_while_processed_counts_from_that_add(queue, recorder, clock):
    queue.add("a")
    queue.take_nowait()
    clock.advance(1)
    queue.add("a")
    clock.advance(4)
    queue.done("a")
    queue.take_nowait()
    assert recorder.events[2:] == [("added", LIVE), ("done", 5), ("got", LIVE, 4)]


def test_a_delayed_key_is_a_retry_when_asked_for_and_an_add_when_its_delay_ends(queue, recorder, clock):
    queue.add_after("a", 10, BULK)
    assert recorder.events == [("retried",)]
    clock.advance(10)
    assert recorder.events == [("retried",), ("added", BULK)]
    clock.advance(1)
    queue.take_nowait()
    assert recorder.events[2:] == [("got", BULK, 1)]


def test_a_rate_limited_add_and_one_without_delay_are_retries_too(queue, recorder):
    queue.add_rate_limited("a")
    queue.add_after("b", 0)
    assert recorder.events == [("retried",), ("retried",), ("added", LIVE)]


def test_the_provider_is_given_the_queue_to_read_from(queue, recorder):
    assert recorder.queue is queue
    assert recorder.queue.name == "routes"


def test_depth_counts_by_priority_what_waits_to_be_handed_out(queue):
    queue.add("held")
    queue.take_nowait()
    queue.add("held", LIVE)
    queue.add("live", LIVE)
    queue.add("bulk", BULK)
    queue.add_after("delayed", 10)
    assert queue.depth() == {LIVE: 2, BULK: 1}


def test_depth_moves_with_a_key_that_is_lifted(queue):
    queue.add("a", BULK)
    queue.add("b", BULK)
    queue.add("a", LIVE)
    assert queue.depth() == {LIVE: 1, BULK: 1}


def test_unfinished_work_is_the_age_of_all_that_is_held_and_longest_running_that_of_the_oldest(queue, clock):
    queue.add("a")
    queue.add("b")
    queue.take_nowait()
    clock.advance(10)
    queue.take_nowait()
    clock.advance(1)
    assert queue.unfinished_work() == 12
    assert queue.longest_running_processor() == 11


def test_an_idle_queue_has_no_unfinished_work(queue):
    assert queue.unfinished_work() == 0
    assert queue.longest_running_processor() == 0
    assert queue.depth() == {}


class Prometheus:
    """The provider that `docs/workqueue.md` shows."""

    def __init__(self, registry):
        self.adds = Counter("workqueue_adds", "Keys added", ["name"], registry=registry)
        self.retries = Counter("workqueue_retries", "Keys added again", ["name"], registry=registry)
        self.waited = Histogram("workqueue_queue_duration_seconds", "From add to get", ["name"], registry=registry)
        self.worked = Histogram("workqueue_work_duration_seconds", "From get to done", ["name"], registry=registry)
        self.queues = []
        registry.register(self)

    def bind(self, queue):
        self.queues.append(queue)
        return PrometheusQueue(self, queue.name)

    def collect(self):
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait", labels=["name", "priority"])
        for queue in self.queues:
            for priority, count in queue.depth().items():
                depth.add_metric([queue.name, str(priority)], count)
        yield depth


class PrometheusQueue:
    """Labels are bound once; an event costs one increment or observation."""

    def __init__(self, provider, name):
        self._adds = provider.adds.labels(name)
        self._waited = provider.waited.labels(name)
        self.done = provider.worked.labels(name).observe
        self.retried = provider.retries.labels(name).inc

    def added(self, priority):
        self._adds.inc()

    def got(self, priority, waited):
        self._waited.observe(waited)


def test_a_prometheus_provider_shows_the_standard_names(clock):
    registry = CollectorRegistry()
    queue = Queue(name="routes", clock=clock, metrics=Prometheus(registry))
    queue.add("a")
    queue.add("b", BULK)
    clock.advance(2)
    queue.take_nowait()
    clock.advance(3)
    queue.done("a")
    queue.add_rate_limited("a")
    label = {"name": "routes"}
    assert registry.get_sample_value("workqueue_adds_total", label) == 2
    assert registry.get_sample_value("workqueue_queue_duration_seconds_sum", label) == 2
    assert registry.get_sample_value("workqueue_work_duration_seconds_sum", label) == 3
    assert registry.get_sample_value("workqueue_retries_total", label) == 1
    assert registry.get_sample_value("workqueue_depth", {**label, "priority": str(BULK)}) == 1
