"""What was seen of the real service, to make the sandbox like it: times, quotas and errors in a JSON file.

`make fidelity` runs the contract tests of VPC Lattice in an AWS account and writes such a file; here it is read. The
times become the sandbox's `Timings`, the quotas its `Quotas`, the lag of lists its `consistency`, how long answers took
its `latency`; what a file does not tell stays as it is by default. The errors are for people, and for the comparison of
two runs: the sandbox's messages are its own.

    {"format": "lattice-recording/1", "region": "us-west-2", "recorded": "2026-01-31T12:00:00Z",
     "timings": {"service_create": [0.8, 2.1]}, "quotas": {"services": 500},
     "consistency": [0.1, 0.4], "latencies": {"*": {"kind": "lognormal", "median": 0.03, "p99": 0.2}},
     "errors": {"a name that is taken": {"code": "ConflictException", "status": 409, "message": "…"}}}
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from sandbox.lattice.latency import Distribution, distributions_from_json
from sandbox.lattice.quotas import Quotas
from sandbox.lattice.timings import Span, Timings, check_span

FORMAT = "lattice-recording/1"


@dataclass(frozen=True, slots=True)
class SeenError:
    """An error as the service gave it."""

    code: str
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What one run has seen."""

    region: str
    recorded: str
    """When, in ISO 8601."""
    timings: Timings = field(default_factory=Timings)
    quotas: Quotas = field(default_factory=Quotas)
    consistency: Span | None = None
    """After how many seconds lists showed what was new, and no longer what was deleted."""
    latencies: Mapping[str, Distribution] = field(default_factory=dict)
    """Operation → how long its answers took, `*` for those that were asked too seldom."""
    errors: Mapping[str, SeenError] = field(default_factory=dict)
    """What was wrongly asked → how it was refused."""


def load(path: Path) -> Recording:
    """Read a recording. Raises `OSError`, and `ValueError` that says what is wrong with the file."""
    try:
        return recording_from_json(orjson.loads(path.read_bytes()))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def recording_from_json(document: Any) -> Recording:
    """The recording that a document tells. Raises `ValueError` that says what is wrong with it."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"this is no recording of the format {FORMAT}")
    try:
        return Recording(
            region=document["region"],
            recorded=document["recorded"],
            timings=timings_from_json(document.get("timings", {}), Timings()),
            quotas=quotas_from_json(document.get("quotas", {}), Quotas()),
            consistency=_span(document.get("consistency")),
            latencies=distributions_from_json(document.get("latencies", {})),
            errors={asked: SeenError(**seen) for asked, seen in document.get("errors", {}).items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _span(value: Any) -> Span | None:
    if value is None:
        return None
    low, high = value
    check_span("consistency", (low, high))
    return float(low), float(high)


def timings_from_json(document: Mapping[str, Any], base: Timings) -> Timings:
    """`base`, with the durations that `document` names. Raises `TypeError` or `ValueError`."""
    spans = {}
    for name, span in document.items():
        if name not in asdict(base):
            raise ValueError(f"there is no duration of the name {name}")
        low, high = span
        spans[name] = (float(low), float(high))
    return replace(base, **spans)


def quotas_from_json(document: Mapping[str, Any], base: Quotas) -> Quotas:
    """`base`, with the quotas that `document` names. Raises `TypeError` or `ValueError`."""
    for name, value in document.items():
        if name not in asdict(base):
            raise ValueError(f"there is no quota of the name {name}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} must be a whole number, not {value!r}")
    return replace(base, **document)
