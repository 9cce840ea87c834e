"""The HTTP endpoint: real sockets around the dispatcher.

One endpoint serves all emulated services, which is what `AWS_ENDPOINT_URL` and the AWS CLI's `--endpoint-url` expect.
The server reads a request whole, has it served in one step, and carries the reply out: after the latency, as an
answer, as a reset of the connection, or as silence.
"""

import re
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import anyio
from aiohttp import web

from sandbox.lattice.calls import CallLog
from sandbox.lattice.control import PREFIX, control
from sandbox.lattice.credentials import Credentials
from sandbox.lattice.directory import Directory
from sandbox.lattice.dispatch import OPERATIONS, Dispatcher
from sandbox.lattice.faults import Faults
from sandbox.lattice.latency import Latencies, Latency
from sandbox.lattice.metadata import PREFIX as METADATA
from sandbox.lattice.metadata import Metadata
from sandbox.lattice.protocols import Incoming, Reply
from sandbox.lattice.quotas import Quotas
from sandbox.lattice.routing import StateDirectory
from sandbox.lattice.state import State
from sandbox.lattice.throttle import Rate, Throttles
from sandbox.lattice.timings import Span, Timings
from sandbox.serving import Server

OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")
"""How the regions begin that are not of the partition `aws` (AWS General Reference, "Amazon Resource Names")."""

GRACE = 0.01
"""Seconds that a request under way has when the server stops; aiohttp takes 0 for no limit."""


class LatticeServer:
    """An emulated AWS account: VPC Lattice, and what its clients need of the tagging API, STS, ACM and EC2.

    Starts with `start` and ends with `stop`, or is an async context manager. `limits` says operation → token bucket
    (`*` for every other); none by default. With `tls`, connections are encrypted, as AWS's are. `vpc` and `cluster`
    are what the instance metadata service and the instance's tags tell. `consistency` is by how many seconds lists
    lag. With `secrets` (key id → secret) signatures are verified, and the keys of sessions that it gives out are taken
    too. `clock` tells seconds since the epoch. With `validate_answers` every answer is held against the service model,
    and a request whose answer does not fit gets a 500 that says so. Raises `ValueError` for what no account could be.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        account: str = "123456789012",
        region: str = "us-west-2",
        vpc: str = "vpc-0a1b2c3d4e5f67890",
        cluster: str = "sandbox",
        seed: int = 0,
        timings: Timings | None = None,
        quotas: Quotas | None = None,
        limits: Mapping[str, Rate] | None = None,
        latency: Latency = 0.0,
        consistency: Span | None = None,
        secrets: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        validate_answers: bool = False,
    ) -> None:
        if not re.fullmatch(r"[0-9]{12}", account):
            raise ValueError(f"an account is twelve digits, not {account!r}")
        if region.startswith(OTHER_PARTITIONS):
            raise ValueError(
                f"{region} is of another partition than aws, whose ARNs and names the sandbox does not make"
            )
        self._host = host
        self._port = port
        self._tls = tls
        self._sleep = sleep
        self.state = State(
            account=account,
            region=region,
            seed=seed,
            timings=timings or Timings(),
            quotas=quotas or Quotas(),
            clock=clock,
            credentials=Credentials(account, secrets),
        )
        self.state.visibility.span = consistency
        self.directory: Directory = StateDirectory(self.state)
        self.metadata = Metadata(
            account=account,
            region=region,
            vpc=vpc,
            cluster=cluster,
            credentials=self.state.credentials,
            seed=seed,
            clock=clock,
        )
        self._dispatcher = Dispatcher(
            self.state,
            throttles=Throttles(OPERATIONS, limits or {}, clock),
            metadata=self.metadata,
            clock=clock,
            latencies=Latencies(OPERATIONS, latency, seed),
            faults=Faults(OPERATIONS, seed),
            validate_answers=validate_answers,
        )
        self._runner: web.ServerRunner | None = None

    @property
    def calls(self) -> CallLog:
        """The log of every request."""
        return self._dispatcher.calls

    @property
    def faults(self) -> Faults:
        """What goes wrong, for which calls."""
        return self._dispatcher.faults

    @property
    def latencies(self) -> Latencies:
        """How long answers take."""
        return self._dispatcher.latencies

    @property
    def throttles(self) -> Throttles:
        """The limits, which may be changed while the server runs."""
        return self._dispatcher.throttles

    @property
    def account(self) -> str:
        return self.state.account

    @property
    def region(self) -> str:
        return self.state.region

    @property
    def port(self) -> int:
        """The port that is listened on; known once the server is started."""
        if self._runner is None:
            raise RuntimeError("the server is not started")
        port: int = self._runner.addresses[0][1]
        return port

    @property
    def url(self) -> str:
        """The endpoint URL; known once the server is started."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises `OSError` if the address is not free."""
        runner = web.ServerRunner(
            Server(self._handle, access_log=None, handler_cancellation=True), shutdown_timeout=GRACE
        )
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port, ssl_context=self._tls).start()
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and drop all connections; requests that hang are ended."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = await request.read() if request.body_exists else b""
        incoming = Incoming(request.method, path, query, request.headers, body)
        if path.startswith(PREFIX):
            reply = control(self._dispatcher, incoming)
        elif path.startswith(METADATA):
            reply = self.metadata.serve(incoming)
        else:
            reply = self._dispatcher.serve(incoming)
            if reply.delay > 0:
                await self._sleep(reply.delay)
        return await self._carry_out(request, reply)

    async def _carry_out(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        if reply.fate == "hang":
            await anyio.sleep_forever()
        if reply.fate == "reset" and request.transport is not None:
            _reset(request.transport.get_extra_info("socket"))
            request.transport.abort()
        return web.Response(status=reply.status or 500, body=reply.body, headers=reply.headers)


def _reset(connection: socket.socket) -> None:
    """Have the connection end with a TCP reset, as a peer's that died, when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
