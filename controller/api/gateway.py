"""GatewayClass, Gateway, the three kinds of routes, and ReferenceGrant.

Fields that VPC Lattice cannot express are decoded as far as needed to say that they are set.

Source: Gateway API v1.6, `gateway.networking.k8s.io/v1` and `/v1beta1` (ReferenceGrant).
"""

from typing import ClassVar

import msgspec

from controller.api.keys import RouteKind, RouteRef
from controller.api.meta import Object, StatusObject, Struct

GROUP = "gateway.networking.k8s.io"


class ParametersReference(Struct, frozen=True):
    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class GatewayClassSpec(Struct, frozen=True):
    controller_name: str = ""
    parameters_ref: ParametersReference | None = None


class GatewayClass(StatusObject, frozen=True):
    spec: GatewayClassSpec = GatewayClassSpec()


class SecretObjectReference(Struct, frozen=True):
    group: str = ""
    kind: str = "Secret"
    name: str = ""
    namespace: str | None = None


class ListenerTLS(Struct, frozen=True):
    mode: str | None = None
    certificate_refs: tuple[SecretObjectReference, ...] | None = None
    options: dict[str, str] | None = None


class RouteGroupKind(Struct, frozen=True):
    group: str = GROUP
    kind: str = ""


class LabelSelectorRequirement(Struct, frozen=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class LabelSelector(Struct, frozen=True):
    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] | None = None


class RouteNamespaces(Struct, frozen=True):
    from_: str = msgspec.field(name="from", default="Same")
    selector: LabelSelector | None = None


class AllowedRoutes(Struct, frozen=True):
    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteGroupKind, ...] | None = None


class Listener(Struct, frozen=True):
    name: str = ""
    hostname: str | None = None
    port: int = 0
    protocol: str = ""
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewayAddress(Struct, frozen=True):
    type: str = "IPAddress"
    value: str = ""


class GatewayInfrastructure(Struct, frozen=True):
    parameters_ref: ParametersReference | None = None


class GatewaySpec(Struct, frozen=True):
    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] | None = None
    infrastructure: GatewayInfrastructure | None = None


class Gateway(StatusObject, frozen=True):
    spec: GatewaySpec = GatewaySpec()


class ParentReference(Struct, frozen=True):
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    name: str = ""
    section_name: str | None = None
    port: int | None = None


class Filter(Struct, frozen=True):
    """A filter of a rule or a backend: only its type matters, for Lattice has none."""

    type: str = ""


class BackendRef(Struct, frozen=True):
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    name: str = ""
    port: int | None = None
    weight: int = 1
    filters: tuple[Filter, ...] | None = None


class PathMatch(Struct, frozen=True):
    type: str = "PathPrefix"
    value: str = "/"


class HeaderMatch(Struct, frozen=True):
    type: str = "Exact"
    name: str = ""
    value: str = ""


class QueryParamMatch(Struct, frozen=True):
    type: str = "Exact"
    name: str = ""
    value: str = ""


class HTTPRouteMatch(Struct, frozen=True):
    path: PathMatch | None = None
    headers: tuple[HeaderMatch, ...] | None = None
    query_params: tuple[QueryParamMatch, ...] | None = None
    method: str | None = None


class Timeouts(Struct, frozen=True):
    request: str | None = None
    backend_request: str | None = None


class Retry(Struct, frozen=True):
    attempts: int | None = None


class SessionPersistence(Struct, frozen=True):
    type: str = "Cookie"


class RouteRule(Struct, frozen=True):
    """What the rules of all kinds of routes have."""

    name: str | None = None
    backend_refs: tuple[BackendRef, ...] | None = None


class RouteSpec(Struct, frozen=True):
    """What the specs of all kinds of routes have, beside their rules."""

    parent_refs: tuple[ParentReference, ...] | None = None
    hostnames: tuple[str, ...] | None = None


class RouteObject(StatusObject, frozen=True):
    """Base of the kinds of routes; `kind` belongs to the class, since items of a list do not carry it."""

    kind: ClassVar[RouteKind]

    @property
    def ref(self) -> RouteRef:
        return RouteRef(self.kind, self.metadata.namespace, self.metadata.name)


class HTTPRouteRule(RouteRule, frozen=True):
    matches: tuple[HTTPRouteMatch, ...] | None = None
    filters: tuple[Filter, ...] | None = None
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    session_persistence: SessionPersistence | None = None


class HTTPRouteSpec(RouteSpec, frozen=True):
    rules: tuple[HTTPRouteRule, ...] | None = None


class HTTPRoute(RouteObject, frozen=True):
    kind: ClassVar[RouteKind] = "HTTPRoute"
    spec: HTTPRouteSpec = HTTPRouteSpec()


class GRPCMethodMatch(Struct, frozen=True):
    """Which calls: those of a service, of a method of it, or of a method of any service."""

    type: str = "Exact"
    service: str | None = None
    method: str | None = None


class GRPCRouteMatch(Struct, frozen=True):
    method: GRPCMethodMatch | None = None
    headers: tuple[HeaderMatch, ...] | None = None


class GRPCRouteRule(RouteRule, frozen=True):
    matches: tuple[GRPCRouteMatch, ...] | None = None
    filters: tuple[Filter, ...] | None = None
    session_persistence: SessionPersistence | None = None


class GRPCRouteSpec(RouteSpec, frozen=True):
    rules: tuple[GRPCRouteRule, ...] | None = None


class GRPCRoute(RouteObject, frozen=True):
    kind: ClassVar[RouteKind] = "GRPCRoute"
    spec: GRPCRouteSpec = GRPCRouteSpec()


class TLSRouteRule(RouteRule, frozen=True):
    """All connections go to its backends: the server name was matched by the route's hostnames."""


class TLSRouteSpec(RouteSpec, frozen=True):
    rules: tuple[TLSRouteRule, ...] | None = None


class TLSRoute(RouteObject, frozen=True):
    kind: ClassVar[RouteKind] = "TLSRoute"
    spec: TLSRouteSpec = TLSRouteSpec()


Rule = HTTPRouteRule | GRPCRouteRule | TLSRouteRule
Route = HTTPRoute | GRPCRoute | TLSRoute


class ReferenceGrantFrom(Struct, frozen=True):
    group: str = ""
    kind: str = ""
    namespace: str = ""


class ReferenceGrantTo(Struct, frozen=True):
    group: str = ""
    kind: str = ""
    name: str | None = None


class ReferenceGrantSpec(Struct, frozen=True):
    from_: tuple[ReferenceGrantFrom, ...] = msgspec.field(name="from", default=())
    to: tuple[ReferenceGrantTo, ...] = ()


class ReferenceGrant(Object, frozen=True):
    spec: ReferenceGrantSpec = ReferenceGrantSpec()
