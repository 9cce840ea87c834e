"""The client against the emulated VPC Lattice: what it sends, and what it gives back."""

import pytest

from controller.lattice.client import LatticeClient
from controller.lattice.errors import SuspectError
from controller.lattice.limits import Lane
from sandbox.lattice import LatticeServer, Throttle
from tests.lattice_client.conftest import Connect
from tests.lattice_client.observing import SERVICE, Seen, tokens

pytestmark = pytest.mark.anyio


async def test_an_answer_is_returned_as_the_api_gives_it(client: LatticeClient) -> None:
    answer = await client.call("CreateService", {"name": "rates-default"})
    assert answer["name"] == "rates-default"
    assert answer["status"] == "CREATE_IN_PROGRESS"


async def test_each_create_has_a_client_token_of_its_own(client: LatticeClient, lattice: LatticeServer) -> None:
    for name in ("one", "two"):
        await client.call("CreateService", {"name": name})
    first, second = tokens(lattice, "CreateService")
    assert first != second
    assert len(first) == 32


async def test_a_given_client_token_is_used(client: LatticeClient, lattice: LatticeServer) -> None:
    await client.call("CreateService", {"name": "one"}, token="chosen")
    assert tokens(lattice, "CreateService") == ["chosen"]


async def test_lists_are_read_to_the_end_in_pages_of_a_hundred(client: LatticeClient, lattice: LatticeServer) -> None:
    for number in range(101):
        await client.call("CreateService", {"name": f"service-{number}"})
    mark = lattice.calls.mark()
    names = [item["name"] async for page in client.pages("ListServices", {}) for item in page["items"]]
    assert len(set(names)) == 101
    assert lattice.calls.count("ListServices", mark) == 2


async def test_resources_are_found_by_all_of_the_tags(client: LatticeClient, lattice: LatticeServer) -> None:
    ours, other = {"owner": "us", "kind": "a"}, {"owner": "us", "kind": "b"}
    created = [await client.call("CreateService", {"name": f"ours-{n}", "tags": ours}) for n in range(101)]
    await client.call("CreateService", {"name": "other", "tags": other})
    mark = lattice.calls.mark()
    found = await client.tagged(ours, ["vpc-lattice:service"])
    assert {arn for arn, _ in found} == {service["arn"] for service in created}
    assert found[0][1] == ours
    assert lattice.calls.count("GetResources", mark) == 2


async def test_the_account_is_that_of_the_credentials(client: LatticeClient, lattice: LatticeServer) -> None:
    assert await client.account() == lattice.account


async def test_the_endpoint_setting_is_of_lattice_alone(connect: Connect, lattice: LatticeServer) -> None:
    async with LatticeServer() as elsewhere, connect(endpoint_url=elsewhere.url) as client:
        await client.call("ListServices", {})
        await client.account()
        assert client.endpoint == elsewhere.url
        assert client.region == "us-west-2"
        assert [record.operation for record in elsewhere.calls] == ["ListServices"]
    assert [record.operation for record in lattice.calls] == ["GetCallerIdentity"]


async def test_calls_and_their_attempts_are_counted(connect: Connect, lattice: LatticeServer) -> None:
    seen = Seen()
    lattice.faults.add("CreateService", Throttle(), times=1)
    async with connect(observer=seen) as client:
        await client.call("CreateService", {"name": "counted"}, lane=Lane.BULK)
        with pytest.raises(SuspectError):
            await client.call("GetService", {"serviceIdentifier": SERVICE})
    assert seen.waits == [("CreateService", Lane.BULK)] * 2 + [("GetService", Lane.LIVE)]
    assert seen.requests == [
        ("VPC Lattice", "CreateService", 429, "ThrottlingException"),
        ("VPC Lattice", "CreateService", 201, ""),
        ("VPC Lattice", "GetService", 404, "ResourceNotFoundException"),
    ]
    assert seen.calls == [
        ("VPC Lattice", "CreateService", 201, "", 1),
        ("VPC Lattice", "GetService", 404, "ResourceNotFoundException", 0),
    ]
