"""A scripted API server and a client of it, fresh for each test."""

from collections.abc import AsyncIterator

import pytest

from controller.kube.client import KubeClient
from tests.kube.scripted import PlainCredentials, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[KubeClient]:
    async with KubeClient(PlainCredentials(server.url), user_agent="test/1") as opened:
        yield opened
