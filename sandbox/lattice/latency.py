"""How long answers take: a distribution for each operation, drawn from the sandbox's seed.

A service's answers do not all take the same time, and it is the slow ones that show what a client does while it waits.
So latency is a distribution: constant, uniform, or log-normal, which is given by what monitoring shows of a service,
its median and its 99th percentile. The draws have a generator of their own: changing the latency leaves every identity
and every asynchronous duration as it was.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from sandbox.lattice.calls import ANY, Operations

_Z99 = 2.3263478740408408
"""The 99th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always so many seconds."""

    seconds: float

    def __post_init__(self) -> None:
        _require(self.seconds >= 0, self)

    def draw(self, _random: Random) -> float:
        return self.seconds


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anything from `low` to `high` seconds, all equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require(0 <= self.low <= self.high, self)

    def draw(self, random: Random) -> float:
        return random.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Half of the answers within `median` seconds, 99 of 100 within `p99`, and a long tail."""

    median: float
    p99: float

    def __post_init__(self) -> None:
        _require(0 < self.median <= self.p99, self)

    def draw(self, random: Random) -> float:
        return random.lognormvariate(math.log(self.median), math.log(self.p99 / self.median) / _Z99)


def _require(sound: bool, distribution: object) -> None:
    if not sound:
        raise ValueError(f"{distribution} is no distribution of seconds")


Distribution = Constant | Uniform | LogNormal

Latency = float | Callable[[], float] | Distribution | Mapping[str, Distribution]
"""Seconds, the same for each request; a function that draws them; a distribution, or one for each operation, where `*`
stands for all others.
"""

KINDS: dict[str, type[Distribution]] = {"constant": Constant, "uniform": Uniform, "lognormal": LogNormal}
"""Name in JSON → distribution."""


class Latencies:
    """Draws the latency of each call."""

    def __init__(self, operations: Operations, latency: Latency, seed: int) -> None:
        self._operations = operations
        self._random = Random(f"latency {seed}")  # noqa: S311 - a reproducible delay, not a secret
        self._source: Callable[[], float] | None = None
        self._distributions: dict[str, Distribution] = {}
        if isinstance(latency, int | float):
            latency = {ANY: Constant(latency)} if latency else {}
        elif isinstance(latency, Constant | Uniform | LogNormal):
            latency = {ANY: latency}
        if isinstance(latency, Mapping):
            self.distributions = latency
        else:
            self._source = latency

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """Operation → distribution, `*` for all others; may be set anew at any time.

        Raises `ValueError` for an operation that is not there.
        """
        return self._distributions

    @distributions.setter
    def distributions(self, distributions: Mapping[str, Distribution]) -> None:
        self._operations.require(*distributions)
        self._distributions = dict(distributions)

    def draw(self, operation: str) -> float:
        """Seconds that this call takes beside what its faults add."""
        if self._source is not None:
            return self._source()
        if not self._distributions:
            return 0.0
        found = self._distributions.get(operation) or self._distributions.get(ANY)
        return 0.0 if found is None else found.draw(self._random)


def distributions_from_json(document: Any) -> dict[str, Distribution]:
    """`{operation or "*": {"kind": "lognormal", "median": 0.02, "p99": 0.4}}` as distributions.

    Raises `ValueError` that says what is wrong.
    """
    if not isinstance(document, dict):
        raise ValueError("latencies are an object: operation → distribution")  # noqa: TRY004 - one error for bad JSON
    return {operation: _from_json(entry) for operation, entry in document.items()}


def _from_json(entry: Any) -> Distribution:
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
        raise ValueError(f"a distribution is an object whose kind is one of {', '.join(KINDS)}")
    kind = KINDS[entry["kind"]]
    given = {name: value for name, value in entry.items() if name != "kind"}
    names = [member.name for member in fields(kind)]
    if sorted(given) != sorted(names) or not all(isinstance(value, int | float) for value in given.values()):
        raise ValueError(f"{entry['kind']} has the numbers {', '.join(names)}")
    return kind(**given)


def distribution_to_json(distribution: Distribution) -> dict[str, Any]:
    """What `distributions_from_json` reads."""
    kind = next(name for name, known in KINDS.items() if isinstance(distribution, known))
    return {"kind": kind} | {member.name: getattr(distribution, member.name) for member in fields(distribution)}
