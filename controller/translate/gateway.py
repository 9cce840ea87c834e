"""Status of Gateways.

A Gateway stands for a service network, which somebody else creates: it is accepted by what its spec says, and
programmed when the network is there.

Its address is the domain of the oldest attached route that has one. A service network has no domain name of its own,
every service has, and AWS documents that a service answers at its own names, and of no other's. So the name to use for
a route is that of the route, in its annotation and its condition Accepted. Of these the Gateway shows one, for whoever
asks a Gateway and not a route, and not all: addresses of a Gateway are taken for equivalent, and clients that take any
of them would meet another route's service. The oldest route's changes least. A Gateway without routes has none, for
nothing would answer there.

Nobody can choose an address in VPC Lattice. A request for one, in `spec.addresses`, is answered with what became of it;
the routes are served all the same. That one of type Hostname is wanted, whichever, is granted.

Source: Gateway API v1.6, `GatewayStatus`, `ListenerStatus`, `GatewaySpecAddress`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from controller.api.gateway import GROUP, Gateway, Route
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
from controller.translate.imports import certificates_verdict, lacks_certificate
from controller.translate.outcomes import Ambiguous, Found, Missing, NetworkState, Unavailable

HOSTNAME: Final = "Hostname"
"""The one type of address that there is."""

_SERVED: Final = "Its routes are served all the same, at the domain names that VPC Lattice assigns."


class GatewayStatus(Frozen, frozen=True):
    """The parts of a Gateway's status as JSON, `lastTransitionTime` being empty."""

    conditions: tuple[Mapping[str, Any], ...]
    listeners: tuple[Mapping[str, Any], ...]
    addresses: tuple[Mapping[str, Any], ...]


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
    programmed = _programmed(gateway, network) if accepted.status else _not_programmed()
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
                    _json(
                        conditions.PROGRAMMED,
                        _listener_programmed(
                            state,
                            programmed,
                            encrypted=not lacks_certificate(view, gateway, state.listener, ctx, import_problems),
                        ),
                        generation,
                    ),
                    _json(conditions.RESOLVED_REFS, _resolved(view, gateway, state, ctx, import_problems), generation),
                    _json(conditions.CONFLICTED, state.conflicted, generation),
                ],
            }
            for state in states
        ),
        addresses=_addresses(view, gateway, ctx),
    )


def _accepted(gateway: Gateway, states: Sequence[ListenerState]) -> Verdict:
    infrastructure = gateway.spec.infrastructure
    if infrastructure is not None and (reference := infrastructure.parameters_ref) is not None:
        message = (
            f"spec.infrastructure.parametersRef refers to the {reference.kind} {reference.name}, and this controller"
            f" takes no parameters: remove it. {_SERVED}"
        )
        return Verdict(False, conditions.INVALID_PARAMETERS, message)
    if foreign := [address for address in gateway.spec.addresses or () if address.type != HOSTNAME]:
        listed = ", ".join(dict.fromkeys(address.type for address in foreign))
        message = f"VPC Lattice has no addresses of type {listed}, only of type {HOSTNAME}: remove them. {_SERVED}"
        return Verdict(False, conditions.UNSUPPORTED_ADDRESS, message)
    refused = [state for state in states if not state.usable]
    listed = " ".join(f"Listener {state.listener.name}: {state.accepted.message}" for state in refused)
    if len(refused) == len(states):
        return Verdict(False, conditions.LISTENERS_NOT_VALID, listed or "The Gateway has no listeners; add one.")
    if refused:
        return Verdict(True, conditions.LISTENERS_NOT_VALID, f"Gateway is accepted without some listeners. {listed}")
    return Verdict(True, conditions.ACCEPTED, "Gateway is accepted.")


def _programmed(gateway: Gateway, network: NetworkState) -> Verdict:
    verdict = network_verdict(gateway.name, network)
    chosen = [address.value for address in gateway.spec.addresses or () if address.value]
    if verdict.status and chosen:
        message = f"VPC Lattice assigns hostnames, and {', '.join(chosen)} cannot be chosen: remove it. {_SERVED}"
        return Verdict(False, conditions.ADDRESS_NOT_USABLE, message)
    return verdict


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


def _listener_programmed(state: ListenerState, gateway: Verdict, *, encrypted: bool) -> Verdict:
    """`encrypted` is false where certificates are those of references, and none of these can be used."""
    if not state.usable:
        return Verdict(False, conditions.INVALID, "The listener is not accepted.")
    if not encrypted:
        return Verdict(False, conditions.INVALID, "None of the listener's certificateRefs can be used.")
    if not gateway.status:
        return gateway
    return Verdict(True, conditions.PROGRAMMED, "Listener is programmed.")


def _addresses(view: View, gateway: Gateway, ctx: TranslateContext) -> tuple[Mapping[str, Any], ...]:
    for route in sorted(view.routes_of_gateway(gateway.namespace, gateway.name), key=route_age):
        domain = route.annotation(ASSIGNED_DOMAIN_NAME)
        if domain and not route.deleting and _is_attached(view, gateway, route, ctx):
            return ({"type": HOSTNAME, "value": domain},)
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
