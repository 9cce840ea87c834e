"""The view as it was before an event: one object in its old version, all else as it is now.

An event has to reach what the object meant before as well as what it means now, and what a route asks for depends on
more than the route. Asking the same questions of this view and of the present one finds both.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from controller.api.core import EndpointSlice, Namespace, Secret, Service
from controller.api.external_dns import DNSEndpoint
from controller.api.gateway import Gateway, GatewayClass, ReferenceGrant, Route
from controller.api.keys import RouteRef
from controller.api.meta import Object, Undecodable
from controller.gateway.attachment import parent_gateways
from controller.gateway.hostnames import is_open
from controller.gateway.listeners import certificate_secrets
from controller.gateway.view import View

T = TypeVar("T", bound=Object)


class Before:
    """A `View`. `old` is None where the object is new; `new` is None where it is gone."""

    def __init__(self, view: View, old: Object | None, new: Object | None) -> None:
        some = old if old is not None else new
        assert some is not None
        self._view = view
        self._type = type(some)
        self._identity = (some.namespace, some.name)
        self._ref = some.ref if isinstance(some, Route) else None
        self._old = old
        self._revision: Hashable = object()

    def revision(self) -> Hashable:
        uncounted = self._ref is not None or self._type in {EndpointSlice, Secret, DNSEndpoint}
        return self._view.revision() if uncounted else self._revision

    def gateway_class(self, name: str) -> GatewayClass | None:
        return self._one(GatewayClass, "", name, lambda: self._view.gateway_class(name))

    def gateway(self, namespace: str, name: str) -> Gateway | None:
        return self._one(Gateway, namespace, name, lambda: self._view.gateway(namespace, name))

    def gateways_of_class(self, name: str) -> Sequence[Gateway]:
        return self._many(
            Gateway, self._view.gateways_of_class(name), lambda gateway: gateway.spec.gateway_class_name == name
        )

    def gateways_of_listener_hostname(self, hostname: str) -> Sequence[Gateway]:
        return self._many(
            Gateway,
            self._view.gateways_of_listener_hostname(hostname),
            lambda gateway: any(listener.hostname == hostname for listener in gateway.spec.listeners),
        )

    def gateways_of_secret(self, namespace: str, name: str) -> Sequence[Gateway]:
        return self._many(
            Gateway,
            self._view.gateways_of_secret(namespace, name),
            lambda gateway: (namespace, name) in certificate_secrets(gateway),
        )

    def secret(self, namespace: str, name: str) -> Secret | None:
        return self._one(Secret, namespace, name, lambda: self._view.secret(namespace, name))

    def namespace(self, name: str) -> Namespace | None:
        return self._one(Namespace, "", name, lambda: self._view.namespace(name))

    def route(self, ref: RouteRef) -> Route | None:
        old = self._old
        if ref != self._ref:
            return self._view.route(ref)
        return old if isinstance(old, Route) else None

    def routes_of_gateway(self, namespace: str, name: str) -> Sequence[Route]:
        return self._routes(
            self._view.routes_of_gateway(namespace, name),
            lambda route: (namespace, name) in parent_gateways(route),
        )

    def routes_open_to_hostnames(self, namespace: str, name: str) -> Sequence[Route]:
        return self._routes(
            self._view.routes_open_to_hostnames(namespace, name),
            lambda route: (namespace, name) in parent_gateways(route) and is_open(route.spec.hostnames or ()),
        )

    def routes_of_namespace(self, namespace: str) -> Sequence[Route]:
        return self._routes(self._view.routes_of_namespace(namespace), lambda route: route.namespace == namespace)

    def routes_of_hostname(self, hostname: str) -> Sequence[Route]:
        return self._routes(
            self._view.routes_of_hostname(hostname),
            lambda route: hostname in (route.spec.hostnames or ()),
        )

    def undecodable_routes(self, hostname: str) -> Sequence[Undecodable]:
        return self._view.undecodable_routes(hostname)

    def routes_of_backend(self, namespace: str, service: str) -> Sequence[Route]:
        return self._routes(
            self._view.routes_of_backend(namespace, service),
            lambda route: any(
                (ref.namespace or route.namespace, ref.name) == (namespace, service)
                for rule in route.spec.rules or ()
                for ref in rule.backend_refs or ()
            ),
        )

    def service(self, namespace: str, name: str) -> Service | None:
        return self._one(Service, namespace, name, lambda: self._view.service(namespace, name))

    def endpoint_slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        return self._many(
            EndpointSlice,
            self._view.endpoint_slices(namespace, service),
            lambda piece: (piece.namespace, piece.service_name) == (namespace, service),
        )

    def reference_grants(self, namespace: str) -> Sequence[ReferenceGrant]:
        return self._many(
            ReferenceGrant, self._view.reference_grants(namespace), lambda grant: grant.namespace == namespace
        )

    def has_external_dns(self) -> bool:
        return self._view.has_external_dns()

    def dns_endpoint(self, namespace: str, name: str) -> DNSEndpoint | None:
        return self._one(DNSEndpoint, namespace, name, lambda: self._view.dns_endpoint(namespace, name))

    def dns_endpoints_of(self, hostname: str) -> Sequence[DNSEndpoint]:
        return self._many(
            DNSEndpoint,
            self._view.dns_endpoints_of(hostname),
            lambda obj: any(endpoint.dns_name == hostname for endpoint in obj.endpoints),
        )

    def _routes(self, now: Sequence[Route], belongs: Callable[[Route], bool]) -> Sequence[Route]:
        if self._ref is None:
            return now
        old = self._old
        others = [
            route for route in now if type(route) is not self._type or (route.namespace, route.name) != self._identity
        ]
        return [*others, old] if isinstance(old, Route) and belongs(old) else others

    def _one(self, type_: type[T], namespace: str, name: str, now: Callable[[], T | None]) -> T | None:
        if self._type is not type_ or self._identity != (namespace, name):
            return now()
        return self._old if isinstance(self._old, type_) else None

    def _many(self, type_: type[T], now: Sequence[T], belongs: Callable[[T], bool]) -> Sequence[T]:
        if self._type is not type_:
            return now
        others = [item for item in now if (item.namespace, item.name) != self._identity]
        return [*others, self._old] if isinstance(self._old, type_) and belongs(self._old) else others
