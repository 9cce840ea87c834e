"""The server for callers that speak HTTP/1.1, in clear or over TLS: aiohttp's, given connections that exist already.

Bodies are streamed both ways. An answer that breaks off half way breaks the caller's connection too: an end that looks
regular would be a lie. A request's target may be absolute, as to a proxy; so each of these works:

    curl -H "Host: $FQDN" http://127.0.0.1:PORT/path
    curl --connect-to ::127.0.0.1:PORT http://$FQDN/path
    curl --proxy http://127.0.0.1:PORT http://$FQDN/path
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator

import anyio
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from sandbox.dataplane.exchange import Exchange
from sandbox.dataplane.messages import Caller, Request, TargetError

_HANDSHAKE_SECONDS = 10
_SHUTDOWN_SECONDS = 1
_LONGEST_FIELD = 64 * 1024
_MOST_FIELDS = 1000
"""Beyond what the exchange allows, so that it is the exchange that refuses."""


logger = logging.getLogger(__name__)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether there is more to a record than that a caller has sent what is not HTTP, and has got 400 for it."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


logger.addFilter(_is_our_fault)


class _Server(web.Server):
    """aiohttp's server, which also knows the caller of each connection, and tells when it ends."""

    def __init__(self, exchange: Exchange, idle: float) -> None:
        super().__init__(
            self._serve,
            access_log=None,
            logger=logger,
            handler_cancellation=True,
            keepalive_timeout=idle,
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
            max_headers=_MOST_FIELDS,
        )
        self._exchange = exchange
        self._callers: dict[RequestHandler, tuple[Caller, anyio.Event]] = {}

    def handler(self, caller: Caller, ended: anyio.Event) -> RequestHandler:
        handler = self()
        self._callers[handler] = (caller, ended)
        return handler

    def forget(self, handler: RequestHandler) -> None:
        if handler in self._callers:
            self._callers.pop(handler)[1].set()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.forget(handler)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.protocol not in self._callers:
            raise ConnectionResetError("the caller has left")
        authority, target = _split_target(request)
        asked = Request(
            caller=self._callers[request.protocol][0],
            version="HTTP/1.1",
            method=request.method,
            authority=authority,
            target=target,
            fields=list(request.headers.items()),
            body=_body(request) if request.body_exists else None,
        )
        response = web.StreamResponse()
        try:
            async with self._exchange.answer(asked) as answer:
                response = web.StreamResponse(status=answer.status, headers=CIMultiDict(answer.fields))
                await response.prepare(request)
                if answer.body is not None:
                    async for piece in answer.body:
                        await response.write(piece)
                await response.write_eof()
        except TargetError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            return response  # to nobody: the caller has left
        return response


class Http1Server:
    """Serves connections, one request after the other on each; one without a request for `idle` seconds is closed."""

    def __init__(self, exchange: Exchange, *, idle: float) -> None:
        self._server = _Server(exchange, idle)

    async def serve(self, connection: socket.socket, caller: Caller, tls: ssl.SSLContext | None) -> None:
        """Serve a connection until it ends; the socket is closed then. Raises OSError if the TLS handshake fails."""
        ended = anyio.Event()
        handler = self._server.handler(caller, ended)
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: handler,
                connection,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else _HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=None if tls is None else _SHUTDOWN_SECONDS,
            )
            try:
                await ended.wait()
            finally:
                transport.abort()
        finally:
            self._server.forget(handler)

    async def close(self) -> None:
        """End every request that is under way."""
        await self._server.shutdown(0.1)


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The caller's body, asked for where the caller waits to be asked (RFC 9110, section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for piece in request.content.iter_any():
        yield piece


def _split_target(request: web.BaseRequest) -> tuple[str, str]:
    """Authority, and path with query, of the request's target in origin or absolute form (RFC 9112, section 3.2)."""
    raw = request.raw_path
    if raw[:7].lower() == "http://":
        end = min((at for at in (raw.find("/", 7), raw.find("?", 7)) if at >= 0), default=len(raw))
        rest = raw[end:]
        return raw[7:end], rest if rest.startswith("/") else f"/{rest}"
    return request.headers.get("Host", ""), raw
