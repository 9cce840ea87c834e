"""A plan in the making: operations are added one by one, and named by the index they get."""

from collections.abc import Iterable
from typing import Any

from controller.api.keys import TargetGroupKey
from controller.lattice.model import Action, FixedResponse, Forward, Match
from controller.lattice.plan.operations import Need, Operation, Plan, Problem, Resource


class Draft:
    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.needs: list[Need] = []
        self.problems: list[Problem] = []
        self.whole = True

    def add(
        self,
        call: str,
        resource: str,
        description: str,
        arguments: dict[str, Any],
        *,
        after: Iterable[int] = (),
        needs: Iterable[Need] = (),
        creates: Resource | None = None,
        makes_room: bool = False,
        dispensable: bool = False,
    ) -> int:
        """Returns the operation's index, for the `after` of others."""
        self.operations.append(
            Operation(
                call=call,
                arguments=arguments,
                resource=resource,
                description=description,
                after=tuple(sorted(set(after))),
                needs=tuple(dict.fromkeys(needs)),
                creates=creates,
                makes_room=makes_room,
                dispensable=dispensable,
            )
        )
        return len(self.operations) - 1

    def plan(self) -> Plan:
        return Plan(
            operations=tuple(self.operations),
            needs=tuple(dict.fromkeys(self.needs)),
            problems=tuple(self.problems),
            whole=self.whole,
        )


def match_text(match: Match) -> str:
    """A match for people, such as `GET /parking* with x-tenant=blue`."""
    path = match.path_exact if match.path_exact is not None else (match.path_prefix or "/").rstrip("/") + "/*"
    headers = ", ".join(f"{header.name}={header.value}" for header in match.headers)
    return " ".join(part for part in (match.method or "", path, headers and f"with {headers}") if part)


def action_text(action: Action) -> str:
    """An action for people, such as `parking:80 90, parking-v2:80 10`."""
    match action:
        case FixedResponse(status_code=code):
            return f"answer {code}"
        case Forward(weights=weights):
            return "forward to " + ", ".join(
                group_text(group) + (f" {weight}" if len(weights) > 1 else "") for group, weight in weights
            )


def group_text(group: TargetGroupKey | str) -> str:
    """A target group for people, by its Service and port, or its id."""
    if isinstance(group, str):
        return group
    return f"{group.namespace}/{group.service}" + ("" if group.port is None else f":{group.port}")
