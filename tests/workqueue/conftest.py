"""A queue whose time the test moves, and the plainest possible worker."""

from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from workqueue import ItemExponential, Queue
from workqueue.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> Queue[str]:
    return Queue(name="test", clock=clock, limiter=ItemExponential(1, 60))


@pytest.fixture
def handed_out() -> Callable[[Queue[str]], list[str]]:
    """Take and give back whatever can be handed out now; the keys in order."""

    def work_off(queue: Queue[str]) -> list[str]:
        keys = []
        while (taken := queue.take_nowait()) is not None:
            keys.append(taken[0])
            queue.done(taken[0])
        return keys

    return work_off


@pytest.fixture
async def patience(anyio_backend: str) -> AsyncIterator[None]:
    """Let a test that waits for what never comes fail, rather than hang."""
    with anyio.fail_after(60):
        yield
