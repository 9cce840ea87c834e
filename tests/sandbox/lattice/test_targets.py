"""Targets: registering, draining, states and health."""

from typing import Any

import pytest

from sandbox.lattice import Partial, Quotas
from tests.sandbox.lattice.harness import Account, forward

pytestmark = pytest.mark.anyio

ONE, TWO = {"id": "10.0.0.1", "port": 8080}, {"id": "10.0.0.2", "port": 8080}


async def register(account: Account, group: dict[str, Any], *targets: dict[str, Any]) -> dict[str, Any]:
    return await account.lattice.register_targets(targetGroupIdentifier=group["id"], targets=list(targets))


async def deregister(account: Account, group: dict[str, Any], *targets: dict[str, Any]) -> dict[str, Any]:
    return await account.lattice.deregister_targets(targetGroupIdentifier=group["id"], targets=list(targets))


async def statuses(account: Account, group: dict[str, Any]) -> dict[str, str]:
    targets = await account.all_of("list_targets", targetGroupIdentifier=group["id"])
    return {target["id"]: target["status"] for target in targets}


async def used_group(account: Account, **config: Any) -> dict[str, Any]:
    group = await account.group(**config)
    await account.listener(await account.service(), defaultAction=forward(group))
    return group


async def test_the_port_defaults_to_the_groups(account: Account):
    group = await account.group(port=9000)
    answer = await register(account, group, {"id": "10.0.0.1"}, ONE)
    assert answer["successful"] == [{"id": "10.0.0.1", "port": 9000}, ONE]
    assert answer["unsuccessful"] == []


async def test_registering_again_changes_nothing(account: Account):
    group = await account.group()
    await register(account, group, ONE)
    await register(account, group, ONE, TWO)
    assert len(await account.all_of("list_targets", targetGroupIdentifier=group["id"])) == 2


async def test_targets_of_a_group_in_no_service_are_unused_and_go_at_once(account: Account):
    group = await account.group()
    await register(account, group, ONE, TWO)
    assert await statuses(account, group) == {"10.0.0.1": "UNUSED", "10.0.0.2": "UNUSED"}
    await deregister(account, group, ONE)
    assert await statuses(account, group) == {"10.0.0.2": "UNUSED"}


async def test_targets_in_use_are_checked_and_follow_the_verdicts(account: Account):
    group = await used_group(account)
    await register(account, group, ONE, TWO)
    assert set((await statuses(account, group)).values()) == {"INITIAL"}
    report = account.server.directory.report_health
    report(group["id"], "10.0.0.1", 8080, healthy=True, reason="")
    report(group["id"], "10.0.0.2", 8080, healthy=False, reason="")
    assert await statuses(account, group) == {"10.0.0.1": "HEALTHY", "10.0.0.2": "UNHEALTHY"}
    report(group["id"], "10.0.0.9", 8080, healthy=False, reason="")
    assert len(await statuses(account, group)) == 2


async def test_without_health_checks_targets_in_use_are_unavailable(account: Account):
    group = await used_group(account, healthCheck={"enabled": False})
    await register(account, group, ONE)
    assert await statuses(account, group) == {"10.0.0.1": "UNAVAILABLE"}
    account.server.directory.report_health(group["id"], "10.0.0.1", 8080, healthy=True, reason="")
    assert await statuses(account, group) == {"10.0.0.1": "UNAVAILABLE"}


async def test_a_target_in_use_drains_and_then_is_gone(account: Account):
    group = await used_group(account)
    await register(account, group, ONE)
    await deregister(account, group, ONE)
    assert await statuses(account, group) == {"10.0.0.1": "DRAINING"}
    account.server.directory.report_health(group["id"], "10.0.0.1", 8080, healthy=True, reason="")
    assert await statuses(account, group) == {"10.0.0.1": "DRAINING"}
    account.settle()
    assert await statuses(account, group) == {}


async def test_a_draining_target_can_be_registered_again_and_then_stays(account: Account):
    group = await used_group(account)
    await register(account, group, ONE)
    await deregister(account, group, ONE)
    await register(account, group, ONE)
    assert await statuses(account, group) == {"10.0.0.1": "INITIAL"}
    account.settle()
    assert await statuses(account, group) == {"10.0.0.1": "HEALTHY"}


async def test_where_nobody_checks_targets_in_use_are_well_after_a_time(account: Account):
    group = await account.group()
    await register(account, group, ONE)
    account.settle()
    assert await statuses(account, group) == {"10.0.0.1": "UNUSED"}
    await account.listener(await account.service(), defaultAction=forward(group))
    assert await statuses(account, group) == {"10.0.0.1": "INITIAL"}
    account.settle()
    assert await statuses(account, group) == {"10.0.0.1": "HEALTHY"}
    await register(account, group, TWO)
    assert await statuses(account, group) == {"10.0.0.1": "HEALTHY", "10.0.0.2": "INITIAL"}
    account.settle()
    assert set((await statuses(account, group)).values()) == {"HEALTHY"}


async def test_where_somebody_checks_targets_wait_for_the_verdict(account: Account):
    group = await used_group(account)
    account.server.directory.health_is_checked()
    await register(account, group, ONE)
    account.settle()
    assert await statuses(account, group) == {"10.0.0.1": "INITIAL"}


async def test_a_target_that_is_not_there_cannot_be_deregistered(account: Account):
    group = await account.group()
    await register(account, group, ONE)
    answer = await deregister(account, group, ONE, TWO)
    assert answer["successful"] == [ONE]
    assert [(failure["id"], failure["failureCode"]) for failure in answer["unsuccessful"]] == [
        ("10.0.0.2", "TargetNotFound")
    ]


async def test_a_list_can_ask_for_single_targets(account: Account):
    group = await account.group()
    await register(account, group, ONE, TWO)
    targets = await account.all_of("list_targets", targetGroupIdentifier=group["id"], targets=[TWO])
    assert [target["id"] for target in targets] == ["10.0.0.2"]


async def test_registering_can_be_spoiled_in_part(account: Account):
    group = await account.group()
    account.server.faults.add("RegisterTargets", Partial(positions=(1,)), times=1)
    answer = await register(account, group, ONE, TWO)
    assert (answer["successful"], [failure["id"] for failure in answer["unsuccessful"]]) == ([ONE], ["10.0.0.2"])
    assert await statuses(account, group) == {"10.0.0.1": "UNUSED"}
    assert (await register(account, group, ONE, TWO))["unsuccessful"] == []


@pytest.mark.parametrize("target", ["10.0.0", "fd00::1", "i-0123456789abcdef0"])
async def test_a_target_must_be_an_address_of_the_groups_type(account: Account, target):
    group = await account.group()
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await register(account, group, {"id": target})


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "8.8.8.8", "172.32.0.1", "100.128.0.1"],
)
async def test_a_target_is_no_loopback_link_local_multicast_or_public_address(account: Account, target):
    group = await account.group()
    with pytest.raises(account.lattice.exceptions.ValidationException, match=target):
        await register(account, group, ONE, {"id": target})
    assert await statuses(account, group) == {}


@pytest.mark.parametrize("target", ["::", "::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1"])
async def test_a_target_is_no_ipv6_address_that_a_vpc_cannot_have(account: Account, target):
    group = await account.group(ipAddressType="IPV6")
    with pytest.raises(account.lattice.exceptions.ValidationException, match=target):
        await register(account, group, {"id": target})


@pytest.mark.parametrize("target", ["10.255.255.255", "172.31.0.1", "192.168.0.1", "100.64.0.1"])
async def test_a_target_is_a_private_address(account: Account, target):
    group = await account.group()
    assert (await register(account, group, {"id": target}))["unsuccessful"] == []


@pytest.mark.parametrize("target", ["fd00::1", "2600:1f14::1"])
async def test_an_ipv6_target_is_a_global_or_unique_local_address(account: Account, target):
    group = await account.group(ipAddressType="IPV6")
    assert (await register(account, group, {"id": target}))["unsuccessful"] == []


async def test_a_group_in_creation_takes_no_targets(account: Account):
    group = await account.lattice.create_target_group(name="function", type="LAMBDA")
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await register(account, group, {"id": "arn:aws:lambda:us-west-2:123456789012:function:one"})


async def test_a_group_of_a_function_has_one_target(account: Account):
    group = await account.lattice.create_target_group(name="function", type="LAMBDA")
    account.settle()
    one, two = ({"id": f"arn:aws:lambda:us-west-2:123456789012:function:{name}"} for name in ("one", "two"))
    await register(account, group, one)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await register(account, group, two)


async def test_a_group_has_a_quota_of_targets(account: Account):
    account.server.state.quotas = Quotas(targets_per_target_group=1)
    group = await account.group()
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException) as raised:
        await register(account, group, ONE, TWO)
    assert raised.value.response["quotaCode"] == "L-D71303F3"
    assert await statuses(account, group) == {}
