"""The data plane as a whole: its parts put together, and the sockets and tasks that they need for as long as it runs.

One address serves all services, as the link-local address of VPC Lattice does for a VPC. Callers are outside pods or
pods; both are in the VPC.
"""

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from random import Random

import anyio
from anyio.abc import TaskStatus

from sandbox.dataplane.authority import Authority
from sandbox.dataplane.balancing import Balancer
from sandbox.dataplane.door import Door
from sandbox.dataplane.exchange import Exchange
from sandbox.dataplane.http1 import Http1Server
from sandbox.dataplane.http1target import Http1Targets
from sandbox.dataplane.http2server import Http2Server
from sandbox.dataplane.http2target import Http2Targets
from sandbox.dataplane.log import AccessLog
from sandbox.dataplane.passthrough import Passage
from sandbox.dataplane.targets import Targets
from sandbox.lattice.directory import Directory
from sandbox.network import Network

_BACKLOG = 1024


class DataPlane:
    """A server that routes requests by the rules of a `Directory` to the targets on a `Network`.

    `port` 0 takes any free one; `url` says which, once it is `listening`. `random` draws target groups and request ids.
    The last `log_size` requests are in `log`. Clients over TLS trust `authority`. A caller's connection without a
    request for `idle` seconds is closed, and any after `lifetime` seconds (User Guide, "Quotas").
    """

    def __init__(
        self,
        directory: Directory,
        *,
        network: Network,
        random: Random,
        host: str = "127.0.0.1",
        port: int = 0,
        log_size: int = 1000,
        idle: float = 60,
        lifetime: float = 600,
    ) -> None:
        self.log = AccessLog(log_size)
        self.authority = Authority()
        self._directory = directory
        self._network = network
        self._random = random
        self._host = host
        self._port = port
        self._idle = idle
        self._lifetime = lifetime

    @property
    def url(self) -> str:
        """Where the data plane listens, such as `http://127.0.0.1:8080`; no slash at its end."""
        return f"http://{self._host}:{self._port}"

    @contextmanager
    def listening(self) -> Generator[None]:
        """Hold the address for as long as the context lasts; connections wait until the data plane runs.

        Raises OSError if the address is taken, and NetworkUnavailableError where there can be no pods to serve from.
        """
        self._network.check()
        with socket.create_server((self._host, self._port), backlog=_BACKLOG) as self._listener:
            self._listener.setblocking(False)
            self._port = self._listener.getsockname()[1]
            yield

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled, while `listening`."""
        async with Http1Targets() as http1, anyio.create_task_group() as tasks:
            targets = Targets(self._network, http1, Http2Targets(tasks))
            balancer = Balancer(self._random)
            exchange = Exchange(self._directory, targets=targets, balancer=balancer, random=self._random, log=self.log)
            server = Http1Server(exchange, idle=self._idle)
            door = Door(
                self._directory,
                network=self._network,
                authority=self.authority,
                http1=server,
                http2=Http2Server(exchange, idle=self._idle),
                passage=Passage(self._directory, targets=targets, balancer=balancer),
                log=self.log,
                lifetime=self._lifetime,
            )
            task_status.started()
            try:
                await door.run(self._listener, tasks)
            finally:
                with anyio.CancelScope(shield=True):
                    await server.close()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Listen and run for as long as the context lasts; raises what `listening` raises."""
        with self.listening():
            async with anyio.create_task_group() as tasks:
                await tasks.start(self.run)
                yield
                tasks.cancel_scope.cancel()
