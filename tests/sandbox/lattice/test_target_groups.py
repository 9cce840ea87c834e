"""Target groups: defaults, what each type supports, deletion."""

import pytest

from sandbox.lattice import Quotas
from tests.sandbox.lattice.harness import VPC, Account, forward
from tests.support.target_groups import HTTP1_CONFIG

pytestmark = pytest.mark.anyio


async def test_a_group_is_created_asynchronously_with_the_documented_defaults(account: Account):
    created = await account.lattice.create_target_group(
        name="parking", type="IP", config={"protocol": "HTTP", "vpcIdentifier": VPC}
    )
    assert created["status"] == "CREATE_IN_PROGRESS"
    account.settle()
    shown = await account.lattice.get_target_group(targetGroupIdentifier=created["arn"])
    assert shown["status"] == "ACTIVE"
    assert shown["config"] == {**HTTP1_CONFIG, "vpcIdentifier": VPC}


@pytest.mark.parametrize(
    ("config", "enabled"),
    [
        ({"protocol": "HTTP", "protocolVersion": "HTTP1"}, True),
        ({"protocol": "HTTP", "protocolVersion": "HTTP2"}, False),
        ({"protocol": "HTTP", "protocolVersion": "GRPC"}, False),
        ({"protocol": "TCP", "port": 443}, False),
    ],
)
async def test_health_checks_are_on_by_default_for_http1_only(account: Account, config, enabled):
    group = await account.group(**config)
    assert group["config"]["healthCheck"]["enabled"] is enabled


@pytest.mark.parametrize(
    "config",
    [
        {"healthCheck": {"healthCheckIntervalSeconds": 4}},
        {"healthCheck": {"healthCheckTimeoutSeconds": 0}},
        {"healthCheck": {"healthyThresholdCount": 1}},
        {"healthCheck": {"unhealthyThresholdCount": 11}},
        {"healthCheck": {"protocol": "TCP"}},
        {"protocolVersion": "GRPC", "healthCheck": {"enabled": True}},
        {"protocol": "TCP", "healthCheck": {"enabled": True, "protocolVersion": "HTTP1"}},
        {"protocol": "TCP", "protocolVersion": "HTTP1"},
        {"lambdaEventStructureVersion": "V1"},
        {"vpcIdentifier": "vpc-none"},
        {"port": 0},
    ],
    ids=str,
)
async def test_what_a_group_of_addresses_does_not_support_is_refused(account: Account, config):
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.group(**config)


async def test_tcp_has_no_default_port(account: Account):
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.create_target_group(
            name="tcp", type="IP", config={"protocol": "TCP", "vpcIdentifier": VPC}
        )


async def test_a_group_for_a_function_has_neither_network_nor_health_checks(account: Account):
    group = await account.lattice.create_target_group(name="function", type="LAMBDA")
    assert group["config"] == {"lambdaEventStructureVersion": "V1"}
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.create_target_group(name="other", type="LAMBDA", config={"port": 80})


async def test_a_name_is_unique_within_the_account(account: Account):
    group = await account.group("parking")
    with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
        await account.group("parking")
    assert raised.value.response["resourceId"] == group["id"]


async def test_only_the_health_check_is_updated_and_the_rest_of_it_stays(account: Account):
    group = await account.group(healthCheck={"path": "/health", "port": 8080})
    updated = await account.lattice.update_target_group(
        targetGroupIdentifier=group["id"], healthCheck={"unhealthyThresholdCount": 3, "port": 0}
    )
    check = updated["config"]["healthCheck"]
    assert (check["path"], check["unhealthyThresholdCount"]) == ("/health", 3)
    assert "port" not in check


async def test_checks_of_grpc_targets_can_be_enabled_with_a_version(account: Account):
    group = await account.group(protocolVersion="GRPC")
    where = {"targetGroupIdentifier": group["id"]}
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.update_target_group(**where, healthCheck={"enabled": True})
    updated = await account.lattice.update_target_group(
        **where, healthCheck={"enabled": True, "protocolVersion": "HTTP2"}
    )
    assert updated["config"]["healthCheck"]["protocolVersion"] == "HTTP2"


async def test_a_group_cannot_be_deleted_in_creation_or_in_use(account: Account):
    group = await account.lattice.create_target_group(
        name="parking", type="IP", config={"protocol": "HTTP", "vpcIdentifier": VPC}
    )
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_target_group(targetGroupIdentifier=group["id"])
    account.settle()
    service = await account.service()
    listener = await account.listener(service, defaultAction=forward(group))
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_target_group(targetGroupIdentifier=group["id"])
    await account.lattice.delete_listener(serviceIdentifier=service["id"], listenerIdentifier=listener["id"])
    for _ in range(2):
        deleted = await account.lattice.delete_target_group(targetGroupIdentifier=group["id"])
        assert deleted["status"] == "DELETE_IN_PROGRESS"
    account.settle()
    assert await account.all_of("list_target_groups") == []
    await account.group("parking")


async def test_a_group_with_draining_targets_cannot_be_deleted_and_with_registered_ones_can(account: Account):
    group, service = await account.group(), await account.service()
    listener = await account.listener(service, defaultAction=forward(group))
    targets = [{"id": "10.0.0.1", "port": 80}, {"id": "10.0.0.2", "port": 80}]
    where = {"targetGroupIdentifier": group["id"]}
    await account.lattice.register_targets(**where, targets=targets)
    await account.lattice.deregister_targets(**where, targets=targets[:1])
    await account.lattice.delete_listener(serviceIdentifier=service["id"], listenerIdentifier=listener["id"])
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.delete_target_group(**where)
    account.settle()
    await account.lattice.delete_target_group(**where)


async def test_lists_are_filtered_by_type_and_vpc(account: Account):
    other = "vpc-0fedcba9876543210"
    await account.group("here")
    await account.group("there", vpcIdentifier=other)
    await account.lattice.create_target_group(name="function", type="LAMBDA")
    assert [group["name"] for group in await account.all_of("list_target_groups", vpcIdentifier=other)] == ["there"]
    functions = await account.all_of("list_target_groups", targetGroupType="LAMBDA")
    assert [group["name"] for group in functions] == ["function"]


async def test_the_account_has_a_quota_of_groups(account: Account):
    account.server.state.quotas = Quotas(target_groups=1)
    await account.group("one")
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException) as raised:
        await account.group("two")
    assert raised.value.response["quotaCode"] == "L-BB11C6B9"
    assert raised.value.response["serviceCode"] == "vpc-lattice"
