"""The object by which external-dns is told of DNS records: `DNSEndpoint`, as far as it is read and written here.

Source: external-dns documentation, "CRD Source".
"""

import msgspec

from controller.api.meta import Object, Struct

GROUP = "externaldns.k8s.io"


class ProviderSpecific(Struct, frozen=True):
    name: str = ""
    value: str = ""


class Endpoint(Struct, frozen=True):
    """One DNS record. The last three fields are never ours, but those of whoever added them to a record of ours."""

    dns_name: str = ""
    targets: tuple[str, ...] | None = None
    record_type: str = ""
    record_ttl: int = msgspec.field(name="recordTTL", default=0)
    """Seconds; 0 leaves it to external-dns."""
    set_identifier: str | None = None
    labels: dict[str, str] | None = None
    provider_specific: tuple[ProviderSpecific, ...] | None = None


class DNSEndpointSpec(Struct, frozen=True):
    endpoints: tuple[Endpoint, ...] | None = None


class DNSEndpoint(Object, frozen=True):
    spec: DNSEndpointSpec = msgspec.field(default_factory=DNSEndpointSpec)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self.spec.endpoints or ()
