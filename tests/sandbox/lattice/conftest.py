"""An emulated account for each test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from sandbox.lattice import LatticeServer
from tests.sandbox.lattice.harness import TIMINGS, Account, Clock, connect


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        server = LatticeServer(timings=TIMINGS, clock=clock, validate_answers=True)
        await stack.enter_async_context(server)
        yield await connect(stack, server, clock)
