"""Requests: what is sent, what comes back, and which error an answer becomes."""

import os
from functools import partial
from pathlib import Path

import anyio
import certifi
import pytest
import yaml
from kubernetes_asyncio.config import load_incluster_config

from controller.kube.client import MERGE_PATCH, KubeClient, RequestInfo, request_info
from controller.kube.credentials import LOOK_AGAIN, Credentials, kubeconfig_path
from controller.kube.errors import (
    ApiError,
    ConfigError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    ReadOnly,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    error_of_status,
)
from tests.kube.scripted import PlainCredentials, ScriptedServer, answer, failure
from tests.support.mute import LINE, mute_server

pytestmark = pytest.mark.anyio

ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"


async def test_a_request_carries_what_it_was_given(client: KubeClient, server: ScriptedServer) -> None:
    server.on("patch", answer({"ok": True}))
    body = await client.request(
        "PATCH", f"{ROUTES}/a", query={"fieldManager": "x y"}, body=b'{"a":1}', content_type=MERGE_PATCH
    )
    assert body == b'{"ok":true}'
    (asked,) = server.requests
    assert asked.path == f"{ROUTES}/a"
    assert asked.query == {"fieldManager": "x y"}
    assert asked.body == {"a": 1}
    assert asked.headers["Content-Type"] == MERGE_PATCH
    assert asked.headers["User-Agent"] == "test/1"
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", Conflict),
        (410, "Expired", Gone),
        (500, "Expired", Gone),
        (422, "Invalid", Invalid),
        (429, "", TooManyRequests),
        (503, "ServiceUnavailable", ServerError),
        (400, "BadRequest", ApiError),
        (302, "", ApiError),
    ],
)
async def test_an_answer_becomes_the_error_that_fits(
    client: KubeClient, server: ScriptedServer, code: int, reason: str, kind: type[ApiError]
) -> None:
    server.on("get", failure(code, reason, "words", causes=[1]))
    with pytest.raises(ApiError) as caught:
        await client.request("GET", f"{ROUTES}/a")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.message, error.details) == (code, "words", {"causes": [1]})
    assert str(error).startswith(f"get httproutes shop/a at 127.0.0.1:{server.url.rpartition(':')[2]}: {code} ")


async def test_an_answer_that_is_no_status_is_quoted_in_part(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", answer(b"<html>proxy says no" + b"x" * 5000, 502))
    with pytest.raises(ServerError) as caught:
        await client.request("GET", f"{ROUTES}/a")
    assert caught.value.message.startswith("<html>proxy says no")
    assert len(caught.value.message) <= 200


async def test_retry_after_is_taken_from_the_header_then_the_details_then_assumed(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("get", failure(429, headers={"Retry-After": "7"}, retryAfterSeconds=3))
    server.on("get", failure(429, retryAfterSeconds=3), failure(429), failure(503))
    told = []
    for _ in range(4):
        with pytest.raises(ApiError) as caught:
            await client.request("GET", f"{ROUTES}/a")
        told.append(caught.value.retry_after)
    assert told == [7.0, 3.0, 1.0, None]


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with KubeClient(PlainCredentials("http://127.0.0.1:1"), user_agent="t") as client:
        with pytest.raises(Unreachable, match=r"get httproutes shop/a at 127\.0\.0\.1:1: Unreachable: "):
            await client.request("GET", f"{ROUTES}/a")


async def test_a_server_that_does_not_answer_in_time_is_unreachable(client: KubeClient, server: ScriptedServer) -> None:
    server.watch("get")
    with pytest.raises(Unreachable, match="no answer in time"):
        await client.request("GET", f"{ROUTES}/a", timeout=0.05)


async def test_a_401_loads_the_credentials_again_once(server: ScriptedServer) -> None:
    server.on("get", failure(401, message="expired"), answer({}))
    async with KubeClient(PlainCredentials(server.url, "Bearer old", "Bearer new"), user_agent="t") as client:
        await client.request("GET", f"{ROUTES}/a")
        assert [asked.headers["Authorization"] for asked in server.requests] == ["Bearer old", "Bearer new"]
        server.on("get", failure(401, message="no"), failure(401, message="still no"))
        with pytest.raises(Unauthorized, match="still no") as caught:
            await client.request("GET", f"{ROUTES}/a")
    assert len(server.requests) == 4
    assert "Bearer" not in str(caught.value)


async def test_many_requests_refused_together_load_the_credentials_once(server: ScriptedServer) -> None:
    credentials = PlainCredentials(server.url, "Bearer old", "Bearer new")
    all_refused = anyio.Event()

    async def refuse(request: object) -> object:
        if len(server.requests) == 3:
            all_refused.set()
        await all_refused.wait()
        return await failure(401)(request)  # type: ignore[arg-type]

    server.on("get", refuse, refuse, refuse, answer({}))  # type: ignore[arg-type]
    async with KubeClient(credentials, user_agent="t") as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(client.request, "GET", f"{ROUTES}/a")
    assert credentials.generation == 2


async def test_every_request_is_counted(client: KubeClient, server: ScriptedServer) -> None:
    counted: list[tuple[str, str, str]] = []
    client.on_request = lambda verb, resource, code, seconds: counted.append((verb, resource, code))
    server.on("get", answer({}), failure(404))
    watch = server.watch()
    watch.end()
    await client.request("GET", f"{ROUTES}/a")
    with pytest.raises(NotFound):
        await client.request("GET", f"{ROUTES}/a/status")
    await read_watch(client, [])
    server.watch("get")
    with pytest.raises(Unreachable):
        await client.request("GET", f"{ROUTES}/a", timeout=0.05)
    assert counted == [
        ("get", "httproutes", "200"),
        ("get", "httproutes/status", "404"),
        ("watch", "httproutes", "200"),
        ("get", "httproutes", "<error>"),
    ]


async def read_watch(client: KubeClient, into: list[bytes], stall: float | None = None) -> None:
    async with client.stream(ROUTES, {"watch": "true"}, stall=stall) as lines:
        async for line in lines:
            into.append(line)  # noqa: PERF401 -- what came before a failure counts


async def test_lines_of_a_watch_may_be_of_any_length_and_come_in_any_pieces(
    client: KubeClient, server: ScriptedServer
) -> None:
    long = b"x" * 3_000_000
    watch = server.watch()
    for piece in (b"a", b"b\nc", b"c\n\n\nd\n" + long, b"\ne"):
        watch.raw(piece)
    watch.end()
    got: list[bytes] = []
    await read_watch(client, got)
    assert got == [b"ab", b"cc", b"d", long, b"e"]


async def test_a_watch_that_breaks_off_is_unreachable(client: KubeClient, server: ScriptedServer) -> None:
    watch = server.watch()
    watch.raw(b"whole\npart")
    watch.cut()
    got: list[bytes] = []
    with pytest.raises(Unreachable):
        await read_watch(client, got)
    assert got == [b"whole"]


async def test_a_silent_watch_is_given_up(client: KubeClient, server: ScriptedServer) -> None:
    server.watch()
    with pytest.raises(Unreachable):
        await read_watch(client, [], stall=0.05)


async def test_a_watch_is_left_without_waiting_for_a_server_that_fell_silent() -> None:
    async with mute_server() as silent:
        credentials = PlainCredentials(silent.url)
        credentials.request_options = {"ssl": silent.trust}
        async with KubeClient(credentials, user_agent="test/1") as client:
            async with client.stream(ROUTES, {"watch": "1"}) as lines:
                assert await anext(lines) == LINE
            with anyio.fail_after(10):
                await silent.ended.wait()


async def test_opening_a_watch_raises_as_a_request_does(client: KubeClient, server: ScriptedServer) -> None:
    server.on("watch", failure(403, "Forbidden", "no watching"))
    with pytest.raises(Forbidden, match=r"watch httproutes shop at .* no watching"):
        await read_watch(client, [])


def test_requests_are_named_as_the_api_server_names_them() -> None:
    assert request_info("GET", "/api/v1/services", {}) == RequestInfo("list", "services", "", "")
    assert request_info("GET", "/api/v1/namespaces/a", {}) == RequestInfo("get", "namespaces", "", "a")
    assert request_info("POST", "/api/v1/namespaces/a/events", {}) == RequestInfo("create", "events", "a", "")
    assert request_info("PATCH", f"{ROUTES}/r/status", {}) == RequestInfo("patch", "httproutes/status", "shop", "r")
    assert request_info("GET", ROUTES, {"watch": "true"}) == RequestInfo("watch", "httproutes", "shop", "")
    assert request_info("GET", "/version", {}) == RequestInfo("get", "/version", "", "")


def test_a_status_without_reason_gets_the_usual_one() -> None:
    assert error_of_status(404).reason == "NotFound"
    assert error_of_status(507).reason == "InternalError"


def kubeconfig(path: Path, server: str, user: dict[str, object]) -> Path:
    config = {
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"}},
            {"name": "other", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": server}},
            {"name": "d", "cluster": {"server": server + "/other/"}},
        ],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


async def test_a_kubeconfig_gives_address_and_token(server: ScriptedServer, tmp_path: Path) -> None:
    server.on("get", answer({}))
    config = kubeconfig(tmp_path / "config", server.url, {"token": "secret"})
    async with KubeClient.from_config(config, user_agent="t") as client:
        await client.request("GET", "/version")
    async with KubeClient.from_config(config, "other", user_agent="t") as client:
        assert client.host == f"{server.url}/other"
    assert server.requests[0].headers["Authorization"] == "Bearer secret"


async def test_a_token_file_is_read_again_after_a_minute_and_after_a_401(
    server: ScriptedServer, tmp_path: Path
) -> None:
    now = 0.0
    token = tmp_path / "token"
    token.write_text("one\n", encoding="utf-8")
    config = kubeconfig(tmp_path / "config", server.url, {"tokenFile": str(token)})
    credentials = Credentials(str(config), clock=lambda: now)
    server.on("get", answer({}))
    async with KubeClient(credentials, user_agent="t") as client:
        await client.request("GET", "/version")
        token.write_text("two\n", encoding="utf-8")
        await client.request("GET", "/version")
        now = LOOK_AGAIN
        await client.request("GET", "/version")
        token.write_text("three\n", encoding="utf-8")
        server.on("get", failure(401), answer({}))
        await client.request("GET", "/version")
    sent = [asked.headers["Authorization"] for asked in server.requests]
    assert sent == ["Bearer one", "Bearer one", "Bearer two", "Bearer two", "Bearer three"]


@pytest.mark.parametrize("file", ["token", "ca.crt"])
async def test_a_file_that_is_being_written_leaves_the_credentials_as_they_were(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    now = 0.0
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("one", encoding="utf-8")
    ca.write_text(certifi.contents(), encoding="ascii")
    monkeypatch.setattr(
        "controller.kube.credentials.load_incluster_config",
        partial(
            load_incluster_config,
            token_filename=str(token),
            cert_filename=str(ca),
            environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"},
        ),
    )
    credentials = Credentials(None, clock=lambda: now)
    await credentials.load()
    session = credentials.session
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(b"" if file == "token" else b"-----BEGIN CERTIFICATE-----\nMIIB")
    now += LOOK_AGAIN
    assert await credentials.authorization() == "Bearer one"
    assert credentials.session is session
    with pytest.raises(ConfigError):
        await credentials.load()
    assert await credentials.authorization() == "Bearer one"
    assert credentials.session is session
    (tmp_path / file).write_bytes(whole)
    token.write_text("two", encoding="utf-8")
    now += LOOK_AGAIN
    assert await credentials.authorization() == "Bearer two"
    assert credentials.session is session
    await credentials.close()


async def test_an_exec_plugin_gives_the_token(server: ScriptedServer, tmp_path: Path) -> None:
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"ran"}}'
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential]}
    config = kubeconfig(tmp_path / "config", server.url, {"exec": run})
    server.on("get", answer({}))
    async with KubeClient.from_config(config, user_agent="t") as client:
        await client.request("GET", "/version")
    assert server.requests[0].headers["Authorization"] == "Bearer ran"


@pytest.mark.parametrize(
    "content", ["", "[]", "a: [", "current-context: x", "contexts: {}\nclusters: 3\ncurrent-context: s3cret", "\x00"]
)
async def test_a_broken_kubeconfig_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config"
    config.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=str(config)) as caught:
        async with KubeClient.from_config(config, user_agent="t"):
            pass
    assert "s3cret" not in str(caught.value)


async def test_a_context_that_does_not_exist_is_named(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", "http://x", {})
    with pytest.raises(ConfigError, match="nowhere"):
        async with KubeClient.from_config(config, "nowhere", user_agent="t"):
            pass


def test_the_kubeconfig_is_looked_for_where_controllers_look(tmp_path: Path) -> None:
    given, home, token = tmp_path / "given", tmp_path / "home", tmp_path / "token"
    given.touch()
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").touch()
    environ = {"HOME": str(home)}
    in_pod = {**environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert kubeconfig_path(given, None, environ, service_account=token) == str(given)
    several = os.pathsep.join([str(tmp_path / "missing"), str(given)])
    assert kubeconfig_path(None, None, environ | {"KUBECONFIG": several}, service_account=token) == several
    assert kubeconfig_path(None, None, in_pod, service_account=token) == str(home / ".kube" / "config")
    token.touch()
    assert kubeconfig_path(None, None, in_pod, service_account=token) is None
    assert kubeconfig_path(None, "main", in_pod, service_account=token) == str(home / ".kube" / "config")


@pytest.mark.parametrize("environ", [{"HOME": "/nowhere"}, {"HOME": "/nowhere", "KUBECONFIG": "/missing"}])
def test_without_any_configuration_the_error_says_where_it_looked(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"/nowhere|/missing"):
        kubeconfig_path(None, None, environ, service_account=Path("/nowhere/token"))
    with pytest.raises(ConfigError, match="/missing"):
        kubeconfig_path("/missing", None, environ)


async def test_a_client_that_only_reads_sends_nothing_else(server: ScriptedServer) -> None:
    server.on("get", answer({"ok": True}))
    async with KubeClient(PlainCredentials(server.url), user_agent="test/1", read_only=True) as client:
        assert await client.request("GET", f"{ROUTES}/a") == b'{"ok":true}'
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(ReadOnly, match="this run writes nothing"):
                await client.request(method, f"{ROUTES}/a", body=b"{}")
    assert [asked.verb for asked in server.requests] == ["get"]
