"""Two replicas as processes: one leads, however it is stopped; and how the lease is handed over.

The trials are those of `perf.leader_trials`, few of them; `make leader-trials` runs hundreds.
"""

import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest

from perf.leader_trials import MOMENTS, Options, Renewal, Replica, World, Write, closest, late_writes, run, world

pytestmark = pytest.mark.anyio

PATIENT = Options(trials=(), duration=600.0, deadline=590.0, period=0.5)
"""A lease that nobody gets in a test's time unless it was given back."""

RENEWALS = [Renewal("a", 0.0), Renewal("a", 2.0), Renewal("b", 6.0), Renewal("b", 8.0)]


@pytest.mark.parametrize(
    ("by", "at", "late"),
    [("a", 1.0, False), ("a", 4.9, False), ("a", 5.1, True), ("a", 6.5, True), ("b", 5.9, True), ("b", 7.0, False)],
)
def test_a_write_is_late_after_the_last_renewal_of_its_sender_or_anothers_first(by: str, at: float, late: bool) -> None:
    write = Write(by, at, "CreateService")
    assert late_writes([write], RENEWALS, 3.0) == ([write] if late else [])


def test_a_write_of_somebody_who_never_led_is_late() -> None:
    write = Write("c", 1.0, "CreateService")
    assert late_writes([write], RENEWALS, 3.0) == [write]


def test_the_closest_write_is_the_one_with_the_least_left() -> None:
    writes = [Write("a", 1.0, ""), Write("a", 4.5, ""), Write("b", 8.1, "")]
    assert closest(writes, RENEWALS, 3.0) == 0.5


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(90):
        while not condition():  # noqa: ASYNC110 -- of other processes, which set no events here
            await anyio.sleep(0.02)


async def readiness(replica: Replica) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(replica.health) as response:
        return response.status, await response.text()


@asynccontextmanager
async def pair(options: Options) -> AsyncGenerator[tuple[World, Replica, Replica]]:
    """A leader and its follower."""
    async with world(options) as made:
        (leader,) = made.replicas
        follower = made.start()
        with anyio.fail_after(90):
            told = ""
            while f"follows {leader.name}" not in told:
                await anyio.sleep(0.05)
                told = await made.readiness(follower)
        yield made, leader, follower


async def test_a_leader_that_is_stopped_and_woken_writes_nothing_more() -> None:
    outcome = await run(Options(trials=MOMENTS * 2, tls=True))
    assert [trial.late for trial in outcome.trials] == [[]] * 6
    assert outcome.late == []
    assert all(trial.others for trial in outcome.trials), "the successor writes"
    assert {trial.exit_code for trial in outcome.trials} <= {1, 14}


async def test_without_the_kernels_help_the_trials_show_late_writes() -> None:
    """The control: were a leader not ended that is stopped between the fence and its bytes, it would be noticed."""
    outcome = await run(Options(trials=["between check and send"] * 3, deadman=False))
    assert all(trial.late for trial in outcome.trials)


async def test_a_leader_that_is_told_to_stop_hands_the_lease_over() -> None:
    async with pair(PATIENT) as (made, leader, follower):
        status, told = await readiness(leader)
        assert (status, told.splitlines()[:2]) == (200, ["ok", "leader election: leads"])
        status, told = await readiness(follower)
        assert (status, told.partition(leader.name)[0]) == (200, "ok\nleader election: follows ")
        mark = made.mark()
        leader.send(signal.SIGTERM)
        await until(leader.has_ended)
        assert leader.process.exitcode == 0
        await until(lambda: any(write.by == follower.name for write in made.writes(mark)))
        assert late_writes(made.writes(), made.renewals, PATIENT.duration) == []


async def test_a_follower_knows_what_is_in_lattice_by_the_reads_of_one_load() -> None:
    async with pair(PATIENT) as (made, _, follower):
        await until(lambda: "ListServiceNetworks" in made.operations(follower.name))
        await until(lambda: "GetResources" in made.operations(follower.name))
        assert not [name for name in made.operations(follower.name) if not name.startswith(("Get", "List"))]
        assert made.operations(follower.name).count("GetResources") == 1


async def test_a_follower_that_is_told_to_stop_ends_and_leaves_the_lease_alone() -> None:
    async with pair(PATIENT) as (made, leader, follower):
        mark = made.mark()
        follower.send(signal.SIGTERM)
        await until(follower.has_ended)
        assert follower.process.exitcode == 0
        await until(lambda: len(made.writes(mark)) > 10)
        assert {write.by for write in made.writes()} == {leader.name}
