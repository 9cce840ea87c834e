"""The retry policy: what is tried again, how often and after how long."""

import random
from collections.abc import Iterator

import pytest

from controller.lattice.errors import FencedError, LatticeError, RetryError, SuspectError, TerminalError
from controller.lattice.retry import Policy, Retries

pytestmark = pytest.mark.anyio

POLICY = Policy(throttled=60, attempts=4, first_wait=0.2, longest_wait=5.0)


def failed(after: float | None = None) -> RetryError:
    return RetryError("CreateService", "InternalServerException", "failed", after=after)


def throttled(after: float | None = None) -> RetryError:
    return RetryError("CreateService", "ThrottlingException", "slow down", after=after, throttled=True)


class Attempts:
    """A call that fails by a script, and then succeeds; each attempt takes `lasts` seconds."""

    def __init__(self, *script: LatticeError, lasts: float = 0.0, seed: int = 1) -> None:
        self.script: Iterator[LatticeError] = iter(script)
        self.now = 0.0
        self.lasts = lasts
        self.made = 0
        self.sleeps: list[float] = []
        self.retries = Retries(POLICY, lambda: self.now, random.Random(seed))

    async def attempt(self) -> str:
        self.made += 1
        self.now += self.lasts
        for error in self.script:
            raise error
        return "answer"

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    async def run(self) -> str:
        answer: str = await self.retries.retrying(self.sleep)(self.attempt)
        return answer


async def test_a_success_is_returned_at_once() -> None:
    call = Attempts()
    assert await call.run() == "answer"
    assert (call.made, call.sleeps) == (1, [])


@pytest.mark.parametrize(
    "error", [TerminalError("X", "c", "m"), SuspectError("X", "c", "m"), FencedError("X"), failed(after=30)]
)
async def test_what_another_attempt_now_cannot_mend_is_raised_as_it_is(error: LatticeError) -> None:
    call = Attempts(error)
    with pytest.raises(type(error)) as raised:
        await call.run()
    assert raised.value is error
    assert call.made == 1


@pytest.mark.parametrize("seed", range(5))
async def test_waits_double_with_jitter(seed: int) -> None:
    call = Attempts(failed(), failed(), failed(), seed=seed)
    assert await call.run() == "answer"
    for wait, ceiling in zip(call.sleeps, (0.4, 0.8, 1.6), strict=True):
        assert ceiling / 2 <= wait <= ceiling


async def test_a_wait_is_no_shorter_than_the_server_asks() -> None:
    call = Attempts(failed(after=3.0))
    await call.run()
    assert call.sleeps == [3.0]


async def test_failures_are_tried_so_often_and_the_last_is_raised() -> None:
    errors = [failed() for _ in range(9)]
    call = Attempts(*errors)
    with pytest.raises(RetryError) as raised:
        await call.run()
    assert call.made == 4
    assert raised.value is errors[3]


async def test_throttles_do_not_count_as_failures_and_are_not_slept_for() -> None:
    call = Attempts(*[throttled()] * 10, failed(), failed(), failed())
    assert await call.run() == "answer"
    assert call.sleeps[:10] == [0.0] * 10


async def test_throttles_end_the_call_when_their_time_is_up() -> None:
    call = Attempts(*[throttled()] * 100, lasts=10.0)
    with pytest.raises(RetryError):
        await call.run()
    assert call.made == 7


async def test_a_throttle_that_asks_for_more_time_than_is_left_ends_the_call() -> None:
    call = Attempts(throttled(after=61.0))
    with pytest.raises(RetryError):
        await call.run()
    assert call.made == 1
