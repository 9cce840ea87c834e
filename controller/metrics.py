"""Metrics, under the names that dashboards of controller-runtime programs and of the AWS controllers know.

One `Metrics` is made per process, with the registry it is to fill, and hands out the small interfaces that the parts
report to: `aws` is the observer of AWS calls, `queues` the work queue's provider, `kubernetes(host)` what a Kubernetes
client calls after each request. Parts know these interfaces, not this module.

A *call* is what the controller asked for; a *request* is one attempt of it. Times are in seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from controller.kube.informers import Mirror
from controller.lattice.limits import Lane
from workqueue import QueueGauges, QueueMetrics

CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_LATEST

_CALL_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WORK_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_QUEUE_SECONDS: Final = (0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_RETRIES: Final = (0, 1, 2, 3, 5, 10, 20)
_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


class Metrics:
    """All metrics of the process, registered with `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # The library otherwise adds a series with the time of creation to every series, which nothing here reads.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        self._registry = registry
        self.aws = AwsMetrics(registry)
        self.queues = QueueProvider(registry)
        self._reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result.",
            ("controller", "result"),
            registry=registry,
        )
        self._reconcile_errors = Counter(
            "controller_runtime_reconcile_errors_total",
            "Reconciles that ended with an error.",
            ("controller",),
            registry=registry,
        )
        self._reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long a reconcile took.",
            ("controller",),
            buckets=_WORK_SECONDS,
            registry=registry,
        )
        self._active_workers = Gauge(
            "controller_runtime_active_workers",
            "Workers that reconcile something now.",
            ("controller",),
            registry=registry,
        )
        self._workers = Gauge(
            "controller_runtime_max_concurrent_reconciles",
            "Workers that there are at most.",
            ("controller",),
            registry=registry,
        )
        self._kubernetes_requests = Counter(
            "rest_client_requests_total",
            "Requests to the Kubernetes API.",
            ("code", "method", "host"),
            registry=registry,
        )
        self._kubernetes_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "How long the Kubernetes API took to answer.",
            ("verb", "host"),
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._programmed = Histogram(
            "lattice_programmed_seconds",
            "From a change seen in Kubernetes to the Lattice write acknowledged after which nothing was left to do, "
            "with all waits, also for what Lattice creates in its own time.",
            ("kind", "lane"),
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self._held_plans = Gauge(
            "lattice_controller_take_over_held_plans",
            "Services and target groups of another controller's making of which something is held back until released.",
            registry=registry,
        )
        self._planned = Gauge(
            "lattice_controller_planned_operations",
            "Operations that a run would do, as a read-only one has last seen; held: those that it would hold back.",
            ("operation", "held"),
            registry=registry,
        )
        self._planned_at = Gauge(
            "lattice_controller_planned_timestamp_seconds",
            "When a read-only run made its last plan, in Unix time; 0 before the first.",
            registry=registry,
        )
        self._leader = Gauge(
            "leader_election_master_status",
            "Whether this replica holds the lease of that name: 1 or 0.",
            ("name",),
            registry=registry,
        )

    def reconciled(self, controller: str, outcome: str, seconds: float) -> None:
        """Count a reconcile.

        `controller` is the kind in lower case, such as `httproute`; `outcome` is `success`, `error`, `requeue` or
        `requeue_after`.
        """
        self._reconciles.labels(controller, outcome).inc()
        self._reconcile_seconds.labels(controller).observe(seconds)
        if outcome == "error":
            self._reconcile_errors.labels(controller).inc()

    def workers(self, controller: str, busy: Callable[[], float], size: Callable[[], float]) -> None:
        """Have the numbers of workers read from these functions at each scrape."""
        self._active_workers.labels(controller).set_function(busy)
        self._workers.labels(controller).set_function(size)

    def held_plans(self, number: Callable[[], float]) -> None:
        """Have the number of plans that a take-over holds back read from this function at each scrape."""
        self._held_plans.set_function(number)

    def planned(self, operations: Mapping[tuple[str, bool], int], at: float) -> None:
        """A read-only run has made a plan with so many operations, by API operation and whether they are held back."""
        self._planned.clear()
        for (operation, held), number in operations.items():
            self._planned.labels(operation, str(held).lower()).set(number)
        self._planned_at.set(at)

    def kubernetes(self, host: str) -> Callable[[str, str, str, float], None]:
        """What a client of the API server `host` calls after a request: verb, resource, code, seconds."""

        def on_request(verb: str, resource: str, code: str, seconds: float) -> None:  # noqa: ARG001 - too many values
            self._kubernetes_requests.labels(code, _METHODS.get(verb, verb.upper()), host).inc()
            self._kubernetes_seconds.labels(verb, host).observe(seconds)

        return on_request

    def programmed(self, kind: str, lane: Lane, seconds: float) -> None:
        """A change has reached Lattice (`controller.reconcile.changes.ChangeObserver`)."""
        self._programmed.labels(kind, lane.value).observe(seconds)

    def mirrors(self, read: Callable[[], Iterable[Mirror]]) -> None:
        """Have it read from this function at each scrape how well each kind of object is known."""
        self._registry.register(_MirrorCollector(read))

    def leading(self, name: str, *, leads: bool) -> None:
        """Note whether this replica holds the lease `name`."""
        self._leader.labels(name).set(float(leads))

    def render(self) -> bytes:
        """All metrics in Prometheus' text format, of content type `CONTENT_TYPE`; in the event loop's thread."""
        return generate_latest(self._registry)


class AwsMetrics:
    """Observes AWS calls (`controller.lattice.client.CallObserver`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counted = ("service", "operation", "status_code", "error_code")
        timed = ("service", "operation")
        self._calls = Counter(
            "aws_api_calls_total", "Calls of AWS APIs, each with all its attempts.", counted, registry=registry
        )
        self._requests = Counter(
            "aws_api_requests_total", "Attempts of calls that were sent.", counted, registry=registry
        )
        self._call_seconds = Histogram(
            "aws_api_call_duration_seconds",
            "How long a call took with its waits and all its attempts.",
            timed,
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._request_seconds = Histogram(
            "aws_api_request_duration_seconds",
            "How long an attempt took.",
            timed,
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._retries = Histogram(
            "aws_api_call_retries", "Attempts of a call beyond the first.", timed, buckets=_RETRIES, registry=registry
        )
        self._waits = Histogram(
            "lattice_controller_limiter_wait_seconds",
            "How long an attempt waited for its turn under our own limits.",
            ("service", "operation", "lane"),
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )

    def waited(self, service: str, operation: str, lane: Lane, seconds: float) -> None:
        """An attempt got its turn after this long."""
        self._waits.labels(service, operation, lane.value).observe(seconds)

    def request(self, service: str, operation: str, status: int, code: str, seconds: float) -> None:
        """An attempt that was sent has ended."""
        self._requests.labels(service, operation, str(status), code).inc()
        self._request_seconds.labels(service, operation).observe(seconds)

    def call(self, service: str, operation: str, status: int, code: str, seconds: float, retries: int) -> None:
        """A call has ended, after that many attempts beyond the first."""
        self._calls.labels(service, operation, str(status), code).inc()
        self._call_seconds.labels(service, operation).observe(seconds)
        self._retries.labels(service, operation).observe(retries)


class QueueProvider:
    """Makes the metrics of work queues (`workqueue.MetricsProvider`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ("name", "controller")
        self._adds = Counter("workqueue_adds_total", "Keys that came to wait.", names, registry=registry)
        self._retries = Counter("workqueue_retries_total", "Keys asked for again.", names, registry=registry)
        self._waits = Histogram(
            "workqueue_queue_duration_seconds",
            "How long a key waited.",
            names,
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self._works = Histogram(
            "workqueue_work_duration_seconds",
            "How long a key was processed.",
            names,
            buckets=_WORK_SECONDS,
            registry=registry,
        )
        self._gauges = _QueueCollector()
        registry.register(self._gauges)

    def bind(self, queue: QueueGauges) -> QueueMetrics:
        """Register `queue` for its gauges to be read, and return where its events go."""
        self._gauges.queues.append(queue)
        labels = (queue.name, queue.name)
        return _QueueSink(
            self._adds.labels(*labels),
            self._retries.labels(*labels),
            self._waits.labels(*labels),
            self._works.labels(*labels),
        )


class _QueueSink:
    """One queue's events."""

    def __init__(self, adds: Counter, retries: Counter, waits: Histogram, works: Histogram) -> None:
        self._adds = adds
        self._retries = retries
        self._waits = waits
        self._works = works

    def added(self, priority: int) -> None:  # noqa: ARG002 - the protocol's parameter
        self._adds.inc()

    def got(self, priority: int, waited: float) -> None:  # noqa: ARG002 - the protocol's parameter
        self._waits.observe(waited)

    def done(self, worked: float) -> None:
        self._works.observe(worked)

    def retried(self) -> None:
        self._retries.inc()


class _QueueCollector(Collector):
    """Reads the queues' states when somebody looks."""

    def __init__(self) -> None:
        self.queues: list[QueueGauges] = []

    def collect(self) -> Iterator[Metric]:
        """Read all queues."""
        names = ("name", "controller")
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait.", labels=(*names, "priority"))
        unfinished = GaugeMetricFamily(
            "workqueue_unfinished_work_seconds", "Seconds of work in progress, over all keys.", labels=names
        )
        longest = GaugeMetricFamily(
            "workqueue_longest_running_processor_seconds", "Age of the oldest work in progress.", labels=names
        )
        for queue in self.queues:
            labels = (queue.name, queue.name)
            for priority, keys in (queue.depth() or {0: 0}).items():
                depth.add_metric((*labels, str(priority)), keys)
            unfinished.add_metric(labels, queue.unfinished_work())
            longest.add_metric(labels, queue.longest_running_processor())
        yield from (depth, unfinished, longest)


class _MirrorCollector(Collector):
    """Reads how well the cluster is known when somebody looks.

    Gauges, as what is wrong from the start is a counter's first value, of which no rate ever tells.
    """

    PHASES: Final = ("synced", "absent", "unknown")

    def __init__(self, read: Callable[[], Iterable[Mirror]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Read all kinds."""
        states = GaugeMetricFamily(
            "lattice_controller_kind_state",
            "1 for what is known of a kind: synced, absent (not installed) or unknown (may not be listed, say).",
            labels=("kind", "state"),
        )
        undecodable = GaugeMetricFamily(
            "lattice_controller_undecodable_objects",
            "Objects that do not fit their kind's schema and are left alone.",
            labels=("kind",),
        )
        for mirror in self._read():
            for phase in self.PHASES:
                states.add_metric((mirror.kind, phase), float(mirror.state.phase == phase))
            undecodable.add_metric((mirror.kind,), mirror.undecodable)
        yield from (states, undecodable)
