"""A target group of a service: which endpoints belong to a backend port.

Every endpoint that is not terminating is registered, ready or not: readiness gates wait for the target's health, so
that waiting for readiness would wait for ever. A group exists as long as a rule of its service forwards to it, with
targets or without.

A group has an alternative identity, with its port and its hostname in tags of their own, for when it is made while the
one that is to be its has other targets and is still in use: a backend's port changes, or the route's first hostname.

Source: Kubernetes API reference, `EndpointSlice`; the contract's names, tags and targets.
"""

from collections.abc import Collection, Iterator, Mapping

from controller.api.core import EndpointSlice
from controller.api.keys import TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredTargetGroup, HealthCheck, Target
from controller.translate import names, tags
from controller.translate.context import TranslateContext
from controller.translate.merge import Merged, merged_service

_FAMILIES = {"IPV4": "IPv4", "IPV6": "IPv6"}
_PORT = 80
"""The group's own port, which every target overrides by its own."""


def translate_target_group(
    view: View, key: TargetGroupKey, ctx: TranslateContext, *, acknowledged: bool = False
) -> DesiredTargetGroup | None:
    """The group as its service wants it; None when the service does not forward to it. Raises `UnknownError`.

    For `acknowledged` see `merged_service`.
    """
    merged = merged_service(view, key.owner, ctx, acknowledged=acknowledged)
    if merged is None or key not in merged.groups:
        return None
    claim = merged.groups[key]
    further_port = key != min(_siblings(merged, key), key=_port_order)
    identity, alternative = (
        tags.target_group_tags(key, claim.draft.ref, ctx.identity, further_port=port_tag, further_hostname=hostname_tag)
        for port_tag, hostname_tag in ((further_port, not claim.share.first), (True, bool(key.owner.hostname)))
    )
    apart = alternative != identity
    return DesiredTargetGroup(
        key=key,
        name=_name(key, identity, ctx),
        port=_PORT,
        protocol=key.protocol,
        protocol_version=key.protocol_version,
        ip_address_type=key.ip_address_type,
        vpc=ctx.identity.vpc,
        health_check=HealthCheck(enabled=key.protocol_version == "HTTP1"),
        identity_tags=identity,
        tags={**claim.draft.user_tags, **identity},
        targets=frozenset(_targets(view, key)),
        alternative_name=_name(key, alternative, ctx) if apart else None,
        alternative_tags=alternative if apart else {},
    )


def _name(key: TargetGroupKey, identity: Mapping[str, str], ctx: TranslateContext) -> str:
    fixed = (_PORT, key.protocol, key.protocol_version, key.ip_address_type, ctx.identity.vpc, ctx.identity.owner)
    return names.target_group_name(key.namespace, key.service, repr((sorted(identity.items()), fixed)))


def _siblings(merged: Merged, key: TargetGroupKey) -> list[TargetGroupKey]:
    """The groups of the same Service that the same route owns in the same Lattice service, this one among them."""
    return [
        group
        for group, claim in merged.groups.items()
        if claim is merged.groups[key] and (group.namespace, group.service) == (key.namespace, key.service)
    ]


def _port_order(key: TargetGroupKey) -> int:
    """The group of the lowest port has the tags of a Service's only group; one of all ports comes before any."""
    return -1 if key.port is None else key.port


def _targets(view: View, key: TargetGroupKey) -> Iterator[Target]:
    name = _port_name(view, key)
    for piece in view.endpoint_slices(key.namespace, key.service):
        if _unfit(piece, key) is not None:
            continue
        ports = _ports(piece, name)
        for endpoint in piece.endpoints or ():
            if endpoint.conditions.terminating:
                continue
            for address in endpoint.addresses:
                for port in ports:
                    yield Target(ip=address, port=port)


def targets_to_follow(view: View, key: TargetGroupKey, present: Collection[Target]) -> Iterator[Target]:
    """The targets of a group that no route asks for any more, but that is still in use. Raises `UnknownError`.

    Its key may not tell which port it is for, or one that the Service has no more, with which nothing tells the port of
    the endpoints. Then the targets that it has do; without any it gets none.
    """
    told = key.port is not None and _port_name(view, key) is not None
    ports = {target.port for target in present}
    for target in _targets(view, key):
        if told or target.port in ports:
            yield target


def left_out(view: View, key: TargetGroupKey) -> Iterator[tuple[str, str]]:
    """The addresses of endpoints that are no targets of the group, each with why. Raises `UnknownError`."""
    name = _port_name(view, key)
    for piece in view.endpoint_slices(key.namespace, key.service):
        unfit = _unfit(piece, key)
        if unfit is None and not _ports(piece, name):
            unfit = f"EndpointSlice {piece.name} has no TCP port" + (f" named {name}" if name else "")
        for endpoint in piece.endpoints or ():
            why = unfit or ("terminating" if endpoint.conditions.terminating else None)
            if why is not None:
                yield from ((address, why) for address in endpoint.addresses)


def _unfit(piece: EndpointSlice, key: TargetGroupKey) -> str | None:
    """Why none of the slice's endpoints can be a target of the group; None where they can."""
    if piece.deleting:
        return f"EndpointSlice {piece.name} is being deleted"
    if piece.address_type != (family := _FAMILIES[key.ip_address_type]):
        return f"{piece.address_type} address, the group takes {family}"
    return None


def _port_name(view: View, key: TargetGroupKey) -> str | None:
    """The name of the Service's port, by which slices know it; empty for an unnamed port and for all ports, None where
    there is no such port."""
    if key.port is None:
        return ""
    service = view.service(key.namespace, key.service)
    ports = () if service is None else service.spec.ports
    return next((port.name for port in ports if port.port == key.port and port.protocol == "TCP"), None)


def _ports(piece: EndpointSlice, name: str | None) -> list[int]:
    return [
        port.port
        for port in piece.ports or ()
        if port.port is not None and port.protocol in {None, "TCP"} and (not name or port.name == name)
    ]
