"""A service that several routes leave, or that one leaves for a service which others have already.

What stays would go at once where nothing kept it: each test waits for what the last other reason to stay is ended by,
and then sees the controller try twice more.
"""

from pathlib import Path

import pytest

from tests.e2e.harness import Json, World, eventually
from tests.e2e.objects import backend, gateway, listener, prefix, route, rule
from tests.e2e.test_changed_hostname import FAILS, NEW, OLD, domains, hotel, of, rename, tried
from tests.e2e.test_convergence import check_lattice, settled

pytestmark = pytest.mark.anyio

THIRD = "third.example.com"


def other(*hostnames: str) -> Json:
    return route("other", rule(backend("rates"), matches=[prefix("/other")]), hostnames=hostnames)


def deleted(one: World, since: int) -> list[str]:
    return [record.operation for record in one.lattice.calls.since(since) if record.operation.startswith("De")]


async def looked_at(one: World, since: int) -> None:
    """Return when targets were looked at: then those of the service that could be made have passed a health check."""

    def check() -> None:
        assert one.lattice.calls.count("ListTargets", since)

    await eventually(check)


@pytest.mark.parametrize(("refused", "made"), [(THIRD, NEW), (NEW, THIRD)])
async def test_it_stays_until_each_of_the_routes_that_left_it_has_all_it_asks_for(
    tmp_path: Path, refused: str, made: str
) -> None:
    async with hotel(tmp_path, listener("http", hostname=OLD)) as one:
        await rename(one, OLD, NEW)
        await one.apply(other(OLD, THIRD))
        await settled(one, check_lattice)
        mark = one.lattice.calls.mark()
        fault = one.lattice.faults.add(
            "CreateListener", FAILS, when=lambda params: params["serviceIdentifier"] == of(one, refused).id
        )
        await one.apply(gateway("my-hotel", listener("one", hostname=NEW), listener("two", hostname=THIRD)))
        await looked_at(one, mark)
        await tried(one, "CreateListener", 2)
        assert of(one, made).listeners
        assert deleted(one, mark) == []
        one.lattice.faults.remove(fault)
        await settled(one, check_lattice)
        assert domains(one) == {NEW, THIRD}


async def test_a_service_that_is_complete_for_another_route_is_not_for_the_one_that_joins_it(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.apply(other(THIRD))
        await settled(one, check_lattice)
        await one.apply(other(NEW))
        await settled(one, check_lattice)
        assert domains(one) == {OLD, NEW}, "the targets of the new one have passed a health check"
        mark = one.lattice.calls.mark()
        fault = one.lattice.faults.add("CreateRule", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateRule", 2)
        assert deleted(one, mark) == []
        one.lattice.faults.remove(fault)
        await settled(one, check_lattice)
        assert domains(one) == {NEW}
