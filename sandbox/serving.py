"""HTTP servers that leave no connection behind when they end.

aiohttp's server closes the connections that it has when it is shut down. One that the system accepted just before is
announced to it a moment later, and would stay open until its client goes, with a socket that nobody owns.
"""

import asyncio

from aiohttp import web
from aiohttp.web_protocol import RequestHandler


class Server(web.Server):
    """`aiohttp.web.Server`, which drops whoever comes after its shutdown has begun."""

    _over = False

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if self._over:
            # Not before its handler has begun, which has to find it.
            self._loop.call_soon(transport.abort)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's signature
        self._over = True
        await super().shutdown(timeout)
