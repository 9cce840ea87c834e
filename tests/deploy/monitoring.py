"""The queries of dashboard and alerts, and what the controller serves for them to ask for."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from controller.kube.informer import SYNCED
from controller.kube.informers import Mirror
from controller.lattice.limits import Lane
from controller.metrics import Metrics
from tests.deploy.manifests import MONITORING
from workqueue import Queue

JOB = "gateway-api-controller"
TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod"})
"""What Prometheus adds to every series by itself, or by the ServiceMonitor."""

KEYWORDS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool",
                      "offset", "inf", "nan"})  # fmt: skip
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^{}]*)\}")
_MATCHER = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")


class Query(NamedTuple):
    """One expression, and where it stands."""

    origin: str
    expression: str

    def asked(self) -> dict[str, set[str]]:
        """The metrics that it names, each with the labels that it asks of it; grouping labels count for each."""
        text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', self.expression)
        grouped = {label.strip() for labels in _GROUPING.findall(text) for label in labels.split(",") if label.strip()}
        found = {name: set(_MATCHER.findall(matchers)) | grouped for name, matchers in _SELECTOR.findall(text)}
        rest = re.sub(r"\[[^\]]*\]|\b\d+[smhd]\b", "", _GROUPING.sub("", _SELECTOR.sub("", text)))
        for name, called in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\()?", rest):
            if not called and name not in KEYWORDS:
                found[name] = grouped
        return found


def dashboard() -> dict[str, Any]:
    return json.loads((MONITORING / "dashboard.json").read_text())


def dashboard_queries() -> Iterator[Query]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield Query(f"panel {panel['title']}", target["expr"])


def rule_groups() -> list[dict[str, Any]]:
    return yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]


def alerts() -> Iterator[dict[str, Any]]:
    for group in rule_groups():
        yield from group["rules"]


def alert_queries() -> Iterator[Query]:
    for alert in alerts():
        yield Query(f"alert {alert['alert']}", alert["expr"])


def served() -> dict[str, set[str]]:
    """The names of all samples that the controller serves, with their labels, once each event has happened."""
    metrics = Metrics(CollectorRegistry())
    queue: Queue[str] = Queue(name="lattice-controller", metrics=metrics.queues)
    queue.add("key")
    metrics.reconciled("httproute", "error", 0.1)
    metrics.workers("lattice-controller", lambda: 1, lambda: 20)
    metrics.kubernetes("host")("get", "httproutes", "200", 0.1)
    metrics.mirrors(lambda: [Mirror("HTTPRoute", SYNCED, 0)])
    metrics.programmed("service", Lane.LIVE, 0.1)
    metrics.leading("amazon-vpc-lattice.io", leads=True)
    metrics.aws.waited("VPC Lattice", "CreateService", Lane.LIVE, 0.1)
    metrics.aws.request("VPC Lattice", "CreateService", 200, "", 0.1)
    metrics.aws.call("VPC Lattice", "CreateService", 200, "", 0.1, 0)
    found: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
