"""Requests to targets over HTTP/2, in clear with prior knowledge or over TLS.

Each request has a connection of its own: there is nothing to keep alive and nothing stale to try again, and requests
are spread over targets one by one. The target group's protocol says whether there is TLS, where the target must agree
to h2; its certificate is not verified (User Guide, "Target groups in VPC Lattice").
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import anyio
from anyio.abc import ByteStream, TaskGroup
from anyio.streams.tls import TLSAttribute, TLSStream

from sandbox.dataplane.failures import describe
from sandbox.dataplane.headers import end_to_end
from sandbox.dataplane.http1target import CONNECT_SECONDS, unverified
from sandbox.dataplane.http2 import Http2Connection, Stream, StreamError
from sandbox.dataplane.messages import Answer, Fields, Request, TargetError, pieces

_T = TypeVar("_T")


class Http2Targets:
    """A client for all targets, whose connections run in a task group that outlives every request."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._tls = unverified("h2")

    @asynccontextmanager
    async def send(
        self, request: Request, fields: Fields, *, address: str, port: int, tls: bool, idle: float, hold: bool
    ) -> AsyncGenerator[Answer]:
        """The target's answer, its body as it comes.

        `address` is a socket address. A target has failed if nothing moves either way for `idle` seconds. With `hold`,
        the request goes out when all of its body is there. Raises TargetError, and so does the answer's body.
        """
        body = await _held(request.body) if hold and request.body is not None else request.body
        transport = await self._connect(address, port, tls=tls)
        scope = anyio.CancelScope()
        connection = Http2Connection(transport)
        try:
            stream = connection.request(_head(request, fields, "https" if tls else "http"), end=body is None)
        except StreamError as error:
            await anyio.aclose_forcefully(transport)
            raise TargetError("TargetProtocolError", str(error)) from error
        self._tasks.start_soon(_carry, connection, transport, stream, body, request.trailers, scope)
        try:
            yield await _answer(stream, idle)
        finally:
            scope.cancel()

    async def _connect(self, address: str, port: int, *, tls: bool) -> ByteStream:
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                transport = await anyio.connect_tcp(address, port)
        except TimeoutError as error:
            raise TargetError("TargetConnectionError", "connecting takes too long") from error
        except OSError as error:
            cause = error.__cause__
            raise TargetError(
                "TargetConnectionError", describe(cause if isinstance(cause, OSError) else error)
            ) from error
        try:
            return await self._secured(transport) if tls else transport
        except BaseException:
            await anyio.aclose_forcefully(transport)
            raise

    async def _secured(self, transport: ByteStream) -> ByteStream:
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                secured = await TLSStream.wrap(
                    transport, server_side=False, ssl_context=self._tls, standard_compatible=False
                )
        except (TimeoutError, ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise TargetError("TargetProtocolError", "the target does not speak TLS") from error
        if secured.extra_attributes[TLSAttribute.alpn_protocol]() != "h2":
            raise TargetError("TargetProtocolError", "the target does not agree to h2")
        return secured


def _head(request: Request, fields: Fields, scheme: str) -> Fields:
    head = [
        (":method", request.method),
        (":scheme", scheme),
        (":authority", request.authority),
        (":path", request.target),
        *fields,
    ]
    if "trailers" in (request.field("te") or "").lower():
        head.append(("te", "trailers"))
    return head


async def _held(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return pieces(b"".join([piece async for piece in body]))


async def _carry(
    connection: Http2Connection,
    transport: ByteStream,
    stream: Stream,
    body: AsyncIterator[bytes] | None,
    trailers: Fields,
    scope: anyio.CancelScope,
) -> None:
    """Run a connection, and send the request's body over it, until the scope is cancelled or the target closes it."""
    try:
        with scope:
            async with anyio.create_task_group() as tasks:
                if body is not None:
                    tasks.start_soon(_pump, connection, stream, body, trailers)
                await connection.run()
                tasks.cancel_scope.cancel()
    finally:
        await anyio.aclose_forcefully(transport)


async def _pump(connection: Http2Connection, stream: Stream, body: AsyncIterator[bytes], trailers: Fields) -> None:
    """Send the body; a target that wants no more of it may still answer, and a caller that breaks off is cancelled."""
    with suppress(StreamError):
        async for piece in body:
            await connection.send_data(stream, piece)
        connection.send_end(stream, list(end_to_end(trailers)))


async def _answer(stream: Stream, idle: float) -> Answer:
    while not stream.has_head:
        await _while_moving(stream, idle, stream.changes)
    status = int(dict(stream.fields)[":status"])
    fields = list(end_to_end(stream.fields))
    return Answer(status, fields, _body(stream, idle) if stream.has_body else None, stream.trailers)


async def _body(stream: Stream, idle: float) -> AsyncIterator[bytes]:
    while piece := await _while_moving(stream, idle, stream.receive):
        yield piece


async def _while_moving(stream: Stream, idle: float, wait: Callable[[], Awaitable[_T]]) -> _T:
    """What `wait` gives, for which there is time as long as something moves on the stream. Raises TargetError."""
    while True:
        moved = stream.moved
        try:
            with anyio.move_on_after(idle):
                return await wait()
        except StreamError as error:
            raise TargetError("TargetConnectionClosed", str(error)) from error
        if stream.moved == moved:
            raise TargetError("TargetDataTimeout", f"nothing has moved for {idle:g} s")
