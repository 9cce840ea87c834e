"""An emulated account for each test, whose asynchronous changes are done by the next request."""

from collections.abc import AsyncIterator

import pytest

from tests.lattice.world import World
from tests.support.account import emulated


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with emulated(monkeypatch) as (server, client):
        yield World(server, client)
