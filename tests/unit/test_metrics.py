"""Metrics: the names and labels that dashboards know, from what the parts report."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from controller.kube.informer import SYNCED, State
from controller.kube.informers import Mirror
from controller.lattice.limits import Lane
from controller.metrics import Metrics
from workqueue import BULK, LIVE, Queue
from workqueue.testing import FakeClock


def made() -> tuple[Metrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return Metrics(registry), registry


def test_calls_and_requests_to_aws_are_counted_by_status_and_error() -> None:
    metrics, registry = made()
    metrics.aws.request("VPC Lattice", "CreateService", 429, "ThrottlingException", 0.01)
    metrics.aws.request("VPC Lattice", "CreateService", 201, "", 0.01)
    metrics.aws.call("VPC Lattice", "CreateService", 201, "", 0.5, 1)
    metrics.aws.waited("VPC Lattice", "CreateService", Lane.BULK, 0.25)

    operation = {"service": "VPC Lattice", "operation": "CreateService"}
    throttled = {**operation, "status_code": "429", "error_code": "ThrottlingException"}
    ok = {**operation, "status_code": "201", "error_code": ""}
    assert registry.get_sample_value("aws_api_requests_total", throttled) == 1
    assert registry.get_sample_value("aws_api_requests_total", ok) == 1
    assert registry.get_sample_value("aws_api_calls_total", ok) == 1
    assert registry.get_sample_value("aws_api_call_duration_seconds_sum", operation) == 0.5
    assert registry.get_sample_value("aws_api_request_duration_seconds_count", operation) == 2
    assert registry.get_sample_value("aws_api_call_retries_sum", operation) == 1
    bulk = {**operation, "lane": "bulk"}
    assert registry.get_sample_value("lattice_controller_limiter_wait_seconds_sum", bulk) == 0.25


def test_a_work_queue_shows_under_the_standard_names() -> None:
    metrics, registry = made()
    clock = FakeClock()
    queue: Queue[str] = Queue(name="route", clock=clock, metrics=metrics.queues)
    queue.add("a", LIVE)
    queue.add("b", BULK)
    labels = {"name": "route", "controller": "route"}
    assert registry.get_sample_value("workqueue_adds_total", labels) == 2
    assert registry.get_sample_value("workqueue_depth", {**labels, "priority": str(LIVE)}) == 1
    assert registry.get_sample_value("workqueue_depth", {**labels, "priority": str(BULK)}) == 1
    assert registry.get_sample_value("workqueue_unfinished_work_seconds", labels) == 0
    assert registry.get_sample_value("workqueue_longest_running_processor_seconds", labels) == 0
    assert registry.get_sample_value("workqueue_queue_duration_seconds_count", labels) == 0
    assert registry.get_sample_value("workqueue_work_duration_seconds_count", labels) == 0
    assert registry.get_sample_value("workqueue_retries_total", labels) == 0


def test_an_empty_queue_shows_a_depth_of_zero() -> None:
    metrics, registry = made()
    queue: Queue[str] = Queue(name="route", clock=FakeClock(), metrics=metrics.queues)
    labels = {"name": "route", "controller": "route", "priority": "0"}
    assert registry.get_sample_value("workqueue_depth", labels) == 0
    assert len(queue) == 0


def test_reconciles_are_counted_by_controller_and_result() -> None:
    metrics, registry = made()
    metrics.reconciled("httproute", "success", 0.1)
    metrics.reconciled("httproute", "error", 0.2)
    for result in ("success", "error"):
        labels = {"controller": "httproute", "result": result}
        assert registry.get_sample_value("controller_runtime_reconcile_total", labels) == 1
    controller = {"controller": "httproute"}
    assert registry.get_sample_value("controller_runtime_reconcile_errors_total", controller) == 1
    assert registry.get_sample_value("controller_runtime_reconcile_time_seconds_count", controller) == 2


def test_workers_are_read_when_somebody_looks() -> None:
    metrics, registry = made()
    busy = [0]
    metrics.workers("route", lambda: busy[0], lambda: 20)
    busy[0] = 3
    labels = {"controller": "route"}
    assert registry.get_sample_value("controller_runtime_active_workers", labels) == 3
    assert registry.get_sample_value("controller_runtime_max_concurrent_reconciles", labels) == 20


def test_requests_to_kubernetes_are_counted_by_method() -> None:
    metrics, registry = made()
    metrics.kubernetes("10.0.0.1:443")("list", "httproutes", "200", 0.1)
    labels: Mapping[str, str] = {"code": "200", "method": "GET", "host": "10.0.0.1:443"}
    assert registry.get_sample_value("rest_client_requests_total", dict(labels)) == 1
    latency = {"verb": "list", "host": "10.0.0.1:443"}
    assert registry.get_sample_value("rest_client_request_duration_seconds_count", latency) == 1


def test_the_lease_shows() -> None:
    metrics, registry = made()
    metrics.leading("amazon-vpc-lattice.io", leads=True)
    assert registry.get_sample_value("leader_election_master_status", {"name": "amazon-vpc-lattice.io"}) == 1
    metrics.leading("amazon-vpc-lattice.io", leads=False)
    assert registry.get_sample_value("leader_election_master_status", {"name": "amazon-vpc-lattice.io"}) == 0


def test_how_well_each_kind_is_known_is_read_at_each_scrape() -> None:
    metrics, registry = made()
    known = {"HTTPRoute": (SYNCED, 1), "ReferenceGrant": (State("absent"), 0), "Gateway": (State("unknown", "403"), 0)}
    metrics.mirrors(lambda: (Mirror(kind, state, undecodable) for kind, (state, undecodable) in known.items()))

    def state(kind: str) -> set[str]:
        phases = ("synced", "absent", "unknown")
        name = "lattice_controller_kind_state"
        told = {phase: registry.get_sample_value(name, {"kind": kind, "state": phase}) for phase in phases}
        assert set(told.values()) == {0, 1}
        return {phase for phase, value in told.items() if value}

    def undecodable(kind: str) -> float | None:
        return registry.get_sample_value("lattice_controller_undecodable_objects", {"kind": kind})

    assert [state(kind) for kind in known] == [{"synced"}, {"absent"}, {"unknown"}]
    assert [undecodable(kind) for kind in known] == [1, 0, 0]
    known["HTTPRoute"] = (State("unknown", "403"), 0)
    assert (state("HTTPRoute"), undecodable("HTTPRoute")) == ({"unknown"}, 0)


def test_what_is_rendered_is_prometheus_text_without_times_of_creation() -> None:
    metrics, _ = made()
    metrics.reconciled("httproute", "success", 0.1)
    text = metrics.render().decode()
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert "controller_runtime_reconcile_total" in names
    assert "process_cpu_seconds_total" in names
    assert not [name for name in names if name.endswith("_created")]


def test_two_sets_of_metrics_live_side_by_side() -> None:
    (first, one), (_, other) = made(), made()
    first.leading("one", leads=True)
    assert one.get_sample_value("leader_election_master_status", {"name": "one"}) == 1
    assert other.get_sample_value("leader_election_master_status", {"name": "one"}) is None


def test_changes_that_reached_lattice_are_timed_by_kind_and_lane() -> None:
    metrics, registry = made()
    metrics.programmed("targetgroup", Lane.URGENT, 0.25)
    labels = {"kind": "targetgroup", "lane": "urgent"}
    assert registry.get_sample_value("lattice_programmed_seconds_sum", labels) == 0.25
    assert registry.get_sample_value("lattice_programmed_seconds_count", labels) == 1


def test_what_a_read_only_run_has_planned_is_that_of_its_last_look() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    assert registry.get_sample_value("lattice_controller_planned_timestamp_seconds") == 0
    metrics.planned({("DeleteRule", True): 2, ("CreateRule", False): 1}, 100.0)
    metrics.planned({("CreateRule", False): 3}, 200.0)
    created = {"operation": "CreateRule", "held": "false"}
    deleted = {"operation": "DeleteRule", "held": "true"}
    assert registry.get_sample_value("lattice_controller_planned_operations", created) == 3
    assert registry.get_sample_value("lattice_controller_planned_operations", deleted) is None
    assert registry.get_sample_value("lattice_controller_planned_timestamp_seconds") == 200


def test_plans_that_are_held_back_are_counted_when_somebody_looks() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    held = [0.0]
    metrics.held_plans(lambda: held[0])
    held[0] = 2
    assert registry.get_sample_value("lattice_controller_take_over_held_plans") == 2
