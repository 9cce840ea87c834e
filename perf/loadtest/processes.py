"""The sandbox and the controller's replicas as processes of their own, and what Linux says that they use."""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from types import TracebackType
from typing import Final, Self

import aiohttp
import anyio
import anyio.abc
import msgspec
import yaml
from anyio.streams.buffered import BufferedByteReceiveStream

from perf.loadtest.idle import queue_is_idle
from perf.loadtest.servers import Addresses, Order
from perf.loadtest.usage import Usage, parse_usage
from perf.ports import free_port

START_SECONDS = 120.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.1
NAMESPACE: Final = "perf-system"
"""Where the replicas' Lease is."""

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


class Replica:
    """A running controller. What asks it raises RuntimeError if it has ended, for that is no measurement."""

    def __init__(self, process: anyio.abc.Process, http: aiohttp.ClientSession, health: str, metrics: str) -> None:
        self._process = process
        self._http = http
        self._health = health
        self._metrics = metrics

    def usage(self) -> Usage:
        """What it uses."""
        self._check()
        directory = Path("/proc") / str(self._process.pid)
        stat, status = (directory / "stat").read_text(), (directory / "status").read_text()
        return parse_usage(stat, status, os.sysconf("SC_CLK_TCK"))

    async def says(self, word: str) -> None:
        """Return when it is ready, and its probe has this word, such as `leads`."""
        while True:
            self._check()
            told = await self._read(self._health)
            if told.startswith("ok") and word in told:
                return
            await anyio.sleep(LOOK_SECONDS)

    async def is_idle(self) -> bool:
        """Whether its queue says that no key waits and none is in work."""
        self._check()
        return queue_is_idle(await self._read(self._metrics))

    def _check(self) -> None:
        if self._process.returncode is not None:
            raise RuntimeError(f"a replica has ended with code {self._process.returncode}; see its log")

    async def _read(self, url: str) -> str:
        """Empty while nobody answers."""
        try:
            async with self._http.get(url) as response:
                return await response.text()
        except aiohttp.ClientError:
            return ""


class Replicas:
    """The controller as it is deployed, elected leader and followers; an async context manager.

    Each replica adds its log lines to a file of its own in the directory. `settings` are environment variables.
    """

    def __init__(self, count: int, addresses: Addresses, directory: Path, settings: Mapping[str, str]) -> None:
        self._count = count
        self._directory = directory
        self._running: list[Replica] = []
        self._stack = AsyncExitStack()
        self._http: aiohttp.ClientSession
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "perf", "cluster": {"server": addresses.kubernetes}}],
            "users": [{"name": "perf", "user": {}}],
            "contexts": [{"name": "perf", "context": {"cluster": "perf", "user": "perf"}}],
            "current-context": "perf",
        }
        file = directory / "kubeconfig"
        file.write_text(yaml.safe_dump(kubeconfig))
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(file),
            "POD_NAMESPACE": NAMESPACE,
            "CLUSTER_NAME": CLUSTER,
            "CLUSTER_VPC_ID": VPC,
            "AWS_ACCOUNT_ID": addresses.account,
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

    async def __aenter__(self) -> Self:
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask them to stop as Kubernetes does, and wait: the leader last, so that nobody takes over from it."""
        await self._stack.aclose()

    async def start(self) -> None:
        """Return when the first leads and all others follow it. Raises TimeoutError when that takes too long."""
        with anyio.fail_after(START_SECONDS):
            leader = await self._launch("replica-1")
            await leader.says("leads")
            followers = [await self._launch(f"replica-{number}") for number in range(2, self._count + 1)]
            for follower in followers:
                await follower.says("follows replica-1")

    def usages(self) -> list[Usage]:
        """What each uses, the leader first."""
        return [replica.usage() for replica in self._running]

    async def are_idle(self) -> bool:
        """Whether the leader's queue says that there is nothing to do."""
        return await self._running[0].is_idle()

    async def _launch(self, name: str) -> Replica:
        health, metrics = free_port(), free_port()
        command = [sys.executable, "-m", "controller", "run", "--leader-elect"]
        command += [f"--health-probe-bind-address=127.0.0.1:{health}", f"--metrics-bind-address=127.0.0.1:{metrics}"]
        with (self._directory / f"{name}.log").open("ab") as lines:
            process = await anyio.open_process(
                command,
                stdin=None,
                stdout=lines,
                stderr=lines,
                env={**self._environment, "POD_NAME": name},
                cwd=_ROOT,
            )
        self._stack.push_async_callback(_end, process, signal.SIGTERM)
        urls = (f"http://127.0.0.1:{health}/readyz", f"http://127.0.0.1:{metrics}/metrics")
        self._running.append(Replica(process, self._http, *urls))
        return self._running[-1]


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
