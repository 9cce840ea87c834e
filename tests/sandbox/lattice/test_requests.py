"""What holds for all requests: signatures, addresses, client tokens, paging, the log."""

from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.lattice import LatticeServer, is_write
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.errors import ApiError
from sandbox.lattice.networks import list_service_networks
from sandbox.lattice.state import Call
from tests.sandbox.lattice.harness import Account

pytestmark = pytest.mark.anyio


def signed(service: str = "vpc-lattice", region: str = "us-west-2", **headers: str) -> dict[str, str]:
    scope = f"AKIDEXAMPLE/20270115/{region}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"} | headers


async def ask(account: Account, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, account.server.url + path, **more) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def test_every_answer_has_a_request_id_and_errors_say_their_type(account: Account):
    status, _, headers = await ask(account, "GET", "/services", headers=signed())
    assert (status, bool(headers["x-amzn-requestid"])) == (200, True)
    status, body, headers = await ask(account, "GET", "/services?maxResults=0", headers=signed())
    assert (status, headers["x-amzn-errortype"], body["reason"]) == (
        400,
        "ValidationException",
        "fieldValidationFailed",
    )
    assert headers["x-amzn-requestid"]


async def test_an_unsigned_request_and_one_for_another_region_are_refused(account: Account):
    status, _, headers = await ask(account, "GET", "/services")
    assert (status, headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    status, body, _ = await ask(account, "GET", "/services", headers=signed(region="eu-west-1"))
    assert (status, "us-west-2" in body["message"]) == (403, True)


async def test_what_is_not_emulated_says_so(account: Account):
    for service, path in (("lambda", "/2015-03-31/functions"), ("vpc-lattice", "/resourcegateways")):
        status, body, headers = await ask(account, "GET", path, headers=signed(service))
        assert (status, headers["x-amzn-errortype"]) == (501, "NotEmulatedException")
        assert "does not emulate" in body["message"]
    with pytest.raises(account.tagging.exceptions.ClientError, match="does not emulate GetTagKeys"):
        await account.tagging.get_tag_keys()
    with pytest.raises(account.sts.exceptions.ClientError, match="does not emulate GetSessionToken"):
        await account.sts.get_session_token()


@pytest.mark.parametrize(
    ("service", "operation"),
    [("s3", "list_buckets"), ("iam", "list_users"), ("ec2", "describe_vpcs"), ("dynamodb", "list_tables")],
)
async def test_a_service_that_is_not_here_says_so_in_its_own_protocol(account: Account, service, operation):
    async with account.client(service) as client:
        with pytest.raises(client.exceptions.ClientError, match="does not emulate") as raised:
            await getattr(client, operation)()
    assert raised.value.response["Error"]["Code"] == "NotEmulatedException"


async def test_an_address_of_no_operation_is_refused(account: Account):
    status, body, _ = await ask(account, "GET", "/nonsense", headers=signed())
    assert (status, body["reason"]) == (404, "unknownOperation")


async def test_a_repeated_create_with_its_token_does_nothing_even_after_the_deletion(account: Account):
    first = await account.service("rates", clientToken="one")
    again = await account.lattice.create_service(name="rates", clientToken="one")
    assert again["id"] == first["id"]
    await account.lattice.delete_service(serviceIdentifier=first["id"])
    account.settle()
    assert (await account.lattice.create_service(name="rates", clientToken="one"))["id"] == first["id"]
    assert await account.all_of("list_services") == []


async def test_a_token_with_other_parameters_fails_and_one_of_another_operation_does_not(account: Account):
    await account.service("rates", clientToken="one")
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.create_service(name="other", clientToken="one")
    await account.network(clientToken="one")


async def test_a_token_whose_request_failed_can_be_used_again(account: Account):
    service = await account.service("rates")
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.create_service(name="rates", clientToken="one")
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    assert (await account.lattice.create_service(name="rates", clientToken="one"))["id"] != service["id"]


async def test_lists_come_in_pages(account: Account):
    for number in range(5):
        await account.lattice.create_service(name=f"service{number}")
    first = await account.lattice.list_services(maxResults=2)
    assert [service["name"] for service in first["items"]] == ["service0", "service1"]
    rest = await account.lattice.list_services(nextToken=first["nextToken"])
    assert [service["name"] for service in rest["items"]] == ["service2", "service3", "service4"]
    assert "nextToken" not in rest


async def test_a_token_of_another_list_is_refused(account: Account):
    for number in range(2):
        await account.lattice.create_service(name=f"service{number}")
    token = (await account.lattice.list_services(maxResults=1))["nextToken"]
    for wrong in (token + "x", "%%%", "nonsense"):
        with pytest.raises(account.lattice.exceptions.ValidationException):
            await account.lattice.list_services(nextToken=wrong)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.list_target_groups(nextToken=token)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=12), st.integers(1, 4))
def test_what_exists_throughout_is_listed_once_whatever_comes_and_goes_between_pages(changes, size):
    state = LatticeServer().state
    stays = [state.share_network(f"stays{number}", "999999999999") for number in range(5)]
    passing = [state.share_network(f"goes{number}", "999999999999") for number in range(3)]
    seen: list[str] = []
    params: dict[str, Any] = {"maxResults": size}
    for change in [*changes, *[None] * 20]:
        answer = list_service_networks(state, Call("ListServiceNetworks", params))
        seen += [item["id"] for item in answer["items"]]
        if "nextToken" not in answer:
            break
        params["nextToken"] = answer["nextToken"]
        if change and passing:
            state.networks.remove(passing.pop(0))
        elif change is False:
            state.share_network("comes", "999999999999")
    assert [network for network in seen if network in {kept.id for kept in stays}] == [kept.id for kept in stays]
    assert len(seen) == len(set(seen))


async def test_the_log_tells_what_was_asked_and_what_became_of_it(account: Account):
    calls = account.server.calls
    service = await account.service("rates")
    mark = calls.mark()
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.create_service(name="rates")
    await account.lattice.get_service(serviceIdentifier=service["id"])
    refused, read = calls.since(mark)
    assert (refused.operation, refused.status, refused.error) == ("CreateService", 409, "ConflictException")
    assert (refused.parameters["name"], refused.service) == ("rates", "vpc-lattice")
    assert (read.parameters, read.status, read.error) == ({"serviceIdentifier": service["id"]}, 200, None)
    assert read.time == account.clock.now
    assert [record.operation for record in calls.writes()] == ["CreateService", "CreateService"]
    assert calls.by_operation(mark) == {"CreateService": 1, "GetService": 1}
    assert (calls.count("CreateService"), calls.count(since=mark), len(calls)) == (2, 2, 3)
    calls.clear()
    assert (len(calls), calls.since(mark)) == (0, [])


def test_the_log_is_not_asked_for_what_there_never_is():
    calls = LatticeServer().calls
    for ask in (calls.of, calls.count):
        with pytest.raises(ValueError, match="ListService"):
            ask("ListService")


async def test_the_log_tells_callers_apart_by_the_keys_they_sign_with(account: Account):
    await account.lattice.list_services()
    assert account.server.calls.of("ListServices")[-1].access_key == "AKIDEXAMPLE"


async def test_the_request_id_in_the_log_is_the_clients(account: Account):
    answer = await account.lattice.list_services()
    assert account.server.calls.of("ListServices")[-1].request_id == answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    ("operation", "write"),
    [("CreateService", True), ("RegisterTargets", True), ("ListTargets", False), ("GetResources", False)],
)
def test_reads_and_writes_are_told_apart_by_name(operation, write):
    assert is_write(operation) is write


@pytest.mark.parametrize(
    ("account", "region"), [("1234", "us-west-2"), ("12345678901x", "us-west-2"), ("123456789012", "cn-north-1")]
)
def test_an_account_that_there_cannot_be_is_refused(account, region):
    with pytest.raises(ValueError, match=r"twelve digits|partition"):
        LatticeServer(account=account, region=region)


async def test_who_is_asking(account: Account):
    assert (await account.sts.get_caller_identity())["Account"] == "123456789012"


async def test_certificates_are_listed_by_status_and_described(account: Account):
    issued = account.server.state.add_certificate("*.example.com", "example.com")
    account.server.state.add_certificate("pending.example.com", status="PENDING_VALIDATION")
    listed = await account.acm.list_certificates(CertificateStatuses=["ISSUED"])
    (summary,) = listed["CertificateSummaryList"]
    assert summary["SubjectAlternativeNameSummaries"] == ["*.example.com", "example.com"]
    described = await account.acm.describe_certificate(CertificateArn=issued.arn)
    assert described["Certificate"]["Status"] == "ISSUED"
    pages = account.acm.get_paginator("list_certificates").paginate(PaginationConfig={"PageSize": 1})
    assert len([entry async for page in pages for entry in page["CertificateSummaryList"]]) == 2
    with pytest.raises(account.acm.exceptions.ResourceNotFoundException):
        await account.acm.describe_certificate(CertificateArn=issued.arn[:-1] + "z")


@pytest.mark.parametrize(
    "error",
    [
        ApiError("ResourceNotFoundException", 404, "ListServices has no such error", {"resourceId": "a"}),
        ApiError("ThrottlingException", 429, "a member of a header", {"retryAfterSeconds": 1}),
        ApiError("ValidationException", 400, "no reason"),
        ApiError("ValidationException", 404, "another status", {"reason": "other"}),
    ],
    ids=lambda error: error.message,
)
async def test_an_error_that_the_model_does_not_allow_is_one_of_the_sandbox(account: Account, monkeypatch, error):
    def handle(*_: object) -> dict[str, object]:
        raise error

    monkeypatch.setitem(LATTICE_HANDLERS, "ListServices", handle)
    with pytest.raises(account.lattice.exceptions.ClientError, match="FidelityError"):
        await account.lattice.list_services()


async def test_an_answer_that_the_model_does_not_allow_is_an_error_of_the_sandbox(account: Account, monkeypatch):
    monkeypatch.setitem(LATTICE_HANDLERS, "ListServices", lambda *_: {"items": [{"id": "nonsense"}]})
    with pytest.raises(account.lattice.exceptions.ClientError, match="FidelityError"):
        await account.lattice.list_services()
