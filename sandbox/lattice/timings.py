"""How long the asynchronous work of the emulated service takes.

VPC Lattice creates and deletes services, target groups and associations asynchronously and documents no durations, so
they are a setting: a range for each kind of change, from which each change draws its own duration.
"""

from dataclasses import dataclass, fields
from typing import Self

Span = tuple[float, float]
"""Least and greatest duration, in seconds."""


def check_span(name: str, span: Span) -> None:
    """Raise `ValueError` for what is no range of durations."""
    low, high = span
    if not 0 <= low <= high < float("inf"):
        raise ValueError(f"{name}: {low}–{high} is no range of durations")


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations, in seconds. With a duration of 0 the state in between is still seen by the call that begins the
    change.
    """

    service_create: Span = (0.5, 1.5)
    service_delete: Span = (0.5, 1.5)
    target_group_create: Span = (0.3, 1.0)
    target_group_delete: Span = (0.3, 1.0)
    service_association_create: Span = (0.5, 2.0)
    service_association_delete: Span = (0.5, 2.0)
    vpc_association_create: Span = (0.5, 2.0)
    vpc_association_update: Span = (0.3, 1.0)
    vpc_association_delete: Span = (0.5, 2.0)
    draining: Span = (5.0, 5.0)
    """How long a deregistered target of a group in use stays DRAINING; by default Lattice takes 1 minute (API:
    `TargetSummary`).
    """
    first_health_check: Span = (0.5, 1.5)
    """How long a target of a group in use is INITIAL where no health checker is at work."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            check_span(entry.name, getattr(self, entry.name))

    @classmethod
    def instant(cls) -> Self:
        """Every change is done by the next request."""
        return cls(**{entry.name: (0.0, 0.0) for entry in fields(cls)})
