"""A proxy between the controller and the API server, which can do to connections what networks do.

It ends TLS on both sides with the server's own certificate, so that it sees lines and not records, and passes bytes on
as they come. What it does on top: cut a watch in the middle of a line, hold watches back, freeze a connection for ever,
be slow, be away.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup

from tests.support.kube_apiserver import KubeApiserver


class _Connection:
    """From a client, and to the server for it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.path = ""
        """Of the latest request."""
        self.cut = False
        """Whether to end it in the middle of what comes next."""
        self.frozen = False

    @property
    def watches(self) -> bool:
        return "watch=true" in self.path

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """See `proxy`. What is set holds for what passes from then on."""

    def __init__(self, kube: KubeApiserver) -> None:
        folder = kube.certificate.parent
        self._there = urlsplit(kube.url).port
        self._trust = kube.tls
        self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self._connections: set[_Connection] = set()
        self._let_pass = anyio.Event()
        self._let_pass.set()
        self._held = ""
        self.url = ""
        self.away = False
        """Whether connections are refused, as those of a server that is not there."""
        self.pace: int | None = None
        """Bytes a second that a connection carries towards the controller; None for no limit."""
        self.cuts = 0
        """How many watches ended in the middle of a line."""
        self.expired = 0
        """How often a watch was told that its version is no longer kept."""

    def cut_watches(self) -> None:
        """End each watch in the middle of the next line that it brings."""
        for each in self._connections:
            each.cut = each.watches

    def hold(self, resource: str) -> None:
        """Keep back what watches of a resource, a plural, bring."""
        self._held, self._let_pass = resource, anyio.Event()

    def let_pass(self) -> None:
        """Send what was kept back."""
        self._let_pass.set()

    def freeze(self) -> None:
        """Let nothing pass any more on the connections that there are, and tell nobody; new ones are well."""
        for each in self._connections:
            each.frozen = True

    def go_away(self) -> None:
        """Reset all connections, and refuse new ones until `come_back`."""
        self.away = True
        for each in tuple(self._connections):
            each.abort()

    def come_back(self) -> None:
        self.away = False

    async def serve(self, tasks: TaskGroup) -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.start_soon(self._carry, reader, writer)

        listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=self._own)
        self.url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        return listening

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._there, ssl=self._trust)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, server)
        self._connections.add(connection)
        try:
            async with anyio.create_task_group() as both:

                async def requests() -> None:
                    with suppress(OSError):
                        await self._requests(connection, reader)
                    both.cancel_scope.cancel()

                both.start_soon(requests)
                with suppress(OSError):
                    await self._answers(connection, answers)
                both.cancel_scope.cancel()
        finally:
            self._connections.discard(connection)
            connection.abort()

    async def _requests(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            if connection.frozen:
                await anyio.sleep_forever()
            if data.split(b" ", 1)[0] in {b"GET", b"POST", b"PATCH", b"PUT", b"DELETE"}:
                connection.path = data.split(b" ", 2)[1].decode()
            connection.server.write(data)
            await connection.server.drain()

    async def _answers(self, connection: _Connection, answers: asyncio.StreamReader) -> None:
        while data := await answers.read(65536):
            if connection.watches:
                self.expired += b'"code":410' in data
                if self._held and f"/{self._held}?" in connection.path:
                    await self._let_pass.wait()
            if connection.frozen:
                await anyio.sleep_forever()
            if connection.cut and len(data) > 100 and not data.startswith(b"HTTP/"):
                connection.client.write(data[: len(data) // 2])
                await connection.client.drain()
                self.cuts += 1
                return
            await self._pass_on(connection, data)

    async def _pass_on(self, connection: _Connection, data: bytes) -> None:
        step = len(data) if self.pace is None else max(1, self.pace // 20)
        for start in range(0, len(data), step):
            connection.client.write(data[start : start + step])
            await connection.client.drain()
            if self.pace is not None:
                await anyio.sleep(1 / 20)


@asynccontextmanager
async def proxy(kube: KubeApiserver) -> AsyncGenerator[Proxy]:
    """A proxy that listens until the context is left."""
    made = Proxy(kube)
    async with anyio.create_task_group() as tasks:
        listening = await made.serve(tasks)
        try:
            yield made
        finally:
            listening.close()
            tasks.cancel_scope.cancel()
