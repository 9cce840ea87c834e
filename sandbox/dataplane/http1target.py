"""Requests to targets over HTTP/1.1, with aiohttp's client.

Connections are kept for the next request. Certificates of targets are not verified: VPC Lattice "does not validate
these certificates" (User Guide, "Target groups in VPC Lattice", routing configuration).
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from sandbox.dataplane.failures import describe
from sandbox.dataplane.messages import Answer, FailureReason, Fields, Request, TargetError
from sandbox.hangup import hanging_up

CONNECT_SECONDS = 5
LONGEST_SECONDS = 600
"""How long a connection lasts (User Guide, "Quotas": maximum connection lifetime)."""

_ADDED_BY_CLIENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_LONGEST_FIELD = 64 * 1024


def unverified(*protocols: str) -> ssl.SSLContext:
    """TLS towards a target, whose certificate may be any; `protocols` are offered to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class Http1Targets:
    """A client for all targets; an async context manager."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._tls = unverified("http/1.1")

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def send(self, request: Request, fields: Fields, *, origin: str, idle: float) -> AsyncGenerator[Answer]:
        """The target's answer, its body as it comes.

        `origin` is scheme, socket address and port; a target that is silent for `idle` seconds has failed. Raises
        TargetError, and so does the answer's body.
        """
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=LONGEST_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=idle)
        try:
            answer = await self._session.request(
                request.method,
                URL(origin + request.target, encoded=True),
                headers=CIMultiDict([("Host", request.authority), *fields]),
                data=request.body,
                allow_redirects=False,
                skip_auto_headers=_ADDED_BY_CLIENT,
                ssl=self._tls,
                timeout=timeout,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _translated(error) from error
        async with hanging_up(answer):
            yield Answer(answer.status, list(answer.headers.items()), _body(answer))


async def _body(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _translated(error) from error


def _translated(error: aiohttp.ClientError | TimeoutError) -> TargetError:
    reason: FailureReason = "TargetProtocolError"
    if isinstance(error, aiohttp.ClientSSLError):
        reason = "TargetProtocolError"
    elif isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        reason = "TargetConnectionError"
    elif isinstance(error, TimeoutError):
        reason = "TargetDataTimeout"
    elif isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        reason = "TargetConnectionClosed"
    return TargetError(reason, describe(error))
