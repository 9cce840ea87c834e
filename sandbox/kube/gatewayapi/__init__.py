"""What Gateway API's definitions demand beyond their schemas: their CEL rules, written by hand.

The released CustomResourceDefinitions carry some hundred rules in CEL (`x-kubernetes-validations`), which every API
server evaluates. The sandbox has no CEL; it has the same rules here, as pure functions, so that a route or a Gateway
that a cluster would refuse is refused by the sandbox too, and with the same message. They are those of Gateway API 1.6,
standard channel, and apply to every definition of the group `gateway.networking.k8s.io`, bundled or installed.

A rule stands at a place of the object's schema, `spec.rules[].matches[].path`, and is asked about each value that the
object has there, defaults filled in. Where CEL would fail for want of a field, the rule does not hold.

- `rule`        a rule, and the values that it is about
- `references`  parents, backends, targets
- `filters`     of HTTPRoute and GRPCRoute
- `routes`      matches, time-outs, hostnames
- `gateways`    listeners, addresses, infrastructure, BackendTLSPolicy
"""

from sandbox.kube.errors import Json, Problems
from sandbox.kube.gatewayapi import gateways, routes
from sandbox.kube.gatewayapi.filters import grpc_filters, http_filters
from sandbox.kube.gatewayapi.references import port_of_service, references
from sandbox.kube.gatewayapi.rule import Rule, RuleTree, values_at
from sandbox.kube.validation import type_name

__all__ = ["GROUP", "IMMUTABLE", "RULES", "Rule", "check", "check_update"]

GROUP = "gateway.networking.k8s.io"

_PARENTS = references("spec.parentRefs", "parent")
_BACKENDS = port_of_service("spec.rules[].backendRefs[]")

RULES: dict[str, tuple[Rule, ...]] = {
    "Gateway": (
        *gateways.addresses(),
        *gateways.infrastructure("annotations", "Annotation"),
        *gateways.infrastructure("labels", "Label"),
        *gateways.listeners(),
        gateways.PORTS,
    ),
    "ListenerSet": tuple(gateways.listeners()),
    "HTTPRoute": (
        *_PARENTS,
        routes.MATCHES,
        *routes.http_rules(),
        _BACKENDS,
        *http_filters("spec.rules[].backendRefs[].filters"),
        *http_filters("spec.rules[].filters"),
        *routes.http_paths(),
    ),
    "GRPCRoute": (
        *_PARENTS,
        routes.MATCHES,
        _BACKENDS,
        *grpc_filters("spec.rules[].backendRefs[].filters"),
        *grpc_filters("spec.rules[].filters"),
        *routes.grpc_methods(),
    ),
    "TLSRoute": (*routes.tls_hostnames(), *_PARENTS, _BACKENDS),
    "TCPRoute": (*_PARENTS, _BACKENDS),
    "UDPRoute": (*_PARENTS, _BACKENDS),
    "BackendTLSPolicy": (*references("spec.targetRefs", "target"), *gateways.backend_tls()),
}  # fmt: skip
"""By kind."""

_TREES = {kind: RuleTree(rules) for kind, rules in RULES.items()}

IMMUTABLE: dict[str, tuple[tuple[str, str], ...]] = {"GatewayClass": (("spec.controllerName", "Value is immutable"),)}
"""By kind: a place whose value may not change, and what is said if it does."""


def check(kind: str, obj: Json, problems: Problems) -> None:
    """Add to `problems` whatever rule of its kind the object breaks. The object fits its schema."""
    tree = _TREES.get(kind)
    if tree is not None:
        tree.check(obj, problems)


def check_update(kind: str, obj: Json, old: Json, problems: Problems) -> None:
    """Add to `problems` what may not change, and did."""
    for place, message in IMMUTABLE.get(kind, ()):
        parts = place.split(".")
        before = dict(values_at(old, parts))
        for path, value in values_at(obj, parts):
            if path in before and before[path] != value:
                problems.invalid(path, type_name(value), message)
