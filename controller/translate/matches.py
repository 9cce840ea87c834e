"""One match of a route in the terms of VPC Lattice: one match, one rule.

The Gateway API compares path prefixes by element: `/foo` covers `/foo` and `/foo/bar`, not `/foobar`. VPC Lattice
documents "a prefix match of the path" and does not say whether it compares elements or characters. A prefix is
written as the AWS Gateway API Controller writes it, so that its rules are found and kept, without a trailing slash,
which the specification ignores. Should Lattice compare characters, `/foobar` would be served by the rule of `/foo`
where no rule of its own takes it; an exact `/foo` and a prefix `/foo/` in its place would rule that out, at the price
of two of the ten rules that a listener may have, and two calls for each change.

A gRPC call is a POST whose path is `/service/method`, both in full and without escapes: a method of a service is an
exact path, a service is the prefix `/service/`, whose slash keeps `/service2/` out, and a method of whatever service is
nothing that a path can be matched by.

Source: Gateway API v1.6, `HTTPRouteMatch`, `GRPCRouteMatch`; gRPC over HTTP/2, "Requests"; VPC
Lattice API reference, `HttpMatch`, `PathMatchType`, `HeaderMatch`.
"""

import re
from typing import Final

from controller.api.gateway import GRPCMethodMatch, GRPCRouteMatch, HTTPRouteMatch, PathMatch
from controller.api.gateway import HeaderMatch as RouteHeader
from controller.gateway.precedence import EXACT, PREFIX, prefix_of
from controller.lattice.model import HeaderMatch, Match

MAX_PATH: Final = 200
MAX_HEADERS: Final = 5
MAX_HEADER_NAME: Final = 100
MAX_HEADER_VALUE: Final = 200
MAX_METHOD: Final = 16

_GRPC: Final = "POST"
_PATH = re.compile(r"/[a-zA-Z0-9@:%_+.~#?&/=-]*")


def lattice_match(match: HTTPRouteMatch) -> Match:
    """The match as Lattice has it. Only for one without `match_problems`."""
    path = match.path or PathMatch()
    headers = _lattice_headers(match)
    if path.type == EXACT:
        return Match(method=match.method, path_exact=path.value, headers=headers)
    return Match(method=match.method, path_prefix=prefix_of(path.value), headers=headers)


def grpc_match(match: GRPCRouteMatch) -> Match:
    """The match as Lattice has it. Only for one without `grpc_match_problems`."""
    method = match.method or GRPCMethodMatch()
    headers = _lattice_headers(match)
    if method.service and method.method:
        return Match(method=_GRPC, path_exact=f"/{method.service}/{method.method}", headers=headers)
    return Match(method=_GRPC, path_prefix=f"/{method.service}/" if method.service else "/", headers=headers)


def same_requests(match: Match) -> tuple[object, ...]:
    """Equal for matches that fit the same requests: names of headers are without case."""
    headers = tuple(sorted((header.name.lower(), header.value) for header in match.headers))
    return (match.method, match.path_exact, match.path_prefix, headers)


def match_problems(match: HTTPRouteMatch, field: str) -> list[str]:
    """What VPC Lattice cannot express of this match, each as a sentence that begins with the field's path."""
    problems = _path_problems(match.path or PathMatch(), f"{field}.path")
    if match.query_params:
        problems.append(f"{field}.queryParams: VPC Lattice cannot match query parameters; remove them.")
    if match.method is not None and not 1 <= len(match.method) <= MAX_METHOD:
        problems.append(f"{field}.method: a method has 1 to {MAX_METHOD} characters.")
    return problems + _headers_problems(match, f"{field}.headers")


def grpc_match_problems(match: GRPCRouteMatch, field: str) -> list[str]:
    """What VPC Lattice cannot express of this match, each as a sentence that begins with the field's path."""
    return _method_problems(match.method or GRPCMethodMatch(), f"{field}.method") + _headers_problems(
        match, f"{field}.headers"
    )


def _method_problems(method: GRPCMethodMatch, field: str) -> list[str]:
    if method.type != EXACT:
        return [f"{field}.type: VPC Lattice cannot match gRPC methods by {method.type}; use {EXACT}."]
    if not method.service:
        if not method.method:
            return []
        return [f"{field}.service: VPC Lattice cannot match a method of any service; name the service."]
    path = f"/{method.service}/{method.method or ''}"
    problems = []
    if not _PATH.fullmatch(path):
        problems.append(f"{field}: VPC Lattice takes only letters, digits and @:%_+.~#?&/=- in the path {path}.")
    if len(path) > MAX_PATH:
        problems.append(
            f"{field}: VPC Lattice takes at most {MAX_PATH} characters in the path /service/method, not {len(path)}."
        )
    return problems


def _lattice_headers(match: HTTPRouteMatch | GRPCRouteMatch) -> tuple[HeaderMatch, ...]:
    return tuple(sorted(HeaderMatch(name=header.name, value=header.value) for header in _headers(match)))


def _headers_problems(match: HTTPRouteMatch | GRPCRouteMatch, field: str) -> list[str]:
    headers = _headers(match)
    problems = []
    if len(headers) > MAX_HEADERS:
        problems.append(f"{field}: VPC Lattice matches at most {MAX_HEADERS} headers, not {len(headers)}.")
    for index, header in enumerate(headers):
        problems += _header_problems(header, f"{field}[{index}]")
    return problems


def _headers(match: HTTPRouteMatch | GRPCRouteMatch) -> tuple[RouteHeader, ...]:
    """Of several headers of equivalent names only the first counts."""
    return tuple({header.name.lower(): header for header in reversed(match.headers or ())}.values())[::-1]


def _path_problems(path: PathMatch, field: str) -> list[str]:
    if path.type not in {EXACT, PREFIX}:
        return [f"{field}.type: VPC Lattice cannot match paths by {path.type}; use {EXACT} or {PREFIX}."]
    value = path.value if path.type == EXACT else prefix_of(path.value)
    problems = []
    if not _PATH.fullmatch(value):
        problems.append(
            f"{field}.value: VPC Lattice takes paths that begin with / and have only letters, digits and @:%_+.~#?&/=-."
        )
    if len(value) > MAX_PATH:
        problems.append(f"{field}.value: VPC Lattice takes at most {MAX_PATH} characters here, not {len(value)}.")
    return problems


def _header_problems(header: RouteHeader, field: str) -> list[str]:
    if header.type != EXACT:
        return [f"{field}.type: VPC Lattice cannot match headers by {header.type}; use {EXACT}."]
    problems = []
    if not 1 <= len(header.name) <= MAX_HEADER_NAME:
        problems.append(f"{field}.name: VPC Lattice takes 1 to {MAX_HEADER_NAME} characters.")
    if not 1 <= len(header.value) <= MAX_HEADER_VALUE:
        problems.append(f"{field}.value: VPC Lattice takes 1 to {MAX_HEADER_VALUE} characters.")
    return problems
