"""What users say on routes and Gateways beside the spec, and what the controller writes there.

Values are read leniently where a mistake does no harm, and refused with a message where it would.
"""

from collections.abc import Mapping
from typing import Final

from controller.api.gateway import Gateway, Route
from controller.api.keys import RouteKind
from controller.lattice.model import TAG_PREFIX

SERVICE_NAME_OVERRIDE: Final = TAG_PREFIX + "service-name-override"
STANDALONE: Final = TAG_PREFIX + "standalone"
TAGS: Final = TAG_PREFIX + "tags"
ALLOW_TAKEOVER_FROM: Final = TAG_PREFIX + "allow-takeover-from"
PAUSED: Final = TAG_PREFIX + "paused"
ALLOW_DELETION: Final = TAG_PREFIX + "allow-deletion"
TAKE_OVER: Final = TAG_PREFIX + "take-over"

ASSIGNED_DOMAIN_NAME: Final = TAG_PREFIX + "lattice-assigned-domain-name"
SERVICE_ARN: Final = TAG_PREFIX + "lattice-service-arn"

WRITTEN: Final = frozenset({ASSIGNED_DOMAIN_NAME, SERVICE_ARN})
"""Annotations that the controller itself writes on routes."""

ROUTE_FINALIZERS: Final[Mapping[RouteKind, str]] = {
    "HTTPRoute": "httproute.k8s.aws/resources",
    "GRPCRoute": "grpcroute.k8s.aws/resources",
    "TLSRoute": "tlsroute.k8s.aws/resources",
}
GATEWAY_FINALIZER: Final = "gateway.k8s.aws/resources"
GATEWAY_CLASS_FINALIZER: Final = "gateway-exists-finalizer.gateway.networking.k8s.io"

MIN_PRIORITY: Final = 1
MAX_PRIORITY: Final = 2000


def is_set(value: str | None) -> bool:
    """Whether an annotation of yes or no says yes."""
    return (value or "").strip().lower() == "true"


def is_standalone(route: Route, gateway: Gateway) -> bool:
    """Whether the route's service stays out of the Gateway's service network; the route's word beats the Gateway's."""
    value = route.annotation(STANDALONE)
    if value is None:
        value = gateway.annotation(STANDALONE)
    return is_set(value)


def rule_priority(route: Route, index: int) -> tuple[int | None, str | None]:
    """The Lattice priority that the route fixes for its rule `index`, if any; or what is wrong with its annotation."""
    name = f"{TAG_PREFIX}rule-{index}-priority"
    value = route.annotation(name)
    if value is None:
        return None, None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) <= 4 and MIN_PRIORITY <= int(text) <= MAX_PRIORITY:
        return int(text), None
    return None, f"Annotation {name} is ignored: its value must be a number from {MIN_PRIORITY} to {MAX_PRIORITY}."


def takeover_from(route: Route) -> str | None:
    """The owner from whom the route's service may be taken over."""
    return (route.annotation(ALLOW_TAKEOVER_FROM) or "").strip() or None
