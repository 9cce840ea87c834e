"""What was worked off leaves nothing behind."""

import gc
import tracemalloc
import weakref

from workqueue import BULK, LIVE, Queue
from workqueue.testing import FakeClock


class Key:
    """A key that can be watched for being freed."""


def test_a_key_that_is_done_is_freed(queue):
    key = Key()
    freed = weakref.ref(key)
    queue.add(key, BULK)
    queue.add_after(key, 50)
    queue.add(key, LIVE)
    queue.take_nowait()
    queue.done(key)
    del key
    gc.collect()
    assert freed() is None


def test_a_tenant_without_waiting_keys_is_freed(clock):
    class Tenant:
        pass

    tenant = Tenant()
    freed = weakref.ref(tenant)
    tenants = {"a": tenant}
    queue = Queue(name="test", clock=clock, tenant=tenants.__getitem__)
    queue.add("a", BULK)
    queue.add("a", LIVE)
    queue.take_nowait()
    queue.done("a")
    del tenant, tenants["a"]
    gc.collect()
    assert freed() is None


def test_a_key_that_succeeded_is_freed_by_forget(queue, clock):
    key = Key()
    freed = weakref.ref(key)
    queue.add_rate_limited(key)
    clock.advance(1)
    queue.take_nowait()
    queue.forget(key)
    queue.done(key)
    del key
    gc.collect()
    assert freed() is None


def test_delays_that_are_overtaken_again_and_again_do_not_pile_up():
    """As of a key that is due in a day and changes every second."""
    queue = Queue(name="test", clock=FakeClock())
    queue.add_after("quiet", 86400)

    def churn(times):
        for _ in range(times):
            queue.add_after("busy", 86400)
            queue.add("busy")
            queue.take_nowait()
            queue.done("busy")

    churn(1000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        churn(10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000
