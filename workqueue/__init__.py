"""A work queue of keys for level-triggered controllers: client-go's workqueue for asyncio, and a pool of workers.

A controller is told that something changed, and adds the *key* of what has to be looked at. The queue merges adds of
the same key, decides the order (priority, then tenants in turn, then first come, first served), holds keys back that
failed or asked to be looked at later, and never hands one key to two workers. The worker pool takes keys, calls the
owner's `reconcile(key)`, and gives the key back with the outcome.

    queue = Queue(name="route", tenant=lambda key: key.namespace)
    pool = WorkerPool(queue, reconcile, size=10, on_error=report)
    queue.add(key)                # something changed
    queue.add(key, BULK)          # a re-sync, behind every change
    await pool.run()              # until queue.shut_down()

The library knows nothing of what a key stands for, uses one event loop, and has no dependency but anyio. How it works
is told in the private modules: `_queue` first, then `_ready`, `_delays`, `_pool`, `_limiters`, `_metrics`, `_clock`.
`workqueue.testing` has a clock for tests.
"""

from workqueue._clock import Clock, MonotonicClock, Timer
from workqueue._limiters import ItemExponential, MaxOf, RateLimiter, TokenBucket, default_limiter
from workqueue._metrics import MetricsProvider, NoMetrics, QueueGauges, QueueMetrics
from workqueue._pool import WorkerPool
from workqueue._priority import BULK, LIVE, URGENT, current_priority
from workqueue._queue import Queue, ShutDown
from workqueue._result import Result

__all__ = [
    "BULK",
    "LIVE",
    "URGENT",
    "Clock",
    "ItemExponential",
    "MaxOf",
    "MetricsProvider",
    "MonotonicClock",
    "NoMetrics",
    "Queue",
    "QueueGauges",
    "QueueMetrics",
    "RateLimiter",
    "Result",
    "ShutDown",
    "Timer",
    "TokenBucket",
    "WorkerPool",
    "current_priority",
    "default_limiter",
]
