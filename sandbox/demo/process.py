"""The controller as a user runs it: `lattice-controller run` in a process of its own."""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc

STOP_SECONDS = 20.0


class Controller:
    """A running controller. `code` is None until it has ended."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process

    @property
    def code(self) -> int | None:
        return self._process.returncode

    async def stop(self) -> int:
        """Ask it to stop as Kubernetes does, and return its exit code. Raises TimeoutError when it does not end."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        with anyio.fail_after(STOP_SECONDS):
            return await self._process.wait()


@asynccontextmanager
async def controller(environment: Mapping[str, str], log: Path) -> AsyncGenerator[Controller]:
    """Run the controller with this environment on top of ours, its log lines going to a file."""
    command = [
        sys.executable,
        *("-m", "controller", "run"),
        *("--metrics-bind-address", "0", "--health-probe-bind-address", "0"),
    ]
    with log.open("wb") as lines:
        process = await anyio.open_process(
            command,
            # A proxy of the user's environment is not asked for what is on this machine.
            env={**os.environ, **environment, "LOG_FORMAT": "json", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            stdin=None,
            stdout=lines,
            stderr=lines,
        )
        try:
            yield Controller(process)
        finally:
            if process.returncode is None:
                process.kill()
            with anyio.CancelScope(shield=True):
                await process.wait()
