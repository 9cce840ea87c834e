"""Why an object is served as it is, or is not: the judgements of a translation, one by one, beside what Lattice has.

Nothing is decided here. Each fact is what the functions that translate for real say of one parentRef, listener, rule,
backend, endpoint or Lattice resource, with their own reasons and messages, next to what was seen of it in VPC Lattice.
Facts form a tree, which `lattice-controller explain` prints.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from controller.api.core import Service
from controller.api.gateway import (
    BackendRef,
    Gateway,
    GRPCRoute,
    HTTPRoute,
    ParentReference,
    Route,
    RouteRule,
    TLSRoute,
)
from controller.api.keys import RouteKind, ServiceKey
from controller.api.meta import Condition, Object
from controller.gateway import conditions
from controller.gateway.attachment import Refusal, attach, refers_to, selects_listener
from controller.gateway.listeners import ListenerState, listener_states
from controller.gateway.precedence import route_age
from controller.gateway.view import View
from controller.lattice.model import Action, Forward, Match
from controller.translate.backends import Backend, Unsupported, resolve
from controller.translate.compile import CompiledRule, rules_of
from controller.translate.context import TranslateContext
from controller.translate.draft import Draft, draft_route
from controller.translate.explain_dns import explain_records
from controller.translate.explain_lattice import explain_group, explain_lattice_service
from controller.translate.explain_left import explain_deletion, explain_left, explain_withheld
from controller.translate.facts import NOT_LOOKED_UP, NOT_THERE, Fact, Left, Seen, counted, fact_of, reasoned
from controller.translate.gateway import gateway_status, network_verdict
from controller.translate.matches import same_requests
from controller.translate.outcomes import Found
from controller.translate.route import ParentTranslation, RouteTranslation, translate_route_object
from controller.translate.rules import group_of, reachable
from controller.translate.withheld import Withheld, withheld


def explain_route(view: View, route: Route, ctx: TranslateContext, seen: Seen) -> Fact:
    """Explain a route: parents, rules, services, and what is left of it. Raises `UnknownError`."""
    why, left = _withheld(view, route, ctx), seen.left.get(route.ref, Left())
    if route.deleting:
        return explain_deletion(route, why, left)
    draft, translation = draft_route(view, route, ctx), translate_route_object(view, route, ctx)
    if not translation.parents:
        well, told = False, "no parentRef means a Gateway of this controller"
    elif not translation.services:
        well, told = False, "not served: no parent accepts it"
    else:
        well, told = True, f"served by {counted(len(translation.services), 'Lattice service')}"
    return fact_of(
        route,
        well,
        told,
        *explain_withheld(why),
        *_parents(view, route, translation, ctx),
        *_rules(view, draft, translation, seen),
        *(explain_lattice_service(view, key, translation, ctx, seen) for key in translation.services),
        *explain_records(view, route, translation, ctx, seen),
        *explain_left(left, withheld=why is not None, wanted=True),
    )


def explain_gateway(view: View, gateway: Gateway, ctx: TranslateContext, seen: Seen) -> Fact:
    """Explain a Gateway: class, service network, listeners, routes. Raises `UnknownError`."""
    name = gateway.spec.gateway_class_name
    gateway_class = view.gateway_class(name)
    network = seen.networks.get(gateway.name, NOT_LOOKED_UP)
    if gateway_class is None:
        return fact_of(gateway, False, "", Fact(kind="class", name=name, well=False, told="there is no such class"))
    status = gateway_status(view, gateway, network, ctx)
    if status is None:
        told = f"is of another controller: {gateway_class.spec.controller_name}"
        return fact_of(gateway, None, "not this controller's", Fact(kind="class", name=name, told=told))
    accepted = next(each for each in status.conditions if each["type"] == conditions.ACCEPTED)
    verdict = network_verdict(gateway.name, network)
    found = f"is {network.id}" if isinstance(network, Found) else verdict.message
    return fact_of(
        gateway,
        accepted["status"] == "True",
        reasoned(accepted["reason"], accepted["message"]),
        Fact(kind="class", name=name, well=True, told="is this controller's"),
        Fact(kind="service network", name=gateway.name, well=verdict.status, told=found),
        *_gateway_listeners(gateway, status.listeners),
        *_gateway_routes(view, gateway, ctx),
    )


def explain_service(view: View, service: Service, ctx: TranslateContext, seen: Seen) -> Fact:
    """Explain a Kubernetes Service: the routes that refer to it, and its target groups. Raises `UnknownError`."""
    routes = routes_of(view, service)
    if not routes:
        return fact_of(service, None, "no route refers to it")
    told = f"{counted(len(routes), 'route')} {'refers' if len(routes) == 1 else 'refer'} to it"
    return fact_of(service, True, told, *(_use(view, service, route, ctx, seen) for route in routes))


def routes_of(view: View, obj: Object) -> Sequence[Route]:
    """The routes whose Lattice resources an explanation of the object speaks of. Raises `UnknownError`."""
    match obj:
        case HTTPRoute() | GRPCRoute() | TLSRoute():
            return (obj,)
        case Service():
            routes = view.routes_of_backend(obj.namespace, obj.name)
            return sorted((route for route in routes if not route.deleting), key=route_age)
        case _:
            return ()


def _withheld(view: View, route: Route, ctx: TranslateContext) -> Withheld | None:
    return withheld(view, [route.ref], ctx, wanted=not route.deleting)


def _parents(view: View, route: Route, translation: RouteTranslation, ctx: TranslateContext) -> Iterator[Fact]:
    judged = iter(translation.parents)
    for ref in route.spec.parent_refs or ():
        attachment = attach(view, route, ref, ctx.controller_name)
        if attachment is None:
            yield Fact(kind="parent", name=_parent_name(route, ref), told="answered for by another controller")
            continue
        parent = next(judged)
        yield Fact(
            kind="parent",
            name=_parent_name(route, ref),
            well=parent.accepted,
            told=_told(_accepted(parent)),
            below=tuple(
                _tried(view, route, ref, state, ctx, accepted=parent.accepted)
                for state in (() if attachment.gateway is None else listener_states(attachment.gateway))
            ),
        )


def _tried(
    view: View, route: Route, ref: ParentReference, state: ListenerState, ctx: TranslateContext, *, accepted: bool
) -> Fact:
    """What a listener by itself says to the route. That one refuses is amiss only where no other accepts."""
    listener = state.listener
    name = f"{listener.name} ({listener.protocol} {listener.port})"
    if not selects_listener(ref, listener):
        return Fact(kind="listener", name=name, told="not meant by the parentRef's sectionName and port")
    if not state.usable:
        told = reasoned(state.accepted.reason, state.accepted.message)
        return Fact(kind="listener", name=name, well=None if accepted else False, told=told)
    alone = attach(view, route, msgspec.structs.replace(ref, section_name=listener.name), ctx.controller_name)
    refusal = None if alone is None else alone.refusal
    if refusal is not None:
        told = reasoned(refusal.reason, refusal.message)
        return Fact(kind="listener", name=name, well=None if accepted else False, told=told)
    served = () if alone is None else alone.listeners
    hostnames = [hostname or "any hostname" for matched in served for hostname in matched.hostnames]
    return Fact(kind="listener", name=name, well=True, told=f"matches {', '.join(hostnames)}")


def _rules(view: View, draft: Draft, translation: RouteTranslation, seen: Seen) -> Iterator[Fact]:
    dropped = {rule.index: rule for rule in draft.compiled.dropped}
    compiled = {rule.index: rule for rule in draft.compiled.rules}
    order = reachable([draft.contribution])
    places = {(rule.index, same_requests(match)): place for place, (match, rule) in enumerate(order, 1)}
    for index, rule in enumerate(rules_of(draft.route)):
        if index in dropped:
            told = "left out: " + " ".join(dropped[index].problems)
            yield Fact(kind="rule", name=str(index), well=False, told=told)
            continue
        forwards = bool(compiled[index].backends)
        yield Fact(
            kind="rule",
            name=str(index),
            well=forwards,
            told="" if forwards else _unserved(draft.ref.kind),
            below=(
                *_matches(draft, compiled[index], places, translation, seen),
                *_backends(view, draft, index, rule, translation, seen),
            ),
        )


def _unserved(kind: RouteKind) -> str:
    answer = "refuses connections" if kind == "TLSRoute" else "answers 500"
    return f"{answer}: no backend takes requests"


def _matches(
    draft: Draft,
    rule: CompiledRule,
    places: Mapping[tuple[int, tuple[object, ...]], int],
    translation: RouteTranslation,
    seen: Seen,
) -> Iterator[Fact]:
    told_of: set[tuple[object, ...]] = set()
    for number, each in enumerate(rule.matches):
        name = _match_text(draft.ref.kind, each.match)
        requests = same_requests(each.match)
        place = places.get((rule.index, requests))
        if place is None or requests in told_of:
            told = "left out: an earlier match takes the same requests"
            yield Fact(kind="match", name=name, told=told)
            continue
        told_of.add(requests)
        other = translation.foreclosed.get((rule.index, number))
        if other is not None:
            told = f"left out: what it matches is served by {other}, which has the same match"
            yield Fact(kind="match", name=name, told=told)
            continue
        found = _lattice_rules(draft, each.match, translation.services, seen)
        present = sorted({(port, one.priority) for port, one in found if one is not None}, key=str)
        missing = sorted({port for port, one in found if one is None})
        yield Fact(
            kind="match",
            name=name,
            well=not missing if found else None,
            told="; ".join(
                (
                    f"place {place} of {len(places)}",
                    *(f"{_place_text(priority)} on port {port}" for port, priority in present),
                    *(f"{NOT_THERE} on port {port}" for port in missing),
                )
            ),
        )


class _Place(NamedTuple):
    """Where Lattice has a match, and what it does there."""

    priority: int | None
    """None for the default action of a listener."""
    action: Action | None


def _lattice_rules(
    draft: Draft, match: Match, services: Sequence[ServiceKey], seen: Seen
) -> list[tuple[int, _Place | None]]:
    """For each listener of these services, by its port, where Lattice has this match."""
    return [
        (port, _present(seen, share.key, port, match))
        for share in draft.shares
        if share.key in services
        for port, _ in share.listeners
    ]


def _present(seen: Seen, key: ServiceKey, port: int, match: Match) -> _Place | None:
    service = seen.services.get(key)
    observed = None if service is None else service.observed
    listener = None if observed is None else (observed.listeners or {}).get(port)
    if listener is None:
        return None
    if key.kind == "TLSRoute":
        return _Place(None, listener.default_action)
    wanted = same_requests(match)
    return next(
        (
            _Place(rule.priority, rule.action)
            for rule in listener.rules.values()
            if rule.match and same_requests(rule.match) == wanted
        ),
        None,
    )


def _backends(
    view: View, draft: Draft, index: int, rule: RouteRule, translation: RouteTranslation, seen: Seen
) -> Iterator[Fact]:
    compiled = next((each for each in draft.compiled.rules if each.index == index), None)
    for place, ref in enumerate(rule.backend_refs or ()):
        name = _backend_name(draft.route, ref)
        backend = resolve(view, draft.route, ref, f"rules[{index}].backendRefs[{place}]")
        match backend:
            case Refusal():
                told = reasoned(backend.reason, backend.message)
                yield Fact(kind="backend", name=name, well=False, told=told)
            case Unsupported():
                yield Fact(kind="backend", name=name, well=False, told=backend.message)
            case Backend():
                if compiled is not None:
                    yield _weighed(draft, compiled, ref, backend, translation, seen)


def _weighed(
    draft: Draft, rule: CompiledRule, ref: BackendRef, backend: Backend, translation: RouteTranslation, seen: Seen
) -> Fact:
    """A backend with its weight: as asked, as it is to be in Lattice, as Lattice has it."""
    name = _backend_name(draft.route, ref)
    weight = dict(rule.backends).get(backend)
    if weight is None:
        return Fact(kind="backend", name=name, told=f"weight {ref.weight}: takes no requests")
    groups = {seen.group_id(group_of(key, backend)) for key in translation.services} - {None}
    reached = {same_requests(match) for match, of in reachable([draft.contribution]) if of.index == rule.index}
    rules = [
        found
        for number, each in enumerate(rule.matches)
        if same_requests(each.match) in reached and (rule.index, number) not in translation.foreclosed
        for _, found in _lattice_rules(draft, each.match, translation.services, seen)
    ]
    weights = {_weight_in(found, groups) for found in rules}
    there = ", ".join("none" if each is None else str(each) for each in sorted(weights, key=str))
    wanted = "" if weights == {weight} else f", {weight} wanted"
    told = f"weight {ref.weight} asked{wanted}" + (f", {there} in VPC Lattice" if weights else "")
    return Fact(kind="backend", name=name, well=weights == {weight} if weights else None, told=told)


def _weight_in(rule: _Place | None, groups: set[str | None]) -> int | None:
    if rule is None or not isinstance(rule.action, Forward):
        return None
    return next((weight for group, weight in rule.action.weights if group in groups), None)


def _gateway_listeners(gateway: Gateway, judged: Sequence[Mapping[str, Any]]) -> Iterator[Fact]:
    for listener, status in zip(gateway.spec.listeners, judged, strict=True):
        amiss = [
            each
            for each in status["conditions"]
            if each["type"] in {conditions.ACCEPTED, conditions.RESOLVED_REFS} and each["status"] != "True"
        ]
        told = " ".join(reasoned(each["reason"], each["message"]) for each in amiss) or "valid"
        yield Fact(
            kind="listener",
            name=f"{listener.name} ({listener.protocol} {listener.port}, {listener.hostname or 'any hostname'})",
            well=not amiss,
            told=f"{counted(status['attachedRoutes'], 'route')} attached; {told}",
        )


def _gateway_routes(view: View, gateway: Gateway, ctx: TranslateContext) -> Iterator[Fact]:
    for route in sorted(view.routes_of_gateway(gateway.namespace, gateway.name), key=route_age):
        if route.deleting:
            continue
        for parent in translate_route_object(view, route, ctx).parents:
            if refers_to(parent.parent_ref, route, gateway):
                section = f" ({parent.parent_ref.section_name})" if parent.parent_ref.section_name else ""
                yield Fact(
                    kind=route.kind,
                    name=f"{route.namespace}/{route.name}{section}",
                    well=parent.accepted,
                    told=_told(_accepted(parent)),
                )


def _use(view: View, service: Service, route: Route, ctx: TranslateContext, seen: Seen) -> Fact:
    """How a route uses a Service: by which backends, and with which target groups."""
    draft, translation = draft_route(view, route, ctx), translate_route_object(view, route, ctx)
    name = f"{route.namespace}/{route.name}"
    if not _is_of(view, route, ctx):
        return Fact(kind=route.kind, name=name, told="not this controller's")
    refused = [parent for parent in translation.parents if not parent.accepted]
    meant = (service.namespace, service.name)
    dropped = {rule.index: rule for rule in draft.compiled.dropped}
    rules = []
    for index, rule in enumerate(route.spec.rules or ()):
        refs = rule.backend_refs or ()
        if not any((ref.namespace or route.namespace, ref.name) == meant for ref in refs):
            continue
        if index in dropped:
            told = "left out: " + " ".join(dropped[index].problems)
            rules.append(Fact(kind="rule", name=str(index), well=False, told=told))
            continue
        backends = zip(refs, _backends(view, draft, index, rule, translation, seen), strict=True)
        own = tuple(fact for ref, fact in backends if (ref.namespace or route.namespace, ref.name) == meant)
        rules.append(Fact(kind="rule", name=str(index), below=own))
    return Fact(
        kind=route.kind,
        name=name,
        well=bool(translation.services),
        told="accepted" if translation.services else " ".join(_told(_accepted(parent)) for parent in refused),
        below=(
            *rules,
            *(
                explain_group(view, key, ctx, seen)
                for key in translation.target_groups
                if (key.namespace, key.service) == meant
            ),
        ),
    )


def _is_of(view: View, route: Route, ctx: TranslateContext) -> bool:
    """Whether the controller answers for any parentRef of the route."""
    return any(attach(view, route, ref, ctx.controller_name) is not None for ref in route.spec.parent_refs or ())


def _parent_name(route: Route, ref: ParentReference) -> str:
    section = f" section {ref.section_name}" if ref.section_name else ""
    port = f" port {ref.port}" if ref.port is not None else ""
    return f"{ref.kind} {ref.namespace or route.namespace}/{ref.name}{section}{port}"


def _backend_name(route: Route, ref: BackendRef) -> str:
    port = "" if ref.port is None else f":{ref.port}"
    return f"{ref.kind} {ref.namespace or route.namespace}/{ref.name}{port}"


def _place_text(priority: int | None) -> str:
    return "the default action" if priority is None else f"priority {priority}"


def _match_text(kind: RouteKind, match: Match) -> str:
    if kind == "TLSRoute":
        return "all connections"
    path = f"path {match.path_exact}" if match.path_exact is not None else f"prefix {match.path_prefix or '/'}"
    headers = [f"header {header.name}={header.value}" for header in match.headers]
    return ", ".join([f"{match.method} {path}" if match.method else path, *headers])


def _accepted(parent: ParentTranslation) -> Condition:
    return next(each for each in parent.conditions if each.type == conditions.ACCEPTED)


def _told(condition: Condition) -> str:
    return reasoned(condition.reason, condition.message)
