"""When a target is healthy: the thresholds and the matcher of a health check, as pure functions.

A target is judged by results in a row: `unhealthy_threshold` failures make it unhealthy, `healthy_threshold`
successes make an unhealthy one healthy again. A freshly registered target needs one success only (User Guide, "Health
checks for your target groups"; API Reference, `HealthCheckConfig`).
"""

import re
from dataclasses import dataclass
from typing import Literal

from sandbox.lattice.directory import HealthCheck

Verdict = Literal["INITIAL", "HEALTHY", "UNHEALTHY"]

_CODES = re.compile(r"(\d{3})(?:-(\d{3}))?")


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a target: its verdict, and how many results in a row speak against it."""

    verdict: Verdict = "INITIAL"
    against: int = 0

    def after(self, *, success: bool, check: HealthCheck) -> "Health":
        """What is known after one more result."""
        against = self.against + 1
        if success:
            held = self.verdict == "UNHEALTHY" and against < check.healthy_threshold
            return Health("UNHEALTHY", against) if held else Health("HEALTHY")
        held = self.verdict != "UNHEALTHY" and against < check.unhealthy_threshold
        return Health(self.verdict, against) if held else Health("UNHEALTHY")


def matches_code(matcher: str, status: int) -> bool:
    """Whether an HTTP status is one of the codes and ranges of `matcher`, such as `200,202-204`.

    An empty matcher stands for the default, 200. Parts that are no code or range match nothing.
    """
    for part in (matcher or "200").split(","):
        if found := _CODES.fullmatch(part.strip()):
            low, high = found.groups()
            if int(low) <= status <= int(high or low):
                return True
    return False
