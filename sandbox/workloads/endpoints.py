"""Which EndpointSlices a Service is to have: pure.

As Kubernetes' EndpointSlice controller does it (Kubernetes documentation, "EndpointSlices"): the pods that the
selector finds, with an address and not finished; ready, serving and terminating apart; ports by name, each resolved in
each pod, as a named target port may differ from pod to pod; at most 100 endpoints a slice. A Service without a
selector has slices that somebody else manages, and one of type ExternalName has none. Pods have IPv4 addresses only, so
a Service of IPv6 alone finds nobody.

Endpoints stay in the slice where they are, so that a change of one pod is a change of one slice; a slice that is no
longer needed is used again for what needs a new one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.workloads.objects import Json, is_terminating, is_true, labels_of, owned_by, selects, uid_of

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"

_SLICE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Changes:
    """What to write; slices to make have no name yet."""

    create: tuple[Json, ...] = ()
    replace: tuple[Json, ...] = ()
    delete: tuple[Json, ...] = ()


def plan(service: Json, pods: Iterable[Json], slices: Sequence[Json]) -> Changes:
    """From the slices that we manage for this Service to the ones that it is to have.

    `pods` are those of its namespace. A Service that selects pods but finds none has one empty slice, which says that
    somebody looked.
    """
    if not is_managed(service):
        return Changes(delete=tuple(slices))
    wanted: dict[str, tuple[list[Json], dict[str, Json]]] = {}
    for pod in pods:
        if _is_endpoint(service, pod):
            ports = _ports(service, pod)
            wanted.setdefault(_identity(ports), (ports, {}))[1][uid_of(pod)] = _endpoint(service, pod)
    if not wanted:
        wanted[_identity([])] = ([], {})
    held: dict[str, list[Json]] = {}
    for one in sorted(slices, key=lambda one: str(one["metadata"]["name"])):
        held.setdefault(_identity(one.get("ports") or []), []).append(one)
    changes = Changes(delete=tuple(one for ports, some in held.items() if ports not in wanted for one in some))
    for identity, (ports, endpoints) in wanted.items():
        part = _fill(service, ports, endpoints, held.get(identity, []))
        changes = Changes(changes.create + part.create, changes.replace + part.replace, changes.delete + part.delete)
    return _recycled(changes)


def is_managed(service: Json) -> bool:
    """Whether the Service's slices follow from its selector."""
    spec = service["spec"]
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName" and not is_terminating(service)


def _is_endpoint(service: Json, pod: Json) -> bool:
    status = pod.get("status") or {}
    finished = status.get("phase") in ("Succeeded", "Failed")
    reachable = bool(status.get("podIP")) and _family(service) == "IPv4"
    return reachable and not finished and selects(service["spec"]["selector"], labels_of(pod))


def _family(service: Json) -> str:
    """IPv4 wherever the Service has it, be it first or second."""
    families = service["spec"].get("ipFamilies") or ["IPv4"]
    return "IPv4" if "IPv4" in families else "IPv6"


def _endpoint(service: Json, pod: Json) -> Json:
    ready = is_true(pod, "Ready")
    terminating = is_terminating(pod)
    shown_ready = (ready and not terminating) or bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Json = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": shown_ready, "serving": ready, "terminating": terminating},
        "targetRef": {
            "kind": "Pod",
            "namespace": pod["metadata"]["namespace"],
            "name": pod["metadata"]["name"],
            "uid": uid_of(pod),
        },
    }
    if node := pod["spec"].get("nodeName"):
        endpoint["nodeName"] = node
    return endpoint


def _ports(service: Json, pod: Json) -> list[Json]:
    """The Service's ports as this pod has them; a named port that the pod lacks is left out."""
    ports = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = _resolve(port.get("targetPort", port["port"]), protocol, pod)
        if number is not None:
            made = {"name": port.get("name", ""), "port": number, "protocol": protocol}
            if "appProtocol" in port:
                made["appProtocol"] = port["appProtocol"]
            ports.append(made)
    return ports


def _resolve(target: int | str, protocol: str, pod: Json) -> int | None:
    if isinstance(target, int):
        return target
    declared = (port for container in pod["spec"]["containers"] for port in container.get("ports") or ())
    for port in declared:
        if port.get("name") == target and port.get("protocol", "TCP") == protocol:
            number: int = port["containerPort"]
            return number
    return None


def _identity(ports: Iterable[Json]) -> str:
    """Ports as text to compare: of equal text are ports of equal meaning."""
    keys = ("name", "port", "protocol", "appProtocol")
    return repr(sorted(tuple(str(port.get(key) or "") for key in keys) for port in ports))


def _fill(service: Json, ports: list[Json], endpoints: dict[str, Json], held: Sequence[Json]) -> Changes:
    """Put endpoints of the same ports into slices: where they are, then where there is room, then into new ones."""
    left = dict(endpoints)
    kept: list[tuple[Json, list[Json]]] = []
    for one in held:
        present = [uid for endpoint in one.get("endpoints") or () if (uid := _uid(endpoint)) in left]
        kept.append((one, [left.pop(uid) for uid in present]))
    homeless = list(left.values())
    for _, inside in kept:
        room = _SLICE_SIZE - len(inside)
        inside.extend(homeless[:room])
        homeless = homeless[room:]
    create = [
        _slice(service, ports, homeless[start : start + _SLICE_SIZE]) for start in range(0, len(homeless), _SLICE_SIZE)
    ]
    filled = [(one, inside) for one, inside in kept if inside]
    if not filled and not create:
        filled = kept[:1]
        create = [] if filled else [_slice(service, ports, [])]
    surviving = {one["metadata"]["name"] for one, _ in filled}
    replace = []
    for one, inside in filled:
        wanted = _slice(service, ports, inside)
        if _differs(one, wanted):
            replace.append(_onto(one, wanted))
    delete = [one for one, _ in kept if one["metadata"]["name"] not in surviving]
    return Changes(tuple(create), tuple(replace), tuple(delete))


def _recycled(changes: Changes) -> Changes:
    """The same with each pair of a slice to make and one to delete turned into one to replace."""
    pairs = list(zip(changes.create, changes.delete, strict=False))
    replace = tuple(_onto(old, new) for new, old in pairs)
    return Changes(changes.create[len(pairs) :], changes.replace + replace, changes.delete[len(pairs) :])


def _onto(old: Json, new: Json) -> Json:
    return {**old, **new, "metadata": {**old["metadata"], **new["metadata"]}}


def _slice(service: Json, ports: list[Json], endpoints: list[Json]) -> Json:
    labels = {**labels_of(service), SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: MANAGER}
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    return {
        "metadata": {
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": owned_by(service, "v1", "Service"),
        },
        "addressType": _family(service),
        "endpoints": endpoints,
        "ports": ports,
    }


def _differs(one: Json, wanted: Json) -> bool:
    return labels_of(one) != labels_of(wanted) or _bare(one.get("endpoints")) != _bare(wanted["endpoints"])


def _bare(endpoints: Any) -> list[Json]:
    """Endpoints without what a server adds."""
    fields = ("addresses", "conditions", "targetRef", "nodeName")
    return [{field: endpoint.get(field) for field in fields} for endpoint in endpoints or ()]


def _uid(endpoint: Json) -> str:
    return str((endpoint.get("targetRef") or {}).get("uid", ""))
