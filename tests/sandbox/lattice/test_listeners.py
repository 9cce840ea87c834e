"""Listeners: names, ports, default actions."""

import pytest

from tests.sandbox.lattice.harness import Account, forward

pytestmark = pytest.mark.anyio


async def test_ports_default_by_protocol(account: Account):
    service = await account.service()
    assert (await account.listener(service, "plain", protocol="HTTP"))["port"] == 80
    assert (await account.listener(service, "secure", protocol="HTTPS"))["port"] == 443


async def test_name_and_port_are_unique_within_the_service(account: Account):
    service = await account.service()
    listener = await account.listener(service, "http", port=8080)
    for name, port in (("http", 9090), ("other", 8080)):
        with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
            await account.listener(service, name, port=port)
        assert raised.value.response["resourceId"] == listener["id"]
    await account.listener(await account.service("other"), "http", port=8080)


async def test_the_list_is_a_summary_and_get_shows_the_default_action(account: Account):
    service = await account.service()
    listener = await account.listener(service)
    (summary,) = await account.all_of("list_listeners", serviceIdentifier=service["id"])
    assert "defaultAction" not in summary
    shown = await account.lattice.get_listener(serviceIdentifier=service["id"], listenerIdentifier=listener["arn"])
    assert shown["defaultAction"] == {"fixedResponse": {"statusCode": 404}}
    assert shown["serviceArn"] == service["arn"]


async def test_only_404_and_500_can_be_answered(account: Account):
    service = await account.service()
    with pytest.raises(account.lattice.exceptions.ValidationException) as raised:
        await account.listener(service, defaultAction={"fixedResponse": {"statusCode": 403}})
    assert raised.value.response["fieldList"][0]["name"] == "defaultAction.fixedResponse.statusCode"


async def test_updating_the_default_action_releases_the_group_that_it_had(account: Account):
    service, group = await account.service(), await account.group()
    listener = await account.listener(service, defaultAction=forward(group))
    shown = await account.lattice.get_target_group(targetGroupIdentifier=group["id"])
    assert shown["serviceArns"] == [service["arn"]]
    await account.lattice.update_listener(
        serviceIdentifier=service["id"],
        listenerIdentifier=listener["id"],
        defaultAction={"fixedResponse": {"statusCode": 500}},
    )
    shown = await account.lattice.get_target_group(targetGroupIdentifier=group["id"])
    assert shown["serviceArns"] == []


async def test_a_deleted_listener_is_gone_at_once(account: Account):
    service = await account.service()
    listener = await account.listener(service)
    await account.lattice.delete_listener(serviceIdentifier=service["id"], listenerIdentifier=listener["id"])
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.get_listener(serviceIdentifier=service["id"], listenerIdentifier=listener["id"])
    await account.listener(service)


async def test_tls_passthrough_needs_a_custom_domain_and_forwards_to_tcp(account: Account):
    plain = await account.service("plain")
    service = await account.service("secure", customDomainName="secure.example.com")
    tcp = await account.group("tcp", protocol="TCP", port=443)
    http = await account.group("http")
    tls = {"protocol": "TLS_PASSTHROUGH", "port": 443}
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.listener(plain, **tls, defaultAction=forward(tcp))
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.listener(service, **tls)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.listener(service, **tls, defaultAction=forward(http))
    listener = await account.listener(service, **tls, defaultAction=forward(tcp))
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.rule(listener, "one", 1)


async def test_http_does_not_forward_to_tcp(account: Account):
    service, tcp = await account.service(), await account.group("tcp", protocol="TCP", port=443)
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.listener(service, defaultAction=forward(tcp))
