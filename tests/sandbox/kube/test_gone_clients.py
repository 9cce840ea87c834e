"""A client that goes away in the middle of a watch is nobody's accident."""

import logging
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp import web

from sandbox.kube import KubeServer

pytestmark = pytest.mark.anyio


async def test_a_watch_whose_client_has_gone_ends_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Between the connection's end and the server's hearing of it, an event is written to nobody."""
    tried = anyio.Event()

    async def write(_self: web.StreamResponse, _data: Any) -> None:
        tried.set()
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    async with KubeServer(seed=1) as server, aiohttp.ClientSession(base_url=server.url) as client:
        query = {"watch": "true", "allowWatchBookmarks": "true"}
        async with client.get("/api/v1/namespaces", params=query):
            with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
                patch.setattr(web.StreamResponse, "write", write)
                server.apply(namespace)
                with anyio.fail_after(30):
                    await tried.wait()
                await anyio.wait_all_tasks_blocked()
    assert not caplog.records
