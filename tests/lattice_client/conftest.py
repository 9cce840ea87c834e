"""A client of the emulated VPC Lattice, whose own waits take no time."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiobotocore.session import AioSession, get_session
from botocore.loaders import Loader

from controller.lattice.client import LatticeClient
from controller.lattice.limits import Limits, Rate
from sandbox.lattice import LatticeServer, Timings
from tests.lattice_client.clocks import HastyClock

Connect = Callable[..., LatticeClient]


@pytest.fixture
async def lattice() -> AsyncIterator[LatticeServer]:
    async with LatticeServer(timings=Timings.instant()) as server:
        yield server


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture(scope="session")
def service_models() -> Loader:
    """botocore's service models, which take longer to read than a test takes to run."""
    return Loader()


@pytest.fixture
def models_read_once(service_models: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    def session() -> AioSession:
        made = get_session()
        made.register_component("data_loader", service_models)
        return made

    monkeypatch.setattr("controller.lattice.client.get_session", session)


@pytest.fixture
def connect(
    lattice: LatticeServer, credentials: None, models_read_once: None, monkeypatch: pytest.MonkeyPatch
) -> Connect:
    monkeypatch.setenv("AWS_ENDPOINT_URL", lattice.url)

    def make(**settings: Any) -> LatticeClient:
        clock = settings.setdefault("clock", HastyClock())
        settings.setdefault("limits", Limits(clock, default=Rate(1000, 1000)))
        settings.setdefault("endpoint_url", None)
        settings.setdefault("rng", random.Random(1))
        return LatticeClient(region="us-west-2", **settings)

    return make


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[LatticeClient]:
    async with connect() as opened:
        yield opened
