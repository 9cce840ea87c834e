"""GatewayClass, Gateway, HTTPRoute and ReferenceGrant.

Fields that VPC Lattice cannot express are decoded as far as needed to say that they are set.

Source: Gateway API v1.6, `gateway.networking.k8s.io/v1` and `/v1beta1` (ReferenceGrant).
"""

import msgspec

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


class GatewaySpec(Struct, frozen=True):
    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] | None = None


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


class HTTPRouteRule(Struct, frozen=True):
    name: str | None = None
    matches: tuple[HTTPRouteMatch, ...] | None = None
    filters: tuple[Filter, ...] | None = None
    backend_refs: tuple[BackendRef, ...] | None = None
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    session_persistence: SessionPersistence | None = None


class HTTPRouteSpec(Struct, frozen=True):
    parent_refs: tuple[ParentReference, ...] | None = None
    hostnames: tuple[str, ...] | None = None
    rules: tuple[HTTPRouteRule, ...] | None = None


class HTTPRoute(StatusObject, frozen=True):
    spec: HTTPRouteSpec = HTTPRouteSpec()


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
