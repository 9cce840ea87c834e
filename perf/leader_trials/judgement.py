"""Which writes were late, by what the servers saw of writes and of the Lease. Pure.

Times are in seconds since the epoch, by the clock that sandbox and replicas share.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Renewal:
    """A write of the Lease that gave it to `holder`, or kept it there; `at` is when that replica was about to send."""

    holder: str
    at: float


@dataclass(frozen=True)
class Write:
    """A write to VPC Lattice, by whom and when it arrived."""

    by: str
    at: float
    operation: str


def late_writes(writes: Iterable[Write], renewals: Iterable[Renewal], duration: float) -> list[Write]:
    """The writes whose sender's last renewal was too long ago, or after which somebody else had taken the lease."""
    history = _History(renewals)
    return [
        write
        for write in writes
        if write.at - history.renewed(write.by, write.at) > duration or history.holder(write.at) != write.by
    ]


def closest(writes: Sequence[Write], renewals: Iterable[Renewal], duration: float) -> float:
    """The least time, in seconds, that was left of its sender's lease when a write arrived."""
    history = _History(renewals)
    return min((history.renewed(write.by, write.at) + duration - write.at for write in writes), default=duration)


class _History:
    """The renewals, to be asked about any moment."""

    def __init__(self, renewals: Iterable[Renewal]) -> None:
        ordered = sorted(renewals, key=lambda renewal: renewal.at)
        self._moments = [renewal.at for renewal in ordered]
        self._holders = [renewal.holder for renewal in ordered]
        self._of: dict[str, list[float]] = {}
        for renewal in ordered:
            self._of.setdefault(renewal.holder, []).append(renewal.at)

    def holder(self, at: float) -> str:
        """Who had taken or renewed it last; empty if nobody had."""
        before = bisect_right(self._moments, at)
        return self._holders[before - 1] if before else ""

    def renewed(self, holder: str, at: float) -> float:
        """When `holder` had renewed it last; minus infinity if never."""
        own = self._of.get(holder, [])
        before = bisect_right(own, at)
        return own[before - 1] if before else -math.inf
