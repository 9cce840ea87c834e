"""A scripted API server and one that behaves, each with a client, fresh for each test."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from controller.kube.client import KubeClient
from sandbox.kube import KubeServer, bundled_crds
from tests.kube.informing import Start, starting
from tests.kube.scripted import PlainCredentials, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[KubeClient]:
    async with KubeClient(PlainCredentials(server.url), user_agent="test/1") as opened:
        yield opened


@pytest.fixture
def start(client: KubeClient, server: ScriptedServer) -> Start:
    return partial(starting, client, server)


@pytest.fixture(scope="session")
def crds() -> Sequence[Mapping[str, Any]]:
    return [crd for crd in bundled_crds() if crd["spec"]["names"]["kind"] == "HTTPRoute"]


@pytest.fixture
async def kube(crds: Sequence[Mapping[str, Any]]) -> AsyncIterator[KubeServer]:
    async with KubeServer(crds=crds, seed=1, token="right", history=50, bookmark_interval=0.05) as running:
        running.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield running


@pytest.fixture
async def kube_client(kube: KubeServer, tmp_path: Path) -> AsyncIterator[KubeClient]:
    config = tmp_path / "kubeconfig"
    config.write_bytes(orjson.dumps(kube.kubeconfig()))
    async with KubeClient.from_config(config, user_agent="test/1") as opened:
        yield opened
