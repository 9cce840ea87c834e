"""Which match of which rule serves a request when several do.

Across all rules of all routes that share a service, the first match in the order of `match_rank` that fits a request
serves it.

Source: Gateway API v1.6, `HTTPRouteRule.matches`, `GRPCRouteRule.matches`.
"""

from controller.api.gateway import GRPCMethodMatch, GRPCRouteMatch, HTTPRouteMatch, PathMatch, Route
from controller.api.meta import Undecodable

MatchRank = tuple[int, ...]
"""Compared only with ranks of matches of the same kind."""

RouteAge = tuple[str, str, str]

EXACT = "Exact"
PREFIX = "PathPrefix"


def route_age(route: Route | Undecodable) -> RouteAge:
    """Orders routes by the specification: the oldest first, then by namespace and name as one text; of routes of
    different kinds that are still alike, which it leaves open, by kind."""
    return (route.metadata.creation_timestamp, f"{route.namespace}/{route.name}", route.kind)


def match_rank(match: HTTPRouteMatch) -> MatchRank:
    """Orders matches; the lower is tried first. Ties go by `route_age`, then by the place of the rule, then of the
    match.

    Exact path, then the longest prefix, then a method, then the most headers, then the most query parameters.
    """
    path = match.path or PathMatch()
    exact = path.type == EXACT
    return (
        0 if exact else 1,
        0 if exact else -len(prefix_of(path.value)),
        0 if match.method else 1,
        -len({header.name.lower() for header in match.headers or ()}),
        -len(match.query_params or ()),
    )


def grpc_match_rank(match: GRPCRouteMatch) -> MatchRank:
    """Orders matches of GRPCRoutes as `match_rank` does those of HTTPRoutes.

    The longest service, then the longest method, then the most headers.
    """
    method = match.method or GRPCMethodMatch()
    return (
        -len(method.service or ""),
        -len(method.method or ""),
        -len({header.name.lower() for header in match.headers or ()}),
    )


def prefix_of(value: str) -> str:
    """A path prefix in its one form: by path element, so that a trailing slash does not count; the root is `/`."""
    return value.rstrip("/") or "/"
