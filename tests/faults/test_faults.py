"""One fault at one call: in the end everything is as desired, and nothing is orphaned, doubled or left.

All faults at all calls are `make faults`. Here each scenario meets a spread of them, in which every fault has its turn.
"""

from collections.abc import Iterator

import pytest

from tests.faults.injection import FAULTS, fitting
from tests.faults.runs import hurried, inject, run
from tests.faults.scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.anyio

SPREAD = 10
"""Each scenario meets every so many of the faults that fit, each at one of its calls."""


@pytest.fixture(autouse=True, scope="module")
def _hurried() -> Iterator[None]:
    with hurried():
        yield


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_a_fault_changes_nothing_in_the_end(scenario: Scenario) -> None:
    number = SCENARIOS.index(scenario)
    plain = await run(scenario)
    for turn, fault in enumerate(FAULTS):
        points = fitting(fault, plain.points)
        if points and (turn + number) % SPREAD == 0:
            point = points[(7 * turn + 3 * number) % len(points)]
            try:
                await inject(scenario, fault, point, plain.calls)
            except AssertionError as error:
                raise AssertionError(f"{fault.name} at {point}: {error}") from error
