"""A TLS server that begins an endless answer and then falls silent, as one whose machine is frozen does.

It takes what it is sent and says nothing more: TLS's farewell gets no reply either. So whoever waits for one keeps the
connection, and `ended` is set only for those who hang up.
"""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
import trustme
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream

LINE = b'{"type":"BOOKMARK","object":{}}'
"""What the answer begins with; a line feed follows."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_BEGINNING = _HEAD + b"%x\r\n%b\n\r\n" % (len(LINE) + 1, LINE)


class MuteServer:
    """See `mute_server`."""

    def __init__(self, authority: trustme.CA) -> None:
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)
        self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._own)
        self.url = ""
        self.ended = anyio.Event()
        """A caller has closed its connection."""

    async def serve(self, caller: SocketStream) -> None:
        async with caller:
            secured = await TLSStream.wrap(caller, ssl_context=self._own, standard_compatible=False)
            await secured.receive()
            await secured.send(_BEGINNING)
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await caller.receive()
            self.ended.set()


@asynccontextmanager
async def mute_server() -> AsyncGenerator[MuteServer]:
    """One on loopback, whose answer, to whatever it is asked, begins with `LINE`."""
    server = MuteServer(trustme.CA())
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        server.url = f"https://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()
