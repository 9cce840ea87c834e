"""What a load test measured, computed from logs and times, and judged against the goals. Pure.

Calls are AWS API requests as the sandbox's log has them, every attempt one; writes are requests to the Kubernetes API
that change something, told by user agent. Times are in seconds, sizes in bytes.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Self

import msgspec

from perf.loadtest.conditions import Conditions
from perf.loadtest.shape import Shape
from perf.loadtest.usage import Usage
from sandbox.lattice import is_write

CONTROLLER_AGENT: Final = "lattice-controller"
"""How the controller's user agent begins."""

THROTTLED: Final = "ThrottlingException"

Written = Literal["objects", "events", "lease"]
"""What the controller's writes are told apart by."""

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
    def lease(self) -> bool:
        return self.resource.startswith("leases")

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
    routes: int
    """How many routes the phase is about."""
    cpu: list[float]
    """CPU seconds of each replica in this phase, the leader first."""
    usages: list[Usage]
    """Of each replica, at the phase's end, the leader first."""

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

    def controller_writes(self, of: Written) -> int:
        """How often the controller wrote to the Kubernetes API: Events, the Lease, or all other objects."""
        return sum(
            count
            for agent, writes in self.writes.items()
            for what, count in writes.items()
            if agent.startswith(CONTROLLER_AGENT) and _written(what) == of
        )


def _written(what: str) -> Written:
    resource = what.partition(" ")[2]
    return "events" if resource.startswith("events") else "lease" if resource.startswith("leases") else "objects"


def phase(
    name: str,
    calls: Sequence[Call],
    requests: Sequence[Request],
    *,
    seconds: float,
    finished: bool,
    routes: int,
    usages: Sequence[Usage],
    before: Sequence[Usage] = (),
) -> Phase:
    """Sum up what was logged in a phase; `before` is what the same processes had used when it began, if they ran."""
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
    earlier = [one.cpu for one in before] or [0.0] * len(usages)
    return Phase(
        name=name,
        seconds=seconds,
        finished=finished,
        calls={service: _most_first(counts) for service, counts in by_service.items()},
        errors=_most_first(Counter(f"{call.operation} {call.error}" for call in calls if call.error is not None)),
        writes={agent: _most_first(counts) for agent, counts in writes.items()},
        refused=_most_first(Counter(refused)),
        routes=routes,
        cpu=[now.cpu - then for now, then in zip(usages, earlier, strict=True)],
        usages=list(usages),
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


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the routes that were created while AWS throttled."""

    routes: int
    in_lattice: Summary
    """As `Results.in_lattice`, of these routes."""
    in_status: Summary
    objects: int
    """Routes and Events in which throttling could be read."""


class Read(msgspec.Struct, frozen=True):
    """How many different resources were asked about by their own identity."""

    services: int = 0
    groups: int = 0

    @classmethod
    def of(cls, calls: Iterable[Call]) -> Self:
        parameters = [call.parameters for call in calls if call.error is None and not is_write(call.operation)]
        services, groups = (
            {one[name].rpartition("/")[2] for one in parameters if name in one}
            for name in ("serviceIdentifier", "targetGroupIdentifier")
        )
        return cls(len(services), len(groups))


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All of a load test."""

    shape: Shape
    conditions: Conditions
    api_rates: str
    """The controller's LATTICE_API_RATES; empty for its own."""
    replicas: int
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
    throttled: Throttled | None
    """None if it was not tried."""
    read: Read
    """What was read after the restart."""
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
        _at_most(
            "Kubernetes writes a route (Events, Lease and Gateways apart)",
            results.route_writes / routes,
            WRITES_A_ROUTE,
        ),
    ]
    if results.changes:
        slowest = results.change.most if results.change.count == results.changes else None
        value = math.inf if slowest is None else slowest
        judged.append(_at_most("slowest endpoint change during the load, s", value, CHANGE_SECONDS))
    if results.throttled is not None:
        judged += _of_throttling(results.throttled, results.phase("throttled"))
    if (restart := results.phase("restart")) is not None:
        groups = restart.routes * results.shape.rules * results.shape.backends
        judged += [
            Goal(
                "services and target groups read after a restart",
                f"{results.read.services} and {results.read.groups}",
                f"{restart.routes} and {groups}",
                restart.finished and results.read == Read(restart.routes, groups),
            ),
            _none("AWS writes after a restart", restart.aws_writes),
            _none(
                "Kubernetes writes after a restart (Events too, the Lease apart)",
                restart.controller_writes("objects") + restart.controller_writes("events"),
            ),
        ]
    if (end := results.phase("delete")) is not None:
        judged.append(Goal("all deleted again", "yes" if end.finished else "no", "yes", end.finished))
    return judged


def _of_throttling(found: Throttled, of: Phase | None) -> list[Goal]:
    """That nothing was reached says something only where there was something to reach it."""
    throttles = of.throttles if of is not None else 0
    return [
        Goal(
            "throttled calls, and objects that told of them",
            f"{throttles} and {found.objects}",
            "> 0 and 0",
            throttles > 0 and found.objects == 0,
        ),
        Goal(
            "routes programmed and reported while AWS throttled",
            f"{found.in_lattice.count} and {found.in_status.count}",
            f"{found.routes}",
            found.in_lattice.count == found.in_status.count == found.routes,
        ),
    ]


def _at_most(name: str, value: float, goal: float) -> Goal:
    return Goal(name, f"{value:.2f}", f"≤ {goal:g}", value <= goal)


def _none(name: str, value: int) -> Goal:
    return Goal(name, str(value), "0", value == 0)
