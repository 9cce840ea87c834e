"""Pods and what makes them: the defaults and rules of a pod's spec, alone and in the template of a Deployment.

Of a pod's spec, containers, ports and volume mounts are checked; what only a kubelet would look at is taken as it
comes.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.kube.addresses import check_port, port_name_problem
from sandbox.kube.errors import Json, Problems
from sandbox.kube.objects import check_labels, label_1123_problem
from sandbox.kube.resource import Strategy
from sandbox.kube.selectors import from_object


def complete_pod_spec(spec: Json) -> None:
    """The defaults of a pod's spec that depend on its other fields."""
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
    generation = True

    def prepare_create(self, obj: Json) -> None:
        obj["spec"].setdefault("serviceAccountName", "default")
        obj["spec"].setdefault("enableServiceLinks", True)
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
    """ReplicaSet: pods made from a template, found by a selector that never changes."""

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
        if not from_object(selector).matches(labels):
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


class DeploymentStrategy(TemplateStrategy):
    """Deployment, of which annotations are a part of what is wanted."""

    counted = ("annotations",)
