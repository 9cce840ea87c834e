"""What an explanation is made of: facts in a tree, and what was seen in VPC Lattice that they are made from."""

from collections.abc import Mapping
from typing import Any

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Object
from controller.gateway import conditions
from controller.lattice.model import Frozen
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Operation, Plan
from controller.translate.outcomes import NetworkState, Unavailable

NOT_THERE = "not in VPC Lattice yet"
NOT_LOOKED_UP = Unavailable(message="it was not asked for")


class Fact(Frozen, frozen=True):
    """One judgement, and those that it rests on."""

    kind: str
    name: str
    well: bool | None = None
    """None for what is neither well nor amiss."""
    told: str = ""
    below: tuple["Fact", ...] = ()

    @property
    def all_well(self) -> bool:
        """Whether nothing is amiss, here and below."""
        return self.well is not False and all(fact.all_well for fact in self.below)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "well": self.well,
            "told": self.told,
            "below": [fact.to_json() for fact in self.below],
        }


class SeenService(Frozen, frozen=True):
    """A Lattice service as observed, None where there is none, and the plan from there to what is desired."""

    observed: ObservedService | None
    plan: Plan
    held: tuple[Operation, ...] = ()
    """What is held back of the plan, and so not in it, because another controller was before."""


class SeenGroup(Frozen, frozen=True):
    """A target group as observed, None where there is none, and the plan from there to what is desired."""

    observed: ObservedTargetGroup | None
    plan: Plan
    held: tuple[Operation, ...] = ()


class LeftService(Frozen, frozen=True):
    """A Lattice service that bears the name of a route which does not ask for it."""

    observed: ObservedService
    plan: Plan
    held: tuple[Operation, ...] = ()
    heir: RouteRef | None = None
    """The route that asks for it now; None where it is to be deleted."""


class LeftGroup(Frozen, frozen=True):
    """A target group that bears the name of a route which does not ask for it."""

    key: TargetGroupKey
    observed: ObservedTargetGroup
    plan: Plan
    held: tuple[Operation, ...] = ()
    heir: RouteRef | None = None
    """The route that asks for it now; None where it is to be deleted."""
    users: tuple[str, ...] = ()
    """Names of this controller's services that forward to it."""
    strangers: tuple[str, ...] = ()
    """ARNs of others' services that forward to it."""


class Left(Frozen, frozen=True):
    """What bears a route's name in VPC Lattice although the route does not ask for it, or not any more."""

    services: tuple[LeftService, ...] = ()
    groups: tuple[LeftGroup, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.services or self.groups)


class Seen(Frozen, frozen=True):
    """What was looked up in VPC Lattice for an explanation."""

    services: Mapping[ServiceKey, SeenService] = {}
    groups: Mapping[TargetGroupKey, SeenGroup] = {}
    networks: Mapping[str, NetworkState] = {}
    """By the name of the Gateway that stands for it."""
    left: Mapping[RouteRef, Left] = {}

    def group_id(self, key: TargetGroupKey) -> str | None:
        seen = self.groups.get(key)
        return None if seen is None or seen.observed is None else seen.observed.id


def reasoned(reason: str, message: str) -> str:
    """The reason goes before the message where it says more than that all is well."""
    return message if reason in {conditions.ACCEPTED, conditions.RESOLVED_REFS} else f"{reason}: {message}"


def fact_of(obj: Object, well: bool | None, told: str, *below: Fact) -> Fact:
    return Fact(kind=type(obj).__name__, name=f"{obj.namespace}/{obj.name}", well=well, told=told, below=below)


def counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
