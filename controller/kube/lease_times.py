"""The three durations of leader election, and what follows from them for a write."""

from dataclasses import dataclass
from typing import Final

JITTER: Final = 1.2
"""client-go's JitterFactor: by how much a candidate's pauses may be longer than the retry period."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds; the defaults are client-go's.

    A leader renews each `retry_period`, gives up after `renew_deadline` without success, and others may take the Lease
    when they have not seen it change for `lease_duration`.
    """

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        """Raises ValueError where they cannot work together."""
        if not self.lease_duration > self.renew_deadline:
            raise ValueError("the lease duration must be longer than the renew deadline")
        if not self.renew_deadline > self.retry_period * JITTER:
            raise ValueError(f"the renew deadline must be longer than {JITTER} retry periods")
        if not self.retry_period > 0:
            raise ValueError("the retry period must be longer than nothing")

    @property
    def spare(self) -> float:
        """What is left of the Lease when its leader gives up: the most that an attempt of a write may take.

        A leader then writes until the moment at which it gives up, and everything it wrote has ended before others may.
        """
        return self.lease_duration - self.renew_deadline
