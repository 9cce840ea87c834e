"""The columns in which kubectl shows built-in kinds, as the API server prints them.

Tables are made by the server: kubectl only lays them out. Each kind's columns are a tuple of `Column`, whose
functions read one object.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sandbox.kube.durations import age
from sandbox.kube.errors import Json
from sandbox.kube.resource import Column

NONE = "<none>"


def _at(obj: Any, *path: str) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


def _field(*path: str, missing: object = "") -> Callable[[Json, datetime], object]:
    def value(obj: Json, _now: datetime) -> object:
        found = _at(obj, *path)
        return missing if found is None else found

    return value


def _age_of(*path: str) -> Callable[[Json, datetime], object]:
    return lambda obj, now: age(_at(obj, *path), now)


def _count(*path: str) -> Callable[[Json, datetime], object]:
    return lambda obj, _now: len(_at(obj, *path) or ())


def _of(read: Callable[[Json], object]) -> Callable[[Json, datetime], object]:
    return lambda obj, _now: read(obj)


def _join(values: Iterable[object], limit: int | None = None) -> str:
    shown = [str(value) for value in values]
    if not shown:
        return NONE
    if limit is not None and len(shown) > limit:
        return f"{','.join(shown[:limit])} + {len(shown) - limit} more..."
    return ",".join(shown)


NAME = Column("Name", _field("metadata", "name"), format="name")
AGE = Column("Age", _age_of("metadata", "creationTimestamp"))
DEFAULT = (NAME, AGE)
CREATED_AT = (NAME, Column("Created At", _field("metadata", "creationTimestamp"), type="date"))


def _selector_text(labels: Json | None) -> str:
    return _join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def _label_selector(selector: Json | None) -> str:
    selector = selector or {}
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        match term["operator"]:
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case _:
                terms.append(f"!{key}")
    return _join(terms)


def _pod_ready(pod: Json) -> str:
    statuses = _at(pod, "status", "containerStatuses") or ()
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(_at(pod, 'spec', 'containers') or ())}"


def _pod_status(pod: Json) -> str:
    reason = _at(pod, "status", "reason") or _at(pod, "status", "phase") or ""
    for status in reversed(_at(pod, "status", "containerStatuses") or ()):
        waiting, ended = _at(status, "state", "waiting", "reason"), _at(status, "state", "terminated", "reason")
        reason = waiting or ended or reason
    return "Terminating" if _at(pod, "metadata", "deletionTimestamp") else str(reason)


def _gates(pod: Json) -> str:
    gates = _at(pod, "spec", "readinessGates")
    if not gates:
        return NONE
    true = {c["type"] for c in _at(pod, "status", "conditions") or () if c.get("status") == "True"}
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


PODS = (
    NAME,
    Column("Ready", _of(_pod_ready)),
    Column("Status", _of(_pod_status)),
    Column(
        "Restarts", _of(lambda p: sum(s.get("restartCount", 0) for s in _at(p, "status", "containerStatuses") or ()))
    ),
    AGE,
    Column("IP", _field("status", "podIP", missing=NONE), priority=1),
    Column("Node", _field("spec", "nodeName", missing=NONE), priority=1),
    Column("Nominated Node", _field("status", "nominatedNodeName", missing=NONE), priority=1),
    Column("Readiness Gates", _of(_gates), priority=1),
)


def _external_ip(service: Json) -> str:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    addresses = list(spec.get("externalIPs") or ())
    if spec.get("type") == "LoadBalancer":
        ingress = _at(service, "status", "loadBalancer", "ingress") or ()
        addresses = [entry.get("ip") or entry.get("hostname") for entry in ingress] + addresses
        return ",".join(addresses) if addresses else "<pending>"
    return ",".join(addresses) if addresses else NONE


def _service_ports(service: Json) -> str:
    def show(port: Json) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"

    return _join(show(port) for port in service["spec"].get("ports") or ())


SERVICES = (
    NAME,
    Column("Type", _field("spec", "type")),
    Column("Cluster-IP", _field("spec", "clusterIP", missing=NONE)),
    Column("External-IP", _of(_external_ip)),
    Column("Port(s)", _of(_service_ports)),
    AGE,
    Column("Selector", _of(lambda s: _selector_text(_at(s, "spec", "selector"))), priority=1),
)


def _containers(part: str) -> Callable[[Json, datetime], object]:
    path = ("spec", "template", "spec", "containers")
    return _of(lambda obj: ",".join(str(c.get(part, "")) for c in _at(obj, *path) or ()))


_TEMPLATE = (
    Column("Containers", _containers("name"), priority=1),
    Column("Images", _containers("image"), priority=1),
    Column("Selector", _of(lambda obj: _label_selector(_at(obj, "spec", "selector"))), priority=1),
)
_ready_replicas = _field("status", "readyReplicas", missing=0)

DEPLOYMENTS = (
    NAME,
    Column("Ready", _of(lambda d: f"{_at(d, 'status', 'readyReplicas') or 0}/{_at(d, 'spec', 'replicas') or 0}")),
    Column("Up-to-date", _field("status", "updatedReplicas", missing=0)),
    Column("Available", _field("status", "availableReplicas", missing=0)),
    AGE,
    *_TEMPLATE,
)
REPLICA_SETS = (
    NAME,
    Column("Desired", _field("spec", "replicas", missing=0), type="integer"),
    Column("Current", _field("status", "replicas", missing=0), type="integer"),
    Column("Ready", _ready_replicas, type="integer"),
    AGE,
    *_TEMPLATE,
)
NAMESPACES = (NAME, Column("Status", _field("status", "phase")), AGE)


def _first_seen(event: Json, now: datetime) -> str:
    if event.get("firstTimestamp"):
        return age(event["firstTimestamp"], now)
    return age(event.get("eventTime"), now)


def _last_seen(event: Json, now: datetime) -> str:
    for moment in (_at(event, "series", "lastObservedTime"), event.get("lastTimestamp")):
        if moment:
            return age(moment, now)
    return _first_seen(event, now)


def _involved(event: Json) -> str:
    involved = event.get("involvedObject") or {}
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _source(event: Json) -> str:
    component = _at(event, "source", "component") or event.get("reportingComponent") or ""
    host = _at(event, "source", "host")
    return f"{component}, {host}" if host else component


EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", _field("type")),
    Column("Reason", _field("reason")),
    Column("Object", _of(_involved)),
    Column("Subobject", _field("involvedObject", "fieldPath"), priority=1),
    Column("Source", _of(_source), priority=1),
    Column("Message", _of(lambda e: str(e.get("message") or "").strip())),
    Column("First Seen", _first_seen, priority=1),
    Column("Count", _of(lambda e: _at(e, "series", "count") or e.get("count") or 1), priority=1),
    Column("Name", _field("metadata", "name"), format="name", priority=1),
)


def _slice_ports(slice_: Json) -> str:
    ports = slice_.get("ports")
    if not ports:
        return "<unset>"
    return _join((port["port"] if port.get("port") is not None else "*" for port in ports), 3)


ENDPOINT_SLICES = (
    NAME,
    Column("AddressType", _field("addressType")),
    Column("Ports", _of(_slice_ports)),
    Column("Endpoints", _of(lambda s: _join((a for e in s.get("endpoints") or () for a in e["addresses"]), 3))),
    AGE,
)


def _endpoints(endpoints: Json) -> str:
    return _join(
        (
            f"{address['ip']}:{port['port']}"
            for subset in endpoints.get("subsets") or ()
            for port in subset.get("ports") or ()
            for address in subset.get("addresses") or ()
        ),
        3,
    )


ENDPOINTS = (NAME, Column("Endpoints", _of(_endpoints)), AGE)
LEASES = (NAME, Column("Holder", _field("spec", "holderIdentity")), AGE)
CONFIG_MAPS = (
    NAME,
    Column("Data", _of(lambda c: len(c.get("data") or ()) + len(c.get("binaryData") or ())), type="string"),
    AGE,
)
SECRETS = (NAME, Column("Type", _field("type")), Column("Data", _count("data"), type="string"), AGE)
SERVICE_ACCOUNTS = (NAME, Column("Secrets", _count("secrets"), type="string"), AGE)


def _node_status(node: Json) -> str:
    ready = [c.get("status") for c in _at(node, "status", "conditions") or () if c["type"] == "Ready"]
    status = "Unknown" if not ready else "Ready" if ready[0] == "True" else "NotReady"
    return f"{status},SchedulingDisabled" if _at(node, "spec", "unschedulable") else status


def _node_roles(node: Json) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = _at(node, "metadata", "labels") or {}
    return _join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix)))


NODES = (
    NAME,
    Column("Status", _of(_node_status)),
    Column("Roles", _of(_node_roles)),
    AGE,
    Column("Version", _field("status", "nodeInfo", "kubeletVersion")),
)
WEBHOOKS = (NAME, Column("Webhooks", _count("webhooks"), type="integer"), AGE)
ROLE_BINDINGS = (
    NAME,
    Column("Role", _of(lambda b: f"{b['roleRef'].get('kind')}/{b['roleRef'].get('name')}")),
    AGE,
)
DISRUPTION_BUDGETS = (
    NAME,
    Column("Min Available", _field("spec", "minAvailable", missing="N/A")),
    Column("Max Unavailable", _field("spec", "maxUnavailable", missing="N/A")),
    Column("Allowed Disruptions", _field("status", "disruptionsAllowed", missing=0), type="integer"),
    AGE,
)
NETWORK_POLICIES = (
    NAME,
    Column("Pod-Selector", _of(lambda p: _label_selector(_at(p, "spec", "podSelector")))),
    AGE,
)
