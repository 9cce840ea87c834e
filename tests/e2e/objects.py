"""Kubernetes objects in short, as their authors would write them."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.e2e.harness import CONTROLLER, GATEWAY_API, Json

CLASS = "amazon-vpc-lattice"


def gateway_class(name: str = CLASS, controller: str = CONTROLLER) -> Json:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": controller},
    }


def listener(name: str = "http", port: int = 80, protocol: str = "HTTP", **more: Any) -> Json:
    return {"name": name, "port": port, "protocol": protocol, **more}


def gateway(
    name: str = "my-hotel", *listeners: Json, gateway_class_name: str = CLASS, namespace: str = "default"
) -> Json:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": gateway_class_name, "listeners": list(listeners) or [listener()]},
    }


def parent(name: str = "my-hotel", **more: Any) -> Json:
    return {"name": name, **more}


def prefix(value: str, **more: Any) -> Json:
    return {"path": {"type": "PathPrefix", "value": value}, **more}


def backend(name: str, *, port: int = 80, weight: int = 1, **more: Any) -> Json:
    return {"name": name, "port": port, "weight": weight, **more}


def rule(*backends: Json, matches: Sequence[Json] = ()) -> Json:
    return {"matches": list(matches) or [prefix("/")], "backendRefs": list(backends)}


def route(
    name: str,
    *rules: Json,
    namespace: str = "default",
    parents: Iterable[Json] = (),
    hostnames: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
) -> Json:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations or {})},
        "spec": {
            "parentRefs": list(parents) or [parent()],
            "rules": list(rules),
            **({"hostnames": list(hostnames)} if hostnames else {}),
        },
    }


def grpc_route(
    name: str,
    *rules: Json,
    namespace: str = "default",
    parents: Iterable[Json] = (),
    hostnames: Sequence[str] = (),
) -> Json:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "GRPCRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": list(parents) or [parent()],
            "rules": list(rules),
            **({"hostnames": list(hostnames)} if hostnames else {}),
        },
    }


def tls_route(
    name: str, hostname: str, *backends: Json, namespace: str = "default", parents: Iterable[Json] = ()
) -> Json:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "TLSRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": list(parents) or [parent()],
            "hostnames": [hostname],
            "rules": [{"backendRefs": list(backends)}],
        },
    }


def namespace(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def grant(
    namespace: str, source: str, *, name: str | None = None, kind: str = "HTTPRoute", to: str = "Service"
) -> Json:
    """A ReferenceGrant in `namespace`: objects of this kind in `source` may refer to any of the kind `to`."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": name or f"from-{source}", "namespace": namespace},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": source}],
            "to": [{"group": "", "kind": to}],
        },
    }


def secret(name: str, certificate: bytes, key: bytes, *, namespace: str = "default") -> Json:
    """A Secret with a certificate and its key."""
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": data}


def service(name: str, *, namespace: str = "default", port: int = 80) -> Json:
    """A Service without a selector: the test itself says what its endpoints are."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": port, "protocol": "TCP", "targetPort": 8090}]},
    }


def endpoints(
    name: str, addresses: Iterable[str], *, namespace: str = "default", piece: str = "1", port: int = 8090
) -> Json:
    """An EndpointSlice of the Service `name`."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{piece}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }
