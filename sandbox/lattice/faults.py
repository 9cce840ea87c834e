"""Faults on demand: what goes wrong, for which calls.

A `Fault` names an operation (or `*`), may look at the parameters, and says from which matching call on and how often
it happens; its effect is one of the small records below. Faults are given from Python (`Faults.add`) or as JSON
through the sandbox's control address (`fault_from_json`); both say the same.

A fault that cannot happen would make a test pass that tests nothing. So one for an operation that is not there, or
whose effect its operation cannot suffer, is refused when it is put in force, and a call on which the effect would not
be seen is none that matches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any

import msgspec

from sandbox.lattice.calls import Operations
from sandbox.lattice.state import AsyncFailure

Predicate = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Throttle:
    """`ThrottlingException`, with `Retry-After` of that many seconds if given, and no effect."""

    retry_after: int | None = None
    quota_code: str | None = None

    def __post_init__(self) -> None:
        _require(self.retry_after is None or self.retry_after >= 0, "retry_after is 0 or more whole seconds")


@dataclass(frozen=True, slots=True)
class Refuse:
    """Any error; with `after` the operation has its effect all the same, as when an answer is lost on its way.

    What the model requires of the error beside its message is filled in: the resource is the one that the call names.
    """

    code: str = "InternalServerException"
    status: int = 500
    message: str = "An unexpected error occurred"
    after: bool = False

    def __post_init__(self) -> None:
        _require(400 <= self.status <= 599, "the status of an error is from 400 to 599")


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset, before the operation has its effect or `after` it."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer ever comes, before the operation has its effect or `after` it; the client's time-out ends it."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """The answer comes that many seconds later; the operation has its effect at once."""

    seconds: float = 1.0

    def __post_init__(self) -> None:
        _require(0 <= self.seconds < float("inf"), "a delay is 0 or more seconds")


@dataclass(frozen=True, slots=True)
class Partial:
    """The items at these positions, from 0, of RegisterTargets, DeregisterTargets or BatchUpdateRule do not succeed."""

    positions: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        _require(bool(self.positions) and min(self.positions) >= 0, "positions are one or more, from 0 on")


@dataclass(frozen=True, slots=True)
class Fail:
    """The asynchronous change that the call begins ends in `CREATE_FAILED`, `UPDATE_FAILED` or `DELETE_FAILED`."""

    code: str = "InternalFailure"
    message: str = "the change failed"

    def outcome(self) -> AsyncFailure:
        return AsyncFailure(self.code, self.message)


def _require(sound: bool, what: str) -> None:
    if not sound:
        raise ValueError(what)


BATCHES = {"RegisterTargets": "targets", "DeregisterTargets": "targets", "BatchUpdateRule": "rules"}
"""Operation that may succeed in part → the member with its items."""

ASYNCHRONOUS = frozenset(
    {
        "CreateService",
        "DeleteService",
        "CreateTargetGroup",
        "DeleteTargetGroup",
        "CreateServiceNetworkServiceAssociation",
        "DeleteServiceNetworkServiceAssociation",
        "CreateServiceNetworkVpcAssociation",
        "UpdateServiceNetworkVpcAssociation",
        "DeleteServiceNetworkVpcAssociation",
    }
)
"""Operations that begin an asynchronous change."""

Effect = Throttle | Refuse | Reset | Hang | Delay | Partial | Fail

EFFECTS: dict[str, type[Effect]] = {
    "throttle": Throttle,
    "error": Refuse,
    "reset": Reset,
    "hang": Hang,
    "delay": Delay,
    "partial": Partial,
    "fail": Fail,
}
"""Name in JSON → effect."""


@dataclass(slots=True, eq=False)
class Fault:
    """An effect and the calls that it falls on: of those that match, the `first` (from 1) and those after it, `times`
    in all.
    """

    operation: str
    effect: Effect
    when: Predicate | None = None
    first: int = 1
    times: int | None = None
    """None: for ever."""
    share: float = 1.0
    """Of those calls, how large a part it falls on, drawn from the seed."""
    matched: int = 0
    """How many calls have matched so far."""
    happened: int = 0
    """How often the effect was had so far."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is a part of all calls, above 0 and at most 1, not {self.share}")
        _require(self.first >= 1, "first is a number of calls, from 1 on")
        _require(self.times is None or self.times >= 1, "times is a number of calls, from 1 on, or none for ever")
        if self.operation != "*" and not _can_suffer(self.operation, self.effect):
            raise ValueError(f"{self.operation} cannot suffer {self.effect}")

    def strikes(self, operation: str, params: Mapping[str, Any], random: Random) -> bool:
        """Count this call if it matches, and say whether the effect falls on it."""
        if self.operation not in {"*", operation} or not _would_show(operation, params, self.effect):
            return False
        if self.when is not None and not self.when(params):
            return False
        if self.times is not None and self.happened >= self.times:
            return False
        self.matched += 1
        if self.matched < self.first or (self.share < 1 and random.random() >= self.share):
            return False
        self.happened += 1
        return True


def _can_suffer(operation: str, effect: Effect) -> bool:
    """Whether the operation is one that can go wrong so."""
    if isinstance(effect, Partial):
        return operation in BATCHES
    return operation in ASYNCHRONOUS if isinstance(effect, Fail) else True


def _would_show(operation: str, params: Mapping[str, Any], effect: Effect) -> bool:
    """Whether this call can go wrong so: of a batch, whether it has one of the items."""
    if not isinstance(effect, Partial):
        return _can_suffer(operation, effect)
    items = params.get(BATCHES.get(operation, ""))
    return isinstance(items, list) and min(effect.positions) < len(items)


class Faults:
    """The faults in force, of these operations. On each call the first that strikes is had."""

    def __init__(self, operations: Operations, seed: int = 0) -> None:
        self._operations = operations
        self._faults: list[Fault] = []
        self._random = Random(f"faults {seed}")  # noqa: S311 - reproducible trouble, not a secret

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(
        self,
        operation: str,
        effect: Effect,
        *,
        when: Predicate | None = None,
        first: int = 1,
        times: int | None = None,
        share: float = 1.0,
    ) -> Fault:
        """Put a fault in force; `remove` it, or `clear` all. Raises `ValueError` for one that cannot happen."""
        fault = Fault(operation, effect, when, first, times, share)
        self.put(fault)
        return fault

    def put(self, fault: Fault) -> None:
        """Put in force a fault that was made elsewhere. Raises `ValueError` for an operation that is not there."""
        self._operations.require(fault.operation)
        self._faults.append(fault)

    def remove(self, fault: Fault) -> None:
        self._faults.remove(fault)

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, operation: str, params: Mapping[str, Any]) -> Effect | None:
        """What goes wrong with this call, if anything."""
        for fault in self._faults:
            if fault.strikes(operation, params, self._random):
                return fault.effect
        return None


def fault_from_json(document: Any) -> Fault:
    """`{"operation", "effect": {"kind", …}, "match": {member: value}, "first", "times", "share"}` as a fault.

    Raises `ValueError` that says what is wrong.
    """
    try:
        said = msgspec.convert(document, _Said)
        if said.effect.get("kind") not in EFFECTS:
            raise ValueError(f"the kind of an effect is one of {', '.join(EFFECTS)}")
        kind = EFFECTS[said.effect["kind"]]
        given = {name: value for name, value in said.effect.items() if name != "kind"}
        if unknown := given.keys() - {entry.name for entry in fields(kind)}:
            raise ValueError(f"{said.effect['kind']} has no {', '.join(sorted(unknown))}")
        effect = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    wanted = said.match
    when: Predicate | None = None
    if wanted:

        def when(params: Mapping[str, Any]) -> bool:
            return all(params.get(name) == value for name, value in wanted.items())

    return Fault(said.operation, effect, when, said.first, said.times, said.share)


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault in JSON."""

    operation: str
    effect: dict[str, Any]
    match: dict[str, Any] = {}
    first: int = 1
    times: int | None = None
    share: float = 1.0
