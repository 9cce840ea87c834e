"""What bears a route's name in VPC Lattice without being asked for by it, as facts: how far its deletion is, and why.

Amiss is what does not go by itself: what VPC Lattice failed to create or to delete, and what is used by somebody else.
What is under way, or is the next thing that the controller does, is neither well nor amiss.
"""

from collections.abc import Iterator
from typing import Final

from controller.api.gateway import Route
from controller.api.keys import RouteRef
from controller.lattice.observed import CREATE_FAILED, DELETE_FAILED, ObservedAssociation
from controller.translate.annotations import ROUTE_FINALIZERS
from controller.translate.explain_lattice import group_text, held_facts, service_text
from controller.translate.facts import Fact, Left, LeftGroup, LeftService, fact_of
from controller.translate.withheld import Withheld

_FAILED: Final = {CREATE_FAILED, DELETE_FAILED}


def explain_deletion(route: Route, why: Withheld | None, left: Left) -> Fact:
    """What a deleted route still waits for."""
    told = f"is being deleted; waits for {', '.join(route.metadata.finalizers) or 'nothing'}"
    return fact_of(
        route,
        None,
        told,
        *explain_withheld(why, well=False if left else None),
        *(_finalizer(route, name, left) for name in route.metadata.finalizers),
        *explain_left(left, withheld=why is not None, wanted=False),
    )


def explain_withheld(why: Withheld | None, *, well: bool | None = None) -> Iterator[Fact]:
    """Why nothing is written for a route, if that is so."""
    if why is not None:
        yield Fact(kind="withheld", name=why.reason, well=well, told=why.message)


def _finalizer(route: Route, name: str, left: Left) -> Fact:
    if name != ROUTE_FINALIZERS[route.kind]:
        told = "is not this controller's to remove"
    elif left:
        told = "goes when nothing in VPC Lattice bears the route's name"
    else:
        told = "nothing in VPC Lattice bears the route's name: goes when the controller looks the next time"
    return Fact(kind="finalizer", name=name, told=told)


def explain_left(left: Left, *, withheld: bool, wanted: bool) -> Iterator[Fact]:
    """Each service and target group that is left.

    `withheld` tells that nothing is written for the route, `wanted` that the route itself stays, so that these are not
    all that it has.
    """
    note = "; left over: the route does not ask for it" if wanted else ""
    for service in left.services:
        yield _service(service, note, acts=not withheld)
    for group in left.groups:
        yield _group(group, note, acts=not withheld)


def _service(left: LeftService, note: str, *, acts: bool) -> Fact:
    observed = left.observed
    associations = sorted((observed.associations or {}).items())
    return Fact(
        kind="Lattice service",
        name=observed.name,
        well=_well(observed.status),
        told=service_text(observed) + _fate(left.heir, note),
        below=(
            *(_association(association) for _, association in associations),
            *_to_do(left, acts=acts),
        ),
    )


def _association(observed: ObservedAssociation) -> Fact:
    told = observed.status + (f": {observed.failure}" if observed.failure else "")
    name = observed.network_name or observed.network_id
    return Fact(kind="association", name=name, well=_well(observed.status), told=told)


def _group(left: LeftGroup, note: str, *, acts: bool) -> Fact:
    return Fact(
        kind="target group",
        name=left.observed.name,
        well=_well(left.observed.status),
        told=group_text(left.key, left.observed) + _fate(left.heir, note),
        below=(
            *(Fact(kind="used by", name=name, told="goes when this forwards to it no longer") for name in left.users),
            *(
                Fact(kind="used by", name=arn, well=False, told="not this controller's, and cannot go before that")
                for arn in left.strangers
            ),
            *_to_do(left, acts=acts),
        ),
    )


def _well(status: str) -> bool | None:
    return False if status in _FAILED else None


def _fate(heir: RouteRef | None, note: str) -> str:
    return note if heir is None else f"; asked for by {heir}, which takes it over"


def _to_do(left: LeftService | LeftGroup, *, acts: bool) -> Iterator[Fact]:
    """What the controller is to do about it next; an heir's explanation tells of that."""
    if acts and left.heir is None:
        for step in left.plan.operations:
            yield Fact(kind="to do", name=step.call, told=f"{step.resource}: {step.description}")
        yield from held_facts(left.held)
