"""A view of given objects, by the slowest and most obvious means, and short ways to write such objects."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack, get_args

import msgspec

from controller.api.core import EndpointSlice, Namespace, Secret, Service
from controller.api.external_dns import DNSEndpoint
from controller.api.gateway import Gateway, GatewayClass, GRPCRoute, HTTPRoute, ReferenceGrant, Route, TLSRoute
from controller.api.keys import RouteRef
from controller.api.meta import Object, Undecodable
from controller.gateway.view import UnknownError

T = TypeVar("T", bound=Object)

CONTROLLER = "application-networking.k8s.aws/gateway-api-controller"


class FakeView:
    """A `View` of exactly these objects; kinds in `unknown` raise `UnknownError`.

    `external_dns` tells whether that is installed.
    """

    def __init__(
        self, objects: Iterable[Object], unknown: Iterable[type[Object]] = (), *, external_dns: bool = False
    ) -> None:
        self.objects = list(objects)
        self.unknown = tuple(unknown)
        self.external_dns = external_dns

    def all(self, type_: type[T]) -> list[T]:
        if type_ in self.unknown:
            raise UnknownError(type_.__name__, "unknown in this test")
        return [obj for obj in self.objects if isinstance(obj, type_)]

    def one(self, type_: type[T], namespace: str, name: str) -> T | None:
        return next((obj for obj in self.all(type_) if (obj.namespace, obj.name) == (namespace, name)), None)

    def routes(self) -> list[Route]:
        return [route for type_ in get_args(Route) for route in self.all(type_)]

    def having(self, *objects: Object) -> "FakeView":
        """This view with these objects, in place of those of the same kind and name."""
        new = {(type(obj), obj.namespace, obj.name) for obj in objects}
        kept = [obj for obj in self.objects if (type(obj), obj.namespace, obj.name) not in new]
        return FakeView([*kept, *objects], self.unknown, external_dns=self.external_dns)

    def without(self, *objects: Object) -> "FakeView":
        gone = {(type(obj), obj.namespace, obj.name) for obj in objects}
        kept = [obj for obj in self.objects if (type(obj), obj.namespace, obj.name) not in gone]
        return FakeView(kept, self.unknown, external_dns=self.external_dns)

    def revision(self) -> object:
        """Another one each time, so that nothing is remembered."""
        return object()

    def gateway_class(self, name: str) -> GatewayClass | None:
        return self.one(GatewayClass, "", name)

    def gateway(self, namespace: str, name: str) -> Gateway | None:
        return self.one(Gateway, namespace, name)

    def gateways_of_class(self, name: str) -> Sequence[Gateway]:
        return [gateway for gateway in self.all(Gateway) if gateway.spec.gateway_class_name == name]

    def gateways_of_listener_hostname(self, hostname: str) -> Sequence[Gateway]:
        return [
            gateway
            for gateway in self.all(Gateway)
            if any(listener.hostname == hostname for listener in gateway.spec.listeners)
        ]

    def gateways_of_secret(self, namespace: str, name: str) -> Sequence[Gateway]:
        return [
            gateway
            for gateway in self.all(Gateway)
            if any(
                (ref.namespace or gateway.namespace) == namespace and name in {"", ref.name}
                for listener in gateway.spec.listeners
                for ref in (listener.tls and listener.tls.certificate_refs) or ()
            )
        ]

    def secret(self, namespace: str, name: str) -> Secret | None:
        return self.one(Secret, namespace, name)

    def namespace(self, name: str) -> Namespace | None:
        return self.one(Namespace, "", name)

    def route(self, ref: RouteRef) -> Route | None:
        return next((route for route in self.routes() if route.ref == ref), None)

    def routes_of_gateway(self, namespace: str, name: str) -> Sequence[Route]:
        return [
            route
            for route in self.routes()
            if any(
                (ref.kind, ref.namespace or route.namespace, ref.name) == ("Gateway", namespace, name)
                for ref in route.spec.parent_refs or ()
            )
        ]

    def routes_open_to_hostnames(self, namespace: str, name: str) -> Sequence[Route]:
        return [
            route
            for route in self.routes_of_gateway(namespace, name)
            if not route.spec.hostnames or any(hostname.startswith("*.") for hostname in route.spec.hostnames)
        ]

    def routes_of_namespace(self, namespace: str) -> Sequence[Route]:
        return [route for route in self.routes() if route.namespace == namespace]

    def routes_of_hostname(self, hostname: str) -> Sequence[Route]:
        return [route for route in self.routes() if hostname in (route.spec.hostnames or ())]

    def undecodable_routes(self, hostname: str) -> Sequence[Undecodable]:
        """All of them."""
        return self.all(Undecodable)

    def routes_of_backend(self, namespace: str, service: str) -> Sequence[Route]:
        return [
            route
            for route in self.routes()
            if any(
                (ref.namespace or route.namespace, ref.name) == (namespace, service)
                for rule in route.spec.rules or ()
                for ref in rule.backend_refs or ()
            )
        ]

    def service(self, namespace: str, name: str) -> Service | None:
        return self.one(Service, namespace, name)

    def endpoint_slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        return [
            piece for piece in self.all(EndpointSlice) if (piece.namespace, piece.service_name) == (namespace, service)
        ]

    def reference_grants(self, namespace: str) -> Sequence[ReferenceGrant]:
        return [grant for grant in self.all(ReferenceGrant) if grant.namespace == namespace]

    def has_external_dns(self) -> bool:
        self.all(DNSEndpoint)
        return self.external_dns

    def dns_endpoint(self, namespace: str, name: str) -> DNSEndpoint | None:
        return self.one(DNSEndpoint, namespace, name)

    def dns_endpoints_of(self, hostname: str) -> Sequence[DNSEndpoint]:
        return [obj for obj in self.all(DNSEndpoint) if hostname in {each.dns_name for each in obj.endpoints}]


def make(type_: type[T], name: str, namespace: str = "default", *, meta: Mapping[str, Any] = {}, **fields: Any) -> T:
    """An object of this kind from the JSON of its fields, as the API server would give it."""
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}", "generation": 1, **meta}
    return msgspec.json.decode(json.dumps({"metadata": metadata, **fields}), type=type_)


def gateway_class(name: str = "amazon-vpc-lattice", controller: str = CONTROLLER) -> GatewayClass:
    return make(GatewayClass, name, "", spec={"controllerName": controller})


def listener(name: str = "http", port: int = 80, protocol: str = "HTTP", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "port": port,
        "protocol": protocol,
        "allowedRoutes": {"namespaces": {"from": "All"}},
        **fields,
    }


def gateway(
    name: str = "my-hotel",
    namespace: str = "default",
    *listeners: Mapping[str, Any],
    class_name: str = "amazon-vpc-lattice",
    meta: Mapping[str, Any] = {},
) -> Gateway:
    spec = {"gatewayClassName": class_name, "listeners": list(listeners or (listener(),))}
    return make(Gateway, name, namespace, meta=meta, spec=spec)


def service(
    name: str,
    namespace: str = "default",
    *,
    ports: Sequence[Mapping[str, Any]] = ({"port": 80},),
    families: Sequence[str] = ("IPv4",),
    **spec: Any,
) -> Service:
    return make(Service, name, namespace, spec={"ports": list(ports), "ipFamilies": list(families), **spec})


def endpoints(
    service_name: str,
    *addresses: str,
    namespace: str = "default",
    name: str = "",
    ports: Sequence[Mapping[str, Any]] = ({"name": "", "port": 8080, "protocol": "TCP"},),
    family: str = "IPv4",
    **conditions: bool,
) -> EndpointSlice:
    """A slice of a Service with these addresses, all in the same conditions."""
    return make(
        EndpointSlice,
        name or f"{service_name}-1",
        namespace,
        meta={"labels": {"kubernetes.io/service-name": service_name}},
        addressType=family,
        endpoints=[{"addresses": [address], "conditions": conditions} for address in addresses],
        ports=list(ports),
    )


def secret(name: str, certificate: bytes, key: bytes, namespace: str = "default") -> Secret:
    """A Secret of type kubernetes.io/tls with these."""
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    return make(Secret, name, namespace, type="kubernetes.io/tls", data=data)


def backend(name: str, port: int = 80, **fields: Any) -> dict[str, Any]:
    return {"name": name, "port": port, **fields}


def path(value: str, type_: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": type_, "value": value}}


def rule(*backends: Mapping[str, Any], matches: Sequence[Mapping[str, Any]] = (), **fields: Any) -> dict[str, Any]:
    return {"backendRefs": list(backends), **({"matches": list(matches)} if matches else {}), **fields}


class Given(TypedDict, total=False):
    """What a route may be given besides its name and rules."""

    namespace: str
    parents: Sequence[Mapping[str, Any]]
    hostnames: Sequence[str]
    created: str
    annotations: Mapping[str, str]
    meta: Mapping[str, Any]


def route(name: str, *rules: Mapping[str, Any], **given: Unpack[Given]) -> HTTPRoute:
    return _route(HTTPRoute, name, rules, **given)


def grpc_route(name: str, *rules: Mapping[str, Any], **given: Unpack[Given]) -> GRPCRoute:
    return _route(GRPCRoute, name, rules, **given)


def tls_route(name: str, *backends: Mapping[str, Any], **given: Unpack[Given]) -> TLSRoute:
    """One of a single rule, with these backends."""
    return _route(TLSRoute, name, [rule(*backends)], **given)


def _route(
    type_: type[T],
    name: str,
    rules: Sequence[Mapping[str, Any]],
    *,
    namespace: str = "default",
    parents: Sequence[Mapping[str, Any]] = ({"name": "my-hotel"},),
    hostnames: Sequence[str] = (),
    created: str = "2026-01-01T00:00:00Z",
    annotations: Mapping[str, str] = {},
    meta: Mapping[str, Any] = {},
) -> T:
    fields = {
        "meta": {"creationTimestamp": created, "annotations": dict(annotations), **meta},
        "spec": {
            "parentRefs": list(parents),
            **({"hostnames": list(hostnames)} if hostnames else {}),
            **({"rules": list(rules)} if rules else {}),
        },
    }
    return make(type_, name, namespace, **fields)


R = TypeVar("R", bound=Route)


def accepted(of: R, status: str = "True") -> R:
    """The route with a status in which the controller says of each of its parents whether it accepts it."""
    parents = [
        {
            "controllerName": CONTROLLER,
            "parentRef": ref,
            "conditions": [{"type": "ResolvedRefs", "status": "True"}, {"type": "Accepted", "status": status}],
        }
        for ref in of.spec.parent_refs or ()
    ]
    return msgspec.structs.replace(of, status=msgspec.Raw(msgspec.json.encode({"parents": parents})))


def namespace(name: str, **labels: str) -> Namespace:
    return make(Namespace, name, "", meta={"labels": labels})


def grant(
    namespace: str,
    from_namespace: str,
    name: str = "grant",
    *,
    to: Mapping[str, Any] = {},
    from_kind: str = "HTTPRoute",
) -> ReferenceGrant:
    return make(
        ReferenceGrant,
        name,
        namespace,
        spec={
            "from": [{"group": "gateway.networking.k8s.io", "kind": from_kind, "namespace": from_namespace}],
            "to": [{"group": "", "kind": "Service", **to}],
        },
    )
