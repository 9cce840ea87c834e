"""What the pure part may ask of the cluster: a consistent, read-only look at the stores.

Nothing awaits between two questions to a view, so all its answers belong to one moment. A view tells absent from
unknown: `None` and an empty sequence are certain; what is not certain raises `UnknownError`, because the kind is not
synced (its CRD is missing, its list is forbidden, the first list has not ended) or the object cannot be decoded.
Whoever translates lets that error pass: nothing is changed or deleted on the ground of what is unknown.
"""

from collections.abc import Sequence
from typing import Protocol

from controller.api.core import EndpointSlice, Namespace, Service
from controller.api.gateway import Gateway, GatewayClass, HTTPRoute, ReferenceGrant
from controller.api.keys import RouteRef


class UnknownError(Exception):
    """What was asked for is neither known to be there nor known to be absent.

    `kind` names the Kubernetes kind, `reason` says to an operator why it is unknown.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason


class View(Protocol):
    """All methods raise `UnknownError`. Sequences are in no particular order."""

    def gateway_class(self, name: str) -> GatewayClass | None: ...

    def gateway(self, namespace: str, name: str) -> Gateway | None: ...

    def gateways_of_class(self, name: str) -> Sequence[Gateway]: ...

    def gateways_of_listener_hostname(self, hostname: str) -> Sequence[Gateway]:
        """Gateways that have a listener with exactly this hostname."""

    def namespace(self, name: str) -> Namespace | None: ...

    def route(self, ref: RouteRef) -> HTTPRoute | None: ...

    def routes_of_gateway(self, namespace: str, name: str) -> Sequence[HTTPRoute]:
        """Routes with a parentRef to this Gateway, accepted or not, deleting ones too."""

    def routes_of_namespace(self, namespace: str) -> Sequence[HTTPRoute]: ...

    def routes_of_hostname(self, hostname: str) -> Sequence[HTTPRoute]:
        """Routes that have exactly this string among `spec.hostnames`."""

    def routes_of_backend(self, namespace: str, service: str) -> Sequence[HTTPRoute]:
        """Routes with a backendRef to this Service."""

    def service(self, namespace: str, name: str) -> Service | None: ...

    def endpoint_slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]: ...

    def reference_grants(self, namespace: str) -> Sequence[ReferenceGrant]: ...
