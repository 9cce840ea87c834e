"""Objects as an API server sends them, with what nobody reads: managed fields, labels, status by condition."""

from collections.abc import Iterable
from typing import Any

import orjson

Json = dict[str, Any]

NAMESPACES = 100
ENDPOINTS = 10
"""In an EndpointSlice."""

_TIME = "2025-11-03T09:14:07Z"


def list_page(kind: str, api_version: str, items: Iterable[Json]) -> bytes:
    """The bytes of one page of a list."""
    meta = {"resourceVersion": "4211873", "continue": "", "remainingItemCount": 0}
    return orjson.dumps({"kind": f"{kind}List", "apiVersion": api_version, "metadata": meta, "items": list(items)})


def route(number: int) -> Json:
    """An HTTPRoute of two rules that a controller has programmed."""
    name = f"route-{number}"
    return {
        "metadata": _metadata(name, number, {"app.kubernetes.io/name": name}, "f:parentRefs", "f:rules", "f:hostnames"),
        "spec": {
            "parentRefs": [
                {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": f"gateway-{number % 10}",
                    "namespace": "gateways",
                }
            ],
            "hostnames": [f"{name}.example.com"],
            "rules": [
                {
                    "matches": [
                        {
                            "path": {"type": "PathPrefix", "value": f"/{path}"},
                            "headers": [{"type": "Exact", "name": "x-version", "value": "2"}],
                        }
                    ],
                    "backendRefs": [
                        {"group": "", "kind": "Service", "name": f"{name}-{path}", "port": 8080, "weight": weight}
                        for weight in (90, 10)
                    ],
                }
                for path in ("orders", "carts")
            ],
        },
        "status": {
            "parents": [
                {
                    "controllerName": "application-networking.k8s.aws/gateway-api-controller",
                    "parentRef": {
                        "group": "gateway.networking.k8s.io",
                        "kind": "Gateway",
                        "name": f"gateway-{number % 10}",
                        "namespace": "gateways",
                    },
                    "conditions": [
                        {
                            "type": kind,
                            "status": "True",
                            "reason": kind,
                            "message": "",
                            "observedGeneration": 2,
                            "lastTransitionTime": _TIME,
                        }
                        for kind in ("Accepted", "ResolvedRefs")
                    ],
                }
            ]
        },
    }


def endpoint_slice(number: int) -> Json:
    """An EndpointSlice of pods, as Kubernetes' own controller writes it."""
    service = f"service-{number}"
    labels = {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": service,
    }
    return {
        "metadata": _metadata(f"{service}-x7k2p", number, labels, "f:endpoints", "f:ports", "f:addressType"),
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [f"10.{number // 256 % 256}.{number % 256}.{index + 1}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": f"namespace-{number % NAMESPACES}",
                    "name": f"{service}-6d4cf56db6-{index:05d}",
                    "uid": _uid(number * ENDPOINTS + index),
                },
                "nodeName": f"ip-10-0-{index}-17.us-west-2.compute.internal",
                "zone": "us-west-2a",
            }
            for index in range(ENDPOINTS)
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def _metadata(name: str, number: int, labels: Json, *fields: str) -> Json:
    return {
        "name": name,
        "namespace": f"namespace-{number % NAMESPACES}",
        "uid": _uid(number),
        "resourceVersion": str(1_000_000 + number),
        "generation": 2,
        "creationTimestamp": _TIME,
        "labels": labels,
        "finalizers": ["httproute.k8s.aws/resources"],
        "managedFields": [
            {
                "manager": manager,
                "operation": "Update",
                "apiVersion": "v1",
                "time": _TIME,
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {".": {}}}, "f:spec": {field: {} for field in fields}},
            }
            for manager in ("kubectl-create", "controller")
        ],
    }


def _uid(number: int) -> str:
    return f"4d6f3b7a-2c1e-4f5d-9a8b-{number:012x}"
