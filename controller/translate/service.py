"""A Lattice service as the routes that feed it want it.

A service has a listener for each port of the parents' listeners that serve it; what no rule matches gets a 404. A TLS
listener has no rules: its default action forwards. As it can do nothing else, there is none while no backend takes
connections, so that they are refused. The oldest route gives the service its name, its tags and what else concerns it
as a whole.
"""

from typing import Final

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredListener, DesiredService, FixedResponse, Forward, Frozen
from controller.translate import names, tags
from controller.translate.annotations import ROUTE_FINALIZERS, takeover_from
from controller.translate.certificates import Named, Source
from controller.translate.context import TranslateContext
from controller.translate.draft import Share
from controller.translate.merge import MergedListener, merged_service

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


def translate_service(
    view: View, key: ServiceKey, ctx: TranslateContext, *, acknowledged: bool = False
) -> ServiceTranslation:
    """Translate the service; for `acknowledged` see `merged_service`. Raises `UnknownError`."""
    merged = merged_service(view, key, ctx, acknowledged=acknowledged)
    if merged is None:
        return ServiceTranslation(key=key)
    owner, share = merged.claims[0].draft, merged.claims[0].share
    desired = DesiredService(
        key=key,
        name=share.name,
        alternative_name=_alternative_name(owner.ref, share),
        tags={**owner.user_tags, **tags.service_tags(owner.ref)},
        user_tags=owner.user_tags,
        custom_domain=key.hostname or None,
        certificate_arn=merged.certificate.arn if isinstance(merged.certificate, Named) else None,
        networks=share.networks,
        listeners=tuple(listener for each in merged.listeners if (listener := _listener(owner.ref, each)) is not None),
        takeover_from=takeover_from(owner.route),
    )
    contributors = tuple(
        Contributor(
            ref=claim.draft.ref,
            generation=claim.draft.route.metadata.generation,
            finalizer=ROUTE_FINALIZERS[claim.draft.ref.kind] in claim.draft.route.metadata.finalizers,
        )
        for claim in merged.claims
    )
    return ServiceTranslation(
        key=key,
        desired=desired,
        routes=contributors,
        target_groups=tuple(merged.groups),
        certificate=merged.certificate,
    )


def _listener(owner: RouteRef, merged: MergedListener) -> DesiredListener | None:
    """The listener of a port; None where there can be none."""
    name = names.listener_name(owner, merged.port, merged.protocol)
    if merged.protocol != "TLS":
        return DesiredListener(
            name=name,
            port=merged.port,
            protocol=merged.protocol,
            default_action=FixedResponse(status_code=404),
            rules=merged.rules,
        )
    forward = merged.rules[0].action if merged.rules else None
    if not isinstance(forward, Forward):
        return None
    return DesiredListener(name=name, port=merged.port, protocol=TLS_PASSTHROUGH, default_action=forward)


def _alternative_name(owner: RouteRef, share: Share) -> str | None:
    """What to call the service while one of another hostname, or of none, has its name: that of a further one."""
    if not share.first:
        return None
    name = names.further_service_name(owner, share.key.hostname)
    return name if name != share.name else None
