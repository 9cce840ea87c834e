"""A whole run of the controller in this process, as `lattice-controller run` makes it, on the world of a test."""

import os
from argparse import ArgumentParser
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

import aiohttp
import anyio

from controller import settings
from controller.manager import Manager
from tests.e2e.harness import World, environment
from tests.e2e.test_replicas import free_port


class Managed:
    """What is asked of it by HTTP."""

    def __init__(self, health: int, metrics: int) -> None:
        self._health = health
        self._metrics = metrics

    async def readiness(self) -> tuple[int, str]:
        return await _get(f"http://127.0.0.1:{self._health}/readyz")

    async def metrics(self) -> dict[str, float]:
        """All samples, by name and labels as they are written."""
        _, text = await _get(f"http://127.0.0.1:{self._metrics}/metrics")
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    async def plan(self) -> tuple[int, str]:
        return await _get(f"http://127.0.0.1:{self._metrics}/plan")

    async def ready(self) -> None:
        """Return when it is."""
        await self.tells("ok\n")

    async def tells(self, words: str) -> None:
        """Return when its readiness has these words."""
        with anyio.fail_after(90):
            while words not in (await self.readiness())[1]:  # noqa: ASYNC110 -- of a server, which sets no event here
                await anyio.sleep(0.05)


async def _get(url: str) -> tuple[int, str]:
    try:
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            return response.status, await response.text()
    except aiohttp.ClientConnectorError:
        return 0, "not there yet"


@asynccontextmanager
async def managed(one: World, directory: Path, *flags: str) -> AsyncGenerator[Managed]:
    """A run with these flags of the command line, stopped as by SIGTERM in the end."""
    health, metrics = free_port(), free_port()
    parser = ArgumentParser()
    settings.add_flags(parser)
    binds = [f"--health-probe-bind-address=127.0.0.1:{health}", f"--metrics-bind-address=127.0.0.1:{metrics}"]
    read = parser.parse_args([*flags, *binds, "--kubeconfig", str(directory / "kubeconfig")])
    with mock.patch.dict(os.environ, environment(one.lattice)):
        told = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Manager(settings.load(os.environ, read)).run, told)
            try:
                yield Managed(health, metrics)
            finally:
                told.set()
