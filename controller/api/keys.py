"""What the work queue holds: a kind and an identity, never an object.

Every Lattice resource and every Kubernetes field is written by exactly one kind of key, so that the queue's promise, no
key twice at a time, protects each of them:

| key            | writes                                                                     |
|----------------|----------------------------------------------------------------------------|
| ObjectKey      | the object's own status, annotations and finalizer; a route's DNSEndpoint  |
| ServiceKey     | a Lattice service, its associations, listeners and rules                   |
| TargetGroupKey | a target group, its health check, all registering and deregistering        |
| CertificateKey | the certificate in ACM that is imported from a Secret                      |
"""

from typing import Literal

import msgspec

ObjectKind = Literal["GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute"]
RouteKind = Literal["HTTPRoute", "GRPCRoute", "TLSRoute"]


class ObjectKey(msgspec.Struct, frozen=True, cache_hash=True):
    """A Kubernetes object; the namespace is empty for cluster-scoped kinds."""

    kind: ObjectKind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"


class RouteRef(msgspec.Struct, frozen=True, cache_hash=True, order=True):
    kind: RouteKind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.kind, self.namespace, self.name)


class ServiceKey(msgspec.Struct, frozen=True, eq=False):
    """A Lattice service: what a route without hostnames programs, or one hostname within a set of service networks.

    Routes with the same hostname, kind and networks have the same key, and share the service. `namespace` says which of
    them made this key and is no part of its identity.
    """

    kind: RouteKind
    route: RouteRef | None = None
    """Set for a route without effective hostnames; then `hostname` is empty and `networks` does not count."""
    hostname: str = ""
    """A custom domain name; or the id of a Lattice service that nobody asks for and whose own key has another."""
    networks: tuple[str, ...] = ()
    """Sorted names of service networks."""
    namespace: str = ""
    """On whose account the work goes (see `tenant`); empty where nobody asks for the service."""

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ServiceKey) and self._identity == other._identity)

    def __ne__(self, other: object) -> bool:
        # Not derived from __eq__: a msgspec struct has one of its own, which goes by the object.
        return not self == other

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[RouteKind, RouteRef | None, str, tuple[str, ...]]:
        return self.kind, self.route, self.hostname, self.networks

    def __str__(self) -> str:
        if self.route is not None:
            return f"Service/{self.route}"
        return f"Service/{self.kind}/{self.hostname}@{'+'.join(self.networks) or 'standalone'}"


class TargetGroupKey(msgspec.Struct, frozen=True, cache_hash=True):
    """A target group: one backend port of one Lattice service, with the fields that Lattice cannot change in place.

    A target group can be used by a single service only (VPC Lattice user guide, "Target groups"), hence the owner.
    """

    owner: ServiceKey
    namespace: str
    """Namespace of the backend Service."""
    service: str
    port: int | None
    """The backendRef's port; None takes all endpoint ports."""
    protocol: str = "HTTP"
    protocol_version: str = "HTTP1"
    """HTTP1, HTTP2 or GRPC; empty for TCP."""
    ip_address_type: str = "IPV4"

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"TargetGroup/{self.namespace}/{self.service}{port}@{self.owner}"


class CertificateKey(msgspec.Struct, frozen=True, cache_hash=True, order=True):
    """The certificate in ACM that is imported from the Secret of this namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"Certificate/{self.namespace}/{self.name}"


Key = ObjectKey | ServiceKey | TargetGroupKey | CertificateKey


def tenant(key: Key) -> str:
    """The namespace on whose account the key's work goes, for fairness between namespaces; "" is the cluster's own."""
    match key:
        case ObjectKey() | CertificateKey():
            return key.namespace
        case ServiceKey():
            return key.route.namespace if key.route is not None else key.namespace
        case TargetGroupKey():
            return key.namespace
