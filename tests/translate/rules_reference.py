"""Which backend a request is for, read off the Gateway API's words: slowly, and without a line of the controller.

Routes are the plain JSON of their objects, all of them attached where the request arrives. Every match of every rule is
tried, and of those that fit the criteria of the specification name one, each criterion only where those before it leave
a tie. Nothing is compiled, merged, ordered beforehand or left out.

Source: Gateway API v1.6, `HTTPRouteRule.matches`, `HTTPPathMatch`, `HTTPHeaderMatch`, `HTTPBackendRef.weight`,
`GRPCRouteRule.matches`, `GRPCMethodMatch`.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

Json = Mapping[str, Any]
Answer = int | Mapping[str, Fraction]
"""A status, or the share of the requests that each backend (`namespace/name`) gets."""


class Request(NamedTuple):
    """An HTTP request; a gRPC call is a POST of `/service/method` (gRPC over HTTP/2, "Requests")."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    """Each name once."""


class Candidate(NamedTuple):
    """A match that fits a request, with where it stands."""

    route: Json
    rule_index: int
    match: Json

    @property
    def rule(self) -> Json:
        found: Json = self.route["spec"]["rules"][self.rule_index]
        return found


def candidates(routes: Sequence[Json], request: Request) -> list[Candidate]:
    """All matches that fit the request."""
    return [
        Candidate(route, index, match)
        for route in routes
        for index, rule in enumerate(route["spec"]["rules"])
        for match in rule.get("matches") or [{}]
        if fits(route["kind"], match, request)
    ]


def answer(fitting: Sequence[Candidate]) -> Answer:
    """What a request has to meet that fits these matches."""
    left = list(fitting)
    for criterion in CRITERIA[left[0].route["kind"]].values() if left else ():
        best = min(map(criterion, left), default=None)
        left = [one for one in left if criterion(one) == best]
    return shares(left[0]) if left else 404


Criterion = Callable[[Candidate], Any]

_OF_ROUTES: Mapping[str, Criterion] = {
    "the oldest route": lambda one: one.route["metadata"]["creationTimestamp"],
    "the first by namespace/name": lambda one: f"{one.route['metadata']['namespace']}/{one.route['metadata']['name']}",
    "the first rule": lambda one: one.rule_index,
}
CRITERIA: Mapping[str, Mapping[str, Criterion]] = {
    "HTTPRoute": {
        "an exact path": lambda one: 0 if path_type(one) == "Exact" else 1,
        "the longest path prefix": lambda one: 0 if path_type(one) == "Exact" else -len(prefix(one.match)),
        "a method": lambda one: 0 if one.match.get("method") else 1,
        "the most headers": lambda one: -len(headers(one.match)),
        **_OF_ROUTES,
    },
    "GRPCRoute": {
        "the longest service": lambda one: -len(one.match.get("method", {}).get("service", "")),
        "the longest method": lambda one: -len(one.match.get("method", {}).get("method", "")),
        "the most headers": lambda one: -len(headers(one.match)),
        **_OF_ROUTES,
    },
}
"""The specification's criteria for each kind in its order; of two matches that with the lower value has precedence."""


def path_type(one: Candidate) -> str:
    return str(one.match.get("path", {}).get("type", "PathPrefix"))


def prefix(match: Json) -> str:
    """A path prefix as it counts: a trailing slash is ignored."""
    value: str = match.get("path", {}).get("value", "/")
    return value if value == "/" else value.removesuffix("/")


def headers(match: Json) -> dict[str, str]:
    """The header conditions by name in lower case; of equivalent names only the first counts."""
    found: dict[str, str] = {}
    for header in match.get("headers", ()):
        found.setdefault(header["name"].lower(), header["value"])
    return found


def fits(kind: str, match: Json, request: Request) -> bool:
    """Whether all that the match asks for holds."""
    sent = {name.lower(): value for name, value in request.headers}
    target_fits = _call_fits if kind == "GRPCRoute" else _http_fits
    return target_fits(match, request) and all(sent.get(name) == value for name, value in headers(match).items())


def _http_fits(match: Json, request: Request) -> bool:
    path = match.get("path", {})
    if path.get("type", "PathPrefix") == "Exact":
        path_fits = request.path == path["value"]
    else:
        wanted = [element for element in prefix(match).split("/") if element]
        path_fits = request.path.split("/")[1 : 1 + len(wanted)] == wanted
    return path_fits and match.get("method") in {None, request.method}


def _call_fits(match: Json, request: Request) -> bool:
    _, service, method = request.path.split("/")
    wanted = match.get("method", {})
    return wanted.get("service") in {None, service} and wanted.get("method") in {None, method}


def shares(chosen: Candidate) -> Answer:
    """How a rule spreads its requests; 500 where it has no backend to send them to."""
    weights: dict[str, int] = {}
    for ref in chosen.rule.get("backendRefs", ()):
        backend = f"{chosen.route['metadata']['namespace']}/{ref['name']}"
        weights[backend] = weights.get(backend, 0) + ref.get("weight", 1)
    total = sum(weights.values())
    if not total:
        return 500
    return {backend: Fraction(weight, total) for backend, weight in weights.items() if weight}
