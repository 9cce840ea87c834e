"""The rules of one route, judged and compiled, before it is known which services they go to.

A rule with anything that VPC Lattice cannot express is dropped as a whole, as the specification has it for partially
invalid routes: a rule served by half would be another rule.

A TLSRoute matches by its hostnames alone, so that its first rule takes every connection: it is compiled with a single
match that every request fits, and the listener's default action is made of it.

Source: Gateway API v1.6, `HTTPRouteRule`, `GRPCRouteRule`, `TLSRouteRule`, `RouteConditionPartiallyInvalid`.
"""

from collections.abc import Sequence

from controller.api.gateway import (
    Filter,
    GRPCRoute,
    GRPCRouteMatch,
    GRPCRouteRule,
    HTTPRoute,
    HTTPRouteMatch,
    HTTPRouteRule,
    Route,
    Rule,
    SessionPersistence,
    TLSRoute,
    TLSRouteRule,
)
from controller.gateway.attachment import Refusal
from controller.gateway.precedence import MatchRank, grpc_match_rank, match_rank
from controller.gateway.view import View
from controller.lattice.model import Frozen, Match
from controller.translate.annotations import rule_priority
from controller.translate.backends import Backend, Unsupported, resolve
from controller.translate.matches import grpc_match, grpc_match_problems, lattice_match, match_problems
from controller.translate.weights import scale

MAX_GROUPS = 10
"""Target groups of a rule (API: `WeightedTargetGroupList`)."""


class CompiledMatch(Frozen, frozen=True):
    rank: MatchRank
    match: Match


class CompiledRule(Frozen, frozen=True):
    index: int
    """Its place in `spec.rules`."""
    matches: tuple[CompiledMatch, ...]
    backends: tuple[tuple[Backend, int], ...]
    """With weights as Lattice takes them. None: the rule answers 500."""
    priority: int | None = None


class DroppedRule(Frozen, frozen=True):
    index: int
    problems: tuple[str, ...]


class CompiledRoute(Frozen, frozen=True):
    rules: tuple[CompiledRule, ...]
    dropped: tuple[DroppedRule, ...] = ()
    unresolved: tuple[Refusal, ...] = ()
    """References of rules that could not be followed, in order."""
    notes: tuple[str, ...] = ()
    """What else the author should know."""


def compile_route(view: View, route: Route) -> CompiledRoute:
    """Compile all rules of a route. Raises `UnknownError`."""
    rules: list[CompiledRule] = []
    dropped: list[DroppedRule] = []
    unresolved: list[Refusal] = []
    notes: list[str] = []
    for index, rule in enumerate(rules_of(route)):
        backends, missing, problems = _backends(view, route, rule, f"rules[{index}]")
        unresolved += missing
        problems = _rule_problems(rule, index) + problems
        if problems:
            dropped.append(DroppedRule(index=index, problems=tuple(problems)))
            continue
        priority, note = rule_priority(route, index)
        if note is not None:
            notes.append(note)
        rules.append(
            CompiledRule(
                index=index,
                matches=_matches(rule),
                backends=backends,
                priority=priority,
            )
        )
    return CompiledRoute(rules=tuple(rules), dropped=tuple(dropped), unresolved=tuple(unresolved), notes=tuple(notes))


def rules_of(route: Route) -> Sequence[Rule]:
    """The rules of a route; one that matches everything and has no backends, where it says nothing of rules."""
    match route:
        case HTTPRoute():
            return route.spec.rules or (HTTPRouteRule(),)
        case GRPCRoute():
            return route.spec.rules or (GRPCRouteRule(),)
        case TLSRoute():
            return route.spec.rules or (TLSRouteRule(),)


def _matches(rule: Rule) -> tuple[CompiledMatch, ...]:
    match rule:
        case HTTPRouteRule():
            return tuple(
                CompiledMatch(rank=match_rank(each), match=lattice_match(each)) for each in _http_matches(rule)
            )
        case GRPCRouteRule():
            return tuple(
                CompiledMatch(rank=grpc_match_rank(each), match=grpc_match(each)) for each in _grpc_matches(rule)
            )
        case TLSRouteRule():
            return (CompiledMatch(rank=(), match=Match()),)


def _http_matches(rule: HTTPRouteRule) -> tuple[HTTPRouteMatch, ...]:
    return rule.matches or (HTTPRouteMatch(),)


def _grpc_matches(rule: GRPCRouteRule) -> tuple[GRPCRouteMatch, ...]:
    return rule.matches or (GRPCRouteMatch(),)


def _rule_problems(rule: Rule, index: int) -> list[str]:
    field = f"rules[{index}]"
    problems: list[str] = []
    match rule:
        case HTTPRouteRule():
            problems += _filter_problems(rule.filters, field)
            if rule.timeouts is not None and (rule.timeouts.request or rule.timeouts.backend_request):
                problems.append(f"{field}.timeouts: VPC Lattice has no time-outs that can be set; remove them.")
            if rule.retry is not None:
                problems.append(f"{field}.retry: VPC Lattice has no retries that can be set; remove it.")
            problems += _session_problems(rule.session_persistence, field)
            for place, http in enumerate(_http_matches(rule)):
                problems += match_problems(http, f"{field}.matches[{place}]")
        case GRPCRouteRule():
            problems += _filter_problems(rule.filters, field)
            problems += _session_problems(rule.session_persistence, field)
            for place, grpc in enumerate(_grpc_matches(rule)):
                problems += grpc_match_problems(grpc, f"{field}.matches[{place}]")
        case TLSRouteRule():
            if index:
                problems.append(f"{field}: the first rule takes all connections; remove this one.")
    return problems


def _filter_problems(filters: Sequence[Filter] | None, field: str) -> list[str]:
    if not filters:
        return []
    types = ", ".join(dict.fromkeys(item.type for item in filters))
    return [f"{field}.filters: VPC Lattice has no filters ({types}); remove them."]


def _session_problems(persistence: SessionPersistence | None, field: str) -> list[str]:
    if persistence is None:
        return []
    return [f"{field}.sessionPersistence: VPC Lattice has no session persistence; remove it."]


def _backends(
    view: View, route: Route, rule: Rule, field: str
) -> tuple[tuple[tuple[Backend, int], ...], list[Refusal], list[str]]:
    """The rule's backends with their weights, the references that cannot be followed, and what Lattice cannot
    express.

    VPC Lattice cannot answer a share of the requests with 500, so that the share of an invalid backend goes to the
    valid ones.
    """
    weights: dict[Backend, int] = {}
    unresolved: list[Refusal] = []
    problems: list[str] = []
    for index, ref in enumerate(rule.backend_refs or ()):
        backend = resolve(view, route, ref, f"{field}.backendRefs[{index}]")
        match backend:
            case Backend():
                weights[backend] = weights.get(backend, 0) + max(0, ref.weight)
            case Refusal():
                unresolved.append(backend)
            case Unsupported():
                problems.append(backend.message)
    if len(weights) > MAX_GROUPS:
        problems.append(
            f"{field}.backendRefs: VPC Lattice forwards to at most {MAX_GROUPS} target groups by one rule, not"
            f" {len(weights)}; split the rule."
        )
    if not any(weights.values()):
        return (), unresolved, problems
    return tuple(zip(weights, scale(tuple(weights.values())), strict=True)), unresolved, problems
