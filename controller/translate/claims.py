"""Which route serves a hostname when several ask for it.

A custom domain name is unique in a service network, so routes that want the same effective hostname in a common
network, or that are both standalone, contend for it. The oldest gets it; a younger one gets it where it contends
with none that got it before. Routes without hostnames contend with nobody.

Source: Gateway API v1.6, "Conflict resolution" (oldest by creation, then by namespace and name); VPC Lattice user
guide, custom domain names.
"""

from controller.api.gateway import HTTPRoute
from controller.api.keys import RouteRef, ServiceKey
from controller.gateway.hostnames import is_wildcard, matches
from controller.gateway.precedence import route_age
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.context import TranslateContext
from controller.translate.draft import Draft, Share, draft_route


class Claim(Frozen, frozen=True):
    draft: Draft
    share: Share


def contend(one: ServiceKey, other: ServiceKey) -> bool:
    """Whether two services of the same hostname cannot both be."""
    return one.networks == other.networks or not set(one.networks).isdisjoint(other.networks)


def candidates(view: View, hostname: str) -> list[HTTPRoute]:
    """Routes that may have this effective hostname, oldest first: they or a listener name it. Raises `UnknownError`."""
    found = {(route.namespace, route.name): route for route in view.routes_of_hostname(hostname)}
    for gateway in view.gateways_of_listener_hostname(hostname):
        for route in view.routes_of_gateway(gateway.namespace, gateway.name):
            wanted = route.spec.hostnames or ()
            if not wanted or any(is_wildcard(pattern) and matches(pattern, hostname) for pattern in wanted):
                found[route.namespace, route.name] = route
    return sorted((route for route in found.values() if not route.deleting), key=route_age)


def granted(view: View, hostname: str, ctx: TranslateContext) -> tuple[Claim, ...]:
    """The claims to a hostname that hold, oldest first; no two of them contend. Raises `UnknownError`."""
    held: list[Claim] = []
    for route in candidates(view, hostname):
        draft = draft_route(view, route, ctx)
        held += [
            Claim(draft=draft, share=share)
            for share in draft.shares
            if share.key.hostname == hostname and not any(contend(share.key, claim.share.key) for claim in held)
        ]
    return tuple(held)


def rival(view: View, ref: RouteRef, key: ServiceKey, ctx: TranslateContext) -> RouteRef | None:
    """The route to which `ref` loses this service; None if it gets it. Raises `UnknownError`."""
    if key.route is not None:
        return None
    others = candidates(view, key.hostname)
    if len(others) == 1 and others[0].name == ref.name and others[0].namespace == ref.namespace:
        return None
    for claim in granted(view, key.hostname, ctx):
        if claim.draft.ref != ref and contend(claim.share.key, key):
            return claim.draft.ref
    return None
