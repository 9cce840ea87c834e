"""Workloads on an API server that fails when it is told to."""

from contextlib import asynccontextmanager

import anyio
import pytest

from sandbox.network import Network
from sandbox.workloads import Workloads

from .apiserver import ApiServer


@pytest.fixture
def network():
    with Network() as network:
        yield network


@pytest.fixture
async def api(anyio_backend):
    server = ApiServer()
    async with server.serve() as url:
        server.url = url
        yield server


@asynccontextmanager
async def running(url, network, **options):
    workloads = Workloads(url, network=network, grace=options.pop("grace", 0.0), **options)
    async with anyio.create_task_group() as tasks:
        await tasks.start(workloads.run)
        yield workloads
        tasks.cancel_scope.cancel()


@pytest.fixture
async def workloads(api, network):
    async with running(api.url, network) as workloads:
        yield workloads
