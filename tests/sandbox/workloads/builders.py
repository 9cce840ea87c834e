"""Objects as an API server would hold them, in short."""

from itertools import count

_numbers = count(1)


def meta(name, *, namespace="default", labels=None, owner=None, version=1, uid=None, **more):
    made = {
        "name": name,
        "namespace": namespace,
        "uid": uid or f"uid-{next(_numbers)}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        **more,
    }
    if labels:
        made["labels"] = labels
    if owner:
        made["ownerReferences"] = [{"kind": "X", "name": owner, "uid": owner, "controller": True}]
    return made


def template(version="1", *, ports=(8090,)):
    container = {"name": "main", "image": "x", "env": [{"name": "PodName", "value": f"parking {version}"}]}
    if ports:
        container["ports"] = [{"containerPort": port} for port in ports]
    return {"metadata": {"labels": {"app": "parking"}}, "spec": {"containers": [container]}}


def deployment(replicas=2, *, version="1", surge=1, unavailable=0, **spec):
    return {
        "metadata": meta("parking", uid="uid-deployment"),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "parking"}},
            "template": template(version),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            },
            **spec,
        },
    }


def pod(name, *, ip=None, ready=True, labels=None, terminating=False, ports=(), phase="Running", uid=None):
    made = meta(name, labels=labels or {"app": "parking"}, uid=uid)
    if terminating:
        made["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}
    if ip:
        status["podIP"] = ip
    return {
        "metadata": made,
        "spec": {"nodeName": "sandbox", "containers": [{"name": "main", "ports": list(ports)}]},
        "status": status,
    }


def service(name="parking", *, ports=({"port": 80, "targetPort": 8090},), selector=None, **spec):
    return {
        "metadata": meta(name, labels={"team": "hotel"}, uid="uid-service"),
        "spec": {"selector": {"app": "parking"} if selector is None else selector, "ports": list(ports), **spec},
    }
