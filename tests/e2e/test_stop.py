"""A controller that is told to stop while it starts stops, at whatever moment, and has not failed."""

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL

import anyio
import anyio.abc
import pytest
import yaml

from tests.e2e.test_replicas import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def deaf() -> Iterator[str]:
    """The URL of an API server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class Starting:
    """A controller that is being started."""

    def __init__(self, process: anyio.abc.Process, log: Path, health: int) -> None:
        self.process = process
        self._log = log
        self._health = health

    def told(self) -> list[str]:
        *lines, _ = self._log.read_text().split("\n")
        return [json.loads(line)["msg"] for line in lines]

    def listens_for_signals(self) -> bool:
        """Whether there is a handler for SIGTERM (proc(5), SigCgt)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (caught,) = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:")]
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def answers_probes(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._health)) == 0


@asynccontextmanager
async def starting(server: str, directory: Path, *flags: str, account: str | None = None) -> AsyncGenerator[Starting]:
    """`lattice-controller run` with that API server."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "deaf", "cluster": {"server": server}}],
        "users": [{"name": "deaf", "user": {}}],
        "contexts": [{"name": "deaf", "context": {"cluster": "deaf", "user": "deaf"}}],
        "current-context": "deaf",
    }
    (directory / "kubeconfig").write_text(yaml.safe_dump(config))
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "KUBECONFIG": str(directory / "kubeconfig"),
        "CLUSTER_NAME": "stopped",
        "CLUSTER_VPC_ID": "vpc-0123456789abcdef0",
        "AWS_REGION": "us-west-2",
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "stopped",
        "AWS_SECRET_ACCESS_KEY": "stopped",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOG_FORMAT": "json",
    }
    health = free_port()
    binds = ("--metrics-bind-address=0", f"--health-probe-bind-address=127.0.0.1:{health}")
    log = directory / "log"
    with log.open("wb") as stream:
        process = await anyio.open_process(
            [sys.executable, "-m", "controller", "run", *binds, *flags],
            env=variables | ({} if account is None else {"AWS_ACCOUNT_ID": account}),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=stream,
        )
    try:
        yield Starting(process, log, health)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()


async def stopped_when(one: Starting, condition: Callable[[], bool]) -> int:
    """The exit code of one that is told to stop as soon as this holds."""
    with anyio.fail_after(60):
        while not condition():  # noqa: ASYNC110 -- of another process, which sets no events here
            await anyio.sleep(0.002)
        one.process.send_signal(signal.SIGTERM)
        return await one.process.wait()


async def test_a_start_is_broken_off_before_there_is_a_client_or_a_server(deaf: str, tmp_path: Path) -> None:
    async with starting(deaf, tmp_path) as one:
        assert await stopped_when(one, one.listens_for_signals) == 0
        assert one.told()[0] == "told to stop", "before it says that it starts"


async def test_a_start_that_waits_for_the_aws_account_is_broken_off(deaf: str, tmp_path: Path) -> None:
    async with starting(deaf, tmp_path) as one:
        assert await stopped_when(one, one.answers_probes) == 0


@pytest.mark.parametrize("flags", [(), ("--leader-elect",)], ids=["alone", "as one of two"])
async def test_a_start_that_waits_for_the_api_server_is_broken_off(
    deaf: str, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    async with starting(deaf, tmp_path, *flags, account="123456789012") as one:
        works = "works for 123456789012/stopped/vpc-0123456789abcdef0"
        assert await stopped_when(one, lambda: works in one.told()) == 0
        assert one.told()[-1] == "has stopped"
