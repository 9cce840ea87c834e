"""Which target of a forward action serves a request: pure but for the `Random` that is passed in.

What VPC Lattice documents, and where:

- Requests are spread over the groups of a forward action by weight (User Guide, "Listener rules": forward actions).
- "Routes requests only to the healthy targets" is all that is said of a group whose targets are all unhealthy (User
  Guide, "Health checks for your target groups"). Elastic Load Balancing fails open and says so; Lattice says nothing
  of the sort, so the sandbox does not: without a routable target the answer is 503.
- A registered target "must pass one health check to be considered healthy" (same page), so an INITIAL one gets
  nothing.
- DRAINING gets no new requests, UNUSED is a target of a group in no service, UNAVAILABLE one whose group has no
  health checks (API Reference, `TargetSummary`); the last is routable, as nothing else could be.

A group is chosen before its targets are looked at: no document says that the weight of a group without healthy
targets passes to its neighbours.
"""

from random import Random

from sandbox.lattice.directory import Forward, Target, TargetGroup

ROUTABLE = frozenset({"HEALTHY", "UNAVAILABLE"})


def choose_group(action: Forward, random: Random) -> str | None:
    """The id of a target group, by weight; None if no group of the action has a weight above zero."""
    groups = [(group_id, weight) for group_id, weight in action.weights.items() if weight > 0]
    if not groups:
        return None
    ids, weights = zip(*groups, strict=True)
    chosen: str = random.choices(ids, weights)[0]
    return chosen


def choose_target(group: TargetGroup, random: Random) -> Target | None:
    """A target of the group that may receive a new request, each as likely as the other; None if there is none."""
    routable = [target for target in group.targets if target.status in ROUTABLE]
    return random.choice(routable) if routable else None
