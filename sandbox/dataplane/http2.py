"""An HTTP/2 connection over any byte stream, for either side: h2 frames, this module moves and waits.

h2 knows the protocol and does no I/O. Here two tasks do it, one that reads and one that writes, so that whoever sends
never holds a half-written frame when it is cancelled. Each request and its answer are a `Stream`; what arrives for it
waits there until somebody reads it, and only then does the other end get room for more (RFC 9113, section 5.2), so that
nothing is held that nobody wants.

A connection ends by itself and never raises for what the other end does: `run` returns, and every stream that is still
open then fails with StreamError.
"""

import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress

import anyio
from anyio.abc import ByteStream, TaskGroup
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from sandbox.dataplane.goaway import FrameFilter
from sandbox.dataplane.messages import Fields

_LAST_WORDS_SECONDS = 1

_BROKEN = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError)


class StreamError(ConnectionError):
    """The other end has reset the stream, or the connection is gone."""


class Stream:
    """One request and its answer, as one end sees them.

    `fields` is the head that was received, pseudo-header fields first, `trailers` what came after the body. `moved`
    counts what was sent and received, for those who wait only as long as something moves.
    """

    def __init__(self, connection: "Http2Connection", stream_id: int) -> None:
        self.id = stream_id
        self.fields: Fields = []
        self.trailers: Fields = []
        self.moved = 0
        self.ended = False
        """Whether the other end has sent all of it."""
        self.scope = anyio.CancelScope()
        """For the task that serves the stream, where there is one: cancelled when the other end resets it."""
        self._connection = connection
        self._received: deque[tuple[bytes, int]] = deque()
        self._failure: str | None = None
        self._changed = anyio.Event()

    @property
    def has_head(self) -> bool:
        return bool(self.fields)

    @property
    def has_body(self) -> bool:
        """Whether there is anything after the head, or may be."""
        return not self.ended or bool(self._received) or bool(self.trailers)

    def check(self) -> None:
        """Raise StreamError if the stream has failed."""
        if self._failure is not None:
            raise StreamError(self._failure)

    async def changes(self) -> None:
        """Wait until something happens to the stream, if only that it fails. Raises StreamError if it has failed."""
        self.check()
        await self._changed.wait()

    async def receive(self) -> bytes:
        """The next piece of the body; empty at its end. Raises StreamError."""
        while not self._received:
            if self.ended:
                return b""
            await self.changes()
        data, room = self._received.popleft()
        self._connection.make_room(self, room)
        return data

    async def body(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises StreamError."""
        while data := await self.receive():
            yield data

    def note(self) -> None:
        """Wake up whoever waits for the stream."""
        self.moved += 1
        self._changed.set()
        self._changed = anyio.Event()

    def hold(self, data: bytes, room: int) -> None:
        if data:
            self._received.append((data, room))
        else:
            self._connection.make_room(self, room)

    def fail(self, why: str) -> None:
        """Nothing more can be sent; what has come to its end before can still be read."""
        if self._failure is None:
            self._failure = why
        if not self.ended:
            self.discard()
        self.note()
        self.scope.cancel()

    def discard(self) -> None:
        """Give the connection the room back that unread pieces take."""
        while self._received:
            self._connection.make_room(self, self._received.popleft()[1])


class Http2Connection:
    """One end of a connection. `on_request` is told of each request; a client has none, and makes them itself."""

    def __init__(self, transport: ByteStream, *, on_request: Callable[[Stream], None] | None = None) -> None:
        self._transport = transport
        self._on_request = on_request
        self._h2 = H2Connection(H2Configuration(client_side=on_request is None, header_encoding=None))
        self._filter = FrameFilter(preface=on_request is not None)
        self._streams: dict[int, Stream] = {}
        self._dirty = anyio.Event()
        self._written = anyio.Event()
        self._over = False
        self.begun = 0
        """How many requests have been made of it."""
        self._h2.initiate_connection()
        self._dirty.set()

    async def run(self) -> None:
        """Read and write until the connection ends, or the task is cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, tasks)
                await self._read()
                tasks.cancel_scope.cancel()
            with anyio.move_on_after(_LAST_WORDS_SECONDS), suppress(*_BROKEN):
                await self._write_once()
        finally:
            self._over = True
            self._written.set()
            for stream in list(self._streams.values()):
                stream.fail("the connection is closed")

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._streams)

    def request(self, fields: Fields, *, end: bool) -> Stream:
        """Send the head of a request, as a client; with `end`, it has no body. Raises StreamError."""
        if self._over:
            raise StreamError("the connection is closed")
        try:
            stream = Stream(self, self._h2.get_next_available_stream_id())
            self._streams[stream.id] = stream
            self._h2.send_headers(stream.id, _encode(fields), end_stream=end)
        except ProtocolError as error:
            raise StreamError(str(error)) from error
        self._dirty.set()
        return stream

    def send_head(self, stream: Stream, fields: Fields, *, end: bool) -> None:
        """Send the head of an answer; with `end`, it has no body. Raises StreamError."""
        stream.check()
        try:
            self._h2.send_headers(stream.id, _encode(fields), end_stream=end)
        except ProtocolError as error:
            raise StreamError(str(error)) from error
        self._dirty.set()

    async def send_data(self, stream: Stream, data: bytes) -> None:
        """Send a piece of a body as the other end has room for it. Raises StreamError."""
        rest = memoryview(data)
        while rest:
            stream.check()
            try:
                room = min(self._h2.local_flow_control_window(stream.id), self._h2.max_outbound_frame_size)
                if room > 0:
                    self._h2.send_data(stream.id, rest[:room].tobytes())
            except ProtocolError as error:
                raise StreamError(str(error)) from error
            if room > 0:
                rest = rest[room:]
                stream.moved += 1
                written = self._written
                self._dirty.set()
                await written.wait()
            else:
                await stream.changes()

    def send_end(self, stream: Stream, trailers: Fields) -> None:
        """Send the trailers, if there are any, and the end. Raises StreamError."""
        stream.check()
        try:
            if trailers:
                self._h2.send_headers(stream.id, _encode(trailers), end_stream=True)
            else:
                self._h2.end_stream(stream.id)
        except ProtocolError as error:
            raise StreamError(str(error)) from error
        self._dirty.set()

    def finish(self, stream: Stream, *, failed: bool = False) -> None:
        """Forget a stream; what is not at its end is reset, for an error or because the rest is not wanted."""
        if self._streams.pop(stream.id, None) is None or self._over:
            return
        stream.discard()
        if failed or not stream.ended:
            with suppress(ProtocolError):
                self._h2.reset_stream(stream.id, ErrorCodes.INTERNAL_ERROR if failed else ErrorCodes.NO_ERROR)
            self._dirty.set()

    async def take_leave(self) -> None:
        """Tell the other end that nothing more will be served (RFC 9113, section 6.8)."""
        with suppress(ProtocolError):
            self._h2.close_connection()
        written = self._written
        self._dirty.set()
        await written.wait()

    def make_room(self, stream: Stream, count: int) -> None:
        """Let the other end send as many bytes more."""
        self._make_room(count, stream.id)

    def _make_room(self, count: int, stream_id: int) -> None:
        if count and not self._over:
            with suppress(ProtocolError):
                self._h2.acknowledge_received_data(count, stream_id)
            self._dirty.set()

    async def _read(self) -> None:
        while True:
            try:
                data = await self._transport.receive()
                for event in self._h2.receive_data(self._filter.feed(data)):
                    self._handle(event)
            except (*_BROKEN, ProtocolError):
                return
            self._dirty.set()

    def _handle(self, event: Event) -> None:
        if isinstance(event, RemoteSettingsChanged) or (isinstance(event, WindowUpdated) and event.stream_id == 0):
            for stream in self._streams.values():
                stream.note()
        elif isinstance(event, RequestReceived) and self._on_request is not None:
            self.begun += 1
            made = self._streams[event.stream_id] = Stream(self, event.stream_id)
            made.fields = _decode(event.headers)
            made.ended = event.stream_ended is not None
            self._on_request(made)
        elif (found := self._streams.get(getattr(event, "stream_id", 0) or 0)) is not None:
            self._handle_of(found, event)
        elif isinstance(event, DataReceived):
            self._make_room(event.flow_controlled_length, event.stream_id)

    def _handle_of(self, stream: Stream, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            stream.fields = _decode(event.headers)
        elif isinstance(event, DataReceived):
            stream.hold(event.data, event.flow_controlled_length)
        elif isinstance(event, TrailersReceived):
            stream.trailers += _decode(event.headers)
        elif isinstance(event, StreamEnded):
            stream.ended = True
        elif isinstance(event, StreamReset):
            stream.fail(f"the other end has reset the stream, error {int(event.error_code)}")
        stream.note()

    async def _write(self, tasks: TaskGroup) -> None:
        try:
            while True:
                await self._dirty.wait()
                await self._write_once()
        except _BROKEN:
            tasks.cancel_scope.cancel()

    async def _write_once(self) -> None:
        self._dirty = anyio.Event()
        written, self._written = self._written, anyio.Event()
        try:
            if data := self._h2.data_to_send():
                await self._transport.send(data)
        finally:
            written.set()


def _encode(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
        for name, value in fields
    ]


def _decode(fields: Iterable[tuple[str | bytes, str | bytes]]) -> Fields:
    return [(_text(name), _text(value)) for name, value in fields]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
