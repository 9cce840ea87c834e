"""What several routes make of the service that they share: its listeners, their rules, and whose its groups are.

A listener has the rules of the routes that are attached by a listener of its port, in one order of precedence for all
of them. A target group is the oldest route's of those that forward to it: by that route's name it is found again.
"""

from collections.abc import Mapping, Sequence

from controller.api.gateway import Route
from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredRule, Frozen
from controller.translate.admission import Claim
from controller.translate.annotations import (
    ALLOW_TAKEOVER_FROM,
    ROUTE_FINALIZERS,
    SERVICE_ARN,
    SERVICE_NAME_OVERRIDE,
)
from controller.translate.certificates import Source
from controller.translate.claims import claims_of
from controller.translate.context import TranslateContext
from controller.translate.rules import Contribution, backends_of, build_rules, foreclosed, group_of


class MergedListener(Frozen, frozen=True):
    port: int
    protocol: str
    contributions: tuple[Contribution, ...]
    """Those of the routes that are served here, oldest first."""
    rules: tuple[DesiredRule, ...]


class Merged(Frozen, frozen=True):
    """A service that at least one route asks for."""

    claims: tuple[Claim, ...]
    """Oldest first: the first owns the service."""
    listeners: tuple[MergedListener, ...]
    """By port."""
    groups: Mapping[TargetGroupKey, Claim]
    """The groups to which the rules forward, each with the oldest route that does, in order of precedence."""

    @property
    def certificate(self) -> Source | None:
        """Where the one of the oldest route that has one comes from: a service has one for all its listeners."""
        return next((claim.share.certificate for claim in self.claims if claim.share.certificate is not None), None)

    def groups_of(self, ref: RouteRef) -> tuple[TargetGroupKey, ...]:
        """The groups to which rules of this route forward."""
        claim = next((claim for claim in self.claims if claim.draft.ref == ref), None)
        if claim is None:
            return ()
        return tuple(group for group in claim.draft.groups(claim.share.key) if group in self.groups)

    def notes(self, ref: RouteRef) -> list[str]:
        """What the author of a route has to know that is not the oldest: how far others come before it."""
        owner = self.claims[0].draft.ref
        if owner == ref:
            return []
        claim = next(claim for claim in self.claims if claim.draft.ref == ref)
        name = claim.share.key.hostname
        notes = [
            f"Annotation {annotation} has no effect for {name}, whose service belongs to the older {owner}."
            for annotation in (SERVICE_NAME_OVERRIDE, ALLOW_TAKEOVER_FROM)
            if claim.draft.route.annotation(annotation)
        ]
        return notes + [
            f"rules[{rule}].matches[{match}]: what it matches of {name} is served by {other}, which has the same match."
            for (rule, match), other in sorted(self.foreclosed(ref).items())
        ]

    def foreclosed(self, ref: RouteRef) -> Mapping[tuple[int, int], RouteRef]:
        """The matches of a route that another one's equal match comes before; see `rules.foreclosed`."""
        before: dict[tuple[int, int], RouteRef] = {}
        for listener in self.listeners:
            before |= foreclosed(listener.contributions, ref)
        return before


def merged_service(
    view: View, key: ServiceKey, ctx: TranslateContext, *, instead: Route | None = None, acknowledged: bool = False
) -> Merged | None:
    """What the routes that ask for a service make of it; None when none does. Raises `UnknownError`.

    `instead` is a version of one of them that takes the place of the view's. `acknowledged` leaves out routes for which
    nothing may be written yet, as long as there are others: nobody waits for another's finalizer.
    """
    claims = claims_of(view, key, ctx, instead)
    if acknowledged:
        claims = tuple(claim for claim in claims if is_acknowledged(claim.draft.route)) or claims
    if not claims:
        return None
    merged: Merged = ctx.merged.recall(claims[0].draft, claims, lambda: _merge(key, claims), part=(key, acknowledged))
    return merged


def is_acknowledged(route: Route) -> bool:
    """Whether the route carries our finalizer, or did when it was programmed and has lost it to somebody's hand."""
    return ROUTE_FINALIZERS[route.kind] in route.metadata.finalizers or route.annotation(SERVICE_ARN) is not None


def _merge(key: ServiceKey, claims: Sequence[Claim]) -> Merged:
    listeners = tuple(
        _listener(key, port, protocol, claims)
        for port, protocol in sorted({listener for claim in claims for listener in claim.share.listeners})
    )
    used = dict.fromkeys(
        group_of(key, backend) for listener in listeners for backend in backends_of(listener.contributions)
    )
    groups = {group: next(claim for claim in claims if group in claim.draft.groups(key)) for group in used}
    return Merged(claims=tuple(claims), listeners=listeners, groups=groups)


def _listener(key: ServiceKey, port: int, protocol: str, claims: Sequence[Claim]) -> MergedListener:
    contributions = tuple(claim.draft.contribution for claim in claims if (port, protocol) in claim.share.listeners)
    return MergedListener(
        port=port, protocol=protocol, contributions=contributions, rules=build_rules(key, contributions)
    )
