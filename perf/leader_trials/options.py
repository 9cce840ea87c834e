"""What is asked of the trials of one world."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from perf.leader_replica import CONNECTING, SENDING

Moment = Literal["at random", "with a connection", "between check and send"]

MOMENTS: Final[tuple[Moment, ...]] = ("at random", "with a connection", "between check and send")

SIGNALS: Final[Mapping[Moment, int]] = {
    "at random": signal.SIGSTOP,
    "with a connection": CONNECTING,
    "between check and send": SENDING,
}
"""What stops a leader at each moment, at once or when it gets there."""


@dataclass(frozen=True)
class Options:
    """What is run. Times are in seconds."""

    trials: Sequence[Moment]
    seed: int = 1
    duration: float = 3.0
    deadline: float = 2.0
    period: float = 0.4
    changes: float = 12.0
    """Changes of endpoints a second."""
    deadman: bool = True
    tls: bool = False
    """Whether VPC Lattice is reached by TLS, as AWS's is, where bytes pass through one layer more before they leave."""


def plan(random: int, connecting: int, sending: int, seed: int) -> list[Moment]:
    """The moments of all trials, mixed."""
    moments: list[Moment] = [
        moment for moment, count in zip(MOMENTS, (random, connecting, sending), strict=True) for _ in range(count)
    ]
    Random(seed).shuffle(moments)
    return moments
