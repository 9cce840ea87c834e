"""An emulated account for each test, and a client of it."""

from collections.abc import AsyncIterator

import pytest

from controller.lattice.client import LatticeClient
from sandbox.lattice import LatticeServer
from tests.support.account import emulated


@pytest.fixture
async def account(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[LatticeServer, LatticeClient]]:
    async with emulated(monkeypatch) as account:
        yield account


@pytest.fixture
def server(account: tuple[LatticeServer, LatticeClient]) -> LatticeServer:
    return account[0]


@pytest.fixture
def calls(account: tuple[LatticeServer, LatticeClient]) -> LatticeClient:
    return account[1]
