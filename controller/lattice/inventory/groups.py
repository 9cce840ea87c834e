"""Which of our target groups is the one that a key wants: by its identity, in tags or in its name."""

from collections.abc import Mapping

from controller.api.keys import TargetGroupKey
from controller.lattice.inventory.mirror import Mirror, backend_of_group
from controller.lattice.model import MANAGED_BY, TAG_PREFIX, DesiredTargetGroup
from controller.lattice.observed import ObservedTargetGroup
from controller.lattice.plan.wire import short_id


def group_for(mirror: Mirror, key: TargetGroupKey, desired: DesiredTargetGroup) -> str | None:
    """The id of the group that may become the key's; None if there is none.

    The alternative identity comes before the other. Where there is an alternative, the group is never one that serves
    another custom domain, nor one that holds another backend's targets as long as a rule forwards to it: the rule would
    forward to other targets before it is changed.
    """
    own = desired.alternative_name
    if own is not None and (ident := _group_as(mirror, desired, own, desired.alternative_tags)) is not None:
        return ident
    ident = _group_as(mirror, desired, desired.name, desired.identity_tags)
    if ident is not None and own is not None:
        group = mirror.groups[ident]
        if _serves_another(mirror, group, key) or _holds_another(mirror, group, desired):
            return None
    return ident


def _group_as(mirror: Mirror, desired: DesiredTargetGroup, name: str, tags: Mapping[str, str]) -> str | None:
    for ident in (*mirror.group_backends[backend_of_group(tags)], *mirror.group_names[name]):
        group = mirror.groups[ident]
        same = group.name == name or _identity(group.tags) == dict(tags)
        if same and mirror.ours(group.tags) and _fixed(group, desired):
            return ident
    return None


def _serves_another(mirror: Mirror, group: ObservedTargetGroup, key: TargetGroupKey) -> bool:
    """Whether a service of another custom domain forwards to the group, which no other may then."""
    users = {*mirror.group_users[group.id], *map(short_id, group.service_arns)}
    services = [mirror.services[user] for user in users if user in mirror.services]
    return any((service.custom_domain or "") != key.owner.hostname for service in services)


def _holds_another(mirror: Mirror, group: ObservedTargetGroup, desired: DesiredTargetGroup) -> bool:
    """Whether a service forwards to the group for another backend than the key's.

    A key that was made for a group that nothing was desired for knows no port (`Mirror.group_key`): its targets do.
    """
    holder = mirror.group_claims.key_of(group.id)
    if holder is None or not mirror.group_users[group.id]:
        return False
    if holder.owner.hostname != group.id:
        return not same_backend(holder, desired.key)
    ports = {target.port for target in group.targets or ()}
    return bool(ports and desired.targets) and ports.isdisjoint(target.port for target in desired.targets)


def same_backend(one: TargetGroupKey, other: TargetGroupKey) -> bool:
    """Whether the groups of two keys have the same targets."""
    return (one.namespace, one.service, one.port) == (other.namespace, other.service, other.port)


def _identity(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key.startswith(TAG_PREFIX) and key != MANAGED_BY}


def _fixed(group: ObservedTargetGroup, desired: DesiredTargetGroup) -> bool:
    """Whether the fields that cannot be changed are as desired."""
    return (group.port, group.protocol, group.protocol_version, group.ip_address_type, group.vpc) == (
        desired.port,
        desired.protocol,
        desired.protocol_version,
        desired.ip_address_type,
        desired.vpc,
    )
