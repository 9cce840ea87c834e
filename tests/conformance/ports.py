"""The data plane on real ports: what is dialled on a listener's port comes to it as such.

The sandbox's data plane has one port for all listeners, and whoever wants a certain one asks for it with CONNECT (see
`sandbox.dataplane.door`). The suite's clients know no proxy and dial an address and a port. So each port of the suite's
Gateways has a socket here, and what it takes is passed on, byte for byte, after a CONNECT for that port. On AWS, many
services share an address, and the first bytes of a connection tell which one is meant; so they do here, and CONNECT may
name any service that there is.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
import anyio.abc


class PortError(Exception):
    """A port cannot be listened on; the message says what to do."""


@asynccontextmanager
async def forwarded(
    address: str, ports: Iterable[int], dataplane: str, any_service: Callable[[], str | None]
) -> AsyncGenerator[None]:
    """Listen at an address on ports, and pass all on to the data plane, which is at `HOST:PORT`.

    `any_service` is the domain name of some service; a connection is reset while there is none. Raises PortError.
    """
    host, _, port = dataplane.rpartition(":")
    async with AsyncExitStack() as stack:
        listeners = [(number, await stack.enter_async_context(await _listen(address, number))) for number in ports]
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        for number, listener in listeners:

            async def relay(client: anyio.abc.SocketStream, number: int = number) -> None:
                async with client:
                    name = any_service()
                    if name is not None:
                        with suppress(OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                            await _pass_on(client, host, int(port), f"{name}:{number}")

            tasks.start_soon(listener.serve, relay)
        yield


async def _listen(address: str, port: int) -> anyio.abc.Listener[anyio.abc.SocketStream]:
    try:
        return await anyio.create_tcp_listener(local_host=address, local_port=port)
    except PermissionError as error:
        raise PortError(
            f"{address}:{port} may not be listened on: run as root, or allow it with"
            f" sysctl net.ipv4.ip_unprivileged_port_start={port}"
        ) from error
    except OSError as error:
        raise PortError(f"{address}:{port} cannot be listened on: {error.strerror}") from error


async def _pass_on(client: anyio.abc.SocketStream, host: str, port: int, wanted: str) -> None:
    async with await anyio.connect_tcp(host, port) as server:
        await server.send(f"CONNECT {wanted} HTTP/1.1\r\nHost: {wanted}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await server.receive(1)
        if not head.startswith(b"HTTP/1.1 200 "):
            return
        async with anyio.create_task_group() as both:
            both.start_soon(_copy, client, server)
            await _copy(server, client)
            both.cancel_scope.cancel()


async def _copy(source: anyio.abc.SocketStream, target: anyio.abc.SocketStream) -> None:
    """Until the source ends; a broken connection is an end to both."""
    with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for piece in source:
            await target.send(piece)
        await target.send_eof()
