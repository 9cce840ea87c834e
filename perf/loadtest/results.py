"""What a load test measured, computed from logs and times, and judged against the goals. Pure.

Calls are AWS API requests as the sandbox's log has them, every attempt one; writes are requests to the Kubernetes API
that change something, told by user agent. Times are in seconds, sizes in bytes.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Self

import msgspec

from perf.loadtest.conditions import Conditions
from perf.loadtest.shape import Shape
from perf.loadtest.usage import Usage
from sandbox.lattice import is_write

CONTROLLER_AGENT: Final = "lattice-controller"
"""How the controller's user agent begins."""

THROTTLED: Final = "ThrottlingException"

_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})

CALLS_A_ROUTE: Final = 6.5
WRITES_A_ROUTE: Final = 3.0
CHANGE_SECONDS: Final = 1.0


class Call(msgspec.Struct, frozen=True):
    """One AWS request, as the sandbox's log shows it."""

    time: float
    service: str
    operation: str
    parameters: dict[str, Any]
    error: str | None = None


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One request to the Kubernetes API, as the sandbox's log shows it."""

    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    agent: str

    @property
    def write(self) -> bool:
        return self.verb in _WRITES

    @property
    def event(self) -> bool:
        return self.resource.startswith("events")

    @property
    def by_controller(self) -> bool:
        return self.agent.startswith(CONTROLLER_AGENT)


class Summary(msgspec.Struct, frozen=True):
    """A distribution of times; all but the count are None where there is nothing."""

    count: int
    p50: float | None = None
    p95: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, values: Collection[float]) -> Self:
        if not values:
            return cls(0)
        ordered = sorted(values)
        return cls(len(ordered), percentile(ordered, 50), percentile(ordered, 95), ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order: the least that so many percent do not exceed."""
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the load test, with what happened in it."""

    name: str
    seconds: float
    finished: bool
    """False if it was given up because time was over."""
    calls: dict[str, dict[str, int]]
    """By AWS service and operation."""
    errors: dict[str, int]
    """Calls that failed, by operation and error code, throttles too."""
    writes: dict[str, dict[str, int]]
    """Kubernetes writes by user agent, and verb and resource."""
    refused: dict[str, int]
    """Kubernetes requests of the controller that were refused, by code, verb and resource."""
    cpu: float
    """CPU seconds of the controller in this phase."""
    usage: Usage
    """Of the controller's process, at the phase's end."""

    @property
    def call_count(self) -> int:
        return sum(sum(operations.values()) for operations in self.calls.values())

    @property
    def aws_writes(self) -> int:
        return sum(
            count
            for operations in self.calls.values()
            for operation, count in operations.items()
            if is_write(operation)
        )

    @property
    def throttles(self) -> int:
        return sum(count for error, count in self.errors.items() if error.endswith(THROTTLED))

    def controller_writes(self, *, events: bool) -> int:
        """How often the controller wrote to the Kubernetes API: Events only, or all else only."""
        return sum(
            count
            for agent, writes in self.writes.items()
            for what, count in writes.items()
            if agent.startswith(CONTROLLER_AGENT) and (" events" in what) is events
        )


def phase(
    name: str,
    calls: Sequence[Call],
    requests: Sequence[Request],
    *,
    seconds: float,
    finished: bool,
    usage: Usage,
    before: Usage | None = None,
) -> Phase:
    """Sum up what was logged in a phase; `before` is what the same process had used when it began."""
    by_service: dict[str, Counter[str]] = {}
    for call in calls:
        by_service.setdefault(call.service, Counter())[call.operation] += 1
    writes: dict[str, Counter[str]] = {}
    for request in requests:
        if request.write:
            writes.setdefault(request.agent, Counter())[f"{request.verb} {request.resource}"] += 1
    refused = (
        f"{request.code} {request.verb} {request.resource}"
        for request in requests
        if request.by_controller and request.code >= 400
    )
    return Phase(
        name=name,
        seconds=seconds,
        finished=finished,
        calls={service: _most_first(counts) for service, counts in by_service.items()},
        errors=_most_first(Counter(f"{call.operation} {call.error}" for call in calls if call.error is not None)),
        writes={agent: _most_first(counts) for agent, counts in writes.items()},
        refused=_most_first(Counter(refused)),
        cpu=usage.cpu - (before.cpu if before is not None else 0.0),
        usage=usage,
    )


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def writes_by_route(requests: Iterable[Request]) -> Counter[tuple[str, str]]:
    """The controller's writes of each route, by namespace and name."""
    return Counter(
        (request.namespace, request.name)
        for request in requests
        if request.by_controller and request.write and request.resource.startswith("httproutes")
    )


def registrations(calls: Iterable[Call], addresses: Collection[str]) -> dict[str, float]:
    """When each of these addresses was first registered, by RegisterTargets that did not fail."""
    found: dict[str, float] = {}
    for call in calls:
        if call.operation == "RegisterTargets" and call.error is None:
            for target in call.parameters["targets"]:
                if target["id"] in addresses:
                    found.setdefault(target["id"], call.time)
    return found


def calls_for(calls: Iterable[Call], addresses: Collection[str]) -> int:
    """How many calls register nothing but these addresses."""
    return sum(
        call.operation == "RegisterTargets" and all(target["id"] in addresses for target in call.parameters["targets"])
        for call in calls
    )


def durations(begun: Mapping[Any, float], ended: Mapping[Any, float]) -> list[float]:
    """How long everything took that has both begun and ended."""
    return [ended[key] - then for key, then in begun.items() if key in ended]


class Goal(msgspec.Struct, frozen=True):
    name: str
    value: str
    goal: str
    met: bool


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All of a load test."""

    shape: Shape
    conditions: Conditions
    api_rates: str
    """The controller's LATTICE_API_RATES; empty for its own."""
    created_seconds: float
    """How long it took to create all objects."""
    in_lattice: Summary
    """From a route's creation until Lattice served all of it: association, listener, rules, groups with targets."""
    in_status: Summary
    """From a route's creation until its own status and annotation said so."""
    changes: int
    """Endpoint changes asked for during the load."""
    change: Summary
    """From the write of an EndpointSlice to the RegisterTargets that tells of it."""
    change_calls: int
    """Calls that were made for these changes only; not counted as the routes' own."""
    route_writes: int
    """The controller's writes of HTTPRoutes until all were programmed."""
    most_route_writes: int
    """Of any one route."""
    throttled_objects: int
    """Routes and Events in which throttling could be read."""
    warnings: dict[str, int]
    """Events of type Warning by reason."""
    phases: list[Phase]

    def phase(self, name: str) -> Phase | None:
        return next((one for one in self.phases if one.name == name), None)

    @property
    def calls_a_route(self) -> float:
        """All calls until all routes were programmed and reported, the controller's start included."""
        calls = sum(one.call_count for one in self.phases if one.name in {"start", "load"})
        return (calls - self.change_calls) / self.shape.routes


def goals(results: Results) -> list[Goal]:
    """The results against what is asked of the controller."""
    routes = results.shape.routes
    judged = [
        Goal(
            "routes programmed and reported",
            f"{results.in_lattice.count} and {results.in_status.count}",
            f"{routes}",
            results.in_lattice.count == results.in_status.count == routes,
        ),
        _at_most("AWS calls a route, all APIs", results.calls_a_route, CALLS_A_ROUTE),
        _at_most("Kubernetes writes of a route (Events apart)", results.route_writes / routes, WRITES_A_ROUTE),
        _none("objects that throttling reached", results.throttled_objects),
    ]
    if results.changes:
        slowest = results.change.most if results.change.count == results.changes else None
        value = math.inf if slowest is None else slowest
        judged.append(_at_most("slowest endpoint change during the load, s", value, CHANGE_SECONDS))
    if (restart := results.phase("restart")) is not None:
        kubernetes = restart.controller_writes(events=False) + restart.controller_writes(events=True)
        judged.append(_none("AWS writes after a restart", restart.aws_writes))
        judged.append(_none("Kubernetes writes after a restart (Events too)", kubernetes))
    if (end := results.phase("delete")) is not None:
        judged.append(Goal("all deleted again", "yes" if end.finished else "no", "yes", end.finished))
    return judged


def _at_most(name: str, value: float, goal: float) -> Goal:
    return Goal(name, f"{value:.2f}", f"≤ {goal:g}", value <= goal)


def _none(name: str, value: int) -> Goal:
    return Goal(name, str(value), "0", value == 0)
