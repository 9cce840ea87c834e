"""What a queue tells about itself, without knowing any metrics library.

Events are pushed, states are pulled. Four things are reported as they happen, because only then are they known; depth
and unfinished work are read from the queue when somebody looks, because keeping gauges current would cost every add
and every get for a number that is read twice a minute. A provider maps them to the names that dashboards of client-go
programs expect:

| metric | source |
|---|---|
| `workqueue_adds_total` | `QueueMetrics.added` |
| `workqueue_queue_duration_seconds` | `QueueMetrics.got` |
| `workqueue_work_duration_seconds` | `QueueMetrics.done` |
| `workqueue_retries_total` | `QueueMetrics.retried` |
| `workqueue_depth` | `QueueGauges.depth` |
| `workqueue_unfinished_work_seconds` | `QueueGauges.unfinished_work` |
| `workqueue_longest_running_processor_seconds` | `QueueGauges.longest_running_processor` |
"""

from collections.abc import Mapping
from typing import Protocol


class QueueMetrics(Protocol):
    """One queue's sink of events. Called on the hot path: an implementation binds its labels beforehand."""

    def added(self, priority: int) -> None:
        """A key that was not waiting now waits at `priority`; an add that was merged is not counted."""

    def got(self, priority: int, waited: float) -> None:
        """A key of `priority` was handed out, `waited` seconds after it was added (or its delay ended)."""

    def done(self, worked: float) -> None:
        """A key was handed back, `worked` seconds after it was handed out."""

    def retried(self) -> None:
        """A key was asked for again, after a delay or rate limited."""


class QueueGauges(Protocol):
    """One queue's states, to be read at the time of a scrape, in the event loop's thread."""

    @property
    def name(self) -> str:
        """The queue's name, the label that tells queues apart."""

    def depth(self) -> Mapping[int, int]:
        """How many keys wait to be handed out, by priority; priorities of which none waits are absent."""

    def unfinished_work(self) -> float:
        """Seconds of work in progress, summed over the keys being processed. Growth without end is a stuck worker."""

    def longest_running_processor(self) -> float:
        """Seconds since the oldest key in progress was handed out; 0 when there is none."""


class MetricsProvider(Protocol):
    """Makes the metrics of one queue; called once, when the queue is made."""

    def bind(self, queue: QueueGauges) -> QueueMetrics:
        """Register `queue` for its gauges to be read, and return where its events go."""


class NoMetrics:
    """A provider for those who measure nothing."""

    __slots__ = ()

    def bind(self, queue: QueueGauges) -> QueueMetrics:  # noqa: ARG002 - the protocol's parameter
        """Return a sink without effect."""
        return _Silent()


class _Silent:
    __slots__ = ()

    def added(self, priority: int) -> None: ...

    def got(self, priority: int, waited: float) -> None: ...

    def done(self, worked: float) -> None: ...

    def retried(self) -> None: ...
