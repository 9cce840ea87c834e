"""When ACM is read for the services that need a certificate, and who is told what."""

import anyio
import pytest

from controller.acm.model import Certificate, Choice
from controller.api.keys import ServiceKey
from controller.lattice.errors import RetryError
from controller.lattice.limits import Lane
from controller.reconcile.certificates import FRESH, LASTING, Discovery

pytestmark = pytest.mark.anyio

A, B = (ServiceKey("HTTPRoute", hostname=f"{name}.example.com", networks=("my-hotel",)) for name in "ab")
OF_A, OF_B = (Certificate(arn=name, names=(f"{name}.example.com",), made=1.0) for name in "ab")


class Account:
    """ACM, a clock, and a sleep that lets the clock run."""

    def __init__(self, *certificates: Certificate) -> None:
        self.certificates = certificates
        self.failing = False
        self.reads = 0
        self.lanes: list[Lane] = []
        self.time = 1000.0
        self.told: list[ServiceKey] = []
        self.discovery = Discovery(self, now=lambda: 0.0, monotonic=lambda: self.time, changed=self.told.append)

    async def issued(self, *, now: float, lane: Lane = Lane.LIVE) -> tuple[Certificate, ...]:
        self.reads += 1
        self.lanes.append(lane)
        await anyio.lowlevel.checkpoint()
        if self.failing:
            raise RetryError("ListCertificates", "InternalFailure", "AWS failed")
        return self.certificates

    async def find(self, key: ServiceKey) -> str | None:
        choice = await self.discovery.find(key)
        return choice and choice.arn

    async def pass_by(self, seconds: float) -> None:
        """Let `run` live through so many seconds."""
        end = self.time + seconds

        async def sleep(seconds: float) -> None:
            if self.time >= end:
                scope.cancel()
            await anyio.lowlevel.checkpoint()
            self.time += seconds

        with anyio.CancelScope() as scope:
            await self.discovery.run(sleep)


async def test_nobody_asks_and_nothing_is_read() -> None:
    account = Account(OF_A)
    with anyio.move_on_after(0):
        await account.discovery.run()
    assert account.reads == 0


async def test_many_services_are_answered_by_one_read() -> None:
    account = Account(OF_A, OF_B)
    answers: list[Choice | None] = []

    async def ask(key: ServiceKey) -> None:
        answers.append(await account.discovery.find(key))

    async with anyio.create_task_group() as tasks:
        for key in (A, B) * 10:
            tasks.start_soon(ask, key)
    assert None not in answers
    assert account.reads == 1


async def test_what_was_found_is_not_read_again_for_a_change() -> None:
    account = Account(OF_A)
    assert await account.find(A) == "a"
    account.time += 10 * LASTING
    assert await account.find(A) == "a"
    assert account.reads == 1


async def test_what_was_not_found_is_read_again_when_a_minute_has_passed() -> None:
    account = Account(OF_A)
    assert await account.find(B) is None
    account.time += FRESH - 1
    assert await account.find(B) is None
    assert account.reads == 1
    account.time += 1
    account.certificates = (OF_A, OF_B)
    assert await account.find(B) == "b"
    assert account.reads == 2


async def test_a_service_that_waits_is_told_within_a_minute_of_its_certificate() -> None:
    account = Account(OF_A)
    await account.find(A)
    assert await account.find(B) is None
    account.certificates = (OF_A, OF_B)
    await account.pass_by(FRESH)
    assert account.told == [B]
    assert account.reads == 2
    assert account.lanes[-1] is Lane.BULK


async def test_a_service_that_is_answered_has_its_answer_checked_every_hour() -> None:
    account = Account(OF_A)
    await account.find(A)
    account.certificates = ()
    await account.pass_by(LASTING - FRESH)
    assert (account.reads, account.told) == (1, [])
    await account.pass_by(FRESH)
    assert (account.reads, account.told) == (2, [A])


async def test_a_newer_one_is_news_because_the_service_decides_what_it_keeps() -> None:
    account = Account(OF_A)
    await account.find(A)
    account.certificates = (OF_A, Certificate(arn="newer", names=OF_A.names, made=2.0))
    await account.pass_by(LASTING)
    assert account.told == [A]
    choice = await account.discovery.find(A)
    assert choice == Choice(arn="newer", as_well=frozenset({"a"}))


async def test_who_asks_no_more_is_told_nothing_and_the_last_one_ends_the_reading() -> None:
    account = Account(OF_A)
    assert await account.find(B) is None
    account.discovery.forget(B)
    with anyio.move_on_after(0):
        await account.pass_by(FRESH)
    assert (account.reads, account.told) == (1, [])


async def test_an_acm_that_never_answered_fails_who_asks_and_tells_him_later() -> None:
    account = Account(OF_A)
    account.failing = True
    with pytest.raises(RetryError):
        await account.find(A)
    account.failing = False
    await account.pass_by(FRESH)
    assert account.told == [A]


async def test_an_acm_that_answers_no_more_takes_nothing_away() -> None:
    account = Account(OF_A)
    await account.find(A)
    account.failing = True
    account.time += 2 * LASTING
    assert await account.find(A) == "a"
    assert await account.find(B) is None
    await account.pass_by(3 * FRESH)
    assert account.told == []


async def test_what_lattice_contradicts_is_read_again_before_the_next_answer() -> None:
    account = Account(OF_A)
    await account.find(A)
    account.discovery.doubt(A)
    account.certificates = ()
    assert await account.find(A) is None
    assert account.reads == 2


async def test_what_is_contradicted_and_cannot_be_read_is_not_answered() -> None:
    account = Account(OF_A)
    await account.find(A)
    account.discovery.doubt(A)
    account.failing = True
    with pytest.raises(RetryError):
        await account.find(A)


async def test_a_contradiction_about_a_service_without_a_certificate_from_here_is_none() -> None:
    account = Account(OF_A)
    await account.find(A)
    account.discovery.doubt(B)
    assert await account.find(A) == "a"
    assert account.reads == 1
