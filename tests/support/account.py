"""An emulated account of AWS and a client of it, whatever the environment of the tests says of AWS."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aiobotocore.session import get_session

from controller.lattice.client import LatticeClient
from controller.lattice.limits import Limits, Rate
from sandbox.lattice import LatticeServer, Timings
from workqueue import MonotonicClock

SESSION = get_session()
"""One for all tests, because it keeps the service models that it has read."""


@asynccontextmanager
async def emulated(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[LatticeServer, LatticeClient]]:
    """An account whose asynchronous changes are done by the next request, and a client that never waits for a turn."""
    async with LatticeServer(timings=Timings.instant(), validate_answers=True) as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("controller.lattice.client.get_session", lambda: SESSION)
        limits = Limits(MonotonicClock(), default=Rate(10_000, 10_000))
        async with LatticeClient(region="us-west-2", endpoint_url=None, limits=limits) as client:
            yield server, client
