"""Service networks and their associations with services and VPCs."""

import pytest

from sandbox.lattice import Quotas
from tests.sandbox.lattice.harness import VPC, Account

pytestmark = pytest.mark.anyio

SECURITY_GROUPS = [f"sg-{number:017x}" for number in range(6)]


async def test_a_network_counts_its_associations_and_cannot_be_deleted_with_them(account: Account):
    network, service = await account.network(), await account.service()
    await account.associate(service, network)
    await account.lattice.create_service_network_vpc_association(
        serviceNetworkIdentifier=network["id"], vpcIdentifier=VPC
    )
    shown = await account.lattice.get_service_network(serviceNetworkIdentifier=network["arn"])
    assert (shown["numberOfAssociatedServices"], shown["numberOfAssociatedVPCs"]) == (1, 1)
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])


async def test_a_networks_name_is_unique_until_it_is_deleted(account: Account):
    network = await account.network()
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.network()
    await account.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    await account.network()


async def test_a_shared_network_is_listed_associated_by_its_arn_and_not_changed(account: Account):
    shared = account.server.state.share_network("shared", "999999999999")
    hidden = account.server.state.share_network("hidden", "999999999999", listed=False)
    assert [network["arn"] for network in await account.all_of("list_service_networks")] == [shared.arn]
    with pytest.raises(account.lattice.exceptions.AccessDeniedException):
        await account.lattice.delete_service_network(serviceNetworkIdentifier=shared.id)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.create_service_network_vpc_association(
            serviceNetworkIdentifier=hidden.id, vpcIdentifier=VPC
        )
    await account.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=hidden.arn, vpcIdentifier=VPC)
    (found,) = await account.all_of("list_service_network_vpc_associations", vpcIdentifier=VPC)
    assert found["serviceNetworkArn"] == hidden.arn
    await account.network("shared")


async def test_an_association_is_made_and_ended_asynchronously(account: Account):
    service, network = await account.service(customDomainName="rates.example.com"), await account.network()
    association = await account.lattice.create_service_network_service_association(
        serviceIdentifier=service["arn"], serviceNetworkIdentifier=network["arn"]
    )
    where = {"serviceNetworkServiceAssociationIdentifier": association["id"]}
    assert association["status"] == "CREATE_IN_PROGRESS"
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_service_network_service_association(**where)
    account.settle()
    shown = await account.lattice.get_service_network_service_association(**where)
    assert (shown["status"], shown["serviceName"]) == ("ACTIVE", "rates")
    assert shown["dnsEntry"] == service["dnsEntry"]
    assert shown["customDomainName"] == "rates.example.com"
    for _ in range(2):
        deleted = await account.lattice.delete_service_network_service_association(**where)
        assert deleted["status"] == "DELETE_IN_PROGRESS"
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.associate(service, network)
    account.settle()
    await account.associate(service, network)


async def test_a_service_and_a_network_are_associated_once(account: Account):
    service, network = await account.service(), await account.network()
    await account.associate(service, network)
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.associate(service, network)
    await account.associate(service, await account.network("other"))


async def test_a_custom_domain_is_unique_within_a_network(account: Account):
    one = await account.service("one", customDomainName="rates.example.com")
    two = await account.service("two", customDomainName="Rates.example.com")
    network, other = await account.network(), await account.network("other")
    await account.associate(one, network)
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.associate(two, network)
    await account.associate(two, other)


async def test_associations_are_listed_by_either_side_and_not_without(account: Account):
    network, other = await account.network(), await account.network("other")
    one, two = await account.service("one"), await account.service("two")
    for service, side in ((one, network), (two, network), (one, other)):
        await account.associate(service, side)
    paginator = "list_service_network_service_associations"
    by_network = await account.all_of(paginator, serviceNetworkIdentifier=network["id"])
    assert [association["serviceName"] for association in by_network] == ["one", "two"]
    by_service = await account.all_of(paginator, serviceIdentifier=one["id"])
    assert [association["serviceNetworkName"] for association in by_service] == ["my-hotel", "other"]
    both = await account.all_of(paginator, serviceIdentifier=one["id"], serviceNetworkIdentifier=other["id"])
    assert len(both) == 1
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.list_service_network_service_associations()
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.list_service_network_vpc_associations()


async def test_a_vpc_has_one_association(account: Account):
    network, other = await account.network(), await account.network("other")
    create = account.lattice.create_service_network_vpc_association
    await create(serviceNetworkIdentifier=network["id"], vpcIdentifier=VPC)
    for side in (network, other):
        with pytest.raises(account.lattice.exceptions.ConflictException):
            await create(serviceNetworkIdentifier=side["id"], vpcIdentifier=VPC)


async def test_dns_options_go_with_private_dns(account: Account):
    network = await account.network()
    options = {"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": ["example.com"]}
    create = account.lattice.create_service_network_vpc_association
    where = {"serviceNetworkIdentifier": network["id"], "vpcIdentifier": VPC}
    for refused in (
        {"dnsOptions": options},
        {"privateDnsEnabled": True, "dnsOptions": {"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY"}},
        {"privateDnsEnabled": True, "dnsOptions": options | {"privateDnsPreference": "ALL_DOMAINS"}},
    ):
        with pytest.raises(account.lattice.exceptions.ValidationException):
            await create(**where, **refused)
    created = await create(**where, privateDnsEnabled=True, dnsOptions=options)
    assert (created["privateDnsEnabled"], created["dnsOptions"]) == (True, options)


async def test_a_vpc_associations_security_groups_are_updated_asynchronously_and_never_all_removed(account: Account):
    network = await account.network()
    association = await account.lattice.create_service_network_vpc_association(
        serviceNetworkIdentifier=network["id"], vpcIdentifier=VPC
    )
    where = {"serviceNetworkVpcAssociationIdentifier": association["id"]}
    update = account.lattice.update_service_network_vpc_association
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await update(**where, securityGroupIds=SECURITY_GROUPS[:1])
    account.settle()
    updated = await update(**where, securityGroupIds=SECURITY_GROUPS[:2])
    assert (updated["status"], updated["securityGroupIds"]) == ("UPDATE_IN_PROGRESS", SECURITY_GROUPS[:2])
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_service_network_vpc_association(**where)
    account.settle()
    shown = await account.lattice.get_service_network_vpc_association(**where)
    assert shown["status"] == "ACTIVE"
    for groups in ([], SECURITY_GROUPS):
        with pytest.raises(account.lattice.exceptions.ValidationException):
            await update(**where, securityGroupIds=groups)
    await account.lattice.delete_service_network_vpc_association(**where)
    account.settle()
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.get_service_network_vpc_association(**where)


async def test_networks_and_associations_are_limited_by_quotas(account: Account):
    account.server.state.quotas = Quotas(service_networks=1, services_per_network=1, vpcs_per_network=0)
    network = await account.network()
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException):
        await account.network("other")
    await account.associate(await account.service("one"), network)
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException) as raised:
        await account.associate(await account.service("two"), network)
    assert (raised.value.response["quotaCode"], raised.value.response["resourceId"]) == ("L-75D4A19E", network["id"])
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException):
        await account.lattice.create_service_network_vpc_association(
            serviceNetworkIdentifier=network["id"], vpcIdentifier=VPC
        )
