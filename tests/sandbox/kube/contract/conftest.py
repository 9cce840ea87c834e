"""What the contract tests share: a server, reached over HTTP only, and a namespace of its own for each test.

Nothing here or in the tests knows that the server is the sandbox's, so that they can be run against a real API
server.
"""

import asyncio
import io
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from sandbox.kube import KubeServer


@dataclass(frozen=True)
class Reply:
    code: int
    body: Any
    headers: aiohttp.typedefs.LooseHeaders

    @property
    def reason(self) -> str:
        return self.body["reason"]

    @property
    def fields(self) -> set[str]:
        """The fields of an Invalid answer's causes."""
        return {cause["field"] for cause in self.body["details"]["causes"]}


class Stream:
    """A running watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self._response.content.readline(), 10)
        if not line:
            raise EOFError
        return orjson.loads(line)

    async def take(self, count: int) -> list[tuple[str, str]]:
        """The types and names of the next events."""
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


class Cluster:
    """A plain client of the API at a URL."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def send(
        self, method: str, path: str, body: Any = None, *, media: str = "application/json", **query: Any
    ) -> Reply:
        headers = {"Accept": query.pop("accept", "application/json")}
        if body is not None:
            headers["Content-Type"] = media
        raw = body if isinstance(body, bytes | None) else orjson.dumps(body)
        data = None if raw is None else io.BytesIO(raw)
        async with self._session.request(method, self.url + path, data=data, params=query, headers=headers) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json"
            return Reply(response.status, orjson.loads(raw) if is_json else raw.decode(), response.headers)

    async def get(self, path: str, **query: Any) -> Reply:
        return await self.send("GET", path, **query)

    async def post(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.send("POST", path, body, **query)

    async def put(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.send("PUT", path, body, **query)

    async def patch(self, path: str, body: Any, kind: str = "merge", **query: Any) -> Reply:
        types = {
            "json": "application/json-patch+json",
            "merge": "application/merge-patch+json",
            "strategic": "application/strategic-merge-patch+json",
            "apply": "application/apply-patch+yaml",
        }
        return await self.send("PATCH", path, body, media=types[kind], **query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Reply:
        return await self.send("DELETE", path, body, **query)

    @asynccontextmanager
    async def watch(self, path: str, accept: str = "application/json", **query: Any) -> AsyncIterator[Stream]:
        query = {"watch": "true", "timeoutSeconds": "30", **query}
        async with self._session.get(self.url + path, params=query, headers={"Accept": accept}) as response:
            assert response.status == 200, await response.text()
            yield Stream(response)


@pytest.fixture(scope="module")
async def server(anyio_backend: str) -> AsyncIterator[KubeServer]:
    async with KubeServer(bookmark_interval=0.05, history=200) as running:
        yield running


@pytest.fixture
async def cluster(server: KubeServer) -> AsyncIterator[Cluster]:
    async with aiohttp.ClientSession() as session:
        yield Cluster(server.url, session)


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """A new namespace's name."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "contract-"}}
    reply = await cluster.post("/api/v1/namespaces", body)
    assert reply.code == 201
    return reply.body["metadata"]["name"]


@dataclass(frozen=True)
class Paths:
    """Where the collections of the test's namespace are."""

    namespace: str

    def core(self, resource: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/{resource}" + (f"/{name}" if name else "")

    def group(self, group_version: str, resource: str, name: str = "") -> str:
        return f"/apis/{group_version}/namespaces/{self.namespace}/{resource}" + (f"/{name}" if name else "")

    def gateways(self, name: str = "") -> str:
        return self.group("gateway.networking.k8s.io/v1", "gateways", name)

    def routes(self, name: str = "") -> str:
        return self.group("gateway.networking.k8s.io/v1", "httproutes", name)

    def deployments(self, name: str = "") -> str:
        return self.group("apps/v1", "deployments", name)


@pytest.fixture
def paths(namespace: str) -> Paths:
    return Paths(namespace)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until an asynchronous condition holds; what controllers do takes its time on a real cluster."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(200):
            if await condition():
                return
            await asyncio.sleep(0.05)
        pytest.fail("the condition never held")

    return wait


Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
def kubectl(server: KubeServer, namespace: str, tmp_path: Path) -> Kubectl:
    """Runs kubectl in the test's namespace; returns what it prints, errors included. `code` is the exit code wanted."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    config = tmp_path / "kubeconfig"
    config.write_bytes(orjson.dumps(server.kubeconfig()))

    async def run(*arguments: str, stdin: str = "", code: int | None = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--kubeconfig={config}",
            f"--cache-dir={tmp_path / 'cache'}",
            f"--namespace={namespace}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        assert code is None or process.returncode == code, output.decode()
        return output.decode()

    return run


def config_map(name: str, **more: Any) -> dict[str, Any]:
    meta = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **more}


def gateway(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {
            "gatewayClassName": "amazon-vpc-lattice",
            "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
            **spec,
        },
    }


def route(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "my-hotel"}],
            "rules": [{"backendRefs": [{"name": "parking", "port": 80}]}],
            **spec,
        },
    }


def service(name: str, **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
            **spec,
        },
    }


@dataclass(frozen=True)
class Objects:
    """Small valid objects, to be varied by tests."""

    config_map: Callable[..., dict[str, Any]] = config_map
    gateway: Callable[..., dict[str, Any]] = gateway
    route: Callable[..., dict[str, Any]] = route
    service: Callable[..., dict[str, Any]] = service
    deployment: Callable[..., dict[str, Any]] = deployment


@pytest.fixture
def new() -> Objects:
    return Objects()
