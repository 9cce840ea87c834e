"""The server for callers that speak HTTP/2: in clear with prior knowledge, or over TLS if the handshake agrees to it.

Every request is a task of its own. An answer that breaks off resets its stream and no other.
"""

import logging

import anyio
from anyio.abc import ByteStream

from sandbox.dataplane.exchange import Exchange
from sandbox.dataplane.headers import end_to_end
from sandbox.dataplane.http2 import Http2Connection, Stream, StreamError
from sandbox.dataplane.messages import Caller, Request, TargetError

logger = logging.getLogger(__name__)


class Http2Server:
    """Serves connections, all requests of one at once; one without a request for `idle` seconds is closed."""

    def __init__(self, exchange: Exchange, *, idle: float) -> None:
        self._exchange = exchange
        self._idle = idle

    async def serve(self, transport: ByteStream, caller: Caller) -> None:
        """Serve a connection until it ends."""
        async with anyio.create_task_group() as tasks:

            def begin(stream: Stream) -> None:
                tasks.start_soon(self._serve, connection, stream, caller)

            connection = Http2Connection(transport, on_request=begin)
            tasks.start_soon(self._watch, connection, tasks.cancel_scope)
            await connection.run()
            tasks.cancel_scope.cancel()

    async def _watch(self, connection: Http2Connection, scope: anyio.CancelScope) -> None:
        """Close a connection that is idle."""
        begun = -1
        while begun != connection.begun or connection.busy:
            begun = connection.begun
            await anyio.sleep(self._idle)
        await connection.take_leave()
        scope.cancel()

    async def _serve(self, connection: Http2Connection, stream: Stream, caller: Caller) -> None:
        failed = True
        with stream.scope:
            try:
                await self._answer(connection, stream, caller)
                failed = False
            except (TargetError, StreamError):
                pass  # the stream is reset, which is all that can be told
            except Exception:
                logger.exception("a request has failed by an error of the data plane's own")
        connection.finish(stream, failed=failed)

    async def _answer(self, connection: Http2Connection, stream: Stream, caller: Caller) -> None:
        async with self._exchange.answer(_request(stream, caller)) as answer:
            head = [(":status", str(answer.status)), *end_to_end(answer.fields)]
            connection.send_head(stream, head, end=answer.body is None)
            if answer.body is not None:
                async for piece in answer.body:
                    await connection.send_data(stream, piece)
                connection.send_end(stream, list(end_to_end(answer.trailers)))


def _request(stream: Stream, caller: Caller) -> Request:
    """The request as h2 has checked it (RFC 9113, section 8.3.1)."""
    pseudo = {name: value for name, value in stream.fields if name.startswith(":")}
    fields = [(name, value) for name, value in stream.fields if not name.startswith(":")]
    host = next((value for name, value in fields if name == "host"), "")
    return Request(
        caller=caller,
        version="HTTP/2",
        method=pseudo.get(":method", ""),
        authority=pseudo.get(":authority", host),
        target=pseudo.get(":path", ""),
        fields=fields,
        body=stream.body() if stream.has_body else None,
        trailers=stream.trailers,
    )
