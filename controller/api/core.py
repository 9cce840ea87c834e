"""Namespaces, Services, EndpointSlices and Secrets with certificates.

Source: Kubernetes API reference, `core/v1` and `discovery.k8s.io/v1`.
"""

import msgspec

from controller.api.meta import Object, Struct

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""The label by which an EndpointSlice names its Service."""


TLS_SECRET = "kubernetes.io/tls"  # noqa: S105 - the name of a type
"""The type of Secrets that have a certificate and its key."""


class Namespace(Object, frozen=True):
    pass


class ServicePort(Struct, frozen=True):
    name: str = ""
    port: int = 0
    protocol: str = "TCP"
    target_port: int | str | None = None


class ServiceSpec(Struct, frozen=True):
    type: str = "ClusterIP"
    ports: tuple[ServicePort, ...] = ()
    ip_families: tuple[str, ...] = ()
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    selector: dict[str, str] | None = None

    @property
    def chosen_families(self) -> tuple[str, ...]:
        """The IP families that somebody chose. A headless Service without a selector is given both everywhere, whatever
        the cluster has, as nobody can tell what its endpoints are (Kubernetes, "IPv4/IPv6 dual-stack")."""
        return self.ip_families[:1] if self.cluster_ip == "None" and not self.selector else self.ip_families


class Service(Object, frozen=True):
    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(Struct, frozen=True):
    """Unset means what the API says it means: not terminating."""

    terminating: bool | None = None


class Endpoint(Struct, frozen=True):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()


class EndpointPort(Struct, frozen=True):
    name: str | None = None
    port: int | None = None
    protocol: str | None = None


class EndpointSlice(Object, frozen=True):
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None

    @property
    def service_name(self) -> str:
        """The Service whose endpoints these are; empty when the slice names none."""
        return (self.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")


class TLSData(Struct, frozen=True):
    """What a Secret of that type holds; the key shows nowhere."""

    certificate: bytes = msgspec.field(name="tls.crt", default=b"")
    private_key: bytes = msgspec.field(name="tls.key", default=b"")

    def __repr__(self) -> str:
        return "TLSData(...)"


class Secret(Object, frozen=True):
    """A Secret of type `TLS_SECRET`: no others are read."""

    data: TLSData = TLSData()
