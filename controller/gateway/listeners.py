"""Listeners by themselves: what each takes, and whether it can be served at all.

Nothing here looks at routes. A listener that is not accepted serves nothing, and so does each of several that cannot
be told apart: the specification forbids to pick one of them as the winner.

gRPC is served over HTTPS alone, because a target group of protocol version GRPC takes no other listener. A TLS listener
passes connections through: VPC Lattice has no listener that terminates TLS and forwards what it finds in it as TCP.

Source: Gateway API v1.6, `Listener`, `ListenerStatus`, `GatewaySpec.listeners`; VPC Lattice user guide, "Target groups"
(considerations for the gRPC protocol version), "HTTPS listeners", "TLS listeners".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from controller.api.gateway import GROUP, Gateway, Listener
from controller.api.keys import RouteKind
from controller.gateway import conditions
from controller.gateway.memory import Memory

ROUTE_KINDS: Final[Mapping[str, tuple[RouteKind, ...]]] = {
    "HTTP": ("HTTPRoute",),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute",),
}
"""The protocols that VPC Lattice can listen on for us, with the kinds of routes that each can carry."""

CERTIFICATE_ARN: Final = "application-networking.k8s.aws/certificate-arn"
"""The TLS option that names the certificate of a listener, in ACM."""

_TLS_MODES: Final = {"HTTPS": "Terminate", "TLS": "Passthrough"}
_DEFAULT_TLS_MODE: Final = "Terminate"

_CERTIFICATE = re.compile(r"arn:[a-z0-9-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-z-]+")


class Verdict(msgspec.Struct, frozen=True):
    """The answer to one question about a listener: a condition without its type."""

    status: bool
    reason: str
    message: str = ""


class ListenerState(msgspec.Struct, frozen=True):
    listener: Listener
    kinds: tuple[RouteKind, ...]
    """Kinds of routes that the listener takes (`supportedKinds`)."""
    accepted: Verdict
    conflicted: Verdict
    resolved: Verdict

    @property
    def usable(self) -> bool:
        return self.accepted.status


_states: Final[Memory[tuple[ListenerState, ...]]] = Memory()


def listener_states(gateway: Gateway) -> tuple[ListenerState, ...]:
    """All listeners of a Gateway, in order."""
    listeners = gateway.spec.listeners
    return _states.recall(gateway, None, lambda: tuple(_state(listener, listeners) for listener in listeners))


def certificate_arn(listener: Listener) -> str | None:
    """The certificate that the listener names by its TLS option; None when it names none, or nothing that is one."""
    arn = _certificate_option(listener)
    return arn if arn and _CERTIFICATE.fullmatch(arn) else None


def certificate_secrets(gateway: Gateway) -> set[tuple[str, str]]:
    """Namespace and name of each Secret to which a listener refers, and for each namespace with one an empty name."""
    named = {
        (ref.namespace or gateway.namespace, ref.name)
        for listener in gateway.spec.listeners
        for ref in (listener.tls and listener.tls.certificate_refs) or ()
    }
    return named | {(namespace, "") for namespace, _ in named}


def _certificate_option(listener: Listener) -> str:
    return ((listener.tls and listener.tls.options) or {}).get(CERTIFICATE_ARN, "").strip()


def _state(listener: Listener, all_listeners: Sequence[Listener]) -> ListenerState:
    conflicted = _conflict(listener, all_listeners)
    return ListenerState(
        listener=listener,
        kinds=_kinds(listener),
        accepted=_acceptance(listener, conflicted),
        conflicted=conflicted,
        resolved=_resolution(listener),
    )


def _kinds(listener: Listener) -> tuple[RouteKind, ...]:
    possible = ROUTE_KINDS.get(listener.protocol, ()) if _has_served_mode(listener) else ()
    asked = listener.allowed_routes.kinds
    if not asked:
        return possible
    return tuple(kind for kind in possible if any(ref.group == GROUP and ref.kind == kind for ref in asked))


def _tls_mode(listener: Listener) -> str:
    return (listener.tls and listener.tls.mode) or _DEFAULT_TLS_MODE


def _has_served_mode(listener: Listener) -> bool:
    """Whether the listener does with TLS what VPC Lattice can do for its protocol."""
    return _TLS_MODES.get(listener.protocol) in {None, _tls_mode(listener)}


def _acceptance(listener: Listener, conflicted: Verdict) -> Verdict:
    if listener.protocol not in ROUTE_KINDS:
        return Verdict(
            False,
            conditions.UNSUPPORTED_PROTOCOL,
            f"Protocol {listener.protocol} is not supported; use one of {', '.join(ROUTE_KINDS)}.",
        )
    if not _has_served_mode(listener):
        return Verdict(
            False,
            conditions.UNSUPPORTED_VALUE,
            f"tls.mode: a listener of protocol {listener.protocol} with mode {_tls_mode(listener)} is not supported;"
            f" use {_TLS_MODES[listener.protocol]}.",
        )
    if conflicted.status:
        return Verdict(False, conflicted.reason, conflicted.message)
    return Verdict(True, conditions.ACCEPTED, "Listener is accepted.")


def _conflict(listener: Listener, all_listeners: Sequence[Listener]) -> Verdict:
    """Listeners of one port must have one protocol and different hostnames to be distinct."""
    for other in all_listeners:
        if other is listener or other.port != listener.port:
            continue
        if listener.protocol not in ROUTE_KINDS or other.protocol not in ROUTE_KINDS:
            continue
        if other.protocol != listener.protocol:
            return Verdict(
                True,
                conditions.PROTOCOL_CONFLICT,
                f"Listener {other.name} has port {other.port} with protocol {other.protocol}; use different ports.",
            )
        if (other.hostname or "") == (listener.hostname or ""):
            return Verdict(
                True,
                conditions.HOSTNAME_CONFLICT,
                f"Listener {other.name} has the same port and hostname; change one of them.",
            )
    return Verdict(False, conditions.NO_CONFLICTS)


def _resolution(listener: Listener) -> Verdict:
    possible = ROUTE_KINDS.get(listener.protocol, ())
    refused = [
        ref.kind if ref.group == GROUP else f"{ref.kind}.{ref.group}"
        for ref in listener.allowed_routes.kinds or ()
        if ref.group != GROUP or ref.kind not in possible
    ]
    if refused:
        return Verdict(
            False,
            conditions.INVALID_ROUTE_KINDS,
            f"allowedRoutes.kinds: a {listener.protocol} listener cannot take {', '.join(refused)};"
            f" it can take {', '.join(possible) or 'no routes'}.",
        )
    if listener.protocol == "HTTPS" and _certificate_option(listener) and certificate_arn(listener) is None:
        return Verdict(
            False,
            conditions.INVALID_CERTIFICATE_REF,
            f"tls.options: {CERTIFICATE_ARN} is not the ARN of a certificate in AWS Certificate Manager.",
        )
    return Verdict(True, conditions.RESOLVED_REFS, "References are resolved.")
