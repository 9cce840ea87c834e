"""What is computed from the logs, and how it is judged."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from perf.loadtest.conditions import Conditions, parse_rates
from perf.loadtest.results import (
    Call,
    Phase,
    Read,
    Request,
    Results,
    Summary,
    Throttled,
    calls_for,
    durations,
    goals,
    percentile,
    phase,
    registrations,
    writes_by_route,
)
from perf.loadtest.shape import Shape
from perf.loadtest.usage import Usage, parse_usage
from sandbox.lattice import Rate

OURS = "lattice-controller/0.1.0"
ROUTES = "httproutes.gateway.networking.k8s.io"
LEASES = "leases.coordination.k8s.io"


def call(operation: str, *addresses: str, error: str | None = None, at: float = 0.0) -> Call:
    parameters: dict[str, Any] = {"targets": [{"id": address} for address in addresses]}
    return Call(at, "vpc-lattice", operation, parameters, error)


def request(verb: str, resource: str = ROUTES, name: str = "a", code: int = 200, agent: str = OURS) -> Request:
    return Request(verb, resource, "shop", name, code, agent)


def a_phase(name: str, *calls: Call, requests: tuple[Request, ...] = (), finished: bool = True) -> Phase:
    return phase(name, calls, requests, seconds=1.0, finished=finished, routes=2, usages=[Usage(1.0, 2, 3)])


def reading(service: str, group: str, at: float = 0.0, error: str | None = None) -> Call:
    return Call(at, "vpc-lattice", "ListRules", {"serviceIdentifier": service, "targetGroupIdentifier": group}, error)


def a_restart(*calls: Call, requests: tuple[Request, ...] = (), finished: bool = True) -> Phase:
    return a_phase("restart", *calls, requests=requests, finished=finished)


def a_throttled(*calls: Call) -> Phase:
    return a_phase("throttled", *calls)


THROTTLE = "ThrottlingException"
TWO = Summary.of([1.0, 2.0])
UNHARMED = Throttled(routes=2, in_lattice=TWO, in_status=TWO, objects=0)


def some(*phases: Phase, **changes: Any) -> Results:
    good = Results(
        shape=Shape(routes=2),
        conditions=Conditions(),
        api_rates="",
        replicas=1,
        created_seconds=0.1,
        in_lattice=TWO,
        in_status=TWO,
        changes=0,
        change=Summary(0),
        change_calls=0,
        route_writes=6,
        most_route_writes=3,
        throttled=None,
        read=Read(2, 2),
        warnings={},
        phases=list(phases),
    )
    return replace(good, **changes)


REACHED = "throttled calls, and objects that told of them"
LOOKED = "services and target groups read after a restart"


def missed(results: Results) -> list[str]:
    return [goal.name for goal in goals(results) if not goal.met]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    enough = percent / 100 * len(ordered)
    assert sum(value <= found for value in ordered) >= enough - 1e-9
    assert sum(value < found for value in ordered) < enough + 1e-9


def test_a_summary_of_nothing_says_so() -> None:
    assert Summary.of([]) == Summary(0, None, None, None)
    assert Summary.of([3.0, 1.0, 2.0]) == Summary(3, 2.0, 3.0, 3.0)


def test_a_phase_counts_calls_by_service_and_operation_and_failures_by_code() -> None:
    found = a_phase("load", call("CreateRule"), call("GetRule"), call("CreateRule", error="ThrottlingException"))
    assert found.calls == {"vpc-lattice": {"CreateRule": 2, "GetRule": 1}}
    assert found.errors == {"CreateRule ThrottlingException": 1}
    assert (found.call_count, found.aws_writes, found.throttles) == (3, 2, 1)


def test_a_phase_counts_writes_by_user_agent_and_events_and_the_lease_apart() -> None:
    found = a_phase(
        "load",
        requests=(
            request("patch"),
            request("patch", code=409),
            request("create", "events"),
            *[request("patch", LEASES)] * 3,
            request("get"),
            request("patch", agent="kubectl"),
        ),
    )
    assert found.writes == {
        OURS: {f"patch {LEASES}": 3, f"patch {ROUTES}": 2, "create events": 1},
        "kubectl": {f"patch {ROUTES}": 1},
    }
    assert [found.controller_writes(of) for of in ("objects", "events", "lease")] == [2, 1, 3]
    assert found.refused == {f"409 patch {ROUTES}": 1}


def test_cpu_is_that_of_each_replica_in_the_phase() -> None:
    now, before = [Usage(5.0, 2, 3), Usage(1.0, 2, 3)], [Usage(3.5, 1, 1), Usage(0.75, 1, 1)]
    found = phase("load", [], [], seconds=1.0, finished=True, routes=1, usages=now, before=before)
    assert found.cpu == [1.5, 0.25]
    assert phase("start", [], [], seconds=1.0, finished=True, routes=1, usages=now).cpu == [5.0, 1.0]


def test_writes_of_a_route_are_the_controllers_own() -> None:
    found = writes_by_route(
        [
            *(request("patch"), request("patch", f"{ROUTES}/status"), request("patch", name="b")),
            *(request("get"), request("patch", agent="kubectl"), request("create", "events")),
        ]
    )
    assert found == {("shop", "a"): 2, ("shop", "b"): 1}


def test_an_address_is_registered_by_the_first_call_that_did_not_fail() -> None:
    calls = [
        call("RegisterTargets", "10.0.0.1", error="ThrottlingException", at=1.0),
        call("RegisterTargets", "10.0.0.1", "10.0.0.9", at=2.0),
        call("RegisterTargets", "10.0.0.1", at=3.0),
        call("DeregisterTargets", "10.0.0.2", at=3.0),
    ]
    assert registrations(calls, {"10.0.0.1", "10.0.0.2"}) == {"10.0.0.1": 2.0}


def test_calls_for_endpoint_changes_register_nothing_else() -> None:
    calls = [call("RegisterTargets", "new"), call("RegisterTargets", "new", "old"), call("DeregisterTargets", "new")]
    assert calls_for(calls, {"new"}) == 1


def test_durations_are_of_what_has_ended() -> None:
    assert durations({"a": 1.0, "b": 1.0}, {"a": 3.5, "c": 9.0}) == [2.5]


def test_all_goals_can_be_met() -> None:
    calls = [call("CreateService")] * 13
    phases = [a_phase("load", *calls), a_throttled(call("A", error=THROTTLE)), a_restart(call("GetRule"))]
    assert missed(some(*phases, a_phase("delete"), throttled=UNHARMED)) == []


@pytest.mark.parametrize(
    ("results", "goal"),
    [
        (some(in_lattice=Summary.of([1.0])), "routes programmed and reported"),
        (some(a_phase("start", call("A")), a_phase("load", *[call("A")] * 13)), "AWS calls a route, all APIs"),
        (some(route_writes=7), "Kubernetes writes a route (Events, Lease and Gateways apart)"),
        (some(a_throttled(call("A")), throttled=UNHARMED), REACHED),
        (some(throttled=UNHARMED), REACHED),
        (some(a_throttled(call("A", error=THROTTLE)), throttled=replace(UNHARMED, objects=1)), REACHED),
        (
            some(a_throttled(call("A", error=THROTTLE)), throttled=replace(UNHARMED, in_status=Summary.of([1.0]))),
            "routes programmed and reported while AWS throttled",
        ),
        (some(changes=1, change=Summary.of([1.01])), "slowest endpoint change during the load, s"),
        (some(changes=2, change=Summary.of([0.1])), "slowest endpoint change during the load, s"),
        (some(a_restart(call("UpdateRule"))), "AWS writes after a restart"),
        (
            some(a_restart(requests=(request("create", "events"),))),
            "Kubernetes writes after a restart (Events too, the Lease apart)",
        ),
        (some(a_restart(), read=Read(1, 2)), LOOKED),
        (some(a_restart(), read=Read(2, 1)), LOOKED),
        (some(a_restart(finished=False)), LOOKED),
        (some(a_phase("delete", finished=False)), "all deleted again"),
    ],
)
def test_each_goal_can_be_missed(results: Results, goal: str) -> None:
    assert missed(results) == [goal]


def test_renewals_of_the_lease_are_no_writes_after_a_restart() -> None:
    assert missed(some(a_restart(requests=(request("patch", LEASES),)))) == []


def test_where_nothing_was_throttled_no_goal_speaks_of_it() -> None:
    assert not [goal.name for goal in goals(some()) if "throttle" in goal.name]


def test_what_was_read_is_counted_once_by_name_or_arn_and_only_if_there_was_an_answer() -> None:
    calls = [
        reading("svc-1", "tg-1"),
        reading("arn:aws:vpc-lattice:us-west-2:1:service/svc-1", "tg-2"),
        reading("svc-3", "tg-3", error="ResourceNotFoundException"),
        Call(0.0, "vpc-lattice", "CreateListener", {"serviceIdentifier": "svc-4"}),
        call("ListServices"),
    ]
    assert Read.of(calls) == Read(1, 2)


def test_calls_made_for_endpoint_changes_are_not_the_routes_own() -> None:
    assert some(a_phase("load", *[call("A")] * 14), change_calls=1).calls_a_route == 6.5


def test_usage_is_read_whatever_the_command_is_called() -> None:
    stat = "17 (a) b (c) S " + " ".join(str(number) for number in range(4, 40))
    status = "Name:\tpython\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
    assert parse_usage(stat, status, 100) == Usage((14 + 15) / 100, 2**20, 2**21)


def test_rates_are_read_as_the_controller_reads_its_own() -> None:
    assert parse_rates("20, CreateService=5:10") == {"*": Rate(20, 20), "CreateService": Rate(5, 10)}
    assert parse_rates("0.5") == {"*": Rate(0.5, 1)}
    assert parse_rates("") == {}


@pytest.mark.parametrize("text", ["fast", "A=0", "A=inf", "A=5:0", "A=nan"])
def test_rates_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is float's or the rate's own
        parse_rates(text)


def test_what_never_came_is_not_within_any_time() -> None:
    [value] = [goal.value for goal in goals(some(changes=1)) if "endpoint change" in goal.name]
    assert float(value) == math.inf
