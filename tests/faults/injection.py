"""Where and how something goes wrong: one fault at one call, which is the n-th of its operation.

Calls run side by side, so the number of a call among all of them says little; that among its like says what it is.

To crash is to be killed at the call. What that is depends on the world: in most a controller is a task of this process
that is cancelled, so that its `finally` blocks run; in those of `ProcessWorld` it is a process, and SIGKILL ends it.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from botocore.session import get_session

from sandbox.kube.faults import Fault as KubeFault
from sandbox.kube.faults import Request
from sandbox.lattice import Fail, Hang, Partial, Refuse, Reset, Throttle
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.errors import ApiError
from sandbox.lattice.faults import Effect
from sandbox.lattice.state import Call
from tests.faults.worlds import LEASE_TIMES, FaultWorld

BATCHES = {"RegisterTargets": "targets", "DeregisterTargets": "targets", "BatchUpdateRule": "rules"}
"""Operations that may succeed in part, and the parameter that has the parts."""
ASYNCHRONOUS = tuple(
    f"{verb}{kind}"
    for verb in ("Create", "Delete")
    for kind in ("Service", "TargetGroup", "ServiceNetworkServiceAssociation")
)
READS = ("list", "watch")


@dataclass(frozen=True)
class Point:
    """The `nth` call, from 1, of an AWS operation or a Kubernetes verb and resource (`patch httproutes…/status`)."""

    call: str
    nth: int
    kubernetes: bool = False
    items: int = 0
    """Of a batch: `nth` calls of it have at least so many items."""


@dataclass
class Armed:
    """A fault in force."""

    hits: Callable[[], int]
    """How often it struck."""
    over: Callable[[], bool] = lambda: True
    """Whether nothing of it is still to come."""


Arm = Callable[[FaultWorld, Point], Armed]


@dataclass(frozen=True)
class Injected:
    """One kind of fault: `arm` puts it in force at a point, and has the world to kill what runs."""

    name: str
    arm: Arm
    fits: Callable[[Point], bool]
    where: str = ""
    """What the names of scenarios must have in which it makes sense."""


@dataclass
class Tally:
    """All calls that the controllers of a world make: AWS's, and Kubernetes's but those about Events."""

    world: FaultWorld
    requests: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.world.kube.faults.add(KubeFault(when=self._note))

    def _note(self, request: Request) -> bool:
        if is_ours(request):
            self.requests[label(request)] += 1
        return False

    def mark(self) -> "Mark":
        return Mark(self.world.lattice.calls.mark(), Counter(self.requests))

    def calls(self, since: "Mark") -> int:
        """AWS calls, and writes of Kubernetes objects; leases and watches, which only take time, are not counted."""
        writes = self.requests - since.requests
        return len(self.world.lattice.calls.since(since.aws)) + sum(
            count for name, count in writes.items() if not name.startswith((*READS, "get")) and not _of_lease(name)
        )

    def points(self, since: "Mark") -> list[Point]:
        """One point for each call that was made since then."""
        sizes: dict[str, list[int]] = {}
        for record in self.world.lattice.calls.since(since.aws):
            items = record.parameters.get(BATCHES.get(record.operation, ""), ())
            sizes.setdefault(record.operation, []).append(len(items))
        aws = [
            Point(call, nth, items=size)
            for call, each in sorted(sizes.items())
            for nth, size in enumerate(sorted(each, reverse=True), start=1)
        ]
        kubernetes = [
            Point(call, nth, kubernetes=True)
            for call, count in sorted((self.requests - since.requests).items())
            for nth in range(1, (1 if _streams(call) else count) + 1)
        ]
        return aws + kubernetes


@dataclass(frozen=True)
class Mark:
    """A moment: what had been called by then."""

    aws: int
    requests: Counter[str]


def is_ours(request: Request) -> bool:
    return request.user_agent.startswith("lattice-controller") and request.resource != "events"


def label(request: Request) -> str:
    """What a point calls a request; lists come as a stream or in pages."""
    verb = request.verb
    if verb == "watch" and "sendInitialEvents" in request.query:
        verb = "list, streamed,"
    elif verb == "list" and "continue" in request.query:
        verb = "list, next page,"
    return f"{verb} {request.path_name}"


def _of_lease(call: str) -> bool:
    return call.endswith(" leases.coordination.k8s.io")


# What happens at an AWS call


def _at_call(effect: Effect, then: Callable[[FaultWorld], None] | None = None) -> Arm:
    def arm(one: FaultWorld, point: Point) -> Armed:
        strikes = _nth(point.nth, lambda: None if then is None else then(one))
        fault = one.lattice.faults.add(point.call, effect, when=lambda _: strikes())
        return Armed(lambda: fault.happened)

    return arm


def _nth(number: int, then: Callable[[], None]) -> Callable[[], bool]:
    """Says yes when it is asked for the n-th time, having done something."""
    seen = 0

    def asked() -> bool:
        nonlocal seen
        seen += 1
        if seen == number:
            then()
        return seen == number

    return asked


def _partly(position: int) -> Arm:
    """One item of a batch is refused: the n-th time that a batch has as many."""

    def arm(one: FaultWorld, point: Point) -> Armed:
        nth = _nth(point.nth, lambda: None)
        parts = BATCHES[point.call]
        fault = one.lattice.faults.add(
            point.call, Partial((position,)), when=lambda params: len(params[parts]) > position and nth()
        )
        return Armed(lambda: fault.happened)

    return arm


def _beside(then: Callable[[FaultWorld], None]) -> Arm:
    """Something that happens elsewhere at the moment of the call, which itself goes well."""

    def arm(one: FaultWorld, point: Point) -> Armed:
        happened = 0

        def happen() -> None:
            nonlocal happened
            happened += 1
            then(one)

        strikes = _nth(point.nth, happen)
        one.lattice.faults.add(point.call, Reset(), when=lambda _: strikes() and False)
        return Armed(lambda: happened)

    return arm


def _lands_late(seconds: float) -> Arm:
    """The leader dies, and what it asked for is carried out that much later than another one has taken over.

    What comes when the successor has already read what it is about is not seen by anybody until the next start, so that
    there is one more then.
    """

    def arm(one: FaultWorld, point: Point) -> Armed:
        landed = False
        asked: dict[str, Any] = {}

        async def land() -> None:
            nonlocal landed
            await one.succeeded()
            await anyio.sleep(seconds)
            with suppress(ApiError):
                LATTICE_HANDLERS[point.call](one.lattice.state, Call(point.call, asked))
            if seconds:
                one.kill()
            landed = True

        def strike(params: Mapping[str, Any]) -> bool:
            struck = strikes()
            if struck:
                asked.update(params)
                one.beside(land)
            return struck

        strikes = _nth(point.nth, one.kill)
        fault = one.lattice.faults.add(point.call, Hang(), when=strike)
        return Armed(lambda: fault.happened, lambda: landed or not fault.happened)

    return arm


def _kill(one: FaultWorld) -> None:
    one.kill()


def _cut(one: FaultWorld) -> None:
    one.kube.faults.cut_watches()


def _expire(one: FaultWorld) -> None:
    one.kube.faults.expire_watch(times=7)
    one.kube.faults.cut_watches()


def _forget_history(one: FaultWorld) -> None:
    one.kube.compact()
    one.kube.faults.cut_watches()


def _silence(one: FaultWorld) -> None:
    one.kube.faults.silence_watches()


# What happens at a request to Kubernetes


def _at_request(
    make: Callable[[Callable[[Request], bool]], KubeFault], then: Callable[[FaultWorld], None] | None = None
) -> Arm:
    def arm(one: FaultWorld, point: Point) -> Armed:
        nth = _nth(point.nth, lambda: None if then is None else then(one))
        fault = one.kube.faults.add(make(lambda request: is_ours(request) and label(request) == point.call and nth()))
        return Armed(lambda: fault.hits)

    return arm


def _answering(code: int) -> Arm:
    def arm(one: FaultWorld, point: Point) -> Armed:
        answer = one.kube.faults.fail(code, times=None)
        one.kube.faults.remove(answer)
        return _at_request(lambda when: KubeFault(error=answer.error, when=when))(one, point)

    return arm


def _out_of_reach(seconds: float) -> Arm:
    """From the n-th request on, nobody reaches the Lease for so long; its leader gives up before."""

    def arm(one: FaultWorld, point: Point) -> Armed:
        began = math.inf
        nth = _nth(point.nth, lambda: None)

        def strikes(request: Request) -> bool:
            nonlocal began
            if not is_ours(request) or not _of_lease(label(request)):
                return False
            now = time.monotonic()
            if label(request) == point.call and nth():
                began = now
            return began <= now < began + seconds

        fault = one.kube.faults.add(KubeFault(connection="reset", when=strikes))
        return Armed(lambda: fault.hits, lambda: began == math.inf or time.monotonic() > began + seconds)

    return arm


_RESET = _at_request(lambda when: KubeFault(connection="reset", when=when))
_RESET_AFTER = _at_request(lambda when: KubeFault(connection="reset", after=True, when=when))
_STALLED = _at_request(lambda when: KubeFault(connection="stalled", when=when))
_STALLED_AFTER = _at_request(lambda when: KubeFault(connection="stalled", after=True, when=when))
_CRASH = _at_request(lambda when: KubeFault(connection="stalled", when=when), _kill)
_CRASH_AFTER = _at_request(lambda when: KubeFault(connection="stalled", after=True, when=when), _kill)


# Which faults fit which points

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


def _has_more_than(items: int) -> Callable[[Point], bool]:
    return lambda point: point.items > items


def _aws(point: Point) -> bool:
    return not point.kubernetes


def _mutates(point: Point) -> bool:
    return not point.kubernetes and not point.call.startswith(("Get", "List"))


def _is_lattices(point: Point) -> bool:
    return _mutates(point) and point.call in LATTICE_HANDLERS


def _writes(point: Point) -> bool:
    return point.kubernetes and not point.call.startswith((*READS, "get")) and not _of_lease(point.call)


def is_read(point: Point) -> bool:
    return point.kubernetes and point.call.startswith((*READS, "get")) and not _of_lease(point.call)


def _collects(point: Point) -> bool:
    return point.kubernetes and point.call.startswith(READS)


def _streams(call: str) -> bool:
    """Whether this is a request that lasts; the first of a kind is made by a start, others when the machine is slow."""
    return call.startswith(("watch", "list, streamed"))


def _leases(point: Point) -> bool:
    return point.kubernetes and _of_lease(point.call)


def _writes_lease(point: Point) -> bool:
    return _leases(point) and not point.call.startswith("get")


_GONE = "ResourceNotFoundException"
FAULTS = (
    Injected("crash before", _at_call(Hang(), _kill), _aws),
    Injected("crash after its effect", _at_call(Hang(after=True), _kill), _mutates),
    Injected("crash, its effect at the take-over", _lands_late(0.0), _is_lattices, where="take-over"),
    Injected("crash, its effect 1 s later, restart", _lands_late(1.0), _is_lattices, where="take-over"),
    Injected("reset before", _at_call(Reset()), _aws),
    Injected("reset after its effect", _at_call(Reset(after=True)), _mutates),
    Injected("time-out before", _at_call(Hang()), _aws),
    Injected("time-out after its effect", _at_call(Hang(after=True)), _mutates),
    Injected("500", _at_call(Refuse()), _aws),
    Injected("503 after its effect", _at_call(Refuse("ServiceUnavailable", 503, after=True)), _mutates),
    Injected("throttled", _at_call(Throttle()), _aws),
    Injected("throttled, retry after 1 s", _at_call(Throttle(retry_after=1)), _mutates),
    Injected("conflict", _at_call(Refuse("ConflictException", 409, "busy")), _declares("ConflictException")),
    Injected("not found", _at_call(Refuse(_GONE, 404, "not found")), _declares(_GONE, but=("Delete",))),
    Injected(
        "not found, being gone", _at_call(Refuse(_GONE, 404, "not found", after=True)),
        lambda point: point.call.startswith("Delete"),
    ),
    *(
        Injected(f"partial success, not item {position}", _partly(position), _has_more_than(position))
        for position in range(3)
    ),
    Injected("CREATE_FAILED, DELETE_FAILED", _at_call(Fail()), _one_of(*ASYNCHRONOUS)),
    Injected("watches cut", _beside(_cut), _aws),
    Injected("watches answered 410", _beside(_expire), _aws),
    Injected("watches cut, history gone", _beside(_forget_history), _aws),
    Injected("watches fall silent", _beside(_silence), _aws),
    Injected("Kubernetes: 409", _answering(409), _writes),
    Injected("Kubernetes: 429", _answering(429), _writes),
    Injected("Kubernetes: 500", _answering(500), _writes),
    Injected("Kubernetes: reset before", _RESET, _writes),
    Injected("Kubernetes: reset after its effect", _RESET_AFTER, _writes),
    Injected("Kubernetes: stalled", _STALLED, _writes),
    Injected("Kubernetes: crash before", _CRASH, _writes),
    Injected("Kubernetes: crash after its effect", _CRASH_AFTER, _writes),
    Injected("Kubernetes: read, 410", _answering(410), _collects),
    Injected("Kubernetes: read, 429", _answering(429), is_read),
    Injected("Kubernetes: read, 500", _answering(500), is_read),
    Injected("Kubernetes: read, reset before", _RESET, is_read),
    Injected("Kubernetes: read, stalled", _STALLED, is_read),
    Injected("Kubernetes: read, silent once open", _STALLED_AFTER, lambda point: _streams(point.call)),
    Injected("Kubernetes: read, crash before", _CRASH, is_read),
    Injected("Lease: 409", _answering(409), _writes_lease),
    Injected("Lease: 429", _answering(429), _leases),
    Injected("Lease: 500", _answering(500), _leases),
    Injected("Lease: reset before", _RESET, _leases),
    Injected("Lease: reset after its effect", _RESET_AFTER, _writes_lease),
    Injected("Lease: stalled", _STALLED, _leases),
    Injected("Lease: stalled after its effect", _STALLED_AFTER, _writes_lease),
    Injected("Lease: out of reach", _out_of_reach(LEASE_TIMES.lease_duration), _writes_lease),
    Injected("Lease: killed before", _CRASH, _leases),
    Injected("Lease: killed after its effect", _CRASH_AFTER, _writes_lease),
)  # fmt: skip
