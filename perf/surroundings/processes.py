"""A server of the sandbox in a process and on a core of its own.

`python -m perf.surroundings.processes` is that process: it says its port in one line, and ends when its standard input
does.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import anyio
import uvloop
from anyio.streams.buffered import BufferedByteReceiveStream

from perf.loadtest.usage import Usage, parse_usage
from sandbox.kube import KubeServer
from sandbox.lattice import LatticeServer, Quotas
from sandbox.lattice.timings import Timings

_ROOT = Path(__file__).parents[2]

SERVER_CORE, CLIENT_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    port: int
    pid: int
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def cpu_nanoseconds(self) -> int:
        """How long its main thread, in which it serves, has run (proc(5), /proc/pid/schedstat)."""
        return int((Path("/proc") / str(self.pid) / "schedstat").read_text().split()[0])

    def usage(self) -> Usage:
        """What it has used so far, and its memory."""
        directory = Path("/proc") / str(self.pid)
        stat, status = (directory / "stat").read_text(), (directory / "status").read_text()
        return parse_usage(stat, status, os.sysconf("SC_CLK_TCK"))


@asynccontextmanager
async def kubernetes() -> AsyncGenerator[Server]:
    """The Kubernetes API in memory, empty."""
    async with _running("kubernetes") as server:
        yield server


@asynccontextmanager
async def lattice() -> AsyncGenerator[Server]:
    """VPC Lattice, empty, without quotas, in which changes of state take no time."""
    async with _running("lattice") as server:
        yield server


@asynccontextmanager
async def _running(kind: str) -> AsyncGenerator[Server]:
    command = [sys.executable, "-m", "perf.surroundings.processes", kind]
    process = await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, cwd=_ROOT)
    before = os.sched_getaffinity(0)
    try:
        assert process.stdout is not None
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100)
        pin(CLIENT_CORE)
        yield Server(int(line), process.pid)
    finally:
        os.sched_setaffinity(0, before)
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()


def pin(core: int) -> None:
    """Keep this process on one core, where there are as many: also if whoever started it is kept on another."""
    with suppress(OSError):
        os.sched_setaffinity(0, {core})


async def _serve(kind: str) -> None:
    pin(SERVER_CORE)
    server: KubeServer | LatticeServer
    if kind == "kubernetes":
        server = KubeServer()
    else:
        server = LatticeServer(quotas=Quotas.unlimited(), timings=Timings.instant())
    async with server:
        print(server.url.rpartition(":")[2], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
