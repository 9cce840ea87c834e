"""One line of the table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    value: str
    goal: str
    met: bool
    detail: str
