"""Which keys an event touches.

Only a difference that a translation reads touches anything, so that the bookkeeping of others costs nothing, and our
own patches at most one look at the object. What a route asks for depends on more than the route, so the
keys are asked of the view as it is and as it was before: what is no longer wanted has to hear of it too. Keys are
taken from what a route would feed if it were alone, for a change may also decide whether it gets a hostname; and
with a route go the routes that want the same hostnames.

An EndpointSlice touches target groups and nothing else: that is the fast path by which a pod that comes or goes
reaches Lattice.

What is unknown touches nothing, or only the route that depends on it. When it becomes known, that is an event of its
own.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from controller.api.core import EndpointSlice, Secret, Service
from controller.api.external_dns import DNSEndpoint
from controller.api.gateway import Gateway, GatewayClass, ReferenceGrant, Route
from controller.api.keys import CertificateKey, Key, ObjectKey, RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Object, Undecodable
from controller.gateway.attachment import parent_gateways
from controller.gateway.parents import accepting_parents, own_parents
from controller.gateway.view import UnknownError, View
from controller.lattice.model import TAG_PREFIX
from controller.translate.annotations import (
    ASSIGNED_DOMAIN_NAME,
    GATEWAY_CLASS_FINALIZER,
    GATEWAY_FINALIZER,
    PAUSED,
    ROUTE_FINALIZERS,
    STANDALONE,
    TAKE_OVER,
    WRITTEN,
)
from controller.translate.before import Before
from controller.translate.certificates import FromSecrets
from controller.translate.claims import dependent
from controller.translate.context import TranslateContext
from controller.translate.dns import owners_of, routes_meant
from controller.translate.draft import Draft, draft_route
from controller.translate.imports import certificate_keys
from controller.translate.rules import group_of


def keys_for_change(
    kind: str, old: Object | None, new: Object | None, view: View, ctx: TranslateContext
) -> frozenset[Key]:
    """The keys that the change of one object touches, for its old and its new version.

    `kind` is the Kubernetes kind; `old` is None when the object is new, `new` when it is gone; `view` already shows
    `new`. A version that could not be decoded asks for nothing. Never raises `UnknownError`.
    """
    old = None if isinstance(old, Undecodable) else old
    new = None if isinstance(new, Undecodable) else new
    touch = _TOUCHES.get(kind)
    if touch is None or (old is None and new is None):
        return frozenset()
    return frozenset(touch(_Event(old, new, view, ctx)))


class _Event:
    """One event, with the views of before and after."""

    def __init__(self, old: Object | None, new: Object | None, view: View, ctx: TranslateContext) -> None:
        self.old = old
        self.new = new
        self.versions: tuple[Any, ...] = tuple(version for version in (old, new) if version is not None)
        self.now = view
        self.before = Before(view, old, new)
        self._ctx = ctx

    def differs(self, read: Callable[[Any], object]) -> bool:
        """Whether the object came, went, began to go, was made anew, or differs in what `read` gives of it."""
        old, new = self.old, self.new
        if old is None or new is None:
            return True
        if old.metadata.uid != new.metadata.uid or old.deleting != new.deleting:
            return True
        return read(old) != read(new)

    def lost(self, finalizer: str) -> bool:
        """Whether the finalizer was taken off, but not because the object goes."""
        old, new = self.old, self.new
        return (
            old is not None
            and new is not None
            and not new.deleting
            and finalizer in old.metadata.finalizers
            and finalizer not in new.metadata.finalizers
        )

    def rewritten(self) -> bool:
        """Whether our part of a route's status is another than it was."""
        old, new = self.old, self.new
        if not isinstance(old, Route) or not isinstance(new, Route) or old.status == new.status:
            return False
        name = self._ctx.controller_name
        return own_parents(old.status, name) != own_parents(new.status, name)

    def acceptance_changed(self) -> bool:
        """Whether other parents of a route accept it than before, as our part of its status says."""
        name = self._ctx.controller_name
        return self.rewritten() and self.differs(lambda route: accepting_parents(route.status, name))

    def certificates(self, gateways: Iterable[Gateway]) -> set[Key]:
        """The keys of the Secrets to which these Gateways refer, where they are imported."""
        if not self._ctx.import_certificates:
            return set()
        return {key for gateway in gateways for key in certificate_keys(gateway)}

    def route_in(self, view: View) -> Sequence[Route]:
        """The version of this route that belongs to the view."""
        version = self.old if view is self.before else self.new
        return [version] if isinstance(version, Route) else []

    def draft(self, view: View, route: Route) -> Draft | None:
        try:
            return draft_route(view, route, self._ctx)
        except UnknownError:
            return None

    def routes(self, query: Callable[[View], Iterable[Route]]) -> set[Key]:
        """All keys of these routes, before and after, and of the routes that may get or lose a hostname by them."""
        keys: set[Key] = set()
        for view in (self.before, self.now):
            claims: dict[str, dict[RouteRef, ServiceKey]] = {}
            for route in _known(query, view):
                draft = self.draft(view, route)
                keys |= _keys(route, draft)
                for share in draft.shares if draft is not None else ():
                    if share.key.route is None:
                        claims.setdefault(share.key.hostname, {})[route.ref] = share.key
            for hostname, changed in claims.items():
                keys |= _publishing(self.now, hostname)
                for rival in _known(partial(dependent, hostname=hostname, changed=changed, ctx=self._ctx), view):
                    keys |= _keys(rival, self.draft(view, rival), hostname)
        return keys


def _route(event: _Event) -> set[Key]:
    if event.differs(lambda route: (route.spec, _annotations(route))):
        return event.routes(event.route_in) | _gateways(event.versions)
    keys: set[Key] = set()
    finalizer = ROUTE_FINALIZERS[event.versions[0].kind]
    if event.differs(lambda route: finalizer in route.metadata.finalizers):
        for route in event.route_in(event.now):
            keys |= _keys(route, event.draft(event.now, route))
            if not event.lost(finalizer):
                keys.discard(route.ref.key)
    if event.differs(lambda route: route.annotation(ASSIGNED_DOMAIN_NAME)):
        keys |= _gateways(event.versions)
    if event.acceptance_changed():
        keys |= _gateways(event.versions)
    if event.differs(lambda route: [route.annotation(name) for name in WRITTEN]) or event.rewritten():
        # Somebody else's hand, perhaps: the route's key puts right what it reports. After our own it has nothing to do.
        keys |= {route.ref.key for route in event.route_in(event.now)}
    if event.differs(_generation):
        keys |= {route.ref.key for route in event.route_in(event.now)}
    return keys


def _endpoint_slice(event: _Event) -> set[Key]:
    if not event.differs(
        lambda piece: (piece.address_type, _registered(piece), set(piece.ports or ()), piece.service_name)
    ):
        return set()
    keys: set[Key] = set()
    for namespace, name in {(piece.namespace, piece.service_name) for piece in event.versions}:
        for route in _known(_routes_of_backend(namespace, name), event.now):
            draft = event.draft(event.now, route)
            keys |= _groups(draft, namespace, name)
    return keys


def _registered(piece: EndpointSlice) -> set[str]:
    """The addresses that are targets: what else is said of endpoints, such as whether they are ready, is not read."""
    return {
        address
        for endpoint in piece.endpoints or ()
        if not endpoint.conditions.terminating
        for address in endpoint.addresses
    }


def _service(event: _Event) -> set[Key]:
    if not event.differs(lambda service: service.spec):
        return set()
    service: Service = event.versions[0]
    return event.routes(_routes_of_backend(service.namespace, service.name))


def services_of_secret(view: View, key: CertificateKey, ctx: TranslateContext) -> set[ServiceKey]:
    """The services that may have the certificate that is imported from a Secret. Raises `UnknownError`."""
    return {
        share.key
        for gateway in view.gateways_of_secret(key.namespace, key.name)
        for route in view.routes_of_gateway(gateway.namespace, gateway.name)
        if not route.deleting
        for share in draft_route(view, route, ctx).shares
        if isinstance(share.certificate, FromSecrets) and key in share.certificate.keys
    }


def _secret(event: _Event) -> set[Key]:
    if not event.differs(lambda secret: secret.data):
        return set()
    secret: Secret = event.versions[0]
    gateways = _known(lambda view: view.gateways_of_secret(secret.namespace, secret.name), event.now)
    return {CertificateKey(secret.namespace, secret.name), *_keys_of(gateways)} if gateways else set()


def _keys_of(gateways: Iterable[Gateway]) -> set[Key]:
    return {ObjectKey("Gateway", gateway.namespace, gateway.name) for gateway in gateways}


def _gateway(event: _Event) -> set[Key]:
    gateway: Gateway = event.versions[0]
    own: set[Key] = {ObjectKey("Gateway", gateway.namespace, gateway.name)}
    if event.differs(lambda version: (version.spec, version.annotation(STANDALONE), version.annotation(PAUSED))):
        classes = {ObjectKey("GatewayClass", "", version.spec.gateway_class_name) for version in event.versions}
        routes = event.routes(lambda view: view.routes_of_gateway(gateway.namespace, gateway.name))
        return own | classes | routes | event.certificates(event.versions)
    return own if event.lost(GATEWAY_FINALIZER) or event.differs(_generation) else set()


def _gateway_class(event: _Event) -> set[Key]:
    gateway_class: GatewayClass = event.versions[0]
    own: set[Key] = {ObjectKey("GatewayClass", "", gateway_class.name)}
    if event.differs(lambda version: version.spec):
        gateways = _known(lambda view: view.gateways_of_class(gateway_class.name), event.now)
        own |= _keys_of(gateways) | event.certificates(gateways)
        return own | event.routes(
            lambda view: [
                route for gateway in gateways for route in view.routes_of_gateway(gateway.namespace, gateway.name)
            ]
        )
    return own if event.lost(GATEWAY_CLASS_FINALIZER) or event.differs(_generation) else set()


def _namespace(event: _Event) -> set[Key]:
    """A namespace's labels count for Gateways that select by them, its release of a take-over for all its routes."""
    name = event.versions[0].name
    released: set[Key] = set()
    if event.differs(lambda namespace: namespace.annotation(TAKE_OVER)):
        released = {route.ref.key for route in _known(lambda view: view.routes_of_namespace(name), event.now)}
    return released | _selected(event, name)


def _selected(event: _Event, name: str) -> set[Key]:
    if not event.differs(lambda namespace: namespace.metadata.labels or {}):
        return set()
    routes = [
        route
        for route in _known(lambda view: view.routes_of_namespace(name), event.now)
        if any(_selects_by_label(event.now, *gateway) for gateway in parent_gateways(route))
    ]
    return event.routes(lambda _: routes) | _gateways(routes)


def _reference_grant(event: _Event) -> set[Key]:
    if not event.differs(lambda grant: grant.spec):
        return set()
    grants: tuple[ReferenceGrant, ...] = event.versions
    sources = {(source.kind, source.namespace, grant.namespace) for grant in grants for source in grant.spec.from_}
    gateways = [
        gateway
        for kind, source, target in sources
        if kind == "Gateway"
        for gateway in _known(partial(_gateways_with_secrets_in, target), event.now)
        if gateway.namespace == source
    ]
    return event.routes(
        lambda view: [
            *(
                route
                for kind, source, target in sources
                for route in view.routes_of_namespace(source)
                if route.kind == kind and _refers(route, target)
            ),
            *(route for gateway in gateways for route in view.routes_of_gateway(gateway.namespace, gateway.name)),
        ]
    ) | (_keys_of(gateways) | event.certificates(gateways))


def _gateways_with_secrets_in(namespace: str, view: View) -> Sequence[Gateway]:
    return view.gateways_of_secret(namespace, "")


def _dns_endpoint(event: _Event) -> set[Key]:
    """The routes whose object it is, or has the name of; and those that have records of names that came or went."""
    if not event.differs(lambda obj: (obj.spec, obj.metadata.owner_references)):
        return set()
    meant = {ref for obj in event.versions for ref in routes_meant(obj) if _known(partial(_present, ref), event.now)}
    keys: set[Key] = {ref.key for ref in meant}
    return keys.union(*(_publishing(event.now, name) for name in _names(event.old) ^ _names(event.new)))


def _names(obj: Object | None) -> set[str]:
    return {endpoint.dns_name for endpoint in obj.endpoints} if isinstance(obj, DNSEndpoint) else set()


def _publishing(view: View, hostname: str) -> set[Key]:
    """The routes that have a record of this hostname, and may be waiting for another to have it."""
    found = _known(lambda each: each.dns_endpoints_of(hostname), view)
    return {ref.key for obj in found for ref in owners_of(obj)}


def _present(ref: RouteRef, view: View) -> Sequence[Route]:
    route = view.route(ref)
    return [] if route is None else [route]


_TOUCHES: dict[str, Callable[[_Event], set[Key]]] = {
    **dict.fromkeys(ROUTE_FINALIZERS, _route),
    "EndpointSlice": _endpoint_slice,
    "Service": _service,
    "Gateway": _gateway,
    "GatewayClass": _gateway_class,
    "Namespace": _namespace,
    "ReferenceGrant": _reference_grant,
    "Secret": _secret,
    "DNSEndpoint": _dns_endpoint,
}


def _generation(obj: Object) -> int:
    """What a status has to tell of, also where nothing changed that is read here."""
    return obj.metadata.generation


def _known(query: Callable[[View], Iterable[Any]], view: View) -> Sequence[Any]:
    try:
        return list(query(view))
    except UnknownError as error:
        return list(error.known)


def _routes_of_backend(namespace: str, service: str) -> Callable[[View], Sequence[Route]]:
    return lambda view: view.routes_of_backend(namespace, service)


def _keys(route: Route, draft: Draft | None, hostname: str | None = None) -> set[Key]:
    """The route's own key, and those of its services with their groups: of all, or of the hostname's alone."""
    keys: set[Key] = {route.ref.key}
    for share in draft.shares if draft is not None else ():
        if draft is not None and hostname in {None, share.key.hostname}:
            keys.add(share.key)
            keys.update(draft.groups(share.key))
    return keys


def _groups(draft: Draft | None, namespace: str, service: str) -> set[TargetGroupKey]:
    """The groups of one Service in all services of a route."""
    if draft is None:
        return set()
    backends = [backend for backend in draft.backends if (backend.namespace, backend.service) == (namespace, service)]
    return {group_of(share.key, backend) for share in draft.shares for backend in backends}


def _annotations(route: Route) -> dict[str, str]:
    """The route's annotations under our prefix that we do not write ourselves: all that a translation reads."""
    return {
        name: value
        for name, value in (route.metadata.annotations or {}).items()
        if name.startswith(TAG_PREFIX) and name not in WRITTEN
    }


def _gateways(routes: Iterable[Route]) -> set[Key]:
    return {ObjectKey("Gateway", namespace, name) for route in routes for namespace, name in parent_gateways(route)}


def _selects_by_label(view: View, namespace: str, name: str) -> bool:
    gateways = _known(lambda each: [each.gateway(namespace, name)], view)
    return any(
        listener.allowed_routes.namespaces.from_ == "Selector"
        for gateway in gateways
        if gateway is not None
        for listener in gateway.spec.listeners
    )


def _refers(route: Route, namespace: str) -> bool:
    return any(ref.namespace == namespace for rule in route.spec.rules or () for ref in rule.backend_refs or ())
