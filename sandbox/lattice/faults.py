"""Faults on demand: what goes wrong, for which calls.

A `Fault` names an operation (or `*`), may look at the parameters, and says from which matching call on and how often
it happens; its effect is one of the small records below. Faults are given from Python (`Faults.add`) or as JSON
through the sandbox's control address (`fault_from_json`); both say the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from sandbox.lattice.state import AsyncFailure

Predicate = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Throttle:
    """`ThrottlingException`, with `Retry-After` of that many seconds if given, and no effect."""

    retry_after: int | None = None
    quota_code: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Any error; with `after` the operation has its effect all the same, as when an answer is lost on its way."""

    code: str = "InternalServerException"
    status: int = 500
    message: str = "An unexpected error occurred"
    after: bool = False


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


@dataclass(frozen=True, slots=True)
class Partial:
    """The items at these positions of RegisterTargets, DeregisterTargets or BatchUpdateRule are unsuccessful."""

    positions: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Fail:
    """The asynchronous change that the call begins ends in `CREATE_FAILED`, `UPDATE_FAILED` or `DELETE_FAILED`."""

    code: str = "InternalFailure"
    message: str = "the change failed"

    def outcome(self) -> AsyncFailure:
        return AsyncFailure(self.code, self.message)


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

    def strikes(self, operation: str, params: Mapping[str, Any], random: Random) -> bool:
        """Count this call if it matches, and say whether the effect falls on it."""
        if self.operation not in {"*", operation} or (self.when is not None and not self.when(params)):
            return False
        if self.times is not None and self.happened >= self.times:
            return False
        self.matched += 1
        if self.matched < self.first or (self.share < 1 and random.random() >= self.share):
            return False
        self.happened += 1
        return True


class Faults:
    """The faults in force. On each call the first that strikes is had."""

    def __init__(self, seed: int = 0) -> None:
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
        """Put a fault in force; `remove` it, or `clear` all."""
        fault = Fault(operation, effect, when, first, times, share)
        self._faults.append(fault)
        return fault

    def put(self, fault: Fault) -> None:
        """Put in force a fault that was made elsewhere."""
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
    if not isinstance(document, dict) or not isinstance(document.get("operation"), str):
        raise ValueError("a fault is an object with an operation")  # noqa: TRY004 - one error for all bad JSON
    if unknown := document.keys() - {"operation", "effect", "match", "first", "times", "share"}:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown))}")
    effect = document.get("effect")
    if not isinstance(effect, dict) or effect.get("kind") not in EFFECTS:
        raise ValueError(f"effect must be an object whose kind is one of {', '.join(EFFECTS)}")
    kind = EFFECTS[effect["kind"]]
    given = {name: value for name, value in effect.items() if name != "kind"}
    if unknown := given.keys() - {entry.name for entry in fields(kind)}:
        raise ValueError(f"{effect['kind']} has no {', '.join(sorted(unknown))}")
    if "positions" in given:
        given["positions"] = tuple(given["positions"])
    match = document.get("match") or {}
    return Fault(
        document["operation"],
        kind(**given),
        (lambda params: all(params.get(name) == value for name, value in match.items())) if match else None,
        document.get("first", 1),
        document.get("times"),
        document.get("share", 1.0),
    )
