"""What `controller.lattice.session` relies on and promises, of the two loops that there are, plain and over TLS."""

import asyncio
import select
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trustme
import uvloop

from controller.lattice.client import LatticeClient
from controller.lattice.errors import RetryError
from controller.lattice.limits import Limits, Rate
from controller.lattice.retry import Policy
from workqueue import MonotonicClock

HOST = "127.0.0.1"
AUTHORITY = trustme.CA()

Run = Callable[[Callable[[], Awaitable[Any]]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine function to its end on a loop of one of the two kinds."""

    def to_its_end(work: Callable[[], Awaitable[Any]]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(work())

    return to_its_end


class Peer:
    """A server that accepts one connection, and reads nothing of what it is sent unless it is told to."""

    def __init__(self, tls: bool) -> None:
        self._listener = socket.create_server((HOST, 0))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if self._context is not None:
            AUTHORITY.issue_cert(HOST).configure_cert(self._context)
        self.port = self._listener.getsockname()[1]
        self.connection: socket.socket | None = None
        self.accepted = anyio.Event()

    async def accept(self) -> None:
        """Accept the connection and shake hands."""
        await anyio.to_thread.run_sync(self._accept)
        self.accepted.set()

    def _accept(self) -> None:
        self.connection, _ = self._listener.accept()
        if self._context is not None:
            self.connection = self._context.wrap_socket(self.connection, server_side=True)
        self.connection.setblocking(False)

    @property
    def is_reset(self) -> bool:
        """Whether the other end has thrown the connection away; one that was closed in order still goes on this way."""
        poll = select.poll()
        poll.register(self.connection, 0)
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    def close(self) -> None:
        self._listener.close()
        if self.connection is not None:
            self.connection.close()


@asynccontextmanager
async def peer(tls: bool) -> AsyncGenerator[Peer]:
    made = Peer(tls)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(made.accept)
            yield made
    finally:
        made.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_bytes_are_with_the_kernel_when_write_returns(run: Run, tls: bool) -> None:
    async def written() -> bytes:
        trusted = ssl.create_default_context()
        AUTHORITY.configure_trust(trusted)
        async with peer(tls) as server:
            loop = asyncio.get_running_loop()
            connect = loop.create_connection(asyncio.Protocol, HOST, server.port, ssl=trusted if tls else None)
            transport, _ = await connect
            await server.accepted.wait()
            transport.write(b"request")
            arrived = server.connection.recv(100)
            transport.abort()
            return arrived

    assert run(written) == b"request"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.usefixtures("credentials", "models_read_once")
def test_the_connection_of_an_attempt_that_timed_out_is_thrown_away_at_once(
    run: Run, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is on its way then never arrives. asyncio and uvloop give a closed TLS connection half a minute."""
    bundle = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))

    async def timed_out() -> None:
        async with (
            peer(tls) as server,
            LatticeClient(
                region="us-west-2",
                endpoint_url=f"http{'s' if tls else ''}://{HOST}:{server.port}",
                limits=Limits(MonotonicClock(), default=Rate(1000, 1000)),
                timeout=1.0,
                policy=Policy(attempts=1),
            ) as client,
        ):
            with pytest.raises(RetryError, match="did not answer in time"):
                await client.call("CreateService", {"name": "unheard"})
            with anyio.fail_after(20):
                while not server.is_reset:  # noqa: ASYNC110 -- the kernel sets no events
                    await anyio.sleep(0.01)

    run(timed_out)
