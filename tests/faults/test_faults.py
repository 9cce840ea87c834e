"""One fault at one call: in the end everything is as desired, and nothing is orphaned, doubled or left.

All faults at all calls are `make faults`. Here each scenario meets a spread of them, in which every fault has its turn.
"""

from collections.abc import Iterator

import pytest

from tests.faults.haste import hurried
from tests.faults.injection import FAULTS
from tests.faults.runs import fitting, inject, run
from tests.faults.scenarios import Scenario
from tests.faults.table import SCENARIOS, main

pytestmark = pytest.mark.anyio

SPREAD = 16
"""Each scenario meets every so many of the faults that fit, each at one of its calls."""


@pytest.fixture(autouse=True, scope="module")
def _hurried() -> Iterator[None]:
    with hurried():
        yield


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_a_fault_strikes_and_changes_nothing_in_the_end(scenario: Scenario) -> None:
    number = SCENARIOS.index(scenario)
    plain = await run(scenario)
    fitted = [(fault, points) for fault in FAULTS if (points := fitting(scenario, fault, plain.points))]
    assert fitted
    for turn, (fault, points) in enumerate(fitted):
        if (turn + number) % SPREAD == 0:
            point = points[(7 * turn + 3 * number) % len(points)]
            try:
                result = await inject(scenario, fault, point, plain.calls)
                assert result.struck, "it did not strike"
            except AssertionError as error:
                raise AssertionError(f"{fault.name} at {point}: {error}") from error


def test_a_word_that_nothing_has_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("no scenario has this in its name") == 1
    assert "nothing was injected" in capsys.readouterr().out
