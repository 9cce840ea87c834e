"""One run of a scenario, with a fault or without, and what has to hold in the end.

The end is the desired one by a recomputation that shares nothing with the controller, the routes tell so, and when
everything is deleted nothing is left, in Lattice or of finalizers. No call is made more often than a few times beyond
those of the run without a fault. And the fault did strike: a run that it missed shows nothing, and is made again.

A crash here is a controller that is cancelled in the middle of its work. Unlike SIGKILL that lets `finally` blocks run;
scenarios in a `ProcessWorld` have real processes and that signal.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio

from sandbox.lattice import Quotas
from tests.e2e.harness import PREFIX, world
from tests.e2e.test_convergence import check_empty
from tests.faults.desired import Check, check_going, check_lattice, check_routes, snapshot
from tests.faults.haste import BOOKMARKS, CLIENT
from tests.faults.injection import Armed, Injected, Point, Tally, is_read
from tests.faults.scenarios import Scenario
from tests.faults.worlds import FaultWorld

EXTRA_CALLS = 25
"""How many calls one fault may cost at most, wherever it strikes: repeating, reading again, planning again."""
STARTING_CALLS = 15
"""What a new start costs beside: loading, and reading what is below the resources that it touches."""

PATIENCE = 60.0
"""Seconds for a world to come to its end: many times what any takes."""

TRIES = 3
"""How often a run is made whose fault does not strike, because its call did not come up."""


@dataclass(frozen=True)
class Run:
    """What a run took: calls after the fault was armed, whether it struck, and the points that there are."""

    calls: int
    struck: bool
    points: list[Point]


async def run(scenario: Scenario, fault: Injected | None = None, point: Point | None = None) -> Run:
    """A whole run, in a world of its own. Raises AssertionError that says what is not as it should be."""
    with tempfile.TemporaryDirectory() as directory:
        async with world(
            Path(directory),
            quotas=Quotas.unlimited(),
            settings=scenario.settings,
            client=CLIENT,
            made_as=scenario.kind,
            bookmark_interval=BOOKMARKS,
        ) as one:
            assert isinstance(one, FaultWorld)
            return await _played(one, scenario, fault, point)


async def _played(one: FaultWorld, scenario: Scenario, fault: Injected | None, point: Point | None) -> Run:
    tally = Tally(one)
    await scenario.before(one)
    if scenario.behind:
        await one.quiet(0.1)
    elif one.leader is not None:
        await _settled(one, lambda: _check_desired(one))
    before = snapshot(one)
    mark = tally.mark()
    armed = Armed(lambda: 0) if fault is None or point is None else fault.arm(one, point)
    await scenario.act(one)

    def check() -> None:
        assert armed.over(), "the fault is not over"
        check_lattice(one, before if scenario.stays else snapshot(one))
        check_routes(one)
        check_going(one, *scenario.lingering)

    await _settled(one, check)
    result = Run(tally.calls(mark), armed.hits() > 0, tally.points(mark))
    one.lattice.faults.clear()
    one.kube.faults.clear()
    await _delete_all(one)
    await _settled(one, lambda: _check_gone(one))
    return result


async def inject(scenario: Scenario, fault: Injected, point: Point, calls: int) -> Run:
    """A run with a fault of a scenario that takes so many `calls` without one. Raises AssertionError.

    Where the call does not come up again, it is run again, and the last run is returned.
    """
    for _ in range(TRIES):
        result = await run(scenario, fault, point)
        allowed = calls + EXTRA_CALLS + (calls + STARTING_CALLS if "crash" in fault.name else 0)
        assert result.calls <= allowed, f"{result.calls} calls; without a fault {calls}, allowed are {allowed}"
        if result.struck:
            break
    return result


def fitting(scenario: Scenario, fault: Injected, points: list[Point]) -> list[Point]:
    """The points at which this fault is injected in this scenario."""
    if scenario.only not in fault.name or fault.where not in scenario.name:
        return []
    return [
        point
        for point in points
        if fault.fits(point) and (scenario.starts or not is_read(point)) and not point.call.startswith(scenario.refuses)
    ]


async def _settled(one: FaultWorld, check: Check) -> None:
    """Wait until the check holds while the controller rests; have another one where it was killed."""
    difference = "it does not come to rest"
    with anyio.move_on_after(PATIENCE):
        mark, rested = one.mark(), 0
        while True:
            await anyio.sleep(0.01)
            if one.leader is None or one.leader.killed:
                if one.leader is not None:
                    await one.crash()
                if one.standby is not None:
                    one.take_over()
                else:
                    await one.start()
            now = one.mark()
            rested = rested + 1 if now == mark and not one.pending else 0
            mark = now
            if rested >= 4:
                try:
                    check()
                except (AssertionError, LookupError, ValueError) as error:
                    difference = str(error)
                else:
                    return
    raise AssertionError(difference)


async def _delete_all(one: FaultWorld) -> None:
    for route in one.all("HTTPRoute"):
        name = route["metadata"]["name"]
        freed = {f"{PREFIX}paused": None, f"{PREFIX}allow-deletion": "true"}
        await one.patch("HTTPRoute", name, {"metadata": {"annotations": freed}})
        if one.get("HTTPRoute", name) is not None:
            await one.delete("HTTPRoute", name)
    for gateway in one.all("Gateway"):
        await one.delete("Gateway", gateway["metadata"]["name"])


def _check_desired(one: FaultWorld) -> None:
    check_lattice(one, snapshot(one))
    check_routes(one)


def _check_gone(one: FaultWorld) -> None:
    check_empty(one)
    assert one.all("Gateway") == []
