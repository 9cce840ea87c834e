"""The instance metadata service and the instance's tags, as botocore's own fetchers and clients ask for them."""

from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import pytest
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from sandbox.lattice.metadata import INSTANCE, INTERFACE, NODE
from tests.sandbox.lattice.harness import Account

pytestmark = pytest.mark.anyio

TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"


async def ask(account: Account, method: str, path: str, **headers: str) -> tuple[int, str]:
    url = f"{account.server.url}/latest/{path}"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=sent) as answer:
        return answer.status, await answer.text()


async def read(account: Account, path: str) -> str:
    _, token = await ask(account, "PUT", "api/token", **{TTL: "60"})
    status, text = await ask(account, "GET", path, **{TOKEN: token})
    assert status == 200
    return text


async def test_a_controllers_settings_can_be_learnt(account: Account):
    assert await read(account, "meta-data/placement/region") == account.server.region
    assert await read(account, "meta-data/mac") == INTERFACE
    assert await read(account, f"meta-data/network/interfaces/macs/{INTERFACE}/vpc-id") == "vpc-0a1b2c3d4e5f67890"
    assert f'"AccountId": "{account.server.account}"' in await read(account, "meta-data/identity-credentials/ec2/info")
    assert f'"accountId": "{account.server.account}"' in await read(account, "dynamic/instance-identity/document")
    assert await read(account, "meta-data/tags/instance/aws:eks:cluster-name") == "sandbox"


async def test_a_directory_says_what_is_in_it(account: Account):
    assert "placement/" in (await read(account, "meta-data/")).split()
    assert (await read(account, "meta-data/network/interfaces/macs/")).split() == [f"{INTERFACE}/"]


async def test_nothing_is_told_without_a_token_or_with_one_that_has_expired(account: Account):
    assert (await ask(account, "GET", "meta-data/mac"))[0] == 401
    assert (await ask(account, "GET", "meta-data/mac", **{TOKEN: "guessed"}))[0] == 401
    _, token = await ask(account, "PUT", "api/token", **{TTL: "60"})
    account.clock.advance(61)
    assert (await ask(account, "GET", "meta-data/mac", **{TOKEN: token}))[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("PUT", "api/token", {}, 400),
        ("PUT", "api/token", {TTL: "0"}, 400),
        ("PUT", "api/token", {TTL: "21601"}, 400),
        ("PUT", "api/token", {TTL: "60", "X-Forwarded-For": "10.0.0.1"}, 403),
        ("GET", "api/token", {}, 405),
        ("POST", "meta-data/mac", {}, 405),
    ],
)
async def test_tokens_are_given_as_documented(account: Account, method, path, headers, status):
    assert (await ask(account, method, path, **headers))[0] == status


async def test_what_is_not_there_is_not_found(account: Account):
    _, token = await ask(account, "PUT", "api/token", **{TTL: "60"})
    assert (await ask(account, "GET", "meta-data/public-keys/", **{TOKEN: token}))[0] == 404


async def test_botocore_finds_credentials_and_the_region(account: Account):
    def fetch(kind: Any, method: str) -> Any:
        config = {"ec2_metadata_service_endpoint": account.server.url}
        fetcher = kind(timeout=30, num_attempts=1, env={}, config=config)
        return getattr(fetcher, method)()

    credentials = await anyio.to_thread.run_sync(fetch, InstanceMetadataFetcher, "retrieve_iam_role_credentials")
    assert (credentials["access_key"], credentials["role_name"]) == (NODE.key, NODE.role)
    assert await anyio.to_thread.run_sync(fetch, InstanceMetadataRegionFetcher, "retrieve_region") == "us-west-2"


async def test_the_instances_tags_name_the_cluster(account: Account):
    async with account.client("ec2") as ec2:
        wanted = {"Name": "resource-id", "Values": [INSTANCE, "i-other"]}
        found = await ec2.describe_tags(Filters=[wanted, {"Name": "key", "Values": ["aws:eks:cluster-name"]}])
        assert found["Tags"] == [
            {"Key": "aws:eks:cluster-name", "ResourceId": INSTANCE, "ResourceType": "instance", "Value": "sandbox"}
        ]
        by_tag = await ec2.describe_tags(Filters=[{"Name": "tag:aws:eks:cluster-name", "Values": ["other"]}])
        assert by_tag["Tags"] == []
        for wrong, code in (
            ({"MaxResults": 4}, "InvalidParameterValue"),
            ({"Filters": [{"Name": "colour", "Values": ["red"]}]}, "InvalidParameterValue"),
            ({"NextToken": "x"}, "InvalidParameterValue"),
            ({"DryRun": True}, "DryRunOperation"),
        ):
            with pytest.raises(ec2.exceptions.ClientError) as raised:
                await ec2.describe_tags(**wrong)
            assert raised.value.response["Error"]["Code"] == code


async def test_ec2s_tags_come_in_pages(account: Account):
    account.server.metadata.tags |= {f"tag{number}": "x" for number in range(11)}
    async with account.client("ec2") as ec2:
        pages = ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5})
        sizes = [len(page["Tags"]) async for page in pages]
    assert sizes == [5, 5, 2]
