"""The backends of a rule: which Service ports they are, and what is wrong with the rest.

A reference that cannot be followed (no such Service or port, no grant, another kind) leaves the rule in place: what
is left of its backends serves it, and where nothing is left it answers 500. A backend that Lattice cannot express
(two IP families, filters) makes the rule one that cannot be implemented.

Source: Gateway API v1.6, `BackendRef`, `RouteConditionReason`; Kubernetes API reference, `ServiceSpec`.
"""

from controller.api.core import Service
from controller.api.gateway import BackendRef, Route
from controller.gateway import conditions
from controller.gateway.attachment import Refusal
from controller.gateway.references import is_permitted
from controller.gateway.view import View
from controller.lattice.model import Frozen

_ADDRESS_TYPES = {"IPv4": "IPV4", "IPv6": "IPV6"}


class Backend(Frozen, frozen=True, order=True):
    """A port of a Service, by what a target group is made of."""

    namespace: str
    service: str
    port: int | None
    ip_address_type: str


class Unsupported(Frozen, frozen=True):
    """What VPC Lattice cannot express of a backend."""

    message: str


def resolve(view: View, route: Route, ref: BackendRef, field: str) -> Backend | Refusal | Unsupported:
    """Follow a backendRef; `field` is its path in the route. Raises `UnknownError`."""
    if ref.filters:
        return Unsupported(f"{field}.filters: VPC Lattice has no filters ({_types(ref)}); remove them.")
    if ref.group != "" or ref.kind != "Service":
        kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
        return Refusal(conditions.INVALID_KIND, f"{field}: a backend of kind {kind} is not supported; use a Service.")
    namespace = ref.namespace or route.namespace
    name = f"{namespace}/{ref.name}"
    if not is_permitted(view, route.kind, route.namespace, "", "Service", namespace, ref.name):
        return Refusal(
            conditions.REF_NOT_PERMITTED,
            f"{field}: no ReferenceGrant in namespace {namespace} permits a {route.kind} of namespace {route.namespace}"
            f" to refer to Service {ref.name}; create one.",
        )
    service = view.service(namespace, ref.name)
    if service is None:
        return Refusal(conditions.BACKEND_NOT_FOUND, f"{field}: there is no Service {name}.")
    if service.spec.type == "ExternalName":
        return Refusal(
            conditions.INVALID_KIND,
            f"{field}: Service {name} is of type ExternalName, which has no endpoints to register; use another type.",
        )
    if ref.port is not None and not _has_port(service, ref.port):
        ports = ", ".join(str(port.port) for port in service.spec.ports if port.protocol == "TCP") or "none"
        return Refusal(
            conditions.BACKEND_NOT_FOUND, f"{field}: Service {name} has no TCP port {ref.port}; its ports are: {ports}."
        )
    families = service.spec.chosen_families
    if len(families) > 1:
        return Unsupported(
            f"{field}: Service {name} has the IP families {' and '.join(families)}, but a target group of VPC Lattice"
            " has one; set its ipFamilyPolicy to SingleStack."
        )
    return Backend(
        namespace=namespace,
        service=ref.name,
        port=ref.port,
        ip_address_type=_ADDRESS_TYPES.get(families[0], "IPV4") if families else "IPV4",
    )


def _has_port(service: Service, number: int) -> bool:
    return any(port.port == number and port.protocol == "TCP" for port in service.spec.ports)


def _types(ref: BackendRef) -> str:
    return ", ".join(dict.fromkeys(item.type for item in ref.filters or ()))
