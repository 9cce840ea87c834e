"""ACM as far as it is emulated (API reference, the page of each operation; user guide, on imports)."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.lattice.harness import Account, Clock
from tests.support.certificates import Pair, ec_key, issue, pem, rsa_key

pytestmark = pytest.mark.anyio

OWN = issue("a.example.com", "b.example.com")
NOW = datetime.fromtimestamp(Clock().now, UTC)


async def brought(account: Account, pair: Pair = OWN, **more) -> str:
    chain = {"CertificateChain": pair.chain} if pair.chain else {}
    made = await account.acm.import_certificate(Certificate=pair.certificate, PrivateKey=pair.key, **chain, **more)
    return made["CertificateArn"]


async def shown(account: Account, arn: str) -> dict:
    return (await account.acm.describe_certificate(CertificateArn=arn))["Certificate"]


async def listed(account: Account, **filters) -> list[dict]:
    return (await account.acm.list_certificates(**filters))["CertificateSummaryList"]


async def test_what_is_imported_is_issued_under_its_own_names(account: Account):
    detail = await shown(account, await brought(account, issue("a.example.com", "b.example.com", authority=True)))
    assert detail["SubjectAlternativeNames"] == ["a.example.com", "b.example.com"]
    assert (detail["Status"], detail["Type"], detail["KeyAlgorithm"]) == ("ISSUED", "IMPORTED", "RSA_2048")
    assert "IssuedAt" not in detail
    assert detail["ImportedAt"] == detail["CreatedAt"]


async def test_a_certificate_without_alternative_names_has_its_common_name(account: Account):
    (summary,) = [await shown(account, await brought(account, issue(common_name="old.example.com")))]
    assert summary["DomainName"] == "old.example.com"


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (Pair(b"nothing", OWN.key), "PEM"),
        (Pair(OWN.certificate + OWN.certificate, OWN.key), "more than one"),
        (Pair(OWN.certificate, b"nothing"), "private key"),
        (Pair(OWN.certificate, pem(rsa_key(), password=b"secret")), "encrypted"),
        (Pair(OWN.certificate, pem(rsa_key(number=1))), "does not match"),
        (Pair(OWN.certificate, OWN.key, b"nothing"), "chain"),
        (issue("x.example.com", ends=NOW - timedelta(seconds=1)), "expired"),
        (issue("x.example.com", begins=NOW + timedelta(seconds=1)), "in effect"),
    ],
)
async def test_what_cannot_be_imported_is_refused(account: Account, pair: Pair, why: str):
    with pytest.raises(ClientError, match=why) as raised:
        await brought(account, pair)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert await listed(account) == []


async def test_importing_anew_keeps_the_arn_and_the_tags(account: Account):
    arn = await brought(account, Tags=[{"Key": "team", "Value": "one"}])
    assert await brought(account, issue("c.example.com"), CertificateArn=arn) == arn
    assert (await shown(account, arn))["DomainName"] == "c.example.com"
    assert (await account.acm.list_tags_for_certificate(CertificateArn=arn))["Tags"] == [
        {"Key": "team", "Value": "one"}
    ]


async def test_importing_anew_takes_no_tags_and_no_other_kind_of_key(account: Account):
    arn = await brought(account)
    with pytest.raises(ClientError, match="Tagging"):
        await brought(account, CertificateArn=arn, Tags=[{"Key": "team", "Value": "one"}])
    with pytest.raises(ClientError, match="key type"):
        await brought(account, issue("c.example.com", key=ec_key()), CertificateArn=arn)
    amazons = account.server.state.add_certificate("x.example.com").arn
    with pytest.raises(ClientError, match="not imported"):
        await brought(account, CertificateArn=amazons)
    with pytest.raises(account.acm.exceptions.ResourceNotFoundException):
        await brought(account, CertificateArn=arn[:-1] + "z")


async def test_a_list_leaves_out_large_and_elliptic_keys_unless_told(account: Account):
    arn = await brought(account, issue("c.example.com", key=ec_key()))
    own = await brought(account)
    assert [one["CertificateArn"] for one in await listed(account)] == [own]
    everything = await listed(account, Includes={"keyTypes": ["RSA_2048", "EC_prime256v1"]})
    assert {one["CertificateArn"] for one in everything} == {arn, own}


async def test_lattice_takes_no_elliptic_key(account: Account):
    arn = await brought(account, issue("c.example.com", key=ec_key()))
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.service("one", customDomainName="c.example.com", certificateArn=arn)


async def test_a_list_shows_a_hundred_names_and_that_there_are_more(account: Account):
    names = [f"n{number}.example.com" for number in range(120)]
    account.server.state.add_certificate(*names)
    (summary,) = await listed(account)
    assert len(summary["SubjectAlternativeNameSummaries"]) == 100
    assert summary["HasAdditionalSubjectAlternativeNames"]


async def test_a_certificate_in_use_cannot_be_deleted(account: Account):
    arn = await brought(account)
    service = await account.service("one", customDomainName="a.example.com", certificateArn=arn)
    assert (await shown(account, arn))["InUseBy"] == [service["arn"]]
    assert [one["InUse"] for one in await listed(account)] == [True]
    with pytest.raises(account.acm.exceptions.ResourceInUseException):
        await account.acm.delete_certificate(CertificateArn=arn)
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    await account.all_of("list_services")
    await account.acm.delete_certificate(CertificateArn=arn)
    assert await listed(account) == []


async def test_the_tagging_api_finds_certificates_by_their_tags(account: Account):
    arn = await brought(account, Tags=[{"Key": "team", "Value": "one"}])
    await brought(account)
    await account.service("one", tags={"team": "one"})
    filters = [{"Key": "team", "Values": ["one"]}]
    found = await account.tagging.get_resources(TagFilters=filters, ResourceTypeFilters=["acm:certificate"])
    assert [one["ResourceARN"] for one in found["ResourceTagMappingList"]] == [arn]
    lattice = await account.tagging.get_resources(TagFilters=filters, ResourceTypeFilters=["vpc-lattice"])
    assert arn not in [one["ResourceARN"] for one in lattice["ResourceTagMappingList"]]
    assert len(lattice["ResourceTagMappingList"]) == 1
    await account.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "team", "Value": "two"}])
    found = await account.tagging.get_resources(TagFilters=filters, ResourceTypeFilters=["acm:certificate"])
    assert found["ResourceTagMappingList"] == []


async def test_a_tag_that_is_not_allowed_is_refused(account: Account):
    with pytest.raises(account.acm.exceptions.InvalidTagException):
        await brought(account, Tags=[{"Key": "aws:team", "Value": "one"}])
    arn = await brought(account)
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    await account.acm.add_tags_to_certificate(CertificateArn=arn, Tags=many)
    with pytest.raises(account.acm.exceptions.TooManyTagsException):
        await account.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "more", "Value": "v"}])
