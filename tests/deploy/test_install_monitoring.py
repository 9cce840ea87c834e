"""Dashboard, alerts and ServiceMonitor ask for what is served: metrics by name, labels, ports."""

import json
import shutil
import subprocess

import pytest
import yaml

from controller.kube.config import DEFAULT_NAMESPACE
from tests.deploy.manifests import (
    BASE,
    CHART,
    MONITORING,
    find,
    helm,
    kustomized,
    needs_helm,
    needs_kubectl,
    templated,
)
from tests.deploy.monitoring import (
    JOB,
    TARGET_LABELS,
    Query,
    alert_queries,
    alerts,
    dashboard,
    dashboard_queries,
    rule_groups,
    served,
)

QUERIES = [*dashboard_queries(), *alert_queries()]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.origin)
def test_a_query_asks_for_metrics_and_labels_that_are_served(query):
    known = served()
    asked = query.asked()
    assert asked
    for metric, labels in asked.items():
        assert metric in known
        assert labels <= known[metric] | TARGET_LABELS


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.origin)
def test_a_query_asks_this_controller_only(query):
    """Names such as `workqueue_depth` are served by most controllers of a cluster."""
    assert query.expression.count("{") == query.expression.count("job=")


def test_a_metric_that_nobody_serves_would_be_found():
    assert Query("", 'sum by (kind) (rate(made_up_total{job="x"}[5m])) > bool other').asked() == {
        "made_up_total": {"job", "kind"},
        "other": {"kind"},
    }


def test_every_panel_shows_something_and_lies_beside_the_others():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels)
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert variables["job"]["current"]["value"] == JOB


def test_alerts_say_what_is_wrong_and_how_bad_it_is():
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names)
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "description"} == alert["annotations"].keys()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool, of the package prometheus, is not installed")
def test_promtool_takes_the_alerts(tmp_path):
    file = tmp_path / "alerts.yaml"
    file.write_text(yaml.safe_dump({"groups": rule_groups()}))
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", file], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def finds_and_names(monitor, service):
    """Whether a ServiceMonitor leads to this Service, and to the job that alerts and dashboard ask for."""
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"] == DEFAULT_NAMESPACE
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    return endpoint["relabelings"] == [{"targetLabel": "job", "replacement": JOB}]


@needs_kubectl
def test_the_service_monitor_finds_the_metrics_service_and_names_the_job():
    monitor = find(kustomized(MONITORING), "ServiceMonitor/gateway-api-controller")
    assert finds_and_names(monitor, find(kustomized(BASE), "Service/gateway-api-controller-metrics"))


WATCHED = (
    "clusterName=my-cluster",
    "clusterVpcId=vpc-0123456789abcdef0",
    "serviceMonitor.enabled=true",
    "serviceMonitor.labels.release=prometheus",
    "prometheusRule.enabled=true",
    "prometheusRule.labels.release=prometheus",
)


@needs_helm
@pytest.mark.parametrize("names", [(), ("nameOverride=other",), ("fullnameOverride=other",)], ids=["", "name", "full"])
def test_the_chart_has_the_same_alerts_and_monitors_itself_whatever_its_name(names):
    objects = {obj["kind"]: obj for obj in templated(*WATCHED, *names, release="mine") if obj["kind"] != "Role"}
    assert finds_and_names(objects["ServiceMonitor"], objects["Service"])
    assert objects["PrometheusRule"]["spec"] == {"groups": rule_groups()}
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert objects[kind]["metadata"]["labels"]["release"] == "prometheus"


@needs_helm
def test_the_chart_asks_for_no_operator_of_prometheus_unless_told():
    kinds = {obj["kind"] for obj in templated(*WATCHED[:2])}
    assert not kinds & {"ServiceMonitor", "PrometheusRule"}


@needs_helm
def test_a_service_monitor_without_a_service_is_refused():
    words = [word for setting in (*WATCHED, "metrics.service.create=false") for word in ("--set", setting)]
    said = helm("template", "mine", str(CHART), *words, code=1).stderr
    assert "serviceMonitor.enabled needs metrics.service.create" in said


@needs_kubectl
def test_grafana_gets_the_dashboard_as_it_is():
    config = find(kustomized(MONITORING), "ConfigMap/gateway-api-controller-dashboard")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config["data"]["lattice-controller.json"]) == dashboard()
