"""What a load test is to do, and when the controller counts as idle."""

import pytest

from perf.loadtest.conditions import Conditions
from perf.loadtest.idle import queue_is_idle
from perf.loadtest.scenario import Plan
from perf.loadtest.shape import Shape

SHAPE = Shape(routes=100, gateways=2)


def plan(**changes: int) -> Plan:
    return Plan(**{"shape": SHAPE, "conditions": Conditions(), **changes})


def test_the_routes_for_throttling_come_on_top_of_the_shapes() -> None:
    assert plan(throttled_routes=20).throttles
    assert plan(throttled_routes=20).everything() == Shape(routes=120, gateways=2)


@pytest.mark.parametrize("without", [plan(throttled_routes=0), Plan(shape=SHAPE, conditions=Conditions(throttles=""))])
def test_without_rates_or_without_routes_nothing_is_throttled(without: Plan) -> None:
    assert not without.throttles
    assert without.everything() == SHAPE


@pytest.mark.parametrize("numbers", [{"replicas": 0}, {"throttled_routes": -1}, {"throttled_routes": 20_000}])
def test_plans_that_make_no_sense_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"at least|at most|not less"):
        plan(**numbers)


def metrics(depth: tuple[int, int], unfinished: float) -> str:
    return f"""# TYPE workqueue_depth gauge
workqueue_depth{{name="q",priority="0"}} {depth[0]}
workqueue_depth{{name="q",priority="-100"}} {depth[1]}
# TYPE workqueue_unfinished_work_seconds gauge
workqueue_unfinished_work_seconds{{name="q"}} {unfinished}
# TYPE other_things gauge
other_things 17
"""


@pytest.mark.parametrize(
    ("depth", "unfinished", "idle"),
    [((0, 0), 0.0, True), ((1, 0), 0.0, False), ((0, 2), 0.0, False), ((0, 0), 0.01, False)],
)
def test_a_queue_is_idle_when_no_key_waits_and_none_is_in_work(
    depth: tuple[int, int], unfinished: float, idle: bool
) -> None:
    assert queue_is_idle(metrics(depth, unfinished)) is idle


@pytest.mark.parametrize("exposition", ["", "# TYPE workqueue_depth gauge\nworkqueue_depth 0\n"])
def test_metrics_that_do_not_tell_are_not_taken_for_idleness(exposition: str) -> None:
    with pytest.raises(ValueError, match="work queue"):
        queue_is_idle(exposition)
