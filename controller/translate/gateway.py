"""Status of GatewayClasses and Gateways.

A Gateway stands for a service network, which somebody else creates: it is accepted by what its spec says, and
programmed when the network is there. Its address is the domain of the oldest attached route that has one. A
service network has no domain name of its own, every route has; one of them is what tools that look for an address can
be given, and the oldest's is the one that changes least.

Source: Gateway API v1.6, `GatewayClassStatus`, `GatewayStatus`, `ListenerStatus`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.api.gateway import GROUP, Gateway, GatewayClass, Route
from controller.api.keys import CertificateKey
from controller.api.meta import condition_to_json
from controller.gateway import conditions
from controller.gateway.attachment import attach, attached_routes, is_ours, refers_to
from controller.gateway.conditions import condition
from controller.gateway.listeners import ListenerState, Verdict, listener_states
from controller.gateway.precedence import route_age
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.annotations import ASSIGNED_DOMAIN_NAME
from controller.translate.context import TranslateContext
from controller.translate.imports import certificates_verdict
from controller.translate.outcomes import Ambiguous, Found, Missing, NetworkState, Unavailable


class GatewayStatus(Frozen, frozen=True):
    """The parts of a Gateway's status as JSON, `lastTransitionTime` being empty."""

    conditions: tuple[Mapping[str, Any], ...]
    listeners: tuple[Mapping[str, Any], ...]
    addresses: tuple[Mapping[str, Any], ...]


def gateway_class_status(gateway_class: GatewayClass, ctx: TranslateContext) -> tuple[Mapping[str, Any], ...] | None:
    """The conditions of a class as JSON; None when it is another controller's."""
    if gateway_class.spec.controller_name != ctx.controller_name:
        return None
    message = "GatewayClass is accepted."
    if gateway_class.spec.parameters_ref is not None:
        message += " spec.parametersRef is ignored: this controller takes no parameters."
    generation = gateway_class.metadata.generation
    accepted = condition(conditions.ACCEPTED, True, conditions.ACCEPTED, message, generation)
    return (condition_to_json(accepted),)


def gateway_status(
    view: View,
    gateway: Gateway,
    network: NetworkState,
    ctx: TranslateContext,
    import_problems: Mapping[CertificateKey, str] = {},
) -> GatewayStatus | None:
    """The status of a Gateway; None when its class is not ours. `import_problems` tells which Secrets are not imported
    into ACM, and why. Raises `UnknownError`.
    """
    if not is_ours(view, gateway, ctx.controller_name):
        return None
    states = listener_states(gateway)
    counts = attached_routes(view, gateway, ctx.controller_name)
    accepted = _accepted(gateway, states)
    programmed = network_verdict(gateway.name, network) if accepted.status else _not_programmed()
    generation = gateway.metadata.generation
    return GatewayStatus(
        conditions=(
            _json(conditions.ACCEPTED, accepted, generation),
            _json(conditions.PROGRAMMED, programmed, generation),
        ),
        listeners=tuple(
            {
                "name": state.listener.name,
                "supportedKinds": [{"group": GROUP, "kind": kind} for kind in state.kinds],
                "attachedRoutes": counts[state.listener.name],
                "conditions": [
                    _json(conditions.ACCEPTED, state.accepted, generation),
                    _json(conditions.PROGRAMMED, _listener_programmed(state, programmed), generation),
                    _json(conditions.RESOLVED_REFS, _resolved(view, gateway, state, ctx, import_problems), generation),
                    _json(conditions.CONFLICTED, state.conflicted, generation),
                ],
            }
            for state in states
        ),
        addresses=_addresses(view, gateway, ctx),
    )


def _accepted(gateway: Gateway, states: Sequence[ListenerState]) -> Verdict:
    refused = [state for state in states if not state.usable]
    listed = " ".join(f"Listener {state.listener.name}: {state.accepted.message}" for state in refused)
    if len(refused) == len(states):
        return Verdict(False, conditions.LISTENERS_NOT_VALID, listed or "The Gateway has no listeners; add one.")
    if refused:
        return Verdict(True, conditions.LISTENERS_NOT_VALID, f"Gateway is accepted without some listeners. {listed}")
    message = "Gateway is accepted."
    if gateway.spec.addresses:
        message += " spec.addresses is ignored: VPC Lattice assigns addresses."
    return Verdict(True, conditions.ACCEPTED, message)


def network_verdict(name: str, network: NetworkState) -> Verdict:
    """Whether there is the service network for which a Gateway of this name stands: its condition Programmed."""
    match network:
        case Found():
            return Verdict(True, conditions.PROGRAMMED, f"aws-service-network-arn: {network.arn}")
        case Missing():
            return Verdict(
                False,
                conditions.PENDING,
                f"There is no VPC Lattice service network named {name} in this account or shared with it;"
                " create one of this name, or name the Gateway as an existing one.",
            )
        case Ambiguous():
            return Verdict(
                False,
                conditions.INVALID,
                f"Several VPC Lattice service networks are named {name} ({', '.join(network.ids)}); use the id"
                " of one of them as the Gateway's name.",
            )
        case Unavailable():
            return Verdict(
                False,
                conditions.PENDING,
                f"The VPC Lattice service network could not be looked up and is looked up again: {network.message}",
            )


def _resolved(
    view: View, gateway: Gateway, state: ListenerState, ctx: TranslateContext, problems: Mapping[CertificateKey, str]
) -> Verdict:
    """What becomes of all that the listener refers to, Secrets included."""
    if not state.resolved.status:
        return state.resolved
    return certificates_verdict(view, gateway, state.listener, ctx, problems) or state.resolved


def _not_programmed() -> Verdict:
    return Verdict(False, conditions.INVALID, "The Gateway is not accepted.")


def _listener_programmed(state: ListenerState, gateway: Verdict) -> Verdict:
    if not state.usable:
        return Verdict(False, conditions.INVALID, "The listener is not accepted.")
    if not gateway.status:
        return gateway
    return Verdict(True, conditions.PROGRAMMED, "Listener is programmed.")


def _addresses(view: View, gateway: Gateway, ctx: TranslateContext) -> tuple[Mapping[str, Any], ...]:
    for route in sorted(view.routes_of_gateway(gateway.namespace, gateway.name), key=route_age):
        domain = route.annotation(ASSIGNED_DOMAIN_NAME)
        if domain and not route.deleting and _is_attached(view, gateway, route, ctx):
            return ({"type": "Hostname", "value": domain},)
    return ()


def _is_attached(view: View, gateway: Gateway, route: Route, ctx: TranslateContext) -> bool:
    """Whether the route is attached to the Gateway: anybody may write annotations on a route that is not."""
    return any(
        (attachment := attach(view, route, ref, ctx.controller_name)) is not None and attachment.refusal is None
        for ref in route.spec.parent_refs or ()
        if refers_to(ref, route, gateway)
    )


def _json(type_: str, verdict: Verdict, generation: int) -> dict[str, Any]:
    return condition_to_json(condition(type_, verdict.status, verdict.reason, verdict.message, generation))
