"""The contract tests: each runs against the sandbox's API and against a real kube-apiserver, over HTTP only.

Whatever the tests say is true of both. Where the sandbox cannot do what a cluster does, it refuses, and a test says
both: what the cluster answers and how the sandbox refuses.
"""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import pytest

from sandbox.kube import KubeServer
from tests.contract.kubernetes.client import Cluster
from tests.contract.kubernetes.objects import Objects, Paths
from tests.support.checked import checked
from tests.support.kube_apiserver import KubeApiserver

SANDBOX, REAL = "sandbox", "kube-apiserver"


@dataclass(frozen=True)
class Server:
    """One of the two."""

    name: str
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | bool
    compact: Callable[[], None]
    """Forgets all versions before the present one."""
    write_kubeconfig: Callable[[Path], object]

    @property
    def is_sandbox(self) -> bool:
        return self.name == SANDBOX


@pytest.fixture(scope="module", params=[SANDBOX, REAL])
async def server(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Server]:
    if request.param == REAL:
        real: KubeApiserver = request.getfixturevalue("kube_apiserver")
        headers = {"Authorization": f"Bearer {real.token}"}
        yield Server(REAL, real.url, headers, real.tls, real.compact, real.kubeconfig)
        return
    async with KubeServer(bookmark_interval=0.05, history=200) as sandbox:

        def write(path: Path) -> None:
            path.write_bytes(orjson.dumps(sandbox.kubeconfig()))

        yield Server(SANDBOX, sandbox.url, {}, True, sandbox.compact, write)


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, server: Server) -> None:
    topic = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", " ")
    checked(request, "Kubernetes' API, tests of the contract", row=topic, column=server.name)


@pytest.fixture
async def cluster(server: Server) -> AsyncIterator[Cluster]:
    connector = aiohttp.TCPConnector(ssl=server.tls)
    async with aiohttp.ClientSession(connector=connector, headers=server.headers) as session:
        yield Cluster(server.url, session)


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """A new namespace's name."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "contract-"}}
    reply = await cluster.post("/api/v1/namespaces", body)
    assert reply.code == 201
    return reply.body["metadata"]["name"]


@pytest.fixture
def paths(namespace: str) -> Paths:
    return Paths(namespace)


@pytest.fixture
def new() -> Objects:
    return Objects()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until an asynchronous condition holds; what controllers do takes its time on a real cluster."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(400):
            if await condition():
                return
            await asyncio.sleep(0.05)
        pytest.fail("the condition never held")

    return wait


Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
def kubectl(server: Server, namespace: str, tmp_path: Path) -> Kubectl:
    """Runs kubectl in the test's namespace; returns what it prints, errors included. `code` is the exit code wanted."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    config = tmp_path / "kubeconfig"
    server.write_kubeconfig(config)

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
