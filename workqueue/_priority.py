"""Priorities: plain integers, higher first, so that an owner may put levels of its own between and above ours.

`LIVE` and `BULK` follow controller-runtime's priority queue, so that a `priority` label means the same in both: what is
caused by a change is 0, what is caused by a re-sync is -100. Everything at or below `BULK` is *bulk*: work that nobody
is waiting for, of which a worker pool runs only so much at a time that live work always finds a worker. Everything
above `LIVE` is *urgent*, and always finds a worker too, however many changes there are.
"""

from contextvars import ContextVar
from typing import Final

URGENT: Final = 100
"""A change that other changes must not hold up: until it is done, what worked before works no longer."""

LIVE: Final = 0
"""A change that somebody is waiting for; the priority of an add that names none."""

BULK: Final = -100
"""Re-sync, drift checks, garbage collection; this and everything below it shares half of the workers."""

current_priority: ContextVar[int] = ContextVar("workqueue_current_priority", default=LIVE)
"""The priority of the key that is being reconciled, set by the pool in each worker's context.

A reconcile that adds other keys adds them with it, so that bulk work does not become live by being passed on.
"""
