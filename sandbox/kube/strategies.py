"""What built-in kinds do beyond their schema: defaults that depend on other fields, allocation, rules, immutability.

The rules are those that clients and this project's controller meet in practice. Where the API server would allocate
something (cluster addresses, node ports), it is allocated here too, so that what is read back looks as it does there.
"""

import base64
import ipaddress
from collections.abc import Mapping
from typing import Any

from sandbox.kube.errors import Json, Problems
from sandbox.kube.objects import (
    check_labels,
    copy,
    label_1035_problem,
    label_1123_problem,
    path_segment_problem,
)
from sandbox.kube.resource import Environment, Strategy
from sandbox.kube.selectors import from_object


class Generational(Strategy):
    """Kinds whose generation counts changes of their spec, without further rules."""

    generation = True


class PathNamed(Strategy):
    """RBAC: names may be anything that is one segment of a path."""

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


class ServiceStrategy(Strategy):
    """Addresses come from 10.96.0.0/12 and fd00:10:96::/112, node ports from 30000–32767."""

    name_rule = staticmethod(label_1035_problem)

    def __init__(self, env: Environment) -> None:
        self._random = env.random
        self._networks = {
            "IPv4": ipaddress.ip_network("10.96.0.0/12"),
            "IPv6": ipaddress.ip_network("fd00:10:96::/112"),
        }
        self._addresses: set[str] = set()
        self._ports: set[int] = set()

    def prepare_update(self, obj: Json, old: Json) -> None:
        spec, before = obj["spec"], old["spec"]
        if spec.get("type") != "ExternalName" and before.get("type") != "ExternalName":
            changed = spec.get("clusterIP") not in {None, "", before.get("clusterIP")}
            if changed and spec.get("clusterIPs") in (None, before.get("clusterIPs")):
                spec["clusterIPs"] = [spec["clusterIP"]]
            for part in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if part not in spec and part in before:
                    spec[part] = copy(before[part])
            if spec.get("type") in {"NodePort", "LoadBalancer"}:
                self._keep_node_ports(spec, before)

    @staticmethod
    def _keep_node_ports(spec: Json, before: Json) -> None:
        old = {(port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            kept = old.get((port.get("port"), port.get("protocol")))
            if kept and "nodePort" not in port:
                port["nodePort"] = kept

    def complete(self, obj: Json) -> None:
        spec = obj["spec"]
        for port in spec.get("ports") or ():
            if port.get("targetPort") in {None, 0, ""} and "port" in port:
                port["targetPort"] = port["port"]
        if spec.get("type") == "ExternalName":
            for part in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
                spec.pop(part, None)
            return
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec.get("type") in {"NodePort", "LoadBalancer"}:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec.get("type") == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        if spec.get("type") == "ClusterIP":
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if not spec.get("ipFamilies"):
            first = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
            spec["ipFamilies"] = ["IPv6" if ":" in first else "IPv4"]
        dual = spec["ipFamilyPolicy"] in {"PreferDualStack", "RequireDualStack"}
        if dual and len(spec["ipFamilies"]) == 1:
            spec["ipFamilies"].append("IPv4" if spec["ipFamilies"] == ["IPv6"] else "IPv6")

    def check(self, obj: Json, problems: Problems) -> None:
        spec = obj["spec"]
        external, headless = spec["type"] == "ExternalName", spec.get("clusterIP") == "None"
        ports = spec.get("ports") or []
        if external and not spec.get("externalName"):
            problems.required("spec.externalName")
        if not ports and not external and not headless:
            problems.required("spec.ports")
        if headless and spec["type"] in {"NodePort", "LoadBalancer"}:
            problems.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec['type']} services")
        check_labels(spec.get("selector") or {}, "spec.selector", problems)
        self._check_ports(ports, problems)
        if not external:
            self._check_addresses(spec, problems)

    @staticmethod
    def _check_ports(ports: list[Json], problems: Problems) -> None:
        names: set[str] = set()
        for index, port in enumerate(ports):
            path = f"spec.ports[{index}]"
            name = port.get("name", "")
            if not name and len(ports) > 1:
                problems.required(f"{path}.name")
            elif name and (wrong := label_1123_problem(name)):
                problems.invalid(f"{path}.name", name, wrong)
            elif name and name in names:
                problems.duplicate(f"{path}.name", name)
            names.add(name)
            check_port(port["port"], f"{path}.port", problems)
            target = port["targetPort"]
            if isinstance(target, int):
                check_port(target, f"{path}.targetPort", problems)
            elif wrong := port_name_problem(target):
                problems.invalid(f"{path}.targetPort", target, wrong)

    @staticmethod
    def _check_addresses(spec: Json, problems: Problems) -> None:
        families = spec["ipFamilies"]
        for index, family in enumerate(families):
            if family not in {"IPv4", "IPv6"}:
                problems.unsupported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        if spec["ipFamilyPolicy"] == "SingleStack" and len(families) > 1:
            problems.invalid(
                "spec.ipFamilyPolicy",
                "SingleStack",
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
            )
        address, addresses = spec.get("clusterIP"), spec.get("clusterIPs")
        if address and addresses and addresses[0] != address:
            problems.invalid("spec.clusterIP", address, "must be equal to clusterIPs[0]")
        for index, given in enumerate(addresses or ([address] if address else [])):
            if given not in {"None", ""} and not _is_address(given):
                problems.invalid(f"spec.clusterIPs[{index}]", given, "must be a valid IP address")

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        spec, before = obj["spec"], old["spec"]
        if "ExternalName" in {spec["type"], before["type"]} or not before.get("clusterIP"):
            return
        if spec.get("clusterIP") != before["clusterIP"]:
            problems.invalid("spec.clusterIPs[0]", [spec.get("clusterIP", "")], "may not change once set")

    def allocate(self, obj: Json) -> None:
        spec = obj["spec"]
        if spec["type"] == "ExternalName":
            return
        if spec.get("clusterIP") == "None" or spec.get("clusterIPs") == ["None"]:
            spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        else:
            given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
            missing = spec["ipFamilies"][len(given) :]
            spec["clusterIPs"] = [*given, *(self._free_address(family) for family in missing)]
            spec["clusterIP"] = spec["clusterIPs"][0]
            self._addresses.update(spec["clusterIPs"])
        if spec["type"] == "NodePort" or (spec["type"] == "LoadBalancer" and spec["allocateLoadBalancerNodePorts"]):
            for port in spec.get("ports") or ():
                if not port.get("nodePort"):
                    port["nodePort"] = self._free_port()
                self._ports.add(port["nodePort"])

    def _free_address(self, family: str) -> str:
        network = self._networks[family]
        while True:
            address = str(network[self._random.randrange(10, min(network.num_addresses, 2**20) - 1)])
            if address not in self._addresses:
                return address

    def _free_port(self) -> int:
        while True:
            port = self._random.randrange(30000, 32768)
            if port not in self._ports:
                return port

    def released(self, obj: Json) -> None:
        self._addresses.difference_update(obj["spec"].get("clusterIPs") or ())
        self._ports.difference_update(port.get("nodePort") or 0 for port in obj["spec"].get("ports") or ())


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_port(port: int, path: str, problems: Problems) -> None:
    if not 1 <= port <= 65535:
        problems.invalid(path, port, "must be between 1 and 65535, inclusive")


def port_name_problem(name: str) -> str | None:
    """IANA service names: at most 15 of a-z, 0-9 and '-', with a letter."""
    if not 1 <= len(name) <= 15:
        return "must be no more than 15 characters" if name else "must be non-empty"
    if label_1123_problem(name) or "--" in name:
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    return None if any(char.isalpha() for char in name) else "must contain at least one letter (a-z)"


def complete_pod_spec(spec: Json) -> None:
    """The defaults of a pod's spec that depend on its other fields."""
    spec.setdefault("enableServiceLinks", True)
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        image = container.get("image", "")
        if "imagePullPolicy" not in container and image:
            latest = image.endswith(":latest") or ":" not in image.rpartition("/")[2]
            container["imagePullPolicy"] = "Always" if latest and "@" not in image else "IfNotPresent"
        resources = container.get("resources")
        if isinstance(resources, dict) and resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def check_pod_spec(spec: Json, path: str, problems: Problems) -> None:
    containers = spec.get("containers") or []
    if not containers:
        problems.required(f"{path}.containers")
    names: set[str] = set()
    volumes = {volume["name"] for volume in spec.get("volumes") or ()}
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part) or ()):
            at = f"{path}.{part}[{index}]"
            if container["name"] in names:
                problems.duplicate(f"{at}.name", container["name"])
            names.add(container["name"])
            _check_container(container, at, volumes, problems)
    check_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector", problems)


def _check_container(container: Json, path: str, volumes: set[str], problems: Problems) -> None:
    if wrong := label_1123_problem(container["name"]):
        problems.invalid(f"{path}.name", container["name"], wrong)
    if not container.get("image"):
        problems.required(f"{path}.image")
    ports: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        check_port(port["containerPort"], f"{path}.ports[{index}].containerPort", problems)
        name = port.get("name")
        if name and (wrong := port_name_problem(name)):
            problems.invalid(f"{path}.ports[{index}].name", name, wrong)
        elif name and name in ports:
            problems.duplicate(f"{path}.ports[{index}].name", name)
        ports.add(name)
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount["name"] not in volumes:
            at = f"{path}.volumeMounts[{index}].name"
            problems.not_found(at, mount["name"])


class PodStrategy(Strategy):
    def prepare_create(self, obj: Json) -> None:
        obj["spec"].setdefault("serviceAccountName", "default")
        complete_pod_spec(obj["spec"])
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj["spec"])}

    def complete(self, obj: Json) -> None:
        complete_pod_spec(obj["spec"])

    def check(self, obj: Json, problems: Problems) -> None:
        check_pod_spec(obj["spec"], "spec", problems)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if _fixed_part(obj["spec"]) != _fixed_part(old["spec"]):
            problems.forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                "`spec.tolerations` (only additions to existing tolerations),"
                "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            )


def _fixed_part(spec: Mapping[str, Any]) -> Json:
    """What of a pod's spec cannot change once the pod exists."""
    changeable = {"activeDeadlineSeconds", "tolerations", "containers", "initContainers", "schedulingGates"}
    fixed: Json = {key: value for key, value in spec.items() if key not in changeable}
    for part in ("containers", "initContainers"):
        fixed[part] = [
            {key: value for key, value in container.items() if key != "image"} for container in spec.get(part) or ()
        ]
    return fixed


def _quality(spec: Json) -> str:
    """The pod's quality-of-service class (Kubernetes documentation, "Pod Quality of Service Classes")."""
    resources = [c.get("resources") or {} for c in spec.get("containers") or ()]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    guaranteed = all(
        r.get("limits") and r.get("requests") == r["limits"] and {"cpu", "memory"} <= r["limits"].keys()
        for r in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


class TemplateStrategy(Strategy):
    """Deployment and ReplicaSet: pods made from a template, found by a selector that never changes."""

    generation = True

    def complete(self, obj: Json) -> None:
        spec = obj["spec"]
        template = spec.get("template")
        if isinstance(template, dict) and isinstance(template.get("spec"), dict):
            complete_pod_spec(template["spec"])
        strategy = spec.get("strategy")
        if strategy is not None and strategy.get("type") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")

    def check(self, obj: Json, problems: Problems) -> None:
        spec = obj["spec"]
        if spec["replicas"] < 0:
            problems.invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
        selector = spec["selector"]
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            problems.invalid("spec.selector", selector, "empty selector is invalid for deployment")
        template = spec.get("template") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        check_labels(labels, "spec.template.metadata.labels", problems)
        if not from_object(selector).matches({"metadata": {"labels": labels}}):
            problems.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        pod = template.get("spec") or {}
        if pod.get("restartPolicy", "Always") != "Always":
            problems.unsupported("spec.template.spec.restartPolicy", pod["restartPolicy"], ("Always",))
        check_pod_spec(pod, "spec.template.spec", problems)
        strategy = spec.get("strategy") or {}
        if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate") is not None:
            problems.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if obj["spec"]["selector"] != old["spec"]["selector"]:
            problems.immutable("spec.selector", obj["spec"]["selector"])


class DataStrategy(Strategy):
    """ConfigMap and Secret: one that says it is immutable stays so."""

    def check(self, obj: Json, problems: Problems) -> None:
        for part in ("data", "binaryData"):
            for key in obj.get(part) or ():
                if not key or len(key) > 253 or not all(char.isalnum() or char in "-_." for char in key):
                    problems.invalid(
                        f"{part}[{key}]",
                        key,
                        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                    )

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if old.get("immutable"):
            for part in ("data", "binaryData", "immutable"):
                if obj.get(part) != old.get(part):
                    problems.forbidden(part, "field is immutable when `immutable` is set")


class SecretStrategy(DataStrategy):
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
    generation = True

    def check(self, obj: Json, problems: Problems) -> None:
        endpoints, ports = obj["endpoints"], obj.get("ports") or []
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
                if version and not (_is_address(address) and ipaddress.ip_address(address).version == version):
                    problems.invalid(f"{path}[{position}]", address, f"must be a valid IPv{version} address")
        names: set[str] = set()
        for index, port in enumerate(ports):
            if port["name"] in names:
                problems.duplicate(f"ports[{index}].name", port["name"])
            names.add(port["name"])
            if port.get("port") is not None:
                check_port(port["port"], f"ports[{index}].port", problems)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        if obj["addressType"] != old["addressType"]:
            problems.immutable("addressType", obj["addressType"])


class LeaseStrategy(Strategy):
    def check(self, obj: Json, problems: Problems) -> None:
        spec = obj["spec"]
        if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
            problems.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
        if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
            problems.invalid("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0")


class EventStrategy(Strategy):
    def complete(self, obj: Json) -> None:
        if not obj.get("reportingComponent"):
            obj["reportingComponent"] = (obj.get("source") or {}).get("component", "")

    def check(self, obj: Json, problems: Problems) -> None:
        involved = obj["involvedObject"].get("namespace", "")
        home = obj["metadata"].get("namespace", "")
        if involved != home and not (involved == "" and home in {"default", "kube-system"}):
            problems.invalid("involvedObject.namespace", involved, "does not match event.namespace")
