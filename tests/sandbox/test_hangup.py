"""Answers are left without waiting for anybody."""

from contextlib import aclosing

import aiohttp
import anyio
import pytest

from sandbox.hangup import hanging_up
from sandbox.workloads.client import PODS, KubeClient
from tests.support.mute import LINE, mute_server

pytestmark = pytest.mark.anyio


async def test_whoever_leaves_an_answer_hangs_up() -> None:
    async with mute_server() as server, aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=server.trust)) as http:
        async with hanging_up(http.get(server.url)) as answer:
            assert await answer.content.readline() == LINE + b"\n"
        with anyio.fail_after(10):
            await server.ended.wait()


async def test_a_watch_that_is_left_is_hung_up() -> None:
    async with mute_server() as server, KubeClient(server.url, token=None, ssl_context=server.trust) as client:
        async with aclosing(client.watch(PODS, "1")) as events:
            assert (await anext(events))["type"] == "BOOKMARK"
        with anyio.fail_after(10):
            await server.ended.wait()
