"""The status of a pod as its kubelet reports it."""

from datetime import UTC, datetime, timedelta

from sandbox.workloads.objects import condition, is_true
from sandbox.workloads.podstatus import running_status

from .builders import pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GATE = "application-networking.k8s.aws/pod-readiness-gate"


def reported(one, problem=None, now=NOW):
    return {**one, "status": running_status(one, "10.244.0.1", problem=problem, now=now)}


def fresh():
    one = pod("a")
    one["status"] = {"phase": "Pending"}
    return one


def test_a_pod_that_listens_is_running_and_ready():
    one = reported(fresh())
    assert one["status"]["phase"] == "Running"
    assert one["status"]["podIP"] == "10.244.0.1"
    assert one["status"]["podIPs"] == [{"ip": "10.244.0.1"}]
    assert one["status"]["hostIP"]
    assert one["status"]["containerStatuses"][0]["ready"]
    assert all(is_true(one, kind) for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready"))


def test_a_pod_that_cannot_listen_says_why():
    one = reported(fresh(), problem="cannot listen: Address already in use")
    assert one["status"]["phase"] == "Pending"
    assert not is_true(one, "Ready")
    assert "already in use" in one["status"]["containerStatuses"][0]["state"]["waiting"]["message"]


def test_a_readiness_gate_keeps_a_pod_unready_until_its_condition_is_true():
    one = fresh()
    one["spec"]["readinessGates"] = [{"conditionType": GATE}]
    one = reported(one)
    assert is_true(one, "ContainersReady")
    assert not is_true(one, "Ready")
    assert GATE in condition(one, "Ready")["message"]
    one["status"]["conditions"].append({"type": GATE, "status": "True", "reason": "Healthy"})
    one = reported(one)
    assert is_true(one, "Ready")
    assert condition(one, GATE)["reason"] == "Healthy"


def test_times_move_only_with_what_they_belong_to():
    one = reported(fresh())
    later = reported(one, now=NOW + timedelta(minutes=1))
    assert later["status"] == one["status"]
    broken = reported(one, problem="x", now=NOW + timedelta(minutes=1))
    assert condition(broken, "Ready")["lastTransitionTime"] == "2026-01-01T00:01:00Z"
    assert condition(broken, "PodScheduled")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert broken["status"]["startTime"] == one["status"]["startTime"]
