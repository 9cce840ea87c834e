"""The contract tests: each runs against the sandbox's API and against a real kube-apiserver, over HTTP only.

Whatever the tests say is true of both. Where the sandbox cannot do what a cluster does, it refuses, and a test says
both: what the cluster answers and how the sandbox refuses.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.kube import KubeServer
from tests.contract.kubernetes.client import Cluster
from tests.contract.kubernetes.definitions import definition_of
from tests.contract.kubernetes.objects import Objects, Paths
from tests.contract.kubernetes.servers import REAL, SANDBOX, Server, connect, until
from tests.support.checked import checked
from tests.support.kube_apiserver import KubeApiserver


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
    async with connect(server) as cluster:
        yield cluster


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
def group(namespace: str) -> str:
    """The API group of a definition of the test's own."""
    return f"{namespace}.example.com"


@pytest.fixture
def definition(group: str) -> dict[str, Any]:
    """A definition of the test's own, which nobody has installed."""
    return definition_of(group)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until an asynchronous condition holds."""
    return until


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
