"""Which routes serve a hostname when several ask for it.

A custom domain name is unique in a service network, so routes that want the same effective hostname in a common
network, or that are both standalone, have to share one service or contend for it. Routes of one kind that are offered
through the same set of networks share it: their rules are merged. All others contend: the oldest gets the hostname, and
a younger one gets it where it contends with none that got it before. Routes without hostnames have services of their
own.

TLSRoutes contend always, because what passes through undecrypted has nothing but the hostname to tell them apart. So do
routes that want one port with different protocols, as a service has one listener a port.

Who wants a hostname is known without a look at what else the routes say. A route that cannot be decoded has its place
among them, for it may hold what it always held: a question that reaches it has no answer. One that never carried our
finalizer holds nothing, and takes nothing from those that are older.

Source: Gateway API v1.6, "Conflict resolution" (oldest by creation, then by namespace and name) and
`HTTPRouteSpec.hostnames`; VPC Lattice user guide, custom domain names.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from controller.api.gateway import Route
from controller.api.keys import RouteRef, ServiceKey
from controller.api.meta import Undecodable
from controller.gateway.hostnames import is_wildcard, matches
from controller.gateway.precedence import RouteAge, route_age
from controller.gateway.view import UnknownError, View
from controller.lattice.model import Frozen
from controller.translate.admission import Claim, overflowing
from controller.translate.annotations import ROUTE_FINALIZERS
from controller.translate.context import TranslateContext
from controller.translate.draft import Draft, Share, draft_route

_MERGED: Final = frozenset({"HTTPRoute", "GRPCRoute"})
"""Kinds of routes that can share a service."""


def contend(one: ServiceKey, other: ServiceKey) -> bool:
    """Whether two services of the same hostname cannot both be."""
    return one.networks == other.networks or not set(one.networks).isdisjoint(other.networks)


def candidates(view: View, hostname: str, instead: Route | None = None) -> list[Route | Undecodable]:
    """Routes that may have this effective hostname, oldest first: they or a listener name it. Raises `UnknownError`.

    `instead` is a version of one of them that takes the place of the view's.
    """
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
    if instead is not None:
        found[instead.kind, instead.namespace, instead.name] = instead
    return sorted((route for route in found.values() if not route.deleting), key=route_age)


def claims_of(view: View, key: ServiceKey, ctx: TranslateContext, instead: Route | None = None) -> tuple[Claim, ...]:
    """The routes that share this service, oldest first; none when none asks for it. Raises `UnknownError`.

    `instead` is a version of one of them that takes the place of the view's.
    """
    claims = _asking(view, key, ctx, instead)
    refused = overflowing(claims, ctx.quotas.now)
    return tuple(claim for claim in claims if claim.draft.ref not in refused)


def no_room(view: View, route: Route, key: ServiceKey, ctx: TranslateContext) -> str | None:
    """Why the service that this version of a route gets has no room for it; None if it has. Raises `UnknownError`."""
    return overflowing(_asking(view, key, ctx, route), ctx.quotas.now).get(route.ref)


def _asking(view: View, key: ServiceKey, ctx: TranslateContext, instead: Route | None) -> Sequence[Claim]:
    """The routes that would share this service if it had room for all, oldest first."""
    if key.route is None:
        weighed = _weighed(candidates(view, key.hostname, instead), view, key.hostname, ctx)
        if weighed.doubt is not None:
            raise weighed.doubt
        return [claim for claim in weighed.claims if claim.share.key == key]
    route = instead or view.route(key.route)
    if route is None or route.deleting:
        return ()
    draft = draft_route(view, route, ctx)
    return [Claim(draft=draft, share=share) for share in draft.shares if share.key == key]


def services_of_hostname(view: View, hostname: str, ctx: TranslateContext) -> tuple[ServiceKey, ...]:
    """The services of this hostname that routes get. Raises `UnknownError`."""
    weighed = _weighed(candidates(view, hostname), view, hostname, ctx)
    if weighed.doubt is not None:
        raise weighed.doubt
    return tuple(dict.fromkeys(claim.share.key for claim in weighed.claims))


def rival(view: View, route: Route, key: ServiceKey, ctx: TranslateContext) -> RouteRef | None:
    """The older route to which this version of a route loses this service; None if it gets it. Raises `UnknownError`.

    What is younger has no say in that, and need not be known.
    """
    if key.route is not None:
        return None
    weighed = _weighed(candidates(view, key.hostname, route), view, key.hostname, ctx)
    if any(claim.share.key == key and claim.draft.ref == route.ref for claim in weighed.claims):
        return None
    rivals = [claim for claim in weighed.claims if contend(claim.share.key, key)]
    decided = any(claim.share.key != key for claim in rivals)
    if weighed.doubt is not None and weighed.until is not None and weighed.until <= route_age(route) and not decided:
        raise weighed.doubt
    return rivals[0].draft.ref


def dependent(
    view: View, hostname: str, changed: Mapping[RouteRef, ServiceKey], ctx: TranslateContext
) -> Sequence[Route]:
    """The routes for which it may matter what becomes of these routes, which claim these services of a hostname.

    They may get or lose the hostname, or share it and be told that another's rule comes before theirs. That are all
    that are younger than the first of these that gets it: what loses keeps nobody from anything. Where it cannot be
    told, or a service has no room for some of them, that are all. Raises `UnknownError` where the routes themselves are
    unknown.
    """
    try:
        routes = candidates(view, hostname)
    except UnknownError:
        return view.routes_of_hostname(hostname)
    claims = _weighed(routes, view, hostname, ctx).claims
    if any(
        overflowing([claim for claim in claims if claim.share.key == key], ctx.quotas.now)
        for key in dict.fromkeys(changed.values())
    ):
        return [route for route in routes if not isinstance(route, Undecodable) and route.ref not in changed]
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
    weighed = _weighed(routes, view, hostname, ctx)
    last = 0
    for claim in weighed.claims:
        last = places[claim.draft.ref]
        if claim.draft.ref in open_:
            return last
        held = claim.share.key
        open_ = {ref: key for ref, key in open_.items() if key == held or not contend(held, key)}
        if not open_:
            return None
    return last if weighed.doubt is not None else None


class _Weighed(Frozen, frozen=True):
    claims: tuple[Claim, ...] = ()
    """Those that hold, oldest first, as far as they can be told."""
    doubt: UnknownError | None = None
    """Why no more of them can be told."""
    until: RouteAge | None = None
    """The age of the route that is in doubt."""


def _weighed(routes: Sequence[Route | Undecodable], view: View, hostname: str, ctx: TranslateContext) -> _Weighed:
    """The claims of these candidates; remembered for as long as they and what they refer to stay the same."""
    if not routes:
        return _Weighed()
    weighed: _Weighed = ctx.claims.recall(
        routes[0], (view.revision(), tuple(routes)), lambda: _weigh(routes, view, hostname, ctx), part=hostname
    )
    return weighed


def _weigh(routes: Sequence[Route | Undecodable], view: View, hostname: str, ctx: TranslateContext) -> _Weighed:
    held: dict[ServiceKey, dict[int, str]] = {}
    claims: list[Claim] = []
    for route in routes:
        try:
            draft = _draft(view, route, ctx)
        except UnknownError as error:
            if held and set(ROUTE_FINALIZERS.values()).isdisjoint(route.metadata.finalizers):
                continue
            return _Weighed(claims=tuple(claims), doubt=error, until=route_age(route))
        for share in draft.shares:
            if share.key.hostname == hostname and _gets(share, held):
                held.setdefault(share.key, {}).update(share.listeners)
                claims.append(Claim(draft=draft, share=share))
    return _Weighed(claims=tuple(claims))


def _draft(view: View, route: Route | Undecodable, ctx: TranslateContext) -> Draft:
    if isinstance(route, Undecodable):
        raise UnknownError(route.kind, route.reason)
    return draft_route(view, route, ctx)


def _gets(share: Share, held: Mapping[ServiceKey, Mapping[int, str]]) -> bool:
    """Whether a share is given to a route beside those that hold services of this hostname, by port and protocol."""
    ports = held.get(share.key)
    if ports is None:
        return not any(contend(share.key, other) for other in held)
    return share.key.kind in _MERGED and all(
        ports.get(port, protocol) == protocol for port, protocol in share.listeners
    )
