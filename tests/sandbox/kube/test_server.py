"""The server as a Python object: its life, authentication, counters, faults and fixtures."""

import asyncio
from datetime import UTC, datetime

import aiohttp
import orjson
import pytest
from kubernetes_asyncio import client, config, watch

from sandbox.kube import ApiError, KubeServer, Served

pytestmark = pytest.mark.anyio

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
PATH = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server(anyio_backend):
    async with KubeServer(crds=(), seed=1, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as running:
        yield running


@pytest.fixture
async def session(server):
    async with aiohttp.ClientSession(server.url) as session:
        yield session


async def test_it_listens_on_a_free_port_and_stops():
    async with KubeServer(crds=()) as server, aiohttp.ClientSession() as session:
        url = server.url
        async with session.get(url + "/readyz") as response:
            assert response.status == 200
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url + "/readyz")


async def test_stopping_ends_watches():
    async with aiohttp.ClientSession() as session:
        server = KubeServer(crds=())
        await server.start()
        async with session.get(server.url + PATH, params={"watch": "true"}) as response:
            await server.stop()
            assert await response.content.read() == b""


async def test_what_is_stored_survives_a_restart():
    server = KubeServer(crds=())
    server.apply(CONFIG_MAP)
    for _ in range(2):
        async with server, aiohttp.ClientSession() as session, session.get(f"{server.url}{PATH}/a") as response:
            assert response.status == 200


async def test_the_clock_and_the_seed_own_what_would_be_random(server):
    created = server.apply(CONFIG_MAP)[0]["metadata"]
    assert created["creationTimestamp"] == "2026-01-01T00:00:00Z"
    other = KubeServer(crds=(), seed=1)
    assert other.apply(CONFIG_MAP)[0]["metadata"]["uid"] == created["uid"]


async def test_fixtures_are_applied_with_their_status(server):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "podIP": "127.0.0.2"},
    }
    assert server.apply(pod)[0]["status"]["podIP"] == "127.0.0.2"
    pod["status"]["phase"] = "Failed"
    assert server.apply(pod)[0]["status"]["phase"] == "Failed"


async def test_a_wrong_fixture_is_refused(server):
    with pytest.raises(ApiError, match="unknown field"):
        server.apply({**CONFIG_MAP, "dta": {}})
    with pytest.raises(ApiError, match="no matches for kind"):
        server.apply({"apiVersion": "example.com/v1", "kind": "Thing"})


async def test_requests_are_counted(server, session):
    await session.post(PATH, json=CONFIG_MAP)
    await session.get(f"{PATH}/b")
    await session.get(PATH, headers={"User-Agent": "tests"})
    assert server.counts == {
        ("create", "configmaps", 201): 1,
        ("get", "configmaps", 404): 1,
        ("list", "configmaps", 200): 1,
    }
    assert server.requests[-1] == Served("list", "configmaps", "default", "", 200, "tests")


async def test_a_token_is_asked_for():
    async with KubeServer(crds=(), token="secret") as server, aiohttp.ClientSession() as session:
        async with session.get(server.url + PATH) as response:
            assert (response.status, (await response.json())["reason"]) == (401, "Unauthorized")
        headers = {"Authorization": "Bearer secret"}
        async with session.get(server.url + PATH, headers=headers) as response:
            assert response.status == 200
        server.faults.token_expired = True
        async with session.get(server.url + PATH, headers=headers) as response:
            assert response.status == 401


async def test_a_fault_meets_the_requests_it_is_for(server, session):
    server.faults.fail(500, verb="create", resource="configmaps", times=1)
    assert (await session.get(PATH)).status == 200
    assert (await session.post(PATH, json=CONFIG_MAP)).status == 500
    assert (await session.post(PATH, json=CONFIG_MAP)).status == 201


@pytest.mark.parametrize(
    ("code", "reason"), [(409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (504, "Timeout")]
)
async def test_a_fault_answers_as_the_api_does(server, session, code, reason):
    server.faults.fail(code, retry_after=7)
    async with session.get(f"{PATH}/a") as response:
        assert (response.status, (await response.json())["reason"]) == (code, reason)
        assert response.headers.get("Retry-After") == {429: "7"}.get(code)


async def test_a_forbidden_resource_says_who_may_not_do_what(server, session):
    fault = server.faults.forbid("configmaps", verb="list")
    async with session.get(PATH) as response:
        body = await response.json()
    assert body["message"] == (
        'configmaps is forbidden: User "kubernetes-admin" cannot list resource "configmaps" in API group "" in the '
        'namespace "default"'
    )
    server.faults.remove(fault)
    assert (await session.get(PATH)).status == 200


async def test_a_watch_can_be_told_that_it_is_too_late(server, session):
    server.faults.expire_watch("configmaps")
    async with session.get(PATH, params={"watch": "true", "resourceVersion": "1"}) as response:
        event = orjson.loads(await response.content.read())
    assert response.status == 200
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_that_starts_before_the_history_is_too_late():
    async with KubeServer(crds=(), history=3) as server, aiohttp.ClientSession(server.url) as session:
        first = server.apply(CONFIG_MAP)[0]["metadata"]["resourceVersion"]
        for value in "abcd":
            server.apply({**CONFIG_MAP, "data": {"k": value}})
        async with session.get(PATH, params={"watch": "true", "resourceVersion": first}) as response:
            event = orjson.loads(await response.content.read())
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


async def test_a_watch_from_before_a_compaction_is_too_late(server, session):
    version = server.apply(CONFIG_MAP)[0]["metadata"]["resourceVersion"]
    server.apply({**CONFIG_MAP, "data": {"k": "v"}})
    server.compact()
    async with session.get(PATH, params={"watch": "true", "resourceVersion": version}) as response:
        event = orjson.loads(await response.content.read())
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


async def test_watches_can_be_cut(server, session):
    async with session.get(PATH, params={"watch": "true"}) as response:
        assert server.faults.cut_watches("pods") == 0
        assert server.faults.cut_watches("configmaps") == 1
        assert await response.content.read() == b""


async def test_a_page_of_a_list_that_is_forgotten_can_be_gone_on_from_now(server, session):
    for name in "abc":
        server.apply({**CONFIG_MAP, "metadata": {"name": name}})
    first = await (await session.get(PATH, params={"limit": "1"})).json()
    server.apply({**CONFIG_MAP, "metadata": {"name": "d"}})
    server.compact()
    async with session.get(PATH, params={"limit": "1", "continue": first["metadata"]["continue"]}) as response:
        expired = await response.json()
    assert (response.status, expired["reason"]) == (410, "Expired")
    server.apply({**CONFIG_MAP, "metadata": {"name": "ab"}})
    again = await (await session.get(PATH, params={"continue": expired["metadata"]["continue"]})).json()
    assert [item["metadata"]["name"] for item in again["items"]] == ["ab", "b", "c", "d"]


async def test_a_client_that_lags_too_far_behind_loses_its_watch():
    async with (
        KubeServer(crds=(), history=1) as server,
        aiohttp.ClientSession(server.url) as session,
        session.get(PATH, params={"watch": "true"}) as response,
    ):
        for number in range(1500):
            server.apply({**CONFIG_MAP, "data": {"k": str(number)}})
        lines = (await asyncio.wait_for(response.content.read(), 10)).splitlines()
    assert 0 < len(lines) < 1500


async def test_the_python_client_works(server):
    settings = client.Configuration()
    await config.load_kube_config_from_dict(server.kubeconfig(), client_configuration=settings)
    async with client.ApiClient(settings) as api:
        core = client.CoreV1Api(api)
        spec = client.V1ServiceSpec(selector={"app": "a"}, ports=[client.V1ServicePort(port=80)])
        body = client.V1Service(metadata=client.V1ObjectMeta(name="a"), spec=spec)
        created = await core.create_namespaced_service("default", body)
        assert created.spec.ports[0].target_port == 80
        await core.patch_namespaced_service("a", "default", {"metadata": {"labels": {"x": "y"}}})
        listed = await core.list_namespaced_service("default", label_selector="x=y")
        assert [item.metadata.name for item in listed.items] == ["a"]
        version = listed.metadata.resource_version
        async with watch.Watch().stream(
            core.list_namespaced_service, "default", resource_version=version, timeout_seconds=5
        ) as stream:
            await core.delete_namespaced_service("a", "default")
            event = await anext(aiter(stream))
        assert (event["type"], event["object"].metadata.name) == ("DELETED", "a")
        with pytest.raises(client.ApiException) as caught:
            await core.read_namespaced_service("a", "default")
        assert caught.value.status == 404
