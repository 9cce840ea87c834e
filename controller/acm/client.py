"""Calls to AWS Certificate Manager, in the way of all calls to AWS (`controller.lattice.client`).

Private keys are in the request of an import and nowhere else: neither the audit trail nor an error has any of it.

ACM lists certificates 1,000 at a time, with up to 100 of each one's names; only one that has more is asked for by
itself, once for each of its versions. Without being told, ACM leaves out certificates by their kind of key, so the kind
that VPC Lattice takes is named.

What was imported from Secrets is found by its tags. To import a certificate anew keeps its ARN, and takes no tags with
it, so that the fingerprint is written afterwards; if that fails, the next import anew is one too many and harmless.

Source: ACM API reference, the page of each operation.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from controller.acm.model import EXPIRES_SOON, FINGERPRINT, SECRET_NAME, SECRET_NAMESPACE, Certificate, Held
from controller.acm.pem import Pair
from controller.api.keys import CertificateKey
from controller.lattice.client import ACM
from controller.lattice.errors import SuspectError
from controller.lattice.limits import Lane
from controller.lattice.model import MANAGED_BY

PAGE: Final = 1000
"""Certificates a page: the most that ACM gives."""

KEY_TYPES: Final = ("RSA_2048",)
"""The keys that VPC Lattice takes (user guide, "Bring Your Own Certificate")."""


class Calls(Protocol):
    """`LatticeClient`, as far as it is used here."""

    async def call(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = ..., service: str = ...
    ) -> dict[str, Any]: ...

    async def tagged(
        self, tags: Mapping[str, str], resource_types: Sequence[str], *, lane: Lane = ...
    ) -> list[tuple[str, dict[str, str]]]: ...


class AcmClient:
    """ACM as this controller uses it. Remembers the names of certificates that have more than a list tells.

    `use_tagging_api` False is for VPCs that cannot reach the tagging API.
    """

    def __init__(self, calls: Calls, *, use_tagging_api: bool = True) -> None:
        self._calls = calls
        self._use_tagging_api = use_tagging_api
        self._described: dict[tuple[str, float], tuple[str, ...]] = {}

    async def issued(self, *, now: float, lane: Lane = Lane.LIVE) -> tuple[Certificate, ...]:
        """All certificates of the account and region that are issued and that VPC Lattice can use.

        `now` is the time in seconds since the epoch. Raises what `LatticeClient.call` raises.
        """
        found: list[Certificate] = []
        described: dict[tuple[str, float], tuple[str, ...]] = {}
        async for page in self._pages(lane, "ISSUED"):
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

    async def owned(self, owner: str, *, lane: Lane = Lane.LIVE) -> dict[CertificateKey, list[Held]]:
        """The certificates that were imported from Secrets for this owner, by Secret."""
        found: dict[CertificateKey, list[Held]] = {}
        for arn, tags in await self._tagged(owner, lane):
            namespace, name = tags.get(SECRET_NAMESPACE), tags.get(SECRET_NAME)
            if namespace and name:
                held = Held(arn=arn, fingerprint=tags.get(FINGERPRINT, ""))
                found.setdefault(CertificateKey(namespace, name), []).append(held)
        return found

    async def import_as_new(self, key: CertificateKey, pair: Pair, owner: str, *, lane: Lane = Lane.LIVE) -> str:
        """Import the certificate of a Secret; returns its ARN."""
        tags = {
            MANAGED_BY: owner,
            SECRET_NAMESPACE: key.namespace,
            SECRET_NAME: key.name,
            FINGERPRINT: pair.fingerprint,
        }
        answer = await self._write("ImportCertificate", {**_material(pair), "Tags": _tags(tags)}, lane)
        return str(answer["CertificateArn"])

    async def import_anew(self, arn: str, pair: Pair, *, lane: Lane = Lane.LIVE) -> None:
        """Put a pair in the place of what an imported certificate has."""
        await self._write("ImportCertificate", {**_material(pair), "CertificateArn": arn}, lane)
        tags = _tags({FINGERPRINT: pair.fingerprint})
        await self._write("AddTagsToCertificate", {"CertificateArn": arn, "Tags": tags}, lane)

    async def delete(self, arn: str, *, lane: Lane = Lane.LIVE) -> bool:
        """Delete a certificate, if it is there; False where something uses it."""
        try:
            await self._write("DeleteCertificate", {"CertificateArn": arn}, lane)
        except SuspectError as error:
            if error.code == "ResourceInUseException":
                return False
            if not error.not_found:
                raise
        return True

    async def exists(self, arn: str, *, lane: Lane = Lane.LIVE) -> bool:
        """Whether there is such a certificate."""
        try:
            await self._calls.call("DescribeCertificate", {"CertificateArn": arn}, lane=lane, service=ACM)
        except SuspectError as error:
            if error.not_found:
                return False
            raise
        return True

    async def _write(self, operation: str, params: Mapping[str, Any], lane: Lane) -> dict[str, Any]:
        return await self._calls.call(operation, params, lane=lane, service=ACM)

    async def _tagged(self, owner: str, lane: Lane) -> list[tuple[str, dict[str, str]]]:
        """What bears the owner's tag, with all tags."""
        if self._use_tagging_api:
            return await self._calls.tagged({MANAGED_BY: owner}, ["acm:certificate"], lane=lane)
        found: list[tuple[str, dict[str, str]]] = []
        async for page in self._pages(lane, None):
            for summary in page.get("CertificateSummaryList", ()):
                if summary.get("Type") != "IMPORTED":
                    continue
                arn = summary["CertificateArn"]
                answer = await self._calls.call(
                    "ListTagsForCertificate", {"CertificateArn": arn}, lane=lane, service=ACM
                )
                tags = {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags", ())}
                if tags.get(MANAGED_BY) == owner:
                    found.append((arn, tags))
        return found

    async def _pages(self, lane: Lane, status: str | None) -> AsyncGenerator[dict[str, Any], None]:
        params: dict[str, Any] = {"Includes": {"keyTypes": list(KEY_TYPES)}, "MaxItems": PAGE}
        if status is not None:
            params["CertificateStatuses"] = [status]
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


def _material(pair: Pair) -> dict[str, bytes]:
    chain = {"CertificateChain": pair.chain} if pair.chain else {}
    return {"Certificate": pair.certificate, "PrivateKey": pair.private_key, **chain}


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


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
