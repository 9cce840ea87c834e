"""The data plane and the health checker, programmed through the API, as a controller does it."""

from contextlib import AsyncExitStack
from random import Random

import anyio
import pytest
import trustme
from aiohttp import web

from sandbox.dataplane import DataPlane, HealthChecker
from sandbox.lattice import LatticeServer
from tests.sandbox.lattice.harness import TIMINGS, Clock, connect, forward

from .conftest import echo, http_target

pytestmark = pytest.mark.anyio

CUSTOM = "rates.example.com"


@pytest.fixture
async def account(anyio_backend):
    clock = Clock()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LatticeServer(timings=TIMINGS, clock=clock))
        yield await connect(stack, server, clock)


@pytest.fixture
async def plane(account, network, anyio_backend):
    plane = DataPlane(account.server.directory, network=network, random=Random(7))
    async with plane.serving():
        yield plane


@pytest.fixture
async def checker(account, network, anyio_backend):
    checker = HealthChecker(account.server.directory, network=network, speed=1000, poll=0.01)
    async with anyio.create_task_group() as tasks:
        await tasks.start(checker.run)
        yield checker
        tasks.cancel_scope.cancel()


async def served(account, *targets, check=None, protocol="HTTPS", **service):
    """A service of a network, whose one listener forwards to a group of the targets; and the group."""
    made = await account.service(**service)
    await account.associate(made, await account.network())
    group = await account.group(**({} if check is None else {"healthCheck": check}))
    await register(account, group, *targets)
    await account.listener(made, protocol=protocol, defaultAction=forward(group))
    return made, group


async def register(account, group, *targets):
    wanted = [{"id": ip, "port": port} for ip, port in targets]
    if wanted:
        answer = await account.lattice.register_targets(targetGroupIdentifier=group["id"], targets=wanted)
        assert not answer["unsuccessful"]


async def states(account, group):
    listed = await account.lattice.list_targets(targetGroupIdentifier=group["id"])
    return [target["status"] for target in listed["items"]]


async def until(account, group, wanted):
    for _ in range(1000):
        if await states(account, group) == wanted:
            return
        await anyio.sleep(0.01)
    raise TimeoutError


UNCHECKED = {"enabled": False}


async def test_the_generated_domain_answers_over_tls(account, plane, curl, network):
    async with http_target(network, echo("rates")) as target:
        made, _ = await served(account, target, check=UNCHECKED)
        answer = await curl("--proxy", plane.url, f"https://{made['dnsEntry']['domainName']}/")
    assert answer.status == 200


async def test_a_custom_domain_answers_with_the_certificate_imported_for_it(account, plane, curl, network, tmp_path):
    ca = trustme.CA()
    (tmp_path / "mine.pem").write_bytes(ca.cert_pem.bytes())
    leaf = ca.issue_cert(CUSTOM, key_type=trustme.KeyType.RSA)
    certificate, *chain = [blob.bytes() for blob in leaf.cert_chain_pems]
    key = leaf.private_key_pem.bytes()
    more = {"CertificateChain": b"".join(chain)} if chain else {}
    imported = await account.acm.import_certificate(Certificate=certificate, PrivateKey=key, **more)
    async with http_target(network, echo("rates")) as target:
        arn = imported["CertificateArn"]
        await served(account, target, check=UNCHECKED, customDomainName=CUSTOM, certificateArn=arn)
        answer = await curl("--proxy", plane.url, "--cacert", str(tmp_path / "mine.pem"), f"https://{CUSTOM}/")
    assert answer.status == 200


async def test_a_certificate_that_a_service_is_given_later_is_used(account, plane, curl):
    made, _ = await served(account, customDomainName=CUSTOM)
    assert (await curl("--proxy", plane.url, f"https://{CUSTOM}/", check=False)).code == 35
    certificate = account.server.state.add_certificate("*.example.com")
    await account.lattice.update_service(serviceIdentifier=made["id"], certificateArn=certificate.arn)
    assert (await curl("--proxy", plane.url, f"https://{CUSTOM}/")).status == 500


async def test_targets_go_through_the_documented_states(account, plane, curl, network, checker):
    health = {"status": 200}

    async def handler(request):
        return web.Response(status=health["status"])

    async with http_target(network, handler) as target:
        group = await account.group()
        await register(account, group, target)
        assert await states(account, group) == ["UNUSED"]
        made = await account.service()
        await account.associate(made, await account.network())
        await account.listener(made, defaultAction=forward(group))
        url = f"http://{made['dnsEntry']['domainName']}/"
        await until(account, group, ["HEALTHY"])
        health["status"] = 418
        await until(account, group, ["UNHEALTHY"])
        assert (await curl("--proxy", plane.url, url)).status == 418
        await account.lattice.update_target_group(targetGroupIdentifier=group["id"], healthCheck=UNCHECKED)
        assert await states(account, group) == ["UNAVAILABLE"]
        assert (await curl("--proxy", plane.url, url)).status == 418


async def test_a_target_gets_nothing_before_its_first_check(account, plane, curl, network):
    async with http_target(network, echo("rates")) as target:
        made, group = await served(account, target, protocol="HTTP")
        assert await states(account, group) == ["INITIAL"]
        answer = await curl("--proxy", plane.url, f"http://{made['dnsEntry']['domainName']}/")
        assert answer.status == 500


async def test_a_draining_target_ends_its_requests_and_gets_no_more(account, plane, curl, network):
    begun, go = anyio.Event(), anyio.Event()

    async def slow(request):
        begun.set()
        await go.wait()
        return web.Response(text="done")

    answers = []

    async with http_target(network, slow) as target:
        made, group = await served(account, target, check=UNCHECKED, protocol="HTTP")
        url = f"http://{made['dnsEntry']['domainName']}/"

        async def ask():
            answers.append((await curl("--proxy", plane.url, url)).body)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await begun.wait()
            ip, port = target
            await account.lattice.deregister_targets(
                targetGroupIdentifier=group["id"], targets=[{"id": ip, "port": port}]
            )
            assert await states(account, group) == ["DRAINING"]
            assert (await curl("--proxy", plane.url, url)).status == 500
            go.set()
        account.settle()
        assert await states(account, group) == []
    assert answers == ["done"]


async def test_a_deleted_service_answers_no_more(account, plane, curl):
    made, _ = await served(account, protocol="HTTP")
    (association,) = await account.all_of("list_service_network_service_associations", serviceIdentifier=made["id"])
    await account.lattice.delete_service_network_service_association(
        serviceNetworkServiceAssociationIdentifier=association["id"]
    )
    url = f"http://{made['dnsEntry']['domainName']}/"
    assert (await curl("--proxy", plane.url, url)).status == 404
    account.settle()
    await account.lattice.delete_service(serviceIdentifier=made["id"])
    assert "no service answers" in (await curl("--proxy", plane.url, url)).body
