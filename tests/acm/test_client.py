"""What is read of ACM, against the sandbox, and against lists that say less than all."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.acm.client import AcmClient
from controller.acm.model import Held
from controller.acm.pem import Pair, read_pair
from controller.api.keys import CertificateKey
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

    async def tagged(self, *_: Any, **__: Any) -> list[tuple[str, dict[str, str]]]:
        raise AssertionError("what is tagged is not in the script")


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


KEY = CertificateKey("default", "shop")
OWNER = "123456789012/hotel/vpc-0123456789abcdef0"


def pair(*names: str) -> Pair:
    made = issue(*(names or ("a.example.com",)))
    return read_pair(made.certificate, made.key)


@pytest.mark.parametrize("use_tagging_api", [True, False])
async def test_what_was_imported_is_found_by_its_tags(
    calls: LatticeClient, server: LatticeServer, use_tagging_api: bool
) -> None:
    acm = AcmClient(calls, use_tagging_api=use_tagging_api)
    arn = await acm.import_as_new(KEY, pair(), OWNER)
    await acm.import_as_new(CertificateKey("default", "other"), pair(), "123456789012/another/vpc-0123456789abcdef0")
    server.state.add_certificate("b.example.com")
    found = await acm.owned(OWNER)
    assert list(found) == [KEY]
    assert [held.arn for held in found[KEY]] == [arn]


async def test_importing_anew_leaves_the_fingerprint_of_what_is_there(calls: LatticeClient) -> None:
    acm, first, second = AcmClient(calls), pair(), pair("b.example.com")
    arn = await acm.import_as_new(KEY, first, OWNER)
    assert await acm.owned(OWNER) == {KEY: [Held(arn=arn, fingerprint=first.fingerprint)]}
    await acm.import_anew(arn, second)
    assert await acm.owned(OWNER) == {KEY: [Held(arn=arn, fingerprint=second.fingerprint)]}


async def test_what_is_in_use_is_not_deleted_and_what_is_gone_is(calls: LatticeClient, server: LatticeServer) -> None:
    acm = AcmClient(calls)
    arn = await acm.import_as_new(KEY, pair(), OWNER)
    made = await calls.call(
        "CreateService", {"name": "one", "customDomainName": "a.example.com", "certificateArn": arn}
    )
    assert not await acm.delete(arn)
    await calls.call("DeleteService", {"serviceIdentifier": made["id"]})
    await calls.call("ListServices", {})
    assert await acm.delete(arn)
    assert await acm.delete(arn)
    assert not server.state.certificates


async def test_imports_are_writes_behind_the_fence_with_an_audit_line_without_the_key(
    calls: LatticeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="controller")
    arn = await AcmClient(calls).import_as_new(KEY, pair(), OWNER)
    [line] = [record for record in caplog.records if record.name == "controller.audit"]
    assert line.__dict__["operation"] == "ImportCertificate"
    assert line.__dict__["identifiers"] == {"CertificateArn": arn}
    assert "PRIVATE" not in repr([record.__dict__ for record in caplog.records])
