"""The door: one listening socket for all services, that finds out of each connection what it is.

As the link-local address of VPC Lattice does for a VPC, one address serves every service ("VPC Lattice uses a
multi-tenancy architecture, meaning that it can host multiple services on the same endpoint", User Guide, "HTTPS
listeners"). A connection tells by its first bytes what it speaks, and they are looked at without taking them, so that
whoever then serves it finds it untouched: a TLS ClientHello is passed through or ended here, HTTP/2's preface and
anything else are requests in clear.

The ports of listeners are not real ones, which would need root and fight over 80. A caller that wants a certain port
asks for it as one asks a proxy, with CONNECT (RFC 9110, section 9.3.6) for the name and the port that it would dial in
a VPC; what follows in the connection is then what would come to that port. So every client that knows proxies reaches
every service, port and protocol by the name that VPC Lattice shows:

    curl --proxy http://127.0.0.1:PORT --cacert ca.pem https://$FQDN/path
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import TypeVar

import anyio
from anyio.abc import SocketStream, TaskGroup
from anyio.streams.tls import TLSStream

from sandbox.dataplane.authority import Authority
from sandbox.dataplane.entry import NoEntryError, PassThrough, entry
from sandbox.dataplane.hello import ClientHello, begins_tls, read_hello
from sandbox.dataplane.http1 import Http1Server
from sandbox.dataplane.http2server import Http2Server
from sandbox.dataplane.log import Access, AccessLog
from sandbox.dataplane.messages import Caller
from sandbox.dataplane.passthrough import Passage
from sandbox.dataplane.routing import split_authority
from sandbox.lattice.directory import Directory
from sandbox.network import Network

_LONGEST_OPENING = 80 * 1024
_OPENING_SECONDS = 60
_HANDSHAKE_SECONDS = 10
_BREATH_SECONDS = 0.1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CONNECT = b"CONNECT "
_END_OF_HEAD = b"\r\n\r\n"

_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class _GoneError(Exception):
    """The caller has left, or says nothing that could be served."""


class _RefusedError(Exception):
    """A CONNECT that leads nowhere."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status

    def answer(self) -> bytes:
        text = f"{self}\n".encode()
        head = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\nContent-Length: {len(text)}\r\n"
        return head.encode() + b"Connection: close\r\n\r\n" + text


class Door:
    """Takes connections from a listening socket, and hands each to the server that it is for.

    A connection is closed after `lifetime` seconds, whatever it does.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        network: Network,
        authority: Authority,
        http1: Http1Server,
        http2: Http2Server,
        passage: Passage,
        log: AccessLog,
        lifetime: float,
    ) -> None:
        self._directory = directory
        self._network = network
        self._authority = authority
        self._http1 = http1
        self._http2 = http2
        self._passage = passage
        self._log = log
        self._lifetime = lifetime

    async def run(self, listener: socket.socket, tasks: TaskGroup) -> None:
        """Take connections until cancelled, each served by a task of the group."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # too many open files, or a caller that has left already
                logger.warning("a connection could not be taken: %s", error)
                await anyio.sleep(_BREATH_SECONDS)
            else:
                tasks.start_soon(self._serve, connection)

    async def _serve(self, connection: socket.socket) -> None:
        with connection, anyio.move_on_after(self._lifetime):
            try:
                peer = connection.getpeername()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await self._enter(connection, Caller(self._network.address(peer) or peer))
            except (_GoneError, OSError, anyio.EndOfStream, anyio.BrokenResourceError):
                return
            except Exception:
                logger.exception("a connection has ended by an error of the data plane's own")
            finally:
                _take_the_rest(connection)

    async def _enter(self, connection: socket.socket, caller: Caller) -> None:
        opening = await _peek(connection, _kind)
        if opening == "CONNECT":
            caller = await self._connect(connection, caller)
            opening = await _peek(connection, _kind)
        if opening == "TLS":
            await self._enter_tls(connection, caller)
        elif opening == "HTTP/2":
            await self._serve_http2(connection, caller, None)
        else:
            await self._http1.serve(_handed_over(connection), caller, None)

    async def _connect(self, connection: socket.socket, caller: Caller) -> Caller:
        """Answer CONNECT; gives the caller of the connection that begins after it."""
        head = await _peek(connection, _head)
        connection.recv(len(head))
        authority = head.split(b" ")[1].decode("latin-1")
        try:
            port = self._destination(authority)
        except _RefusedError as refused:
            self._log.add(
                Access(
                    caller.source,
                    "CONNECT",
                    authority,
                    "",
                    status=refused.status.value,
                    reason="ClientProtocolError",
                    failure=str(refused),
                )
            )
            connection.send(refused.answer())
            raise _GoneError from refused
        connection.send(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        return Caller(caller.source, port)

    def _destination(self, authority: str) -> int:
        """The port that CONNECT asks for. Raises _RefusedError."""
        try:
            domain, port = split_authority(authority)
        except ValueError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        if port is None:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"CONNECT to {authority} without a port")
        if self._directory.service_by_domain(domain) is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"no service answers to {domain}")
        return port

    async def _enter_tls(self, connection: socket.socket, caller: Caller) -> None:
        access = Access(caller.source, "", "", "", protocol="TLS", listener=caller.port)
        try:
            hello = await _peek(connection, read_hello)
            access.server_name = hello.server_name
            way = entry(self._directory, hello.server_name, caller.port)
            if isinstance(way, PassThrough):
                await self._pass(connection, way, access)
                return
            if way.certificate is None:
                tls = await self._authority.for_domain(way.domain)
            else:
                tls = await self._authority.for_certificate(way.certificate)
        except (NoEntryError, ValueError) as error:
            access.reason, access.failure = "ClientProtocolError", str(error)
            self._log.add(access)
            return
        await self._terminate(connection, Caller(caller.source, caller.port, way.domain), hello, tls)

    async def _pass(self, connection: socket.socket, way: PassThrough, access: Access) -> None:
        try:
            async with await _stream(connection) as stream:
                await self._passage.serve(stream, way, access)
        finally:
            self._log.add(access)

    async def _terminate(
        self, connection: socket.socket, caller: Caller, hello: ClientHello, tls: ssl.SSLContext
    ) -> None:
        """End TLS and serve what is in it; h2 goes before HTTP/1.1 where the caller offers it."""
        if "h2" in hello.protocols:
            await self._serve_http2(connection, caller, tls)
        else:
            await self._http1.serve(_handed_over(connection), caller, tls)

    async def _serve_http2(self, connection: socket.socket, caller: Caller, tls: ssl.SSLContext | None) -> None:
        async with await _stream(connection) as stream:
            if tls is None:
                await self._http2.serve(stream, caller)
                return
            with anyio.move_on_after(_HANDSHAKE_SECONDS) as handshake:
                secured = await TLSStream.wrap(stream, server_side=True, ssl_context=tls, standard_compatible=False)
            if not handshake.cancelled_caught:
                await self._http2.serve(secured, caller)


def _kind(opening: bytes) -> str | None:
    """What a connection speaks that begins with these bytes; None if more are needed."""
    if begins_tls(opening):
        return "TLS"
    for kind, beginning in (("HTTP/2", _PREFACE), ("CONNECT", _CONNECT)):
        if opening.startswith(beginning):
            return kind
        if beginning.startswith(opening):
            return None
    return "HTTP/1.1"


def _head(opening: bytes) -> bytes | None:
    head, end, _ = opening.partition(_END_OF_HEAD)
    return head + end if end else None


async def _peek(connection: socket.socket, read: Callable[[bytes], _T | None]) -> _T:
    """What `read` makes of the bytes that come first, as soon as there are enough of them; they are not taken.

    Raises _GoneError, OSError, and what `read` raises.
    """
    seen = 0
    try:
        with anyio.fail_after(_OPENING_SECONDS):
            while True:
                await anyio.wait_readable(connection)
                with suppress(BlockingIOError):
                    opening = connection.recv(_LONGEST_OPENING, socket.MSG_PEEK)
                    if len(opening) <= seen:
                        raise _GoneError
                    if (found := read(opening)) is not None:
                        return found
                    seen = len(opening)
                if seen >= _LONGEST_OPENING:
                    raise _GoneError
                # bytes that stay in the socket would make it readable all the time
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
    finally:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _take_the_rest(connection: socket.socket) -> None:
    """Take what nobody has read: closing with it would reset the connection, and what was sent might not arrive."""
    with suppress(OSError):
        while connection.fileno() >= 0 and connection.recv(_LONGEST_OPENING):
            pass


def _handed_over(connection: socket.socket) -> socket.socket:
    """The same connection, for somebody else to close."""
    return socket.socket(fileno=connection.detach())


async def _stream(connection: socket.socket) -> SocketStream:
    """The connection as a stream, which closes it. Raises _GoneError if the caller has left meanwhile."""
    taken = _handed_over(connection)
    try:
        return await SocketStream.from_socket(taken)
    except (OSError, ValueError) as error:
        taken.close()
        raise _GoneError from error
