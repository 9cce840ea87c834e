"""The quotas of VPC Lattice that bound one service, as far as they are known.

They are what Service Quotas says of the account, or what a setting says instead. What is not known is not guessed from
AWS's defaults, because most of these can be raised: such a limit is found by trying.

Source: VPC Lattice user guide, "Quotas for Amazon VPC Lattice"; Service Quotas API reference, `ListServiceQuotas`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from controller.lattice.model import Frozen

SERVICE_CODE: Final = "vpc-lattice"
"""What Service Quotas calls VPC Lattice."""


class Quota(NamedTuple):
    """A quota by AWS's name and code."""

    name: str
    code: str


QUOTAS: Final[Mapping[str, Quota]] = {
    "listeners_per_service": Quota("Listeners per service", "L-D64E952E"),
    "rules_per_listener": Quota("Rules per listener", "L-CF78395E"),
    "target_groups_per_service": Quota("Target groups per service", "L-3DEC3B9F"),
}
"""By the field of `Quotas`."""


class Quotas(Frozen, frozen=True):
    """How many there may be; None where it is not known."""

    listeners_per_service: int | None = None
    rules_per_listener: int | None = None
    target_groups_per_service: int | None = None


class KnownQuotas:
    """The quotas in force. What is `configured`, by field, stays whatever is read."""

    def __init__(self, configured: Mapping[str, int] | None = None) -> None:
        self._configured = dict(configured or {})
        self.now = Quotas(**self._configured)

    def learn(self, listed: Iterable[Mapping[str, Any]]) -> bool:
        """Take what was listed (API: `ServiceQuota`); tells whether that is news."""
        values = {item["QuotaCode"]: int(item["Value"]) for item in listed if "Value" in item}
        read = {field: values[quota.code] for field, quota in QUOTAS.items() if quota.code in values}
        before, self.now = self.now, Quotas(**{**read, **self._configured})
        return self.now != before
