"""Calls to AWS Certificate Manager, in the way of all calls to AWS (`controller.lattice.client`).

ACM lists certificates 1,000 at a time, with up to 100 of each one's names; only one that has more is asked for by
itself, once for each of its versions. Without being told, ACM leaves out certificates by their kind of key, so the kind
that VPC Lattice takes is named.

Source: ACM API reference, `ListCertificates` and `DescribeCertificate`.
"""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from controller.acm.model import EXPIRES_SOON, Certificate
from controller.lattice.client import ACM
from controller.lattice.errors import SuspectError
from controller.lattice.limits import Lane

PAGE: Final = 1000
"""Certificates a page: the most that ACM gives."""

KEY_TYPES: Final = ("RSA_2048",)
"""The keys that VPC Lattice takes (user guide, "Bring Your Own Certificate")."""


class Calls(Protocol):
    """`LatticeClient`, as far as it is used here."""

    async def call(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = ..., service: str = ...
    ) -> dict[str, Any]: ...


class AcmClient:
    """ACM as this controller uses it. Remembers the names of certificates that have more than a list tells."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._described: dict[tuple[str, float], tuple[str, ...]] = {}

    async def issued(self, *, now: float, lane: Lane = Lane.LIVE) -> tuple[Certificate, ...]:
        """All certificates of the account and region that are issued and that VPC Lattice can use.

        `now` is the time in seconds since the epoch. Raises what `LatticeClient.call` raises.
        """
        found: list[Certificate] = []
        described: dict[tuple[str, float], tuple[str, ...]] = {}
        async for page in self._pages(lane):
            for summary in page.get("CertificateSummaryList", ()):
                arn, made = summary["CertificateArn"], _made(summary)
                names = _names(summary) or self._described.get((arn, made)) or await self._describe(arn, lane)
                if _names(summary) is None:
                    described[arn, made] = names
                ends = summary.get("NotAfter")
                found.append(
                    Certificate(
                        arn=arn,
                        names=names,
                        made=made,
                        ends_soon=ends is not None and _seconds(ends) < now + EXPIRES_SOON,
                    )
                )
        self._described = described
        return tuple(found)

    async def _pages(self, lane: Lane) -> AsyncGenerator[dict[str, Any], None]:
        params = {"CertificateStatuses": ["ISSUED"], "Includes": {"keyTypes": list(KEY_TYPES)}, "MaxItems": PAGE}
        more: dict[str, Any] = {}
        while True:
            page = await self._calls.call("ListCertificates", {**params, **more}, lane=lane, service=ACM)
            yield page
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    async def _describe(self, arn: str, lane: Lane) -> tuple[str, ...]:
        """All names of a certificate; none if it is gone."""
        try:
            answer = await self._calls.call("DescribeCertificate", {"CertificateArn": arn}, lane=lane, service=ACM)
        except SuspectError as error:
            if error.not_found:
                return ()
            raise
        certificate = answer["Certificate"]
        return _lower(certificate.get("SubjectAlternativeNames") or [certificate["DomainName"]])


def _names(summary: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of a certificate, if the list tells all of them."""
    names = summary.get("SubjectAlternativeNameSummaries")
    if names is None or summary.get("HasAdditionalSubjectAlternativeNames"):
        return None
    return _lower(names or [summary["DomainName"]])


def _lower(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.lower() for name in names))


def _made(summary: Mapping[str, Any]) -> float:
    return max((_seconds(summary[name]) for name in ("CreatedAt", "ImportedAt") if name in summary), default=0.0)


def _seconds(time: datetime) -> float:
    return time.timestamp()
