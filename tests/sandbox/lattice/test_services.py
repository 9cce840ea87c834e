"""Services: identities, names, asynchronous creation and deletion."""

import re

import pytest

from sandbox.lattice import Fail, LatticeServer
from tests.sandbox.lattice.harness import Account, forward, prefix

pytestmark = pytest.mark.anyio


async def test_a_service_is_created_asynchronously(account: Account):
    created = await account.lattice.create_service(name="rates")
    assert created["status"] == "CREATE_IN_PROGRESS"
    pending = await account.lattice.get_service(serviceIdentifier=created["id"])
    assert pending["status"] == "CREATE_IN_PROGRESS"
    account.settle()
    assert (await account.lattice.get_service(serviceIdentifier=created["id"]))["status"] == "ACTIVE"


async def test_a_service_has_an_id_an_arn_and_a_domain_of_the_right_form(account: Account):
    service = await account.service("rates")
    digits = re.fullmatch(r"svc-([0-9a-f]{17})", service["id"])[1]
    assert service["arn"] == f"arn:aws:vpc-lattice:us-west-2:123456789012:service/svc-{digits}"
    assert service["dnsEntry"]["domainName"] == f"rates-{digits}.7d67968.vpc-lattice-svcs.us-west-2.on.aws"
    assert service["authType"] == "NONE"


async def test_a_service_is_found_by_id_and_by_arn_and_not_by_anothers_arn(account: Account):
    service = await account.service()
    by_arn = await account.lattice.get_service(serviceIdentifier=service["arn"])
    assert by_arn["id"] == service["id"]
    foreign = service["arn"].replace("123456789012", "999999999999")
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException) as raised:
        await account.lattice.get_service(serviceIdentifier=foreign)
    assert raised.value.response["resourceType"] == "SERVICE"
    assert raised.value.response["resourceId"] == foreign


async def test_a_name_is_taken_until_its_service_is_gone(account: Account):
    service = await account.service("rates")
    with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
        await account.lattice.create_service(name="rates")
    assert raised.value.response["resourceId"] == service["id"]
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.create_service(name="rates")
    account.settle()
    await account.lattice.create_service(name="rates")


async def test_deleting_takes_time_and_may_be_repeated_meanwhile(account: Account):
    service = await account.service()
    for _ in range(2):
        answer = await account.lattice.delete_service(serviceIdentifier=service["id"])
        assert answer["status"] == "DELETE_IN_PROGRESS"
    account.settle()
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.delete_service(serviceIdentifier=service["id"])


async def test_a_service_in_creation_can_be_neither_deleted_nor_used(account: Account):
    service = await account.lattice.create_service(name="rates")
    network = await account.network()
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_service(serviceIdentifier=service["id"])
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.listener(service)
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.associate(service, network)


async def test_a_service_cannot_be_deleted_while_it_is_associated(account: Account):
    service, network = await account.service(), await account.network()
    association = await account.associate(service, network)
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_service(serviceIdentifier=service["id"])
    await account.lattice.delete_service_network_service_association(
        serviceNetworkServiceAssociationIdentifier=association["id"]
    )
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    await account.lattice.delete_service(serviceIdentifier=service["id"])


async def test_deleting_a_service_takes_its_listeners_and_rules_and_frees_its_groups(account: Account):
    service, group = await account.service(), await account.group()
    listener = await account.listener(service, defaultAction=forward(group))
    await account.rule(listener, "one", 1, match=prefix("/a"), action=forward(group))
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    shown = await account.lattice.get_target_group(targetGroupIdentifier=group["id"])
    assert shown["serviceArns"] == []
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.list_tags_for_resource(resourceArn=listener["arn"])
    other = await account.service("other")
    await account.listener(other, defaultAction=forward(group))


async def test_a_creation_can_be_made_to_fail_and_then_only_be_deleted(account: Account):
    account.server.faults.add("CreateService", Fail(code="Broken", message="no luck"), times=1)
    service = await account.service()
    shown = await account.lattice.get_service(serviceIdentifier=service["id"])
    assert (shown["status"], shown["failureCode"], shown["failureMessage"]) == ("CREATE_FAILED", "Broken", "no luck")
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.listener(service)
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    assert await account.all_of("list_services") == []


async def test_a_failed_deletion_can_be_retried(account: Account):
    service = await account.service()
    account.server.faults.add("DeleteService", Fail(), times=1)
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    shown = await account.lattice.get_service(serviceIdentifier=service["id"])
    assert shown["status"] == "DELETE_FAILED"
    await account.lattice.delete_service(serviceIdentifier=service["id"])
    account.settle()
    assert await account.all_of("list_services") == []


async def test_an_update_changes_what_it_names_and_nothing_else(account: Account):
    service = await account.service(idleTimeoutSeconds=120)
    updated = await account.lattice.update_service(serviceIdentifier=service["id"], authType="AWS_IAM")
    assert (updated["authType"], updated["idleTimeoutSeconds"]) == ("AWS_IAM", 120)


async def test_a_certificate_must_be_issued_in_this_account(account: Account):
    certificate = account.server.state.add_certificate("rates.example.com")
    service = await account.service(customDomainName="rates.example.com", certificateArn=certificate.arn)
    assert service["certificateArn"] == certificate.arn
    pending = account.server.state.add_certificate("other.example.com", status="PENDING_VALIDATION")
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException) as raised:
        await account.service("other", certificateArn=pending.arn)
    assert raised.value.response["resourceType"] == "CERTIFICATE"


async def test_a_custom_domain_is_a_domain_name(account: Account):
    for name in ("*.example.com", "nodots", "-bad.example.com"):
        with pytest.raises(account.lattice.exceptions.ValidationException):
            await account.lattice.create_service(name="rates", customDomainName=name)


async def test_the_same_seed_gives_the_same_identities():
    one, two, three = (LatticeServer(seed=seed).state.identity("svc", "service") for seed in (7, 7, 8))
    assert one["id"] == two["id"] != three["id"]
