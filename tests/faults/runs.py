"""One run of a scenario, with a fault or without, and what has to hold in the end.

The end is the desired one by a recomputation that shares nothing with the controller, the routes tell so, and when
everything is deleted nothing is left, in Lattice or of finalizers. No call is made more often than a few times beyond
those of the run without a fault.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from aiobotocore.session import get_session

from controller import work
from controller.kube.client import KubeClient
from controller.lattice import client as lattice_client
from controller.lattice.retry import Policy
from controller.reconcile import gateway, pass_on
from sandbox.lattice import Quotas
from tests.e2e.bad_input_time import LOOKS, RETRIES, Times, shortened
from tests.e2e.harness import PREFIX, World, world
from tests.e2e.test_convergence import check_empty, check_lattice
from tests.faults.injection import Injected, Point, counted, points
from tests.faults.scenarios import Scenario

SOON: Times = (
    (gateway, "STATUS_INTERVAL", 0.0),
    (pass_on, "HELD", 0.3),
    (work, "RETRY_FIRST", 0.02),
)
"""How long is waited after a failure; none of it decides what is done."""

TIMEOUT = 0.6
"""Seconds of one attempt at an AWS call, and of a write to Kubernetes; a call that is answered takes milliseconds."""

EXTRA_CALLS = 25
"""How many calls one fault may cost at most, wherever it strikes: repeating, reading again, planning again."""
STARTING_CALLS = 15
"""What a new start costs beside: loading, and reading what is below the resources that it touches."""

PATIENCE = 30.0
"""Seconds for a world to come to its end: many times what any takes."""


@contextmanager
def hurried() -> Iterator[None]:
    """No real waiting, for as long as this is entered, and the service models of AWS are read only once."""
    session = get_session()
    with shortened(LOOKS, RETRIES, SOON), pytest.MonkeyPatch.context() as patch:
        patch.setitem(KubeClient.request.__kwdefaults__, "timeout", TIMEOUT)
        patch.setattr(lattice_client, "get_session", lambda: session)
        yield


@dataclass(frozen=True)
class Run:
    """What a run took: calls after the fault was armed, whether it struck, and the points that there are."""

    calls: int
    struck: bool
    points: list[Point]


async def run(scenario: Scenario, fault: Injected | None = None, point: Point | None = None) -> Run:
    """A whole run, in a world of its own. Raises AssertionError that says what is not as it should be."""
    with tempfile.TemporaryDirectory() as directory:
        client = {"timeout": TIMEOUT, "policy": Policy(first_wait=0.02, longest_wait=0.1)}
        async with world(Path(directory), quotas=Quotas.unlimited(), client=client) as one:
            await scenario.before(one)
            if one.controller is not None:
                await _settled(one, _check_desired)
            before = counted(one)
            struck: Callable[[], int] = lambda: 0  # noqa: E731 - the same as what arming returns
            if fault is not None and point is not None:
                struck = fault.arm(one, point)
            await scenario.act(one)
            await _settled(one, _check_desired)
            calls = counted(one)
            result = Run(sum((calls - Counter(before)).values()), struck() > 0, points(before, calls))
            one.lattice.faults.clear()
            one.kube.faults.clear()
            for route in one.all("HTTPRoute"):
                await one.delete("HTTPRoute", route["metadata"]["name"])
            for name in ("my-hotel", "annex"):
                await one.delete("Gateway", name)
            await _settled(one, _check_gone)
            return result


async def inject(scenario: Scenario, fault: Injected, point: Point, calls: int) -> Run:
    """A run with a fault of a scenario that takes so many `calls` without one. Raises AssertionError."""
    result = await run(scenario, fault, point)
    allowed = calls + EXTRA_CALLS + (calls + STARTING_CALLS if "crash" in fault.name else 0)
    assert result.calls <= allowed, f"{result.calls} calls; without a fault {calls}, allowed are {allowed}"
    return result


async def _settled(one: World, check: Callable[[World], None]) -> None:
    """Wait until the check holds while the controller rests; start it again when it was killed."""
    difference = "it does not come to rest"
    with anyio.move_on_after(PATIENCE):
        mark, rested = _mark(one), 0
        while True:
            await anyio.sleep(0.01)
            if one.controller is None or one.controller.killed:
                if one.controller is not None:
                    await one.crash()
                if one.follower is not None:
                    one.take_over()
                else:
                    await one.start()
            assert one.controller is not None
            now = _mark(one)
            rested = rested + 1 if now == mark and not one.controller.work.pending else 0
            mark = now
            if rested >= 4:
                try:
                    check(one)
                except (AssertionError, LookupError, ValueError) as error:
                    difference = str(error)
                else:
                    return
    raise AssertionError(difference)


def _mark(one: World) -> tuple[int, int]:
    return one.lattice.calls.mark(), one.kube.counts.total()


def _check_desired(one: World) -> None:
    check_lattice(one)
    for route in one.all("HTTPRoute"):
        meta = route["metadata"]
        (told, *_) = route["status"]["parents"]
        accepted = next(each for each in told["conditions"] if each["type"] == "Accepted")
        assert accepted["observedGeneration"] == meta["generation"], f"the status of {meta['name']} is old"
        served = accepted["status"] == "True"
        assert bool(meta.get("finalizers")) is served, f"{meta['name']} has the finalizers {meta.get('finalizers')}"
        assert bool(meta.get("annotations", {}).get(f"{PREFIX}lattice-assigned-domain-name")) is served


def _check_gone(one: World) -> None:
    check_empty(one)
    assert one.all("Gateway") == []
