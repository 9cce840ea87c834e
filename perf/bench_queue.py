"""A cycle of the work queue: add → get → done, wired as the controller wires it.

Keys are the controller's own, with namespaces as tenants; half of them are live and half bulk; the metrics are
Prometheus'. In the first case the queue is empty but for the key on its way, in the second 100,000 keys of 10,000
tenants wait, and each key that is done is added again. `asyncio.PriorityQueue`, which has no deduplication, no fairness
and no metrics, does put → get → task_done beside it, as a measure of the machine.
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle, islice

from prometheus_client import CollectorRegistry

from controller.api.keys import Key, ObjectKey, tenant
from controller.metrics import Metrics
from perf.measure import Measurement, best
from workqueue import BULK, LIVE, ItemExponential, Queue

CYCLES = 50_000
ROUNDS = 7
KEYS, TENANTS = 100_000, 10_000

GOAL_MICROSECONDS = 15.0
GOAL_RATIO = 1.5


def measure() -> list[Measurement]:
    """Run it, for some seconds."""
    few, many = _keys(1_000, 100), _keys(KEYS, TENANTS)
    seconds = best(
        ROUNDS,
        lambda: asyncio.run(_queue(few, waiting=())) / CYCLES,
        lambda: asyncio.run(_queue(many, waiting=many)) / CYCLES,
        lambda: asyncio.run(_plain(few)) / CYCLES,
    )
    empty, full, plain = seconds
    return [
        Measurement(
            "queue cycle add → get → done",
            empty,
            "asyncio.PriorityQueue",
            plain,
            f"value ≤ {GOAL_MICROSECONDS:g} µs",
            empty * 1e6 <= GOAL_MICROSECONDS,
        ),
        Measurement(
            f"the same, {KEYS:,} keys of {TENANTS:,} tenants waiting",
            full,
            "the same, empty",
            empty,
            f"ratio ≤ {GOAL_RATIO:g}",
            full / empty <= GOAL_RATIO,
        ),
    ]


def _keys(count: int, tenants: int) -> list[ObjectKey]:
    return [ObjectKey("HTTPRoute", f"namespace-{number % tenants}", f"route-{number}") for number in range(count)]


def _priority(number: int) -> int:
    return BULK if number % 2 else LIVE


async def _queue(keys: Sequence[ObjectKey], waiting: Sequence[ObjectKey]) -> float:
    """Seconds for all cycles: on an empty queue with `keys` in turn, else on each key that the queue hands out."""
    queue: Queue[Key] = Queue(
        name="bench", tenant=tenant, limiter=ItemExponential(0.5, 300.0), metrics=Metrics(CollectorRegistry()).queues
    )
    for number, key in enumerate(waiting):
        queue.add(key, _priority(number))
    if waiting:
        began = time.perf_counter()
        for number in range(CYCLES):
            taken = await queue.get()
            queue.done(taken)
            queue.add(taken, _priority(number))
    else:
        turns = list(islice(cycle(keys), CYCLES))
        began = time.perf_counter()
        for number, turn in enumerate(turns):
            queue.add(turn, _priority(number))
            taken = await queue.get()
            queue.done(taken)
    return time.perf_counter() - began


async def _plain(keys: Sequence[ObjectKey]) -> float:
    queue: asyncio.PriorityQueue[tuple[int, int, ObjectKey]] = asyncio.PriorityQueue()
    turns = list(islice(cycle(keys), CYCLES))
    began = time.perf_counter()
    for number, turn in enumerate(turns):
        queue.put_nowait((-_priority(number), number, turn))
        await queue.get()
        queue.task_done()
    return time.perf_counter() - began
