"""Which kinds the controller knows, under which paths the API server has them, and which struct each decodes into."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from controller.api import core, external_dns, gateway
from controller.api.keys import RouteKind
from controller.api.meta import Object

T = TypeVar("T", bound=Object)


@dataclass(frozen=True, slots=True)
class Resource(Generic[T]):
    """A kind as the API server names it. `required`: without it the controller has nothing to do; see `docs/`."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    type: type[T]
    required: bool = True
    field_selector: str = ""
    """Which objects of the kind are mirrored, in the API server's words; empty for all."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection (no name) or of one object, without the server's address.

        An empty namespace of a namespaced kind means all namespaces (collection only).
        """
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, type=core.Namespace)
SERVICES = Resource("", "v1", "services", "Service", namespaced=True, type=core.Service)
ENDPOINT_SLICES = Resource(
    "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced=True, type=core.EndpointSlice
)
GATEWAY_CLASSES = Resource(
    gateway.GROUP, "v1", "gatewayclasses", "GatewayClass", namespaced=False, type=gateway.GatewayClass
)
GATEWAYS = Resource(gateway.GROUP, "v1", "gateways", "Gateway", namespaced=True, type=gateway.Gateway)
HTTP_ROUTES = Resource(gateway.GROUP, "v1", "httproutes", "HTTPRoute", namespaced=True, type=gateway.HTTPRoute)
GRPC_ROUTES = Resource(
    gateway.GROUP, "v1", "grpcroutes", "GRPCRoute", namespaced=True, type=gateway.GRPCRoute, required=False
)
TLS_ROUTES = Resource(
    gateway.GROUP, "v1", "tlsroutes", "TLSRoute", namespaced=True, type=gateway.TLSRoute, required=False
)
ROUTES: Final[Mapping[RouteKind, Resource[Any]]] = {
    "HTTPRoute": HTTP_ROUTES,
    "GRPCRoute": GRPC_ROUTES,
    "TLSRoute": TLS_ROUTES,
}
"""The kinds of routes."""
REFERENCE_GRANTS = Resource(
    gateway.GROUP,
    "v1beta1",
    "referencegrants",
    "ReferenceGrant",
    namespaced=True,
    type=gateway.ReferenceGrant,
    required=False,
)
DNS_ENDPOINTS = Resource(
    external_dns.GROUP,
    "v1alpha1",
    "dnsendpoints",
    "DNSEndpoint",
    namespaced=True,
    type=external_dns.DNSEndpoint,
    required=False,
)
"""What external-dns makes DNS records of, where that is installed."""
SECRETS = Resource(
    "", "v1", "secrets", "Secret", namespaced=True, type=core.Secret, field_selector=f"type={core.TLS_SECRET}"
)
"""Those with certificates; mirrored only where certificates are imported."""
