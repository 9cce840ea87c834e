"""A route's hostname changes under steady traffic: nobody loses an answer before the new hostname has it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sandbox.lattice import Refuse
from tests.e2e.objects import backend, prefix, route, rule
from tests.traffic.stage import Stage, stage, working, workload
from tests.traffic.steady import Caller

pytestmark = pytest.mark.anyio

OLD, NEW = "old.example.com", "new.example.com"


@pytest.fixture
async def one(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    async with stage(tmp_path / "sandbox", request) as made, working(made, tmp_path):
        await made.apply(*workload("one"))
        yield made


def named(*hostnames: str) -> dict[str, object]:
    return route("rates", rule(backend("one"), matches=[prefix("/")]), hostnames=hostnames)


async def right(one: Stage, hostname: str) -> bool:
    status, body = await one.traffic.ask(Caller(f"http://{hostname}/", frozenset()))
    return status == 200 and "<one>" in body


async def test_the_old_hostname_is_answered_until_the_new_one_is(one: Stage) -> None:
    await one.apply(named(OLD))
    await one.programmed("rates")
    await one.answers(f"http://{OLD}/", "<one>")
    refused = one.sandbox.lattice.faults.add("CreateRule", Refuse())
    mark = one.sandbox.lattice.calls.mark()
    await one.apply(named(NEW))
    asked = 0
    while one.sandbox.lattice.calls.count("CreateRule", mark) < 2:
        assert await right(one, OLD)
        asked += 1
    one.sandbox.lattice.faults.remove(refused)
    while await right(one, OLD):
        asked += 1
    assert asked > 100
    assert await right(one, NEW), "nobody answers"
