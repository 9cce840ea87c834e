"""What the smaller built-in kinds do beyond their schema: defaults that depend on other fields, rules, immutability.

The rules are those that clients and this project's controller meet in practice. Services and pods have modules of their
own.
"""

import base64
import re
from collections.abc import Set

from sandbox.kube.addresses import check_endpoint
from sandbox.kube.errors import Json, Problems
from sandbox.kube.objects import copy, label_1123_problem, path_segment_problem, qualified_name_problem
from sandbox.kube.resource import Strategy


class Generational(Strategy):
    """Kinds whose generation counts changes of their spec, without further rules."""

    generation = True


class Conditional(Generational):
    """Such kinds that are updated only by those who say which version they saw."""

    unconditional = False


class PathNamed(Strategy):
    """RBAC: names may be anything that is one segment of a path."""

    created_by_update = True
    name_rule = staticmethod(path_segment_problem)


class Binding(PathNamed):
    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if obj["roleRef"] != old["roleRef"]:
            problems.invalid("roleRef", obj["roleRef"], "cannot change roleRef")


class NamespaceStrategy(Strategy):
    name_rule = staticmethod(label_1123_problem)

    def prepare_create(self, obj: Json) -> None:
        obj["spec"]["finalizers"] = ["kubernetes"]
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, obj: Json, old: Json) -> None:
        obj["spec"] = copy(old["spec"])

    def complete(self, obj: Json) -> None:
        name = obj["metadata"].get("name")
        if name:
            labels = obj["metadata"].get("labels") or {}
            obj["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": name}


_DATA_LIMIT = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+")


def _key_problem(key: str) -> str | None:
    if len(key) > 253:
        return "must be no more than 253 characters"
    if not _KEY.fullmatch(key):
        return (
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            f"'KEY_NAME',  or 'key-name', regex used for validation is '{_KEY.pattern}')"
        )
    return None


class DataStrategy(Strategy):
    """ConfigMap and Secret: one that says it is immutable stays so. `whole` is the field that can be too long."""

    whole = "[]"

    def check(self, obj: Json, problems: Problems) -> None:
        size = 0
        for part in ("data", "binaryData"):
            for key, value in (obj.get(part) or {}).items():
                size += len(value.encode())
                if wrong := _key_problem(key):
                    problems.invalid(f"{part}[{key}]", key, wrong)
                if part == "data" and key in (obj.get("binaryData") or ()):
                    problems.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        if size > _DATA_LIMIT:
            problems.too_long(self.whole, _DATA_LIMIT)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if old.get("immutable"):
            for part in ("data", "binaryData", "immutable"):
                if obj.get(part) != old.get(part):
                    problems.forbidden(part, "field is immutable when `immutable` is set")


class SecretStrategy(DataStrategy):
    whole = "data"

    def complete(self, obj: Json) -> None:
        plain = obj.pop("stringData", None)
        if plain:
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
            obj["data"] = {**(obj.get("data") or {}), **encoded}

    def check(self, obj: Json, problems: Problems) -> None:
        super().check(obj, problems)
        if obj["type"] == "kubernetes.io/tls":
            for key in ("tls.crt", "tls.key"):
                if key not in (obj.get("data") or {}):
                    problems.required(f"data[{key}]")

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        super().check_update(obj, old, problems)
        if obj["type"] != old["type"]:
            problems.immutable("type", obj["type"])


class EndpointSliceStrategy(Strategy):
    """EndpointSlices always have both lists, which are null where they are empty, as Go's are that came from etcd."""

    generation = True
    counted = ("labels",)

    def complete(self, obj: Json) -> None:
        for part in ("endpoints", "ports"):
            obj[part] = obj.get(part) or None

    def check(self, obj: Json, problems: Problems) -> None:
        endpoints, ports = obj["endpoints"] or [], obj["ports"] or []
        if len(endpoints) > 1000:
            problems.too_many("endpoints", len(endpoints), 1000)
        if len(ports) > 100:
            problems.too_many("ports", len(ports), 100)
        version = {"IPv4": 4, "IPv6": 6}.get(obj["addressType"])
        for index, endpoint in enumerate(endpoints):
            path = f"endpoints[{index}].addresses"
            if not endpoint["addresses"]:
                problems.required(path, "must contain at least 1 address")
            for position, address in enumerate(endpoint["addresses"]):
                if version is not None:
                    check_endpoint(address, version, path, position, problems)
        names: set[str] = set()
        for index, port in enumerate(ports):
            if port["name"] in names:
                problems.duplicate(f"ports[{index}].name", port["name"])
            names.add(port["name"])

    def check_again(self, obj: Json, changed: Set[str], problems: Problems) -> None:
        if changed:
            self.check(obj, problems)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if obj["addressType"] != old["addressType"]:
            problems.immutable("addressType", obj["addressType"])


class LeaseStrategy(Strategy):
    unconditional = False
    created_by_update = True

    def check(self, obj: Json, problems: Problems) -> None:
        spec = obj["spec"]
        if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
            problems.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
        if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
            problems.invalid("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0")


class EventStrategy(Strategy):
    """Events, whose rules depend on whether they have an `eventTime`, as those of events.k8s.io must."""

    created_by_update = True

    def check(self, obj: Json, problems: Problems) -> None:
        involved = obj["involvedObject"].get("namespace", "")
        home = obj["metadata"].get("namespace", "")
        if involved != home and not (involved == "" and home in {"default", "kube-system"}):
            problems.invalid("involvedObject.namespace", involved, "does not match event.namespace")
        if obj.get("eventTime"):
            self._check_reporting(obj, problems)

    @staticmethod
    def _check_reporting(obj: Json, problems: Problems) -> None:
        controller = obj.get("reportingComponent", "")
        if not controller:
            problems.required("reportingController")
        elif wrong := qualified_name_problem(controller):
            problems.invalid("reportingController", controller, wrong)
        for part in ("reportingInstance", "action", "reason"):
            if not obj.get(part):
                problems.required(part)
            elif len(obj[part]) > 128:
                problems.invalid(part, "", "can have at most 128 characters")
        if len(obj.get("message", "")) > 1024:
            problems.invalid("message", "", "can have at most 1024 characters")


class NewEventStrategy(EventStrategy):
    """Events that come by events.k8s.io/v1."""

    def check(self, obj: Json, problems: Problems) -> None:
        super().check(obj, problems)
        if not obj.get("eventTime"):
            problems.required("eventTime")
        if obj.get("type") not in {"Normal", "Warning"}:
            problems.invalid("type", "", f"has invalid value: {obj.get('type', '')}")
        series = obj.get("series")
        if series is not None and series.get("count", 0) < 2:
            problems.invalid("series.count", "", "should be at least 2")
        if series is not None and not series.get("lastObservedTime"):
            problems.required("series.lastObservedTime")
        for part in ("firstTimestamp", "lastTimestamp", "count", "source"):
            if obj.get(part):
                problems.invalid(part, "", "needs to be unset")

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        for part in _FIXED_IN_EVENTS:
            if (obj.get(part) or None) != (old.get(part) or None):
                problems.immutable(part, obj.get(part) or "")


_FIXED_IN_EVENTS = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime",
    "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip
