"""botocore's own paginators and waiters: all of VPC Lattice's, and those of the other services that are emulated."""

from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, WaiterError
from botocore.loaders import Loader

from sandbox.lattice.dispatch import LATTICE_HANDLERS
from tests.sandbox.lattice.harness import SESSION, VPC, Account

pytestmark = pytest.mark.anyio

PAGINATORS = Loader().load_service_model("vpc-lattice", "paginators-1")["pagination"]
THREE = range(3)


async def furnish(account: Account) -> dict[str, dict[str, str]]:
    """Three of everything that is listed; the parameters of each list."""
    lattice = account.lattice
    service = await account.service("rates")
    network = await account.network("net0")
    listener = None
    account.server.state.quotas = account.server.state.quotas.unlimited()
    for number in THREE:
        listener = await account.listener(service, f"http{number}", port=8000 + number)
    assert listener is not None
    for number in range(2):
        await account.rule(listener, f"rule{number}", number + 1)
        await account.network(f"net{number + 1}")
        await account.service(f"other{number}")
    group = await account.group("group0")
    await account.group("group1")
    await account.group("group2")
    await lattice.register_targets(
        targetGroupIdentifier=group["id"], targets=[{"id": f"10.0.0.{number}"} for number in THREE]
    )
    for entry in await account.all_of("list_services"):
        await account.associate(entry, network)
    for number in THREE:
        await lattice.create_service_network_vpc_association(
            serviceNetworkIdentifier=network["id"], vpcIdentifier=f"{VPC[:-1]}{number}"
        )
    for destination in ("s3:::logs-bucket", "logs:us-west-2:123456789012:log-group:a", "firehose:us-west-2:1:x/y"):
        await lattice.create_access_log_subscription(
            resourceIdentifier=service["id"], destinationArn=f"arn:aws:{destination}"
        )
    by_service = {"serviceIdentifier": service["id"]}
    by_network = {"serviceNetworkIdentifier": network["id"]}
    return {
        "ListAccessLogSubscriptions": {"resourceIdentifier": service["id"]},
        "ListListeners": by_service,
        "ListRules": by_service | {"listenerIdentifier": listener["id"]},
        "ListServiceNetworkServiceAssociations": by_network,
        "ListServiceNetworkVpcAssociations": by_network,
        "ListServiceNetworks": {},
        "ListServices": {},
        "ListTargetGroups": {},
        "ListTargets": {"targetGroupIdentifier": group["id"]},
    }


async def test_every_paginator_of_an_emulated_list_goes_through_its_pages(account: Account):
    lists = await furnish(account)
    assert lists.keys() == PAGINATORS.keys() & LATTICE_HANDLERS.keys()
    for name, params in lists.items():
        pages = account.lattice.get_paginator(xform_name(name)).paginate(**params, PaginationConfig={"PageSize": 1})
        assert [len(page["items"]) async for page in pages] == [1, 1, 1], name


@pytest.mark.parametrize("name", sorted(PAGINATORS.keys() - LATTICE_HANDLERS.keys()))
async def test_the_paginator_of_a_list_that_is_not_emulated_is_told_so(account: Account, name):
    pages = account.lattice.get_paginator(xform_name(name)).paginate(
        **(
            {"resourceConfigurationIdentifier": "rcfg-0123456789abcdef0"}
            if name == "ListResourceEndpointAssociations"
            else {}
        ),
        **({"serviceNetworkIdentifier": "sn-0123456789abcdef0"} if "VpcEndpoint" in name else {}),
    )
    with pytest.raises(ClientError, match="does not emulate"):
        [page async for page in pages]


async def test_the_tagging_apis_paginator_goes_through_its_pages(account: Account):
    for number in THREE:
        await account.service(f"service{number}", tags={"a": str(number)})
    pages = account.tagging.get_paginator("get_resources").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["ResourceTagMappingList"]) async for page in pages] == [2, 1]


def test_botocore_has_no_waiter_for_vpc_lattice():
    """One that it comes to have is to be run here."""
    loader: Any = SESSION.get_component("data_loader")
    assert "waiters-2" not in loader.list_api_versions("vpc-lattice", "service-2")
    assert Loader().load_service_model("vpc-lattice", "waiters-2")["waiters"] == {}


async def test_the_waiter_for_a_certificate_ends_with_what_became_of_it(account: Account):
    waiter = account.acm.get_waiter("certificate_validated")
    issued = account.server.state.add_certificate("one.example.com")
    await waiter.wait(CertificateArn=issued.arn, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    failed = account.server.state.add_certificate("two.example.com", status="FAILED")
    with pytest.raises(WaiterError, match="terminal failure"):
        await waiter.wait(CertificateArn=failed.arn, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
