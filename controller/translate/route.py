"""What a route asks for: the parents that accept it, the Lattice services and target groups it feeds, the conditions.

A parentRef for which this controller answers always ends in conditions, whatever is wrong: what cannot be served says
so where the route's author looks, with the specification's reason and what to change.

Source: Gateway API v1.6, `RouteParentStatus`, `RouteConditionType`, `RouteConditionReason`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from controller.api.gateway import ParentReference, Route
from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Condition
from controller.gateway import conditions
from controller.gateway.attachment import Refusal
from controller.gateway.conditions import condition
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.claims import no_room, rival
from controller.translate.context import TranslateContext
from controller.translate.draft import Draft, ParentDraft, draft_route, problems_text
from controller.translate.merge import merged_service
from controller.translate.withheld import PAUSED_MESSAGE, is_paused

ACCEPTED_MESSAGE: Final = "Route is accepted."


class ParentTranslation(Frozen, frozen=True):
    """What becomes of one parentRef for which this controller answers."""

    parent_ref: ParentReference
    conditions: tuple[Condition, ...]
    """Accepted, ResolvedRefs and, where it applies, PartiallyInvalid."""
    services: tuple[ServiceKey, ...] = ()
    """The services by which this parent serves the route; none where it is not accepted."""

    @property
    def accepted(self) -> bool:
        return bool(self.services)


class RouteTranslation(Frozen, frozen=True):
    ref: RouteRef
    route: Route | None
    """None when there is no such route; a deleting one is here, and feeds nothing."""
    controller_name: str
    parents: tuple[ParentTranslation, ...] = ()
    """In the order of `spec.parentRefs`, without those for which another controller answers."""
    services: tuple[ServiceKey, ...] = ()
    """In the order of the route's hostnames; the first one's domain is the one that the route's annotation shows."""
    target_groups: tuple[TargetGroupKey, ...] = ()
    foreclosed: Mapping[tuple[int, int], RouteRef] = {}
    """Matches, by the places of rule and match, that another route's equal one comes before in each of the services."""


def translate_route(view: View, ref: RouteRef, ctx: TranslateContext) -> RouteTranslation:
    """Translate the route. Raises `UnknownError`."""
    route = view.route(ref)
    if route is None:
        return RouteTranslation(ref=ref, route=None, controller_name=ctx.controller_name)
    return translate_route_object(view, route, ctx)


def translate_route_object(view: View, route: Route, ctx: TranslateContext) -> RouteTranslation:
    """Translate this version of a route, whatever the view has. Raises `UnknownError`."""
    ref = route.ref
    if route.deleting:
        return RouteTranslation(ref=ref, route=route, controller_name=ctx.controller_name)
    draft = draft_route(view, route, ctx)
    rivals = {share.key: rival(view, route, share.key, ctx) for share in draft.shares}
    full = {
        key: why
        for key, other in rivals.items()
        if other is None and (why := no_room(view, route, key, ctx)) is not None
    }
    services = tuple(key for key, other in rivals.items() if other is None and key not in full)
    shared = [merged for key in services if (merged := merged_service(view, key, ctx, instead=route)) is not None]
    notes = [note for merged in shared for note in merged.notes(ref)]
    if is_paused(view, route):
        notes.append(PAUSED_MESSAGE)
    return RouteTranslation(
        ref=ref,
        route=route,
        controller_name=ctx.controller_name,
        parents=tuple(_parent(draft, parent, services, _losses(rivals, full), notes) for parent in draft.parents),
        services=services,
        target_groups=tuple(group for merged in shared for group in merged.groups_of(ref)),
        foreclosed=_in_all([merged.foreclosed(ref) for merged in shared]),
    )


def _in_all(each: Sequence[Mapping[tuple[int, int], RouteRef]]) -> Mapping[tuple[int, int], RouteRef]:
    first, *others = each or [{}]
    return {place: ref for place, ref in first.items() if all(place in other for other in others)}


def _losses(
    rivals: Mapping[ServiceKey, RouteRef | None], full: Mapping[ServiceKey, str]
) -> Mapping[ServiceKey, Refusal]:
    """Why the route does not get a service, for those that it does not get."""
    lost = {
        key: Refusal(conditions.CONFLICTED, f"Hostname {key.hostname} is served by the older {other}.")
        for key, other in rivals.items()
        if other is not None
    }
    return lost | {
        key: Refusal(conditions.QUOTA_EXCEEDED, f"{f'Hostname {key.hostname}' if key.hostname else 'The route'}: {why}")
        for key, why in full.items()
    }


def _parent(
    draft: Draft,
    parent: ParentDraft,
    all_services: Sequence[ServiceKey],
    losses: Mapping[ServiceKey, Refusal],
    notes: Sequence[str],
) -> ParentTranslation:
    services = tuple(key for key in parent.services if key in all_services)
    lost = [losses[key] for key in parent.services if key in losses]
    refusal = parent.refusal
    if refusal is None and not services:
        advice = ["Use another hostname."] if lost[0].reason == conditions.CONFLICTED else []
        refusal = Refusal(lost[0].reason, " ".join([*(each.message for each in lost), *advice]))
    generation = draft.route.metadata.generation
    dropped = draft.compiled.dropped
    if refusal is not None:
        accepted = condition(conditions.ACCEPTED, False, refusal.reason, refusal.message, generation)
    else:
        wildcards = [
            f"Hostname {name} is not served: VPC Lattice has no wildcard domain names."
            for name in parent.attachment.wildcards
        ]
        message = " ".join(
            [ACCEPTED_MESSAGE, *(each.message for each in lost), *wildcards, *draft.compiled.notes, *notes]
        )
        accepted = condition(conditions.ACCEPTED, True, conditions.ACCEPTED, message, generation)
    result = [accepted, _resolved_refs(draft, generation)]
    if refusal is None and dropped:
        indexes = ", ".join(str(rule.index) for rule in dropped)
        result.append(
            condition(
                conditions.PARTIALLY_INVALID,
                True,
                conditions.UNSUPPORTED_VALUE,
                f"Dropped Rule {indexes}: {problems_text(dropped)}",
                generation,
            )
        )
    return ParentTranslation(
        parent_ref=parent.attachment.parent_ref, conditions=tuple(result), services=() if refusal else services
    )


def _resolved_refs(draft: Draft, generation: int) -> Condition:
    unresolved = draft.compiled.unresolved
    if not unresolved:
        return condition(
            conditions.RESOLVED_REFS, True, conditions.RESOLVED_REFS, "References are resolved.", generation
        )
    message = " ".join(each.message for each in unresolved)
    return condition(conditions.RESOLVED_REFS, False, unresolved[0].reason, message, generation)
