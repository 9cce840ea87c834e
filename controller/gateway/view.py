"""What the pure part may ask of the cluster: a consistent, read-only look at the stores.

Nothing awaits between two questions to a view, so all its answers belong to one moment. A view tells absent from
unknown: `None` and an empty sequence are certain; what is not certain raises `UnknownError`, because the kind is not
synced (its CRD is missing, its list is forbidden, the first list has not ended) or the object cannot be decoded.
Whoever translates lets that error pass: nothing is changed or deleted on the ground of what is unknown.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

from controller.api.core import EndpointSlice, Namespace, Secret, Service
from controller.api.external_dns import DNSEndpoint
from controller.api.gateway import Gateway, GatewayClass, ReferenceGrant, Route
from controller.api.keys import RouteRef
from controller.api.meta import Undecodable


class UnknownError(Exception):
    """What was asked for is neither known to be there nor known to be absent.

    `kind` names the Kubernetes kind, `reason` says to an operator why it is unknown. `known` is what is known of an
    answer of several objects: enough to tell them something, too little to conclude that there are no others.
    """

    def __init__(self, kind: str, reason: str, known: Sequence[Any] = ()) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.known = known


class View(Protocol):
    """All methods but `revision` raise `UnknownError`. Sequences are in no particular order; routes are of all
    kinds."""

    def revision(self) -> Hashable:
        """The same as long as all answers are but those about routes, endpoints and DNS records; what is remembered of
        answers is good for as long."""

    def gateway_class(self, name: str) -> GatewayClass | None: ...

    def gateway(self, namespace: str, name: str) -> Gateway | None: ...

    def gateways_of_class(self, name: str) -> Sequence[Gateway]: ...

    def gateways_of_listener_hostname(self, hostname: str) -> Sequence[Gateway]:
        """Gateways that have a listener with exactly this hostname."""

    def gateways_of_secret(self, namespace: str, name: str) -> Sequence[Gateway]:
        """Gateways with a listener that refers to this Secret; an empty name means any of the namespace."""

    def secret(self, namespace: str, name: str) -> Secret | None:
        """A Secret with a certificate. Unknown where no Secrets are read."""

    def namespace(self, name: str) -> Namespace | None: ...

    def route(self, ref: RouteRef) -> Route | None: ...

    def routes_of_gateway(self, namespace: str, name: str) -> Sequence[Route]:
        """Routes with a parentRef to this Gateway, accepted or not, deleting ones too."""

    def routes_open_to_hostnames(self, namespace: str, name: str) -> Sequence[Route]:
        """Those of `routes_of_gateway` whose hostnames depend on the Gateway's: they have none, or a wildcard."""

    def routes_of_namespace(self, namespace: str) -> Sequence[Route]: ...

    def routes_of_hostname(self, hostname: str) -> Sequence[Route]:
        """Routes that have exactly this string among `spec.hostnames`."""

    def undecodable_routes(self, hostname: str) -> Sequence[Undecodable]:
        """Routes that may want this hostname, by themselves or through a listener, and cannot be decoded."""

    def routes_of_backend(self, namespace: str, service: str) -> Sequence[Route]:
        """Routes with a backendRef to this Service."""

    def service(self, namespace: str, name: str) -> Service | None: ...

    def endpoint_slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]: ...

    def reference_grants(self, namespace: str) -> Sequence[ReferenceGrant]: ...

    def has_external_dns(self) -> bool:
        """Whether the kind by which external-dns is told of DNS records is installed."""

    def dns_endpoint(self, namespace: str, name: str) -> DNSEndpoint | None: ...

    def dns_endpoints_of(self, hostname: str) -> Sequence[DNSEndpoint]:
        """Those with a record of this hostname."""
