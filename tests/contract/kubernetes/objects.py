"""Small valid objects, to be varied by tests, and where their collections are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Paths:
    """Where the collections of a namespace are."""

    namespace: str

    def core(self, resource: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/{resource}" + (f"/{name}" if name else "")

    def group(self, group_version: str, resource: str, name: str = "") -> str:
        return f"/apis/{group_version}/namespaces/{self.namespace}/{resource}" + (f"/{name}" if name else "")

    def gateways(self, name: str = "") -> str:
        return self.group("gateway.networking.k8s.io/v1", "gateways", name)

    def routes(self, name: str = "") -> str:
        return self.group("gateway.networking.k8s.io/v1", "httproutes", name)

    def slices(self, name: str = "") -> str:
        return self.group("discovery.k8s.io/v1", "endpointslices", name)

    def deployments(self, name: str = "") -> str:
        return self.group("apps/v1", "deployments", name)

    def leases(self, name: str = "") -> str:
        return self.group("coordination.k8s.io/v1", "leases", name)


def config_map(name: str, **more: Any) -> dict[str, Any]:
    meta = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **more}


def gateway(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {
            "gatewayClassName": "amazon-vpc-lattice",
            "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
            **spec,
        },
    }


def route(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "my-hotel"}],
            "rules": [{"backendRefs": [{"name": "parking", "port": 80}]}],
            **spec,
        },
    }


def service(name: str, **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
            **spec,
        },
    }


def endpoint_slice(name: str, **fields: Any) -> dict[str, Any]:
    """`fields` stand beside the metadata, because a slice has no spec."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name},
        "addressType": "IPv4",
        **fields,
    }


@dataclass(frozen=True)
class Objects:
    config_map: Callable[..., dict[str, Any]] = config_map
    gateway: Callable[..., dict[str, Any]] = gateway
    route: Callable[..., dict[str, Any]] = route
    service: Callable[..., dict[str, Any]] = service
    pod: Callable[..., dict[str, Any]] = pod
    deployment: Callable[..., dict[str, Any]] = deployment
    endpoint_slice: Callable[..., dict[str, Any]] = endpoint_slice
