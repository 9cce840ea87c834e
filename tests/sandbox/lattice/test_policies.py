"""Auth policies, resource policies and access log subscriptions."""

import pytest

from sandbox.lattice import Quotas
from tests.sandbox.lattice.harness import Account

pytestmark = pytest.mark.anyio

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}'
BUCKET = "arn:aws:s3:::access-logs-bucket"
GROUP = "arn:aws:logs:us-west-2:123456789012:log-group:access:*"


async def test_an_auth_policy_is_active_only_where_the_auth_type_is_iam(account: Account):
    service = await account.service()
    where = {"resourceIdentifier": service["id"]}
    assert (await account.lattice.put_auth_policy(**where, policy=POLICY))["state"] == "Inactive"
    await account.lattice.update_service(serviceIdentifier=service["id"], authType="AWS_IAM")
    shown = await account.lattice.get_auth_policy(**where)
    assert (shown["state"], shown["policy"]) == ("Active", POLICY)
    await account.lattice.delete_auth_policy(**where)
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.get_auth_policy(**where)


@pytest.mark.parametrize("policy", ["", "{", "[]", '{"Statement":\n[]}', "{}"])
async def test_a_policy_is_one_line_of_json(account: Account, policy):
    network = await account.network()
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.put_auth_policy(resourceIdentifier=network["arn"], policy=policy)


async def test_an_auth_policy_has_a_size_limit(account: Account):
    account.server.state.quotas = Quotas(auth_policy_bytes=len(POLICY) - 1)
    network = await account.network()
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.put_auth_policy(resourceIdentifier=network["id"], policy=POLICY)


async def test_a_resource_policy_is_put_read_and_deleted(account: Account):
    network = await account.network()
    where = {"resourceArn": network["arn"]}
    await account.lattice.put_resource_policy(**where, policy=POLICY)
    assert (await account.lattice.get_resource_policy(**where))["policy"] == POLICY
    await account.lattice.delete_resource_policy(**where)
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.get_resource_policy(**where)


async def test_access_logs_go_to_one_destination_of_each_type(account: Account):
    service = await account.service()
    create = account.lattice.create_access_log_subscription
    bucket = await create(resourceIdentifier=service["id"], destinationArn=BUCKET)
    await create(resourceIdentifier=service["arn"], destinationArn=GROUP)
    with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
        await create(resourceIdentifier=service["id"], destinationArn=BUCKET + "2")
    assert raised.value.response["resourceId"] == bucket["id"]
    listed = await account.all_of("list_access_log_subscriptions", resourceIdentifier=service["id"])
    assert [subscription["destinationArn"] for subscription in listed] == [BUCKET, GROUP]
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await create(resourceIdentifier=service["id"], destinationArn="arn:aws:sqs:us-west-2:123456789012:queue")


async def test_a_subscription_is_updated_and_deleted(account: Account):
    network = await account.network()
    create = account.lattice.create_access_log_subscription
    bucket = await create(resourceIdentifier=network["id"], destinationArn=BUCKET)
    await create(resourceIdentifier=network["id"], destinationArn=GROUP)
    where = {"accessLogSubscriptionIdentifier": bucket["id"]}
    updated = await account.lattice.update_access_log_subscription(**where, destinationArn=BUCKET + "2")
    assert updated["destinationArn"] == BUCKET + "2"
    with pytest.raises(account.lattice.exceptions.ConflictException):
        await account.lattice.update_access_log_subscription(**where, destinationArn=GROUP)
    shown = await account.lattice.get_access_log_subscription(**where)
    assert (shown["resourceArn"], shown["destinationArn"]) == (network["arn"], BUCKET + "2")
    await account.lattice.delete_access_log_subscription(**where)
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.delete_access_log_subscription(**where)


async def test_a_network_that_another_account_shares_has_its_policies_and_logs_from_its_owner(account: Account):
    shared = account.server.state.share_network("shared", "999999999999")
    lattice = account.lattice
    for call, params in (
        (lattice.put_auth_policy, {"resourceIdentifier": shared.arn, "policy": POLICY}),
        (lattice.get_auth_policy, {"resourceIdentifier": shared.arn}),
        (lattice.delete_auth_policy, {"resourceIdentifier": shared.arn}),
        (lattice.put_resource_policy, {"resourceArn": shared.arn, "policy": POLICY}),
        (lattice.get_resource_policy, {"resourceArn": shared.arn}),
        (lattice.delete_resource_policy, {"resourceArn": shared.arn}),
        (lattice.create_access_log_subscription, {"resourceIdentifier": shared.arn, "destinationArn": BUCKET}),
        (lattice.list_access_log_subscriptions, {"resourceIdentifier": shared.arn}),
    ):
        with pytest.raises(lattice.exceptions.AccessDeniedException):
            await call(**params)


async def test_policies_and_subscriptions_go_with_their_holder(account: Account):
    network = await account.network()
    await account.lattice.put_auth_policy(resourceIdentifier=network["id"], policy=POLICY)
    subscription = await account.lattice.create_access_log_subscription(
        resourceIdentifier=network["id"], destinationArn=BUCKET
    )
    await account.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.get_access_log_subscription(accessLogSubscriptionIdentifier=subscription["id"])
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.get_auth_policy(resourceIdentifier=network["id"])
