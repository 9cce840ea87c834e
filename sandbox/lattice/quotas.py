"""The quotas of an account, with the names and codes that Service Quotas gives them.

Names, defaults and codes: "Quotas for Amazon VPC Lattice", VPC Lattice User Guide
(https://docs.aws.amazon.com/vpc-lattice/latest/ug/quotas.html). Of the two that cannot be adjusted, the service model
bounds the security groups of an association, and an auth policy that is too large is not valid.
"""

from dataclasses import dataclass
from typing import Self

from sandbox.lattice.errors import quota_exceeded

CODES = {
    "services": "L-620C821E",
    "service_networks": "L-9CAD07FB",
    "target_groups": "L-BB11C6B9",
    "listeners_per_service": "L-D64E952E",
    "rules_per_listener": "L-CF78395E",
    "target_groups_per_service": "L-3DEC3B9F",
    "targets_per_target_group": "L-D71303F3",
    "services_per_network": "L-75D4A19E",
    "vpcs_per_network": "L-EF6E2D62",
}
"""Field of `Quotas` → quota code, of those that can be adjusted."""

NAMES = {
    "services": "Services per region",
    "service_networks": "Service networks per region",
    "target_groups": "Target groups per region",
    "listeners_per_service": "Listeners per service",
    "rules_per_listener": "Rules per listener",
    "target_groups_per_service": "Target groups per service",
    "targets_per_target_group": "Targets per target group",
    "services_per_network": "Service associations per service network",
    "vpcs_per_network": "VPC associations per service network",
}
"""Field of `Quotas` → the quota's name."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many of each there may be; those without "per" are for the account in the region."""

    services: int = 2000
    service_networks: int = 50
    target_groups: int = 500
    listeners_per_service: int = 2
    rules_per_listener: int = 10
    target_groups_per_service: int = 10
    targets_per_target_group: int = 1000
    services_per_network: int = 500
    vpcs_per_network: int = 500
    auth_policy_bytes: int = 10 * 1024

    @classmethod
    def unlimited(cls) -> Self:
        """As good as none, for load tests."""
        many = 10**9
        return cls(**dict.fromkeys(CODES, many))

    def check(self, quota: str, wanted: int, resource_type: str, resource_id: str | None = None) -> None:
        """Raise `ServiceQuotaExceededException` if `wanted` of `resource_type` are more than the quota allows."""
        limit: int = getattr(self, quota)
        if wanted > limit:
            raise quota_exceeded(resource_type, resource_id, CODES[quota], f"the quota {NAMES[quota]!r} is {limit}")
