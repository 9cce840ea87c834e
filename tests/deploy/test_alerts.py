"""Each alert fires for what it is there for, and alone; none fires when all is well.

promtool, of Debian's package prometheus, evaluates the rules on made-up series of an hour, a sample a minute. A case is
the series of two healthy replicas with some of them replaced, and the alerts that fire at a moment, by the labels that
tell one from another.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from controller.lattice import aws
from controller.manager import LEASE
from tests.deploy.monitoring import JOB, alerts, rule_groups

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool, of the package prometheus, is not installed"
)

TOLD_APART = ("alertname", "operation", "error_code", "kind", "controller", "method", "code")

Series = Mapping[str, str]
Firing = Mapping[str, str]


def selector(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def of(metric: str, pod: str = "a", **labels: str) -> str:
    """A series as a Prometheus of the operator keeps it."""
    given = {"job": JOB, "namespace": "system", "pod": pod, "instance": f"{pod}:8080", **labels}
    return metric + selector(given)


def call(operation: str = "CreateService", code: str = "", status: str = "200") -> str:
    return of("aws_api_calls_total", service="VPC Lattice", operation=operation, status_code=status, error_code=code)


def attempt(code: str = "", status: str = "200") -> str:
    return call(code=code, status=status).replace("aws_api_calls_total", "aws_api_requests_total")


def wait(lane: str, le: str) -> str:
    labels = {"service": "VPC Lattice", "operation": "CreateService", "lane": lane, "le": le}
    return of("lattice_controller_limiter_wait_seconds_bucket", **labels)


def request(code: str) -> str:
    return of("rest_client_requests_total", code=code, method="GET", host="https://10.100.0.1")


def leads(pod: str) -> str:
    return of("leader_election_master_status", pod, name=LEASE)


def state(kind: str, phase: str) -> str:
    return of("lattice_controller_kind_state", kind=kind, state=phase)


RECONCILES = of("controller_runtime_reconcile_total", controller="httproute", result="success")
RECONCILE_ERRORS = of("controller_runtime_reconcile_errors_total", controller="httproute")
LONGEST = of("workqueue_longest_running_processor_seconds", name="lattice-controller", controller="lattice-controller")
UNDECODABLE = of("lattice_controller_undecodable_objects", kind="HTTPRoute")

HEALTHY: Series = {
    of("up", "a"): "1x60",
    of("up", "b"): "1x60",
    leads("a"): "0x2 1x57",
    leads("b"): "0x60",
    call(): "0+5x60",
    call(code="ConflictException", status="409"): "0+1x60",
    attempt(): "0+50x60",
    attempt(code="ThrottlingException", status="429"): "0+2x60",
    wait("live", "5"): "0+100x60",
    wait("live", "10"): "0+101x60",
    wait("live", "+Inf"): "0+101x60",
    wait("bulk", "5"): "0x60",
    wait("bulk", "+Inf"): "0+10x60",
    RECONCILES: "0+10x60",
    RECONCILE_ERRORS: "0+1x60",
    LONGEST: "3x60",
    request("200"): "0+60x60",
    request("401"): "0x20 1x39",
    request("500"): "0+2x60",
    state("HTTPRoute", "synced"): "0x1 1x58",
    state("HTTPRoute", "unknown"): "1x1 0x58",
    state("ReferenceGrant", "absent"): "1x60",
    state("ReferenceGrant", "unknown"): "0x60",
    UNDECODABLE: "0x60",
}


class Case(NamedTuple):
    """What differs from two healthy replicas, and what fires after so many minutes."""

    name: str
    series: Series
    firing: tuple[Firing, ...]
    minute: int = 50


def ends(series: Series, minute: int) -> Series:
    """The same until this minute, when nobody serves them any more."""
    return {name: re.sub(r"x\d+$", f"x{minute} stale", values) for name, values in series.items()}


def cases() -> Iterator[Case]:
    yield Case("all is well", {}, ())
    yield Case("all is well, just started", {}, (), minute=8)

    gone = ends({name: values for name, values in HEALTHY.items() if not name.startswith("up")}, 20)
    down = ({"alertname": "LatticeControllerDown"},)
    yield Case("replicas do not answer", {**gone, of("up", "a"): "1x20 0x39", of("up", "b"): "1x20 0x39"}, down)
    yield Case("there are no replicas", ends(HEALTHY, 20), down)
    yield Case("one replica is left", {of("up", "b"): "1x20 0x39"}, ())

    yield Case(
        "a start never gets as far as the lease",
        {leads("a"): "0x60", leads("b"): "0x60"},
        ({"alertname": "LatticeControllerNoLeader"},),
    )
    yield Case("the other replica takes over", {leads("a"): "1x20 0x39", leads("b"): "0x21 1x38"}, (), minute=30)

    for code in sorted({*aws._DENIED, "ServiceQuotaExceededException"}):
        refused = {"alertname": "LatticeControllerRefusedByAws", "operation": "CreateRule", "error_code": code}
        yield Case(f"AWS refuses with {code}", {call("CreateRule", code, "403"): "0+1x60"}, (refused,))
    denied = call("CreateRule", "AccessDeniedException", "403")
    once = {denied: "_x20 1x39"}
    refused = {**refused, "error_code": "AccessDeniedException"}
    yield Case("the first call that is refused since the start, after ten minutes", once, (refused,), minute=30)
    yield Case("a call was refused once, half an hour ago", once, ())

    for code in sorted({*aws._CREDENTIALS, "NoCredentials"}):
        yield Case(
            f"no credentials: {code}",
            {call("GetResources", code, "0"): "0+1x60"},
            ({"alertname": "LatticeControllerCredentials", "error_code": code},),
        )

    yield Case(
        "a fifth of the attempts is throttled",
        {attempt("ThrottlingException", "429"): "0+13x60"},
        ({"alertname": "LatticeControllerThrottled", "operation": "CreateService"},),
    )
    yield Case(
        "changes wait for their turn",
        {wait("live", "5"): "0+90x60"},
        ({"alertname": "LatticeControllerChangesWait"},),
    )
    yield Case(
        "half of the reconciles fail",
        {RECONCILE_ERRORS: "0+5x60"},
        ({"alertname": "LatticeControllerReconcilesFail", "controller": "httproute"},),
    )
    yield Case("a reconcile hangs", {LONGEST: "0+60x60"}, ({"alertname": "LatticeControllerStuck"},))
    yield Case(
        "one kind is forbidden, and requests for the Lease drown it",
        {request("403"): "0+3x60", request("200"): "0+1000x60", state("HTTPRoute", "unknown"): "1x60"},
        (
            {"alertname": "LatticeControllerRefusedByKubernetes", "method": "GET", "code": "403"},
            {"alertname": "LatticeControllerKindUnknown", "kind": "HTTPRoute"},
        ),
    )
    for code in ("500", "503", "<error>"):
        yield Case(
            f"the Kubernetes API fails: {code}",
            {request(code): "0+20x60"},
            ({"alertname": "LatticeControllerKubernetesErrors"},),
        )
    unreadable = ({"alertname": "LatticeControllerUnreadableObjects", "kind": "HTTPRoute"},)
    yield Case("an object was unreadable from the start", {UNDECODABLE: "1x60"}, unreadable, minute=10)
    yield Case("an object has become readable", {UNDECODABLE: "1x20 0x39"}, ())


CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_alerts_that_fire_are(case: Case, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rule_groups()}))
    expected = [{"labels": selector(labels), "value": 1} for labels in case.firing]
    firing = f'count by ({", ".join(TOLD_APART)}) (ALERTS{{alertstate="firing"}})'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in {**HEALTHY, **case.series}.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{case.minute}m", "exp_samples": expected}],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case() -> None:
    assert {labels["alertname"] for case in CASES for labels in case.firing} == {alert["alert"] for alert in alerts()}
