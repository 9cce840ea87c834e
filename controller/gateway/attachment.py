"""Attachment: which listeners of which Gateway accept a route, and under which hostnames.

Attachment is judged per parentRef, by the specification's steps: the reference selects listeners of a Gateway, a
listener allows the route's kind and namespace, and their hostnames have something in common. The first step at which
nothing is left gives the reason of the refusal.

Two decisions where the specification leaves room. A parentRef to a Gateway that does not exist gets an entry of ours
(NoMatchingParent), for its author looks nowhere else; one to a Gateway of another controller, or to something that
is no Gateway, is not ours to answer. VPC Lattice documents no wildcards for the custom domain name of a service, so
that a hostname that is still a wildcard after intersection cannot be served (UnsupportedValue).

Source: Gateway API v1.6, `ParentReference`, `AllowedRoutes`, `RouteParentStatus`.
"""

from collections.abc import Sequence

import msgspec

from controller.api.gateway import GROUP, Gateway, Listener, ParentReference, Route
from controller.gateway import conditions
from controller.gateway.hostnames import effective_hostnames, have_common, is_wildcard
from controller.gateway.listeners import ROUTE_KINDS, ListenerState, listener_states
from controller.gateway.parents import accepting_parents
from controller.gateway.selectors import selects
from controller.gateway.view import View


class Refusal(msgspec.Struct, frozen=True):
    """Why something is not accepted, as a condition's reason and message."""

    reason: str
    message: str


class MatchedListener(msgspec.Struct, frozen=True):
    listener: Listener
    hostnames: tuple[str, ...]
    """The route's effective hostnames under this listener; `hostnames.NONE` for none. Never a wildcard."""


class Attachment(msgspec.Struct, frozen=True):
    """The judgement on one parentRef: listeners that accept the route, or a refusal."""

    parent_ref: ParentReference
    gateway: Gateway | None = None
    listeners: tuple[MatchedListener, ...] = ()
    refusal: Refusal | None = None
    wildcards: tuple[str, ...] = ()
    """Effective hostnames that cannot be served because they are wildcards."""


def is_ours(view: View, gateway: Gateway, controller_name: str) -> bool:
    """Whether the Gateway's class exists and names this controller."""
    gateway_class = view.gateway_class(gateway.spec.gateway_class_name)
    return gateway_class is not None and gateway_class.spec.controller_name == controller_name


def parent_gateways(route: Route) -> set[tuple[str, str]]:
    """Namespace and name of each Gateway to which the route has a parentRef, whoever's it is, existing or not."""
    return {
        (ref.namespace or route.namespace, ref.name)
        for ref in route.spec.parent_refs or ()
        if ref.group == GROUP and ref.kind == "Gateway"
    }


def attach(view: View, route: Route, parent_ref: ParentReference, controller_name: str) -> Attachment | None:
    """Judge one parentRef of a route; None when another controller answers for it. Raises `UnknownError`."""
    if parent_ref.group != GROUP or parent_ref.kind != "Gateway":
        return None
    namespace = parent_ref.namespace or route.namespace
    gateway = view.gateway(namespace, parent_ref.name)
    if gateway is None:
        return _refused(
            parent_ref,
            None,
            conditions.NO_MATCHING_PARENT,
            f"There is no Gateway {namespace}/{parent_ref.name}; create it, or correct the parentRef.",
        )
    if not is_ours(view, gateway, controller_name):
        return None

    selected = [state for state in listener_states(gateway) if selects_listener(parent_ref, state.listener)]
    if not selected:
        return _refused(parent_ref, gateway, conditions.NO_MATCHING_PARENT, _no_such_listener(parent_ref, gateway))
    usable = [state for state in selected if state.usable]
    if not usable:
        return _refused(
            parent_ref,
            gateway,
            conditions.NO_MATCHING_PARENT,
            f"Gateway {namespace}/{gateway.name} does not accept its listener {_names(selected)}; see its status.",
        )
    allowed = [state for state in usable if allows(view, gateway, state, route)]
    if not allowed:
        return _refused(
            parent_ref,
            gateway,
            conditions.NOT_ALLOWED_BY_LISTENERS,
            _not_allowed(usable, gateway, route),
        )
    return _with_hostnames(parent_ref, gateway, allowed, route)


def attached_routes(view: View, gateway: Gateway, controller_name: str) -> dict[str, int]:
    """How many routes are attached to each listener, by its name.

    As the specification counts: the accepted ones, whatever became of the listener. What is accepted is told by the
    routes' statuses; which listeners it is attached to, by parentRefs, allowedRoutes and hostnames. Raises
    `UnknownError`.
    """
    states = listener_states(gateway)
    counts = {state.listener.name: 0 for state in states}
    # Routes of a namespace that refer to the Gateway alike are judged together: there are many, but few kinds of them.
    alike: dict[tuple[object, ...], tuple[Route, list[ParentReference], list[tuple[str, ...]]]] = {}
    for route in view.routes_of_gateway(gateway.namespace, gateway.name):
        if route.deleting:
            continue
        accepting = accepting_parents(route.status, controller_name)
        refs = [ref for ref in route.spec.parent_refs or () if ref in accepting and refers_to(ref, route, gateway)]
        if refs:
            kind = (route.kind, route.namespace, *((ref.section_name, ref.port) for ref in refs))
            alike.setdefault(kind, (route, refs, []))[2].append(route.spec.hostnames or ())
    for route, refs, hostnames in alike.values():
        for state in states:
            if any(selects_listener(ref, state.listener) for ref in refs) and allows(view, gateway, state, route):
                counts[state.listener.name] += sum(have_common(state.listener.hostname, wanted) for wanted in hostnames)
    return counts


def allows(view: View, gateway: Gateway, state: ListenerState, route: Route) -> bool:
    """Whether the listener's allowedRoutes admit the route's kind and namespace. Raises `UnknownError`."""
    if route.kind not in state.kinds:
        return False
    namespaces = state.listener.allowed_routes.namespaces
    match namespaces.from_:
        case "All":
            return True
        case "Same":
            return route.namespace == gateway.namespace
        case "Selector":
            namespace = view.namespace(route.namespace)
            return namespace is not None and selects(namespaces.selector, namespace.metadata.labels or {})
        case _:
            return False


def refers_to(ref: ParentReference, route: Route, gateway: Gateway) -> bool:
    """Whether this parentRef of the route means this Gateway."""
    return (
        ref.group == GROUP
        and ref.kind == "Gateway"
        and ref.name == gateway.name
        and (ref.namespace or route.namespace) == gateway.namespace
    )


def selects_listener(ref: ParentReference, listener: Listener) -> bool:
    """Whether the sectionName and the port of this parentRef mean this listener of its Gateway."""
    return ref.section_name in {None, "", listener.name} and ref.port in {None, listener.port}


def _with_hostnames(
    parent_ref: ParentReference, gateway: Gateway, allowed: Sequence[ListenerState], route: Route
) -> Attachment:
    wanted = route.spec.hostnames or ()
    matched: list[MatchedListener] = []
    wildcards: dict[str, None] = {}
    for state in allowed:
        effective = effective_hostnames(state.listener.hostname, wanted)
        wildcards.update(dict.fromkeys(filter(is_wildcard, effective)))
        concrete = tuple(hostname for hostname in effective if not is_wildcard(hostname))
        if concrete:
            matched.append(MatchedListener(state.listener, concrete))
    refusal = None
    if not matched and wildcards:
        refusal = Refusal(
            conditions.UNSUPPORTED_VALUE,
            f"VPC Lattice has no wildcard domain names: {', '.join(wildcards)} cannot be served; name full hostnames in"
            " spec.hostnames.",
        )
    elif not matched:
        hostnames = ", ".join(state.listener.hostname or "*" for state in allowed)
        refusal = Refusal(
            conditions.NO_MATCHING_LISTENER_HOSTNAME,
            f"None of the hostnames {', '.join(wanted)} matches that of listener {_names(allowed)} ({hostnames})"
            f" of Gateway {gateway.namespace}/{gateway.name}.",
        )
    return Attachment(parent_ref, gateway, tuple(matched), refusal, tuple(wildcards))


def _refused(parent_ref: ParentReference, gateway: Gateway | None, reason: str, message: str) -> Attachment:
    return Attachment(parent_ref, gateway, refusal=Refusal(reason, message))


def _no_such_listener(ref: ParentReference, gateway: Gateway) -> str:
    wanted = " ".join(
        part
        for part in (
            f"named {ref.section_name}" if ref.section_name else "",
            f"on port {ref.port}" if ref.port is not None else "",
        )
        if part
    )
    present = ", ".join(f"{listener.name} (port {listener.port})" for listener in gateway.spec.listeners) or "none"
    return f"Gateway {gateway.namespace}/{gateway.name} has no listener {wanted}".rstrip() + f"; it has: {present}."


def _not_allowed(states: Sequence[ListenerState], gateway: Gateway, route: Route) -> str:
    listeners = f"listener {_names(states)} of Gateway {gateway.namespace}/{gateway.name}"
    fit = [protocol for protocol, kinds in ROUTE_KINDS.items() if route.kind in kinds]
    present = dict.fromkeys(state.listener.protocol for state in states)
    if not present.keys() & set(fit):
        return (
            f"VPC Lattice serves a {route.kind} by listeners of protocol {' or '.join(fit)} alone; {listeners} has"
            f" {' and '.join(present)}."
        )
    return f"allowedRoutes of {listeners} admits no {route.kind} from namespace {route.namespace}."


def _names(states: Sequence[ListenerState]) -> str:
    return ", ".join(state.listener.name for state in states)
