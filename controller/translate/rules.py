"""The Lattice rules of a service, from the rules of the routes that feed it, in the specification's order.

Of matches that fit the same requests only the first is kept: no request would reach the others.

Source: Gateway API v1.6, `HTTPRouteRule.matches`, `GRPCRouteRule.matches`; VPC Lattice API reference, `CreateRule`,
`TargetGroupConfig`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from controller.api.keys import RouteKind, RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.precedence import MatchRank
from controller.lattice.model import Action, DesiredRule, FixedResponse, Forward, Frozen, Match
from controller.translate.annotations import MAX_PRIORITY
from controller.translate.backends import Backend
from controller.translate.compile import CompiledRule
from controller.translate.matches import same_requests

_PROTOCOLS: Final[Mapping[RouteKind, tuple[str, str]]] = {
    "HTTPRoute": ("HTTP", "HTTP1"),
    "GRPCRoute": ("HTTP", "GRPC"),
    "TLSRoute": ("TCP", ""),
}
"""Protocol and protocol version of the target groups of each kind of route."""


class Contribution(Frozen, frozen=True):
    """The rules that one route contributes to a service."""

    ref: RouteRef
    age: str
    """The route's creation timestamp."""
    rules: tuple[CompiledRule, ...]


class _Entry(Frozen, frozen=True):
    order: tuple[MatchRank, str, str, int, int]
    """What the match takes, then the route's age, its namespace and name as one text, the rule's place, the match's."""
    ref: RouteRef
    place: int
    match: Match
    rule: CompiledRule


def build_rules(key: ServiceKey, contributions: Sequence[Contribution]) -> tuple[DesiredRule, ...]:
    """The rules of a listener of this service, in order of precedence."""
    kept = reachable(contributions)
    priorities = _priorities([rule.priority for _, rule in kept])
    return tuple(
        DesiredRule(match=match, action=_action(key, rule), priority=priority)
        for (match, rule), priority in zip(kept, priorities, strict=True)
    )


def backends_of(contributions: Sequence[Contribution]) -> tuple[Backend, ...]:
    """The backends to which these rules forward, in order of precedence."""
    return tuple(dict.fromkeys(backend for _, rule in reachable(contributions) for backend, _ in rule.backends))


def group_of(key: ServiceKey, backend: Backend) -> TargetGroupKey:
    """The target group of a backend in this service."""
    protocol, version = _PROTOCOLS[key.kind]
    return TargetGroupKey(
        owner=key,
        namespace=backend.namespace,
        service=backend.service,
        port=backend.port,
        protocol=protocol,
        protocol_version=version,
        ip_address_type=backend.ip_address_type,
    )


def reachable(contributions: Sequence[Contribution]) -> list[tuple[Match, CompiledRule]]:
    """The matches that some request reaches, each with its rule, in order of precedence."""
    return [(entry.match, entry.rule) for entry, first in _ranked(contributions) if first is entry]


def foreclosed(contributions: Sequence[Contribution], ref: RouteRef) -> dict[tuple[int, int], RouteRef]:
    """The matches of a route that no request reaches, by the places of rule and match, each with the other route that
    has the same one."""
    return {
        (entry.rule.index, entry.place): first.ref
        for entry, first in _ranked(contributions)
        if entry.ref == ref and first.ref != ref
    }


def _ranked(contributions: Sequence[Contribution]) -> list[tuple[_Entry, _Entry]]:
    """All matches in order of precedence, each with the first that fits the same requests."""
    firsts: dict[tuple[object, ...], _Entry] = {}
    entries = sorted(_entries(contributions), key=lambda entry: entry.order)
    return [(entry, firsts.setdefault(same_requests(entry.match), entry)) for entry in entries]


def _entries(contributions: Sequence[Contribution]) -> list[_Entry]:
    return [
        _Entry(
            order=(match.rank, of.age, f"{of.ref.namespace}/{of.ref.name}", rule.index, place),
            ref=of.ref,
            place=place,
            match=match.match,
            rule=rule,
        )
        for of in contributions
        for rule in of.rules
        for place, match in enumerate(rule.matches)
    ]


def _action(key: ServiceKey, rule: CompiledRule) -> Action:
    if not rule.backends:
        return FixedResponse(status_code=500)
    return Forward(weights=tuple((group_of(key, backend), weight) for backend, weight in rule.backends))


def _priorities(wanted: Sequence[int | None]) -> list[int | None]:
    """The fixed priorities, made unique: a rule of several matches takes the numbers that follow its own.

    A number beyond the last is left to the plan, as if it had not been fixed.
    """
    fixed: list[int | None] = [None] * len(wanted)
    following = 0
    for number, place in sorted((number, place) for place, number in enumerate(wanted) if number is not None):
        following = max(number, following + 1)
        fixed[place] = following if following <= MAX_PRIORITY else None
    return fixed
