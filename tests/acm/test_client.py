"""What is read of ACM, against the sandbox, and against lists that say less than all."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.acm.client import AcmClient
from controller.lattice.client import LatticeClient
from controller.lattice.errors import SuspectError
from sandbox.lattice import LatticeServer
from tests.support.certificates import ec_key, issue

pytestmark = pytest.mark.anyio

NOW = time.time()
DAY = 86_400.0


async def test_what_is_issued_and_usable_is_found_by_one_call(calls: LatticeClient, server: LatticeServer) -> None:
    issued = server.state.add_certificate("A.example.com", "*.example.com")
    server.state.add_certificate("b.example.com", status="PENDING_VALIDATION")
    mark = server.calls.mark()
    (found,) = await AcmClient(calls).issued(now=NOW)
    assert found.arn == issued.arn
    assert found.names == ("a.example.com", "*.example.com")
    assert found.made == pytest.approx(issued.made, abs=1)
    assert not found.ends_soon
    assert [record.operation for record in server.calls.since(mark)] == ["ListCertificates"]


async def test_keys_that_lattice_does_not_take_are_left_out(calls: LatticeClient) -> None:
    pair = issue("a.example.com", key=ec_key())
    await calls.call("ImportCertificate", {"Certificate": pair.certificate, "PrivateKey": pair.key}, service="acm")
    assert await AcmClient(calls).issued(now=NOW) == ()


async def test_one_that_ends_within_a_month_is_told_so(calls: LatticeClient) -> None:
    pair = issue("a.example.com", ends=datetime.fromtimestamp(time.time() + 29 * DAY, UTC))
    await calls.call("ImportCertificate", {"Certificate": pair.certificate, "PrivateKey": pair.key}, service="acm")
    assert [one.ends_soon for one in await AcmClient(calls).issued(now=time.time())] == [True]
    assert [one.ends_soon for one in await AcmClient(calls).issued(now=time.time() - 2 * DAY)] == [False]


class Scripted:
    """Answers lists page by page, and tells of single certificates."""

    def __init__(self, *pages: list[dict[str, Any]], described: Mapping[str, list[str]]) -> None:
        self.pages = pages
        self.described = described
        self.log: list[str] = []

    async def call(self, operation: str, params: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        self.log.append(operation)
        if operation == "ListCertificates":
            place = int(params.get("NextToken", 0))
            more = {"NextToken": str(place + 1)} if place + 1 < len(self.pages) else {}
            return {"CertificateSummaryList": self.pages[place], **more}
        names = self.described.get(params["CertificateArn"])
        if names is None:
            raise SuspectError(operation, "ResourceNotFoundException", "gone")
        return {"Certificate": {"DomainName": "cn.example.com", "SubjectAlternativeNames": names}}


def summary(arn: str, *names: str, more: bool = False) -> dict[str, Any]:
    return {
        "CertificateArn": arn,
        "DomainName": f"{arn}.example.com",
        "SubjectAlternativeNameSummaries": list(names),
        "HasAdditionalSubjectAlternativeNames": more,
        "CreatedAt": datetime.fromtimestamp(1, UTC),
    }


async def test_only_what_has_more_names_than_a_list_shows_is_asked_for_and_once() -> None:
    scripted = Scripted(
        [summary("one", "a.example.com")], [summary("many", "b.example.com", more=True)], described={"many": ["C.x"]}
    )
    acm = AcmClient(scripted)
    found = await acm.issued(now=NOW)
    assert [one.names for one in found] == [("a.example.com",), ("c.x",)]
    assert await acm.issued(now=NOW) == found
    assert scripted.log == ["ListCertificates", "ListCertificates", "DescribeCertificate"] + ["ListCertificates"] * 2


async def test_one_that_was_imported_anew_is_asked_for_again() -> None:
    listed = summary("many", "a.example.com", more=True)
    scripted = Scripted([listed], described={"many": ["a.x"]})
    acm = AcmClient(scripted)
    await acm.issued(now=NOW)
    listed["ImportedAt"] = datetime.fromtimestamp(2, UTC)
    scripted.described = {"many": ["b.x"]}
    (found,) = await acm.issued(now=NOW)
    assert found.names == ("b.x",)


async def test_a_certificate_without_alternative_names_is_known_by_its_domain() -> None:
    (found,) = await AcmClient(Scripted([summary("one")], described={})).issued(now=NOW)
    assert found.names == ("one.example.com",)


async def test_one_that_goes_while_it_is_asked_for_covers_nothing() -> None:
    (found,) = await AcmClient(Scripted([summary("one", "a.x", more=True)], described={})).issued(now=NOW)
    assert found.names == ()
