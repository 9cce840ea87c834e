"""The sandbox and the controller as processes of their own, and what Linux says that they use."""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import anyio
import anyio.abc
import msgspec
import yaml
from anyio.streams.buffered import BufferedByteReceiveStream

from perf.loadtest.servers import Addresses, Order
from perf.loadtest.usage import Usage, parse_usage

STOP_SECONDS = 30.0
CLUSTER, VPC = "perf", "vpc-0123456789abcdef0"
_ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def sandbox(order: Order) -> AsyncGenerator[Addresses]:
    """The sandbox's two servers, until the context is left. Raises EndOfStream if they do not start."""
    command = [sys.executable, "-m", "perf.loadtest.servers", msgspec.json.encode(order).decode()]
    process = await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, cwd=_ROOT)
    try:
        assert process.stdout is not None
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 65536)
        yield msgspec.json.decode(line, type=Addresses)
    finally:
        await _end(process, None)


class Controller:
    """A running controller."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process

    def usage(self) -> Usage:
        """What it uses. Raises RuntimeError if it has ended, for that is no measurement."""
        if self._process.returncode is not None:
            raise RuntimeError(f"the controller has ended with code {self._process.returncode}; see its log")
        directory = Path("/proc") / str(self._process.pid)
        stat, status = (directory / "stat").read_text(), (directory / "status").read_text()
        return parse_usage(stat, status, os.sysconf("SC_CLK_TCK"))

    async def stop(self) -> None:
        """Ask it to stop as Kubernetes does, and wait for it."""
        await _end(self._process, signal.SIGTERM)


@asynccontextmanager
async def controller(addresses: Addresses, log: Path, settings: Mapping[str, str]) -> AsyncGenerator[Controller]:
    """The controller as a user runs it, with these settings on top; its log lines are added to a file."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "perf", "cluster": {"server": addresses.kubernetes}}],
        "users": [{"name": "perf", "user": {}}],
        "contexts": [{"name": "perf", "context": {"cluster": "perf", "user": "perf"}}],
        "current-context": "perf",
    }
    file = log.with_name("kubeconfig")
    file.write_text(yaml.safe_dump(kubeconfig))
    environment = {
        **os.environ,
        "KUBECONFIG": str(file),
        "CLUSTER_NAME": CLUSTER,
        "CLUSTER_VPC_ID": VPC,
        "AWS_ENDPOINT_URL": addresses.lattice,
        "AWS_ACCESS_KEY_ID": "perf",
        "AWS_SECRET_ACCESS_KEY": "perf",
        "AWS_REGION": addresses.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOG_FORMAT": "json",
        **settings,
    }
    command = [sys.executable, "-m", "controller", "run"]
    command += ["--metrics-bind-address", "0", "--health-probe-bind-address", "0"]
    with log.open("ab") as lines:
        process = await anyio.open_process(command, stdin=None, stdout=lines, stderr=lines, env=environment, cwd=_ROOT)
        try:
            yield Controller(process)
        finally:
            await _end(process, signal.SIGTERM)


async def _end(process: anyio.abc.Process, by: signal.Signals | None) -> None:
    """End a process by a signal, or by the end of its input; kill it when it takes too long."""
    with anyio.CancelScope(shield=True):
        if process.returncode is None and by is not None:
            process.send_signal(by)
        if process.stdin is not None:
            await process.stdin.aclose()
        with anyio.move_on_after(STOP_SECONDS):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
