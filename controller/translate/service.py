"""A Lattice service as the routes that feed it want it.

A service has a listener for each port of the parents' listeners that serve it, all with the same rules; what no rule
matches gets a 404. A TLS listener has no rules: its default action forwards. As it can do nothing else, there is none
while no backend takes connections, so that they are refused. The oldest route gives the service its name, its tags and
what else concerns it as a whole.
"""

from collections.abc import Sequence
from typing import Final

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredListener, DesiredRule, DesiredService, FixedResponse, Forward, Frozen
from controller.translate import names, tags
from controller.translate.annotations import ROUTE_FINALIZERS, takeover_from
from controller.translate.certificates import Named, Source
from controller.translate.claims import claim_of
from controller.translate.context import TranslateContext
from controller.translate.rules import build_rules

TLS_PASSTHROUGH: Final = "TLS_PASSTHROUGH"
"""How VPC Lattice calls the protocol of listeners that pass TLS connections through."""


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
    certificate: Source | None = None
    """Where its certificate comes from; one that is named is in `desired` already."""


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
        certificate_arn=share.certificate.arn if isinstance(share.certificate, Named) else None,
        networks=share.networks,
        listeners=tuple(
            listener
            for port, protocol in share.listeners
            if (listener := _listener(ref, port, protocol, rules)) is not None
        ),
        takeover_from=takeover_from(route),
    )
    contributor = Contributor(
        ref=ref,
        generation=route.metadata.generation,
        finalizer=ROUTE_FINALIZERS[ref.kind] in route.metadata.finalizers,
    )
    return ServiceTranslation(
        key=key,
        desired=desired,
        routes=(contributor,),
        target_groups=claim.draft.groups(key),
        certificate=share.certificate,
    )


def _listener(ref: RouteRef, port: int, protocol: str, rules: Sequence[DesiredRule]) -> DesiredListener | None:
    """The listener on this port; `protocol` is that of the Gateway's listener. None where there can be none."""
    name = names.listener_name(ref, port, protocol)
    if protocol != "TLS":
        not_found = FixedResponse(status_code=404)
        return DesiredListener(name=name, port=port, protocol=protocol, default_action=not_found, rules=tuple(rules))
    forward = rules[0].action if rules else None
    if not isinstance(forward, Forward):
        return None
    return DesiredListener(name=name, port=port, protocol=TLS_PASSTHROUGH, default_action=forward)
