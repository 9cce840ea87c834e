"""The stores as a `View`: what the informers know, asked as the pure part asks.

The indexes that answer each question in the time of its answer are declared here, next to the questions. The
certainty of an answer is the informer's: until a kind is synced, or while it is forbidden or its CRD is missing, every
question about it raises `UnknownError`; so does one about an object that is there but cannot be decoded.

An object that cannot be decoded makes those answers unknown that it would be part of, as far as can be told. Not so a
route that cannot be decoded: it keeps what it has in Lattice (its own keys meet `UnknownError`), but it does not stop
the routes that share a Gateway with it. Only of a hostname it may be the oldest, so that is asked separately.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from controller.api import resources
from controller.api.core import SERVICE_NAME_LABEL, EndpointSlice, Namespace, Secret, Service
from controller.api.external_dns import DNSEndpoint
from controller.api.gateway import Gateway, GatewayClass, ReferenceGrant, Route
from controller.api.keys import RouteKind, RouteRef
from controller.api.meta import Object, Undecodable
from controller.api.resources import Resource
from controller.gateway.attachment import parent_gateways
from controller.gateway.hostnames import is_open
from controller.gateway.listeners import certificate_secrets
from controller.gateway.view import UnknownError
from controller.kube.store import Indexer, Store

T = TypeVar("T", bound=Object)


def _open(route: Route) -> Iterable[Hashable]:
    return parent_gateways(route) if is_open(route.spec.hostnames or ()) else ()


def _backends(route: Route) -> Iterable[Hashable]:
    return {
        (ref.namespace or route.namespace, ref.name)
        for rule in route.spec.rules or ()
        for ref in rule.backend_refs or ()
    }


def _hostnames(route: Route) -> Iterable[Hashable]:
    return set(route.spec.hostnames or ())


def _service(piece: EndpointSlice) -> Iterable[Hashable]:
    return ((piece.namespace, piece.service_name),) if piece.service_name else ()


def _namespace(obj: Object) -> Iterable[Hashable]:
    return (obj.namespace,)


def _class_name(gateway: Gateway) -> Iterable[Hashable]:
    return (gateway.spec.gateway_class_name,)


def _dns_names(obj: DNSEndpoint) -> Iterable[Hashable]:
    return {endpoint.dns_name for endpoint in obj.endpoints}


def _listener_hostnames(gateway: Gateway) -> Iterable[Hashable]:
    return {listener.hostname for listener in gateway.spec.listeners if listener.hostname}


_ROUTE_INDEXERS: Mapping[str, Indexer[Any]] = {
    "parent": parent_gateways,
    "open": _open,
    "backend": _backends,
    "hostname": _hostnames,
    "namespace": _namespace,
}

INDEXERS: Mapping[Resource[Any], Mapping[str, Indexer[Any]]] = {
    resources.NAMESPACES: {},
    resources.SERVICES: {},
    resources.ENDPOINT_SLICES: {"service": _service},
    resources.GATEWAY_CLASSES: {},
    resources.GATEWAYS: {
        "class": _class_name,
        "listener hostname": _listener_hostnames,
        "certificate": certificate_secrets,
    },
    **dict.fromkeys(resources.ROUTES.values(), _ROUTE_INDEXERS),
    resources.REFERENCE_GRANTS: {"namespace": _namespace},
    resources.DNS_ENDPOINTS: {"dns name": _dns_names},
}
"""Every kind that is watched, with the indexes of its store."""

SECRET_INDEXERS: Mapping[Resource[Any], Mapping[str, Indexer[Any]]] = {resources.SECRETS: {}}
"""What is watched beside these where certificates are imported."""


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Collection(Generic[T]):
    """The objects of one kind, and how certain they are."""

    resource: Resource[T]
    store: Store[T]
    doubt: Callable[[], str | None]
    """Why the store cannot be relied on; None when it can."""
    installed: Callable[[], bool] = _always
    """Whether there is such a kind at all, as far as is known."""

    def certain(self) -> Store[T]:
        reason = self.doubt()
        if reason is not None:
            raise UnknownError(self.resource.kind, reason)
        return self.store

    def get(self, namespace: str, name: str) -> T | None:
        obj = self.certain().get(namespace, name)
        if isinstance(obj, Undecodable):
            raise UnknownError(self.resource.kind, obj.reason)
        return obj

    def by_index(self, index: str, value: Hashable) -> Sequence[T]:
        """All objects under this value of an index; unknown where one that cannot be decoded may be another."""
        store = self.certain()
        found = store.by_index(index, value)
        for obj in store.undecodable_by_index(index, value):
            raise UnknownError(self.resource.kind, obj.reason, known=found)
        return found


def _never() -> None:
    return None


class StoreView:
    """A `View` on stores. Cheap: it holds references, and answers from the stores as they are when asked."""

    def __init__(self, collections: Mapping[Resource[Any], Collection[Any]]) -> None:
        self._namespaces: Collection[Namespace] = collections[resources.NAMESPACES]
        self._services: Collection[Service] = collections[resources.SERVICES]
        self._slices: Collection[EndpointSlice] = collections[resources.ENDPOINT_SLICES]
        self._classes: Collection[GatewayClass] = collections[resources.GATEWAY_CLASSES]
        self._gateways: Collection[Gateway] = collections[resources.GATEWAYS]
        self._routes: Mapping[RouteKind, Collection[Route]] = {
            kind: collections[resource] for kind, resource in resources.ROUTES.items()
        }
        self._grants: Collection[ReferenceGrant] = collections[resources.REFERENCE_GRANTS]
        self._dns: Collection[DNSEndpoint] = collections[resources.DNS_ENDPOINTS]
        self._secrets: Collection[Secret] | None = collections.get(resources.SECRETS)
        self._revised = (self._namespaces, self._services, self._classes, self._gateways, self._grants)

    def revision(self) -> Hashable:
        return (self, *((each.store.revision, each.doubt()) for each in self._revised))

    def gateway_class(self, name: str) -> GatewayClass | None:
        return self._classes.get("", name)

    def gateway(self, namespace: str, name: str) -> Gateway | None:
        return self._gateways.get(namespace, name)

    def gateways_of_class(self, name: str) -> Sequence[Gateway]:
        return self._gateways.by_index("class", name)

    def gateways_of_listener_hostname(self, hostname: str) -> Sequence[Gateway]:
        return self._gateways.by_index("listener hostname", hostname)

    def gateways_of_secret(self, namespace: str, name: str) -> Sequence[Gateway]:
        return self._gateways.by_index("certificate", (namespace, name))

    def secret(self, namespace: str, name: str) -> Secret | None:
        if self._secrets is None:
            raise UnknownError("Secret", "Secrets are not read")
        return self._secrets.get(namespace, name)

    def namespace(self, name: str) -> Namespace | None:
        return self._namespaces.get("", name)

    def route(self, ref: RouteRef) -> Route | None:
        return self._routes[ref.kind].get(ref.namespace, ref.name)

    def routes_of_gateway(self, namespace: str, name: str) -> Sequence[Route]:
        return self._routes_by("parent", (namespace, name))

    def routes_open_to_hostnames(self, namespace: str, name: str) -> Sequence[Route]:
        return self._routes_by("open", (namespace, name))

    def routes_of_namespace(self, namespace: str) -> Sequence[Route]:
        return self._routes_by("namespace", namespace)

    def routes_of_hostname(self, hostname: str) -> Sequence[Route]:
        return self._routes_by("hostname", hostname)

    def undecodable_routes(self, hostname: str) -> Sequence[Undecodable]:
        found: dict[tuple[str, str, str], Undecodable] = {}
        for kind, collection in self._routes.items():
            store = collection.certain()
            if not store.undecodable:
                continue
            unreadable = list(store.undecodable_by_index("hostname", hostname))
            for gateway in self.gateways_of_listener_hostname(hostname):
                unreadable += store.undecodable_by_index("open", (gateway.namespace, gateway.name))
            found.update({(kind, route.namespace, route.name): route for route in unreadable})
        return tuple(found.values())

    def routes_of_backend(self, namespace: str, service: str) -> Sequence[Route]:
        return self._routes_by("backend", (namespace, service))

    def _routes_by(self, index: str, value: Hashable) -> Sequence[Route]:
        """The routes of all kinds under this value of an index; where a kind is in doubt, those of the others are what
        is known."""
        found: list[Route] = []
        doubt: UnknownError | None = None
        for collection in self._routes.values():
            try:
                found += collection.certain().by_index(index, value)
            except UnknownError as error:
                doubt = doubt or error
        if doubt is not None:
            raise UnknownError(doubt.kind, doubt.reason, known=found)
        return tuple(found)

    def service(self, namespace: str, name: str) -> Service | None:
        return self._services.get(namespace, name)

    def endpoint_slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        store = self._slices.certain()
        for (of, _), piece in store.undecodable.items():
            labels = piece.metadata.labels or {}
            if of == namespace and labels.get(SERVICE_NAME_LABEL) == service:
                raise UnknownError("EndpointSlice", piece.reason)
        return store.by_index("service", (namespace, service))

    def reference_grants(self, namespace: str) -> Sequence[ReferenceGrant]:
        store = self._grants.certain()
        for (of, _), grant in store.undecodable.items():
            if of == namespace:
                raise UnknownError("ReferenceGrant", grant.reason)
        return store.by_index("namespace", namespace)

    def has_external_dns(self) -> bool:
        self._dns.certain()
        return self._dns.installed()

    def dns_endpoint(self, namespace: str, name: str) -> DNSEndpoint | None:
        return self._dns.get(namespace, name)

    def dns_endpoints_of(self, hostname: str) -> Sequence[DNSEndpoint]:
        return self._dns.by_index("dns name", hostname)


def view_of(objects: Mapping[Resource[Any], Iterable[Object]]) -> StoreView:
    """A view of exactly these objects, all of it certain: for `plan -f` and for tests."""
    collections: dict[Resource[Any], Collection[Any]] = {}
    for resource, indexers in {**INDEXERS, **SECRET_INDEXERS}.items():
        store: Store[Any] = Store(indexers)
        for obj in objects.get(resource, ()):
            store.put(obj)
        collections[resource] = Collection(resource, store, _never)
    return StoreView(collections)
