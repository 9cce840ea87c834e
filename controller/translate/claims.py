"""Which route serves a hostname when several ask for it.

A custom domain name is unique in a service network, so routes that want the same effective hostname in a common
network, or that are both standalone, contend for it. The oldest gets it; a younger one gets it where it contends
with none that got it before. Routes without hostnames contend with nobody.

Who wants a hostname is known without a look at what else the routes say, and claims are weighed from the oldest on and
no further than the question needs: mostly one or two drafts, however many routes name the hostname. A route that cannot
be decoded has its place among them, for it may hold what it always held: a question that reaches it has no answer.

Source: Gateway API v1.6, "Conflict resolution" (oldest by creation, then by namespace and name); VPC Lattice user
guide, custom domain names.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from controller.api.gateway import Route
from controller.api.keys import RouteRef, ServiceKey
from controller.api.meta import Undecodable
from controller.gateway.hostnames import is_wildcard, matches
from controller.gateway.precedence import route_age
from controller.gateway.view import UnknownError, View
from controller.lattice.model import Frozen
from controller.translate.context import TranslateContext
from controller.translate.draft import Draft, Share, draft_route


class Claim(Frozen, frozen=True):
    draft: Draft
    share: Share


def contend(one: ServiceKey, other: ServiceKey) -> bool:
    """Whether two services of the same hostname cannot both be."""
    return one.networks == other.networks or not set(one.networks).isdisjoint(other.networks)


def candidates(view: View, hostname: str) -> list[Route | Undecodable]:
    """Routes that may have this effective hostname, oldest first: they or a listener name it. Raises `UnknownError`."""
    found: dict[tuple[str, str, str], Route | Undecodable] = {
        (route.kind, route.namespace, route.name): route for route in view.routes_of_hostname(hostname)
    }
    for gateway in view.gateways_of_listener_hostname(hostname):
        for route in view.routes_open_to_hostnames(gateway.namespace, gateway.name):
            wanted = route.spec.hostnames or ()
            if not wanted or any(is_wildcard(pattern) and matches(pattern, hostname) for pattern in wanted):
                found[route.kind, route.namespace, route.name] = route
    for unreadable in view.undecodable_routes(hostname):
        found[unreadable.kind, unreadable.namespace, unreadable.name] = unreadable
    return sorted((route for route in found.values() if not route.deleting), key=route_age)


def claim_of(view: View, key: ServiceKey, ctx: TranslateContext) -> Claim | None:
    """The route that gets this service, and its share in it; None when none asks for it. Raises `UnknownError`."""
    if key.route is None:
        claims = _claims(candidates(view, key.hostname), view, key.hostname, ctx)
        first = next((claim for claim in claims if contend(claim.share.key, key)), None)
        return first if first is not None and first.share.key == key else None
    route = view.route(key.route)
    if route is None or route.deleting:
        return None
    draft = draft_route(view, route, ctx)
    return next((Claim(draft=draft, share=share) for share in draft.shares if share.key == key), None)


def rival(view: View, route: Route, key: ServiceKey, ctx: TranslateContext) -> RouteRef | None:
    """The older route to which this one loses this service; None if it gets it. Raises `UnknownError`."""
    if key.route is not None:
        return None
    age = route_age(route)
    older = takewhile(lambda other: route_age(other) < age, candidates(view, key.hostname))
    for claim in _claims(older, view, key.hostname, ctx):
        if contend(claim.share.key, key) and claim.draft.ref != route.ref:
            return claim.draft.ref
    return None


def dependent(
    view: View, hostname: str, changed: Mapping[RouteRef, ServiceKey], ctx: TranslateContext
) -> Sequence[Route]:
    """The routes that may get or lose a hostname by what becomes of these routes, which claim these services of it.

    That are all that are younger than the first of them that gets it: what loses keeps nobody from anything. Where it
    cannot be told, that are all. Raises `UnknownError` where the routes themselves are unknown.
    """
    try:
        routes = candidates(view, hostname)
    except UnknownError:
        return view.routes_of_hostname(hostname)
    first = _first(routes, view, hostname, changed, ctx)
    younger = routes[first:] if first is not None else ()
    return [route for route in younger if not isinstance(route, Undecodable) and route.ref not in changed]


def _first(
    routes: Sequence[Route | Undecodable],
    view: View,
    hostname: str,
    changed: Mapping[RouteRef, ServiceKey],
    ctx: TranslateContext,
) -> int | None:
    """The place of the first route that is one of these and gets its service; None if none of them does."""
    places = {route.ref: place for place, route in enumerate(routes) if not isinstance(route, Undecodable)}
    open_ = {ref: key for ref, key in changed.items() if ref in places}
    weighed = 0
    try:
        for claim in _claims(routes, view, hostname, ctx):
            weighed = places[claim.draft.ref]
            if claim.draft.ref in open_:
                return weighed
            open_ = {ref: key for ref, key in open_.items() if not contend(claim.share.key, key)}
            if not open_:
                return None
    except UnknownError:
        return weighed
    return None


def _claims(
    routes: Iterator[Route | Undecodable] | Sequence[Route | Undecodable],
    view: View,
    hostname: str,
    ctx: TranslateContext,
) -> Iterator[Claim]:
    """The claims of these candidates that hold, oldest first; no two of them contend. Raises `UnknownError`."""
    held: list[ServiceKey] = []
    for route in routes:
        if isinstance(route, Undecodable):
            raise UnknownError(route.kind, route.reason)
        draft = draft_route(view, route, ctx)
        for share in draft.shares:
            if share.key.hostname == hostname and not any(contend(share.key, other) for other in held):
                held.append(share.key)
                yield Claim(draft=draft, share=share)
