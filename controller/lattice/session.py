"""The HTTP session under the AWS clients, with what the fence needs of it.

botocore's `before-send` event is not the last moment before a request leaves: aiohttp then waits for a connection from
the pool, opens one, and by itself sends a PUT or DELETE again when a connection that was kept open turns out to be
dead. So the fence is asked where bytes leave: in aiohttp's tracing signals for headers and for a part of the body,
which it awaits immediately before it hands just these bytes to the transport. The handlers here never yield, and the
transports of asyncio and uvloop, over TLS too, call write(2) within `write` while nothing is queued on the connection;
so from the question to the system call it is one stretch that no other task can get into. Headers of a request with a
body wait for the body's first part and leave together with it.

What was handed over must not arrive late either, and left alone a connection's queues would outlive a partition of the
network, and even the process, by many minutes. Three things end them. `TCP_USER_TIMEOUT` gives a connection up when
what was sent is not acknowledged in time, whether or not this process runs. A connection that is not used any more,
such as that of an attempt that timed out, is aborted: to close it would first send what is queued in this process, and
over TLS wait for the peer's farewell, for half a minute if it is deaf. `SO_LINGER` of 0 then has the kernel throw away
what is unsent, instead of going on to send it.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.client_proto import ResponseHandler

_LINGER_NOT: Final = struct.pack("ii", 1, 0)

Asked = Callable[[bool], None]
"""Called before bytes of a request leave: with False for its headers, with True for a part of its body."""


class _Abrupt(ResponseHandler):
    """The client's end of a connection, which ends without a farewell."""

    def close(self) -> None:
        self.abort()


def session_class(before_bytes: Asked) -> type[AIOHTTPSession]:
    """The class of sessions to give to `AioConfig`; what `before_bytes` raises ends the request with nothing sent."""

    async def before_headers(*_: object) -> None:
        before_bytes(False)

    async def before_body(*_: object) -> None:
        before_bytes(True)

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(before_headers)
    trace.on_request_chunk_sent.append(before_body)
    trace.freeze()

    class Session(AIOHTTPSession):  # type: ignore[misc]
        async def _get_session(self, proxy_url: str | None) -> Any:
            session = await super()._get_session(proxy_url)
            if trace not in session.trace_configs:
                session.trace_configs.append(trace)
                # aiohttp has no setting for it: what it could be told (ssl_shutdown_timeout) concerns only the end of
                # the whole session.
                session.connector._factory = partial(_Abrupt, loop=asyncio.get_running_loop())  # noqa: SLF001
            return session

    return Session


def socket_factory(seconds: float) -> Callable[[tuple[Any, ...]], socket.socket]:
    """A maker of sockets, for aiohttp, whose bytes are acknowledged within so many seconds or thrown away."""

    def make(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(seconds * 1000)))
        return made

    return make
