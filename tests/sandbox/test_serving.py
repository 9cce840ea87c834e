"""Servers of the sandbox leave no connection behind."""

import asyncio

import anyio
import pytest
from aiohttp import web

from sandbox.serving import Server

pytestmark = pytest.mark.anyio


async def answered(_: web.BaseRequest) -> web.Response:
    return web.Response(text="here")


async def test_who_is_accepted_after_the_shutdown_has_begun_is_dropped() -> None:
    server = Server(answered)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with listening:
        await server.shutdown()
        port = listening.sockets[0].getsockname()[1]
        with anyio.fail_after(5):
            async with await anyio.connect_tcp("127.0.0.1", port) as late:
                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await late.receive()


async def test_who_came_before_is_answered() -> None:
    server = Server(answered)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n")
            assert (await client.receive()).startswith(b"HTTP/1.1 200 OK")
        await server.shutdown()
