"""A Lattice service as the routes that feed it want it.

A service has a listener for each port of the parents' listeners that serve it, all with the same rules; what no rule
matches gets a 404. The oldest route gives it its name, its tags and what else concerns the service as a whole.
"""

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredListener, DesiredService, FixedResponse, Frozen
from controller.translate import names, tags
from controller.translate.annotations import ROUTE_FINALIZERS, takeover_from
from controller.translate.claims import claim_of
from controller.translate.context import TranslateContext
from controller.translate.rules import build_rules


class Contributor(Frozen, frozen=True):
    """A route that feeds a service."""

    ref: RouteRef
    generation: int
    finalizer: bool
    """Whether it carries our finalizer, without which nothing may be written to Lattice for it."""


class ServiceTranslation(Frozen, frozen=True):
    key: ServiceKey
    desired: DesiredService | None = None
    """None when no route asks for it."""
    routes: tuple[Contributor, ...] = ()
    """Oldest first: the first owns name, tags and service-wide annotations."""
    target_groups: tuple[TargetGroupKey, ...] = ()
    """The groups to which its rules forward."""


def translate_service(view: View, key: ServiceKey, ctx: TranslateContext) -> ServiceTranslation:
    """Translate the service. Raises `UnknownError`."""
    claim = claim_of(view, key, ctx)
    if claim is None:
        return ServiceTranslation(key=key)
    route, ref, share = claim.draft.route, claim.draft.ref, claim.share
    rules = build_rules(key, (claim.draft.contribution,))
    desired = DesiredService(
        key=key,
        name=share.name,
        tags={**claim.draft.user_tags, **tags.service_tags(ref)},
        user_tags=claim.draft.user_tags,
        custom_domain=key.hostname or None,
        certificate_arn=share.certificate_arn,
        networks=share.networks,
        listeners=tuple(
            DesiredListener(
                name=names.listener_name(ref, port, protocol),
                port=port,
                protocol=protocol,
                default_action=FixedResponse(status_code=404),
                rules=rules,
            )
            for port, protocol in share.listeners
        ),
        takeover_from=takeover_from(route),
    )
    contributor = Contributor(
        ref=ref,
        generation=route.metadata.generation,
        finalizer=ROUTE_FINALIZERS[ref.kind] in route.metadata.finalizers,
    )
    return ServiceTranslation(key=key, desired=desired, routes=(contributor,), target_groups=claim.draft.groups(key))
