"""The rules of one route, judged and compiled, before it is known which services they go to.

A rule with anything that VPC Lattice cannot express is dropped as a whole, as the specification has it for partially
invalid routes: a rule served by half would be another rule.

Source: Gateway API v1.6, `HTTPRouteRule`, `RouteConditionPartiallyInvalid`.
"""

from controller.api.gateway import HTTPRoute, HTTPRouteMatch, HTTPRouteRule
from controller.gateway.attachment import Refusal
from controller.gateway.precedence import MatchRank, match_rank
from controller.gateway.view import View
from controller.lattice.model import Frozen, Match
from controller.translate.annotations import rule_priority
from controller.translate.backends import Backend, Unsupported, resolve
from controller.translate.matches import lattice_match, match_problems
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


def compile_route(view: View, route: HTTPRoute) -> CompiledRoute:
    """Compile all rules of a route. Raises `UnknownError`."""
    rules: list[CompiledRule] = []
    dropped: list[DroppedRule] = []
    unresolved: list[Refusal] = []
    notes: list[str] = []
    for index, rule in enumerate(route.spec.rules or (HTTPRouteRule(),)):
        backends, missing, problems = _backends(view, route, rule, f"rules[{index}]")
        unresolved += missing
        problems = _rule_problems(rule, f"rules[{index}]") + problems
        if problems:
            dropped.append(DroppedRule(index=index, problems=tuple(problems)))
            continue
        priority, note = rule_priority(route, index)
        if note is not None:
            notes.append(note)
        rules.append(
            CompiledRule(
                index=index,
                matches=tuple(
                    CompiledMatch(rank=match_rank(match), match=lattice_match(match)) for match in _matches(rule)
                ),
                backends=backends,
                priority=priority,
            )
        )
    return CompiledRoute(rules=tuple(rules), dropped=tuple(dropped), unresolved=tuple(unresolved), notes=tuple(notes))


def _matches(rule: HTTPRouteRule) -> tuple[HTTPRouteMatch, ...]:
    return rule.matches or (HTTPRouteMatch(),)


def _rule_problems(rule: HTTPRouteRule, field: str) -> list[str]:
    problems = []
    if rule.filters:
        types = ", ".join(dict.fromkeys(item.type for item in rule.filters))
        problems.append(f"{field}.filters: VPC Lattice has no filters ({types}); remove them.")
    if rule.timeouts is not None and (rule.timeouts.request or rule.timeouts.backend_request):
        problems.append(f"{field}.timeouts: VPC Lattice has no time-outs that can be set; remove them.")
    if rule.retry is not None:
        problems.append(f"{field}.retry: VPC Lattice has no retries that can be set; remove it.")
    if rule.session_persistence is not None:
        problems.append(f"{field}.sessionPersistence: VPC Lattice has no session persistence; remove it.")
    for index, match in enumerate(_matches(rule)):
        problems += match_problems(match, f"{field}.matches[{index}]")
    return problems


def _backends(
    view: View, route: HTTPRoute, rule: HTTPRouteRule, field: str
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
