"""Which target of a forward action serves a request.

What VPC Lattice documents, and where:

- Requests are distributed over the groups of a forward action by weight (User Guide, "Listener rules", forward
  actions). Which of two groups gets which request is not said; here a `Random` that is passed in draws it.
- Among the healthy targets of a group it is round robin, for each group by itself (User Guide, "Target groups", routing
  algorithm).
- "If a target group contains only unhealthy targets, the requests are routed to all targets": the service fails open
  (the same place).
- A registered target "must pass one health check to be considered healthy" (User Guide, "Health checks"), so an INITIAL
  one gets nothing. It has not failed either: a group in which one is INITIAL does not contain only unhealthy targets.
- DRAINING gets no new requests, UNUSED is a target of a group in no service, UNAVAILABLE one whose group has no health
  checks (API Reference, `TargetSummary`); the last is routable, as nothing else could be.

A group is chosen before its targets are looked at: no document says that the weight of a group without healthy targets
passes to its neighbours.
"""

from collections import Counter
from random import Random

from sandbox.lattice.directory import Forward, Target, TargetGroup

_ROUTABLE = frozenset({"HEALTHY", "UNAVAILABLE"})


class Balancer:
    """Spreads requests; it remembers whose turn it is in each group."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._turns: Counter[str] = Counter()

    def group(self, action: Forward) -> str | None:
        """The id of a target group, by weight; None if no group of the action has a weight above zero."""
        groups = [(group_id, weight) for group_id, weight in action.weights.items() if weight > 0]
        if not groups:
            return None
        ids, weights = zip(*groups, strict=True)
        chosen: str = self._random.choices(ids, weights)[0]
        return chosen

    def target(self, group: TargetGroup) -> Target | None:
        """The target of the group whose turn it is among those that may have a new request; None if none may."""
        candidates = routable(group)
        if not candidates:
            return None
        turn = self._turns[group.group_id]
        self._turns[group.group_id] = turn + 1
        return candidates[turn % len(candidates)]


def routable(group: TargetGroup) -> list[Target]:
    """The targets of a group that may have a new request, in the order of the group."""
    present = [target for target in group.targets if target.status != "DRAINING"]
    if all(target.status == "UNHEALTHY" for target in present):
        return present
    return [target for target in present if target.status in _ROUTABLE]
