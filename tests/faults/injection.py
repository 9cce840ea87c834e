"""Where and how something goes wrong: one fault at one call, which is the n-th of its operation.

Calls run side by side, so the number of a call among all of them says little; that among its like says what it is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.session import get_session

from sandbox.kube.faults import Fault as KubeFault
from sandbox.kube.faults import Request
from sandbox.lattice import Fail, Hang, Partial, Refuse, Reset, Throttle
from sandbox.lattice.faults import Effect
from tests.e2e.harness import World

BATCHES = ("RegisterTargets", "DeregisterTargets", "BatchUpdateRule")
ASYNCHRONOUS = tuple(
    f"{verb}{kind}"
    for verb in ("Create", "Delete")
    for kind in ("Service", "TargetGroup", "ServiceNetworkServiceAssociation")
)
WRITES = ("create", "update", "patch")


@dataclass(frozen=True)
class Point:
    """The `nth` call, from 1, of an AWS operation or a Kubernetes verb and resource (`patch httproutes…/status`)."""

    call: str
    nth: int
    kubernetes: bool = False


@dataclass(frozen=True)
class Injected:
    """One kind of fault: put in force at a point it returns how often it struck; it has the world to kill what runs."""

    name: str
    arm: Callable[[World, Point], Callable[[], int]]
    fits: Callable[[Point], bool]


def points(before: Mapping[tuple[str, bool], int], after: Mapping[tuple[str, bool], int]) -> list[Point]:
    """One point for each call that was made between two counts, by operation."""
    return [
        Point(call, nth, kubernetes)
        for (call, kubernetes), count in sorted(after.items())
        for nth in range(1, count - before.get((call, kubernetes), 0) + 1)
    ]


def counted(one: World) -> Counter[tuple[str, bool]]:
    """All calls that the controller has made: AWS's, and writes of Kubernetes objects but Events."""
    calls: Counter[tuple[str, bool]] = Counter(
        {(name, False): count for name, count in one.lattice.calls.by_operation().items()}
    )
    calls.update((f"{served.verb} {served.resource}", True) for served in one.kubernetes_writes())
    return calls


def _kill(one: World) -> None:
    if one.controller is not None:
        one.controller.kill()


def _at_call(
    effect: Effect, then: Callable[[World], None] | None = None
) -> Callable[[World, Point], Callable[[], int]]:
    def arm(one: World, point: Point) -> Callable[[], int]:
        seen = 0

        def strikes(_: Mapping[str, Any]) -> bool:
            nonlocal seen
            seen += 1
            if seen == point.nth and then is not None:
                then(one)
            return seen == point.nth

        fault = one.lattice.faults.add(point.call, effect, when=strikes)
        return lambda: fault.happened

    return arm


def _beside(then: Callable[[World], None]) -> Callable[[World, Point], Callable[[], int]]:
    """Something that happens elsewhere at the moment of the call, which itself goes well."""

    def arm(one: World, point: Point) -> Callable[[], int]:
        seen = 0

        def strikes(_: Mapping[str, Any]) -> bool:
            nonlocal seen
            seen += 1
            if seen == point.nth:
                then(one)
            return False

        one.lattice.faults.add(point.call, Reset(), when=strikes)
        return lambda: int(seen >= point.nth)

    return arm


def _at_write(
    make: Callable[[Callable[[Request], bool]], KubeFault], then: Callable[[World], None] | None = None
) -> Callable[[World, Point], Callable[[], int]]:
    def arm(one: World, point: Point) -> Callable[[], int]:
        seen = 0

        def strikes(request: Request) -> bool:
            nonlocal seen
            ours = request.user_agent.startswith("lattice-controller")
            if not ours or f"{request.verb} {request.path_name}" != point.call:
                return False
            seen += 1
            if seen == point.nth and then is not None:
                then(one)
            return seen == point.nth

        fault = one.kube.faults.add(make(strikes))
        return lambda: fault.hits

    return arm


def _answering(code: int) -> Callable[[World, Point], Callable[[], int]]:
    def arm(one: World, point: Point) -> Callable[[], int]:
        fault = one.kube.faults.fail(code, times=None)
        one.kube.faults.remove(fault)
        return _at_write(lambda when: KubeFault(error=fault.error, when=when))(one, point)

    return arm


def _cut(one: World) -> None:
    one.kube.faults.cut_watches()


def _expire(one: World) -> None:
    one.kube.faults.expire_watch(times=7)
    one.kube.faults.cut_watches()


def _forget_history(one: World) -> None:
    one.kube.compact()
    one.kube.faults.cut_watches()


_MODEL = get_session().get_service_model("vpc-lattice")


def _declares(error: str, but: Iterable[str] = ()) -> Callable[[Point], bool]:
    """Whether the service model lists the error for the operation."""

    def fits(point: Point) -> bool:
        if point.call not in _MODEL.operation_names or point.call.startswith(tuple(but)):
            return False
        return any(shape.name == error for shape in _MODEL.operation_model(point.call).error_shapes)

    return fits


def _one_of(*operations: str) -> Callable[[Point], bool]:
    return lambda point: point.call in operations


def _any(_: Point) -> bool:
    return True


def _mutates(point: Point) -> bool:
    return not point.call.startswith(("Get", "List"))


_GONE = "ResourceNotFoundException"
AWS = (
    Injected("crash before", _at_call(Hang(), _kill), _any),
    Injected("crash after its effect", _at_call(Hang(after=True), _kill), _mutates),
    Injected("reset before", _at_call(Reset()), _any),
    Injected("reset after its effect", _at_call(Reset(after=True)), _mutates),
    Injected("time-out before", _at_call(Hang()), _any),
    Injected("time-out after its effect", _at_call(Hang(after=True)), _mutates),
    Injected("500", _at_call(Refuse()), _any),
    Injected("503 after its effect", _at_call(Refuse("ServiceUnavailable", 503, after=True)), _mutates),
    Injected("throttled", _at_call(Throttle()), _any),
    Injected("throttled, retry after 1 s", _at_call(Throttle(retry_after=1)), _mutates),
    Injected("conflict", _at_call(Refuse("ConflictException", 409, "busy")), _declares("ConflictException")),
    Injected("not found", _at_call(Refuse(_GONE, 404, "not found")), _declares(_GONE, but=("Delete",))),
    Injected(
        "not found, being gone", _at_call(Refuse(_GONE, 404, "not found", after=True)),
        lambda point: point.call.startswith("Delete"),
    ),
    Injected("partial success", _at_call(Partial((0,))), _one_of(*BATCHES)),
    Injected("CREATE_FAILED, DELETE_FAILED", _at_call(Fail()), _one_of(*ASYNCHRONOUS)),
    Injected("watches cut", _beside(_cut), _any),
    Injected("watches answered 410", _beside(_expire), _any),
    Injected("watches cut, history gone", _beside(_forget_history), _any),
)  # fmt: skip
KUBERNETES = (
    Injected("Kubernetes: 409", _answering(409), _any),
    Injected("Kubernetes: 429", _answering(429), _any),
    Injected("Kubernetes: 500", _answering(500), _any),
    Injected("Kubernetes: reset before", _at_write(lambda when: KubeFault(connection="reset", when=when)), _any),
    Injected(
        "Kubernetes: reset after its effect",
        _at_write(lambda when: KubeFault(connection="reset", after=True, when=when)), _any,
    ),
    Injected("Kubernetes: stalled", _at_write(lambda when: KubeFault(connection="stalled", when=when)), _any),
    Injected(
        "Kubernetes: crash before", _at_write(lambda when: KubeFault(connection="stalled", when=when), _kill), _any
    ),
    Injected(
        "Kubernetes: crash after its effect",
        _at_write(lambda when: KubeFault(connection="stalled", after=True, when=when), _kill), _any,
    ),
)  # fmt: skip
FAULTS = (*AWS, *KUBERNETES)


def fitting(fault: Injected, all_points: Iterable[Point]) -> list[Point]:
    """The points at which this fault can happen."""
    return [point for point in all_points if point.kubernetes is (fault in KUBERNETES) and fault.fits(point)]
