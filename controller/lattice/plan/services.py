"""A Lattice service with its tags, certificate, associations and listeners.

Order: a service is made ours by its tag before anything on it is changed. Associations are added before old ones go,
and listeners likewise, so that clients never lose the way to a service that is still wanted. When a service moves from
one network to another, its listeners for the old one go with the old association: after the new one is ACTIVE. As long
as any wanted network is not found, no association goes at all, because what is to take its place may be that one. A
listener that is new for HTTPS waits for the certificate. Nothing waits for what it does not depend on: listeners and
associations are made at the same time as soon as the service is ACTIVE.

Whose service it is, by its tags:

| ManagedBy            | Route tags                        | plan                                                    |
|----------------------|-----------------------------------|---------------------------------------------------------|
| ours                 | this route's, or none             | use it                                                  |
| ours                 | another's, same custom domain     | use it, rewrite the tags: the route that owned it went  |
| ours                 | this route's, other custom domain | create another by the alternative name, or wait for it  |
|                      |                                   | to go where there is none                               |
| ours                 | another's, other custom domain    | create another by the alternative name: the route that  |
|                      |                                   | it was named after left it; Conflicted where it has none|
| ours                 | another's                         | Conflicted, until it is gone                            |
| none                 | this route's, or none             | adopt it by tagging; never to delete it, nor to replace |
|                      |                                   | what has failed: then it is Conflicted                  |
| another's            |                                   | Conflicted, or take it over where the route says so     |
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from controller.api.keys import TargetGroupKey
from controller.lattice.model import MANAGED_BY, TAG_PREFIX, DesiredService, Identity
from controller.lattice.observed import (
    CREATE_FAILED,
    DELETE_FAILED,
    DELETE_IN_PROGRESS,
    NetworkAmbiguous,
    NetworkFound,
    NetworkLookup,
    NetworkMissing,
    NetworkUnknown,
    ObservedAssociation,
    ObservedNetwork,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan.context import PlanContext
from controller.lattice.plan.draft import Draft
from controller.lattice.plan.listeners import ListenerPlanner
from controller.lattice.plan.operations import Active, AssociationOf, Gone, Need, Plan, Problem, Reference, settled
from controller.lattice.plan.tags import difference, retag
from controller.lattice.plan.warming import wanted_groups

_NO_WAY = {CREATE_FAILED, DELETE_FAILED, DELETE_IN_PROGRESS}
"""States of an association that has to be made anew."""

ROUTE_TAGS = tuple(TAG_PREFIX + name for name in ("RouteName", "RouteNamespace", "RouteType"))


def plan_service(desired: DesiredService | None, observed: ObservedService | None, context: PlanContext) -> Plan:
    """What brings a service from observed to desired; `desired` None deletes it, and only if it is ours.

    The target groups to which its rules point have plans of their own; rules wait for them.
    """
    draft = Draft()
    if desired is None:
        if observed is not None and observed.owner == context.identity.owner:
            _delete(draft, observed)
    elif observed is None:
        _create(draft, desired, context)
    else:
        conflict = conflict_of(desired, observed, context.identity)
        elsewhere = observed.custom_domain != desired.custom_domain
        held = conflict is None and elsewhere
        ours = observed.owner == context.identity.owner
        if elsewhere and (held or ours) and desired.alternative_name not in {None, observed.name}:
            _create(draft, replace(desired, name=desired.alternative_name), context)
        elif observed.status == DELETE_IN_PROGRESS:
            draft.needs.append(Gone(observed.ref))
        elif conflict is not None:
            draft.problems.append(Problem(reason="Conflicted", message=conflict))
            if ours:
                draft.needs.append(Gone(observed.ref))
        elif held:
            draft.needs.append(Gone(observed.ref))
        elif observed.status in {CREATE_FAILED, DELETE_FAILED} and observed.owner != context.identity.owner:
            draft.problems.append(Problem(reason="Conflicted", message=_unusable(observed)))
        elif observed.status in {CREATE_FAILED, DELETE_FAILED}:
            _delete(draft, observed)
        else:
            _change(draft, desired, observed, context)
        draft.whole = draft.whole and Gone(observed.ref) not in draft.needs
    return draft.plan()


def conflict_of(desired: DesiredService, observed: ObservedService, identity: Identity) -> str | None:
    """Why the service of that name may not be used for what is desired, told to the route's author; None if it may."""
    owner = observed.owner
    if owner not in {None, identity.owner, desired.takeover_from}:
        return (
            f"the Lattice service {observed.name} is managed by {owner}; choose another name with the annotation "
            f"{TAG_PREFIX}service-name-override, or allow the take-over with {TAG_PREFIX}allow-takeover-from: {owner}"
        )
    held, wanted = _route(observed.tags), _route(desired.tags)
    succession = desired.custom_domain is not None and observed.custom_domain == desired.custom_domain
    if not succession and any(one not in {"", other} for one, other in zip(held, wanted, strict=True)):
        return (
            f"the Lattice service {observed.name} belongs to the route {'/'.join(held[1::-1])}; choose another name "
            f"with the annotation {TAG_PREFIX}service-name-override"
        )
    return None


def outlives(
    observed: ObservedService,
    awaited: Sequence[DesiredService],
    identity: Identity,
    target_group: Callable[[TargetGroupKey], ObservedTargetGroup | None],
) -> bool:
    """Whether a service that is asked for no more is to stay until these are complete, which take its place.

    Not where one of them waits for it to go: for its name, where it has no other, for its custom domain, or for a group
    that it uses (`target_group` tells which one a key has claimed), because a group serves one service only.
    """
    wanted = {group for desired in awaited for group in wanted_groups(desired) if isinstance(group, TargetGroupKey)}
    claimed = {group.id for key in wanted if (group := target_group(key)) is not None}
    return (
        bool(awaited)
        and observed.owner == identity.owner
        and observed.status not in {CREATE_FAILED, DELETE_FAILED, DELETE_IN_PROGRESS}
        and claimed.isdisjoint(observed.groups())
        and not any(
            (desired.alternative_name is None and desired.name == observed.name)
            or (desired.custom_domain is not None and desired.custom_domain == observed.custom_domain)
            for desired in awaited
        )
    )


def _unusable(observed: ObservedService) -> str:
    return (
        f"the Lattice service {observed.name} is {observed.status} and not this controller's to delete; delete it, or "
        f"choose another name with the annotation {TAG_PREFIX}service-name-override"
    )


def _route(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(tags.get(name, "") for name in ROUTE_TAGS)


def _create(draft: Draft, desired: DesiredService, context: PlanContext) -> None:
    arguments = {
        "name": desired.name,
        "tags": {MANAGED_BY: context.identity.owner, **desired.tags},
    }
    if desired.custom_domain is not None:
        arguments["customDomainName"] = desired.custom_domain
    if desired.certificate_arn is not None:
        arguments["certificateArn"] = desired.certificate_arn
    domain = f" for {desired.custom_domain}" if desired.custom_domain else ""
    created = draft.add(
        "CreateService", f"service {desired.name}", f"create the service{domain}", arguments, creates=desired.key
    )
    draft.needs.append(Active(desired.key))
    service_id = Reference(to=desired.key)
    _associations(draft, desired, service_id, {}, (created,), context)
    planner = ListenerPlanner(draft, desired, service_id, None, context)
    for listener in desired.listeners:
        planner.create(listener, (created,))


def _change(draft: Draft, desired: DesiredService, observed: ObservedService, context: PlanContext) -> None:
    associations, listeners = observed.associations, observed.listeners
    assert associations is not None
    assert listeners is not None
    wanted_tags = {MANAGED_BY: context.identity.owner, **desired.tags}
    tags = difference(wanted_tags, observed.tags, observed.written_tags)
    after: tuple[int, ...] = ()
    if observed.owner != context.identity.owner:
        claim = difference({MANAGED_BY: context.identity.owner}, observed.tags, frozenset())
        after = retag(draft, f"service {observed.name}", observed.arn, claim)
    draft.needs.append(Active(desired.key))
    good = {desired.certificate_arn, *desired.certificates_as_well}
    secured = after
    if desired.certificate_arn is not None and observed.certificate_arn not in good:
        updated = draft.add(
            "UpdateService",
            f"service {observed.name}",
            f"use the certificate {desired.certificate_arn}",
            {"serviceIdentifier": observed.id, "certificateArn": desired.certificate_arn},
            after=after,
            needs=(Active(desired.key),),
        )
        secured = (*after, updated)
    ways = _associations(draft, desired, observed.id, associations, after, context)
    planner = ListenerPlanner(draft, desired, observed.id, observed, context)
    changes: list[int] = []
    for listener in desired.listeners:
        present = listeners.get(listener.port)
        first = secured if listener.protocol == "HTTPS" else after
        if present is None:
            changes += planner.create(listener, first)
        elif present.protocol == listener.protocol:
            changes += planner.change(listener, present, after)
        elif not ways.held:
            changes += planner.change(listener, present, first, ways.needs)
    ports = {listener.port: listener for listener in desired.listeners}
    for port, surplus in sorted(listeners.items()):
        if port not in ports and not ways.held:
            planner.delete(surplus, (*after, *changes), ways.needs)
    children = [(f"association with {one.network_name or one.network_id}", one.arn) for one in ways.kept]
    for port, listener_ in sorted(listeners.items()):
        if port in ports and ports[port].protocol == listener_.protocol:
            children.append((f"listener {listener_.name}", listener_.arn))
            children += [
                (f"rule {rule.priority} of listener {listener_.name}", rule.arn) for rule in listener_.rules.values()
            ]
    users = tags.of(desired.user_tags)
    before = [index for resource, arn in children for index in retag(draft, resource, arn, users, after)]
    rest = difference(wanted_tags, {**observed.tags, MANAGED_BY: context.identity.owner}, observed.written_tags)
    retag(draft, f"service {observed.name}", observed.arn, rest, (*after, *before))


class _Ways(NamedTuple):
    """How clients reach a service, besides those ways that are yet to be made."""

    kept: Sequence[ObservedAssociation] = ()
    """The associations that stay, and are well."""
    held: bool = False
    """Whether others stay too, with the listeners that there are, because it is not known what takes their place."""
    needs: Sequence[Need] = ()
    """What has to hold before a listener goes that clients may use by an association that is to go."""


def _associations(
    draft: Draft,
    desired: DesiredService,
    service_id: str | Reference,
    observed: Mapping[str, ObservedAssociation],
    after: Sequence[int],
    context: PlanContext,
) -> _Ways:
    lookups = {name: context.network(name) for name in desired.networks}
    wanted = _networks(draft, lookups)
    added: list[int] = []
    for network in wanted:
        resource, association_of = f"association with {network.name}", AssociationOf(desired.key, network.id)
        present = observed.get(network.id)
        draft.needs.append(Active(association_of))
        before, needs = list(after), [Active(desired.key)]
        gone: list[Gone] = []
        if present is not None and present.status not in _NO_WAY:
            continue
        if present is not None:
            gone.append(Gone(present.ref))
            if present.status != DELETE_IN_PROGRESS:
                before.append(_disassociate(draft, present, after))
        added.append(
            draft.add(
                "CreateServiceNetworkServiceAssociation",
                resource,
                f"associate the service with the service network {network.name}",
                {
                    "serviceIdentifier": service_id,
                    "serviceNetworkIdentifier": network.id,
                    "tags": {MANAGED_BY: context.identity.owner, **desired.user_tags},
                },
                after=before,
                needs=(*needs, *gone),
                creates=association_of,
            )
        )
    stays = lookups.keys() | {network.id for network in wanted}
    by_network = [association for _, association in sorted(observed.items())]
    leave = [one for one in by_network if stays.isdisjoint({one.network_id, one.network_name})]
    kept = [one for one in by_network if one not in leave and one.status not in _NO_WAY]
    if leave and not all(isinstance(found, NetworkFound) for found in lookups.values()):
        return _Ways(kept, held=True)
    instead = [Active(AssociationOf(desired.key, network.id)) for network in wanted]
    for association in leave:
        draft.needs.append(Gone(association.ref))
        if association.status != DELETE_IN_PROGRESS:
            _disassociate(draft, association, (*after, *added), instead)
    return _Ways(kept, needs=instead if leave else ())


def _networks(draft: Draft, lookups: Mapping[str, NetworkLookup]) -> list[ObservedNetwork]:
    """Those that were found, each once; the others are told as problems."""
    found: dict[str, ObservedNetwork] = {}
    for name, lookup in lookups.items():
        match lookup:
            case NetworkFound(network=network):
                found[network.id] = network
            case NetworkMissing():
                message = f"no service network named {name} is visible to this account"
                draft.problems.append(Problem(reason="NetworkNotFound", message=message))
            case NetworkAmbiguous(ids=ids):
                message = f"several service networks are named {name}: refer to one by its id, {' or '.join(ids)}"
                draft.problems.append(Problem(reason="NetworkAmbiguous", message=message))
            case NetworkUnknown():
                message = f"it is not known yet whether there is a service network named {name}"
                draft.problems.append(Problem(reason="NetworkUnknown", message=message))
    return list(found.values())


def _disassociate(
    draft: Draft, association: ObservedAssociation, after: Sequence[int], needs: Sequence[Need] = ()
) -> int:
    _report_failure(draft, "association", association.status, association.failure)
    network = association.network_name or association.network_id
    return draft.add(
        "DeleteServiceNetworkServiceAssociation",
        f"association with {network}",
        f"end the association with the service network {network}",
        {"serviceNetworkServiceAssociationIdentifier": association.id},
        after=after,
        needs=(*settled(association), *needs),
    )


def _delete(draft: Draft, observed: ObservedService) -> None:
    """Deleting a service deletes its listeners and rules too; it must have no associations."""
    draft.needs.append(Gone(observed.ref))
    if observed.status == DELETE_IN_PROGRESS:
        return
    _report_failure(draft, f"service {observed.name}", observed.status, observed.failure)
    associations = (observed.associations or {}).values()
    ends = [_disassociate(draft, one, ()) for one in associations if one.status != DELETE_IN_PROGRESS]
    draft.add(
        "DeleteService",
        f"service {observed.name}",
        "delete the service with its listeners and rules",
        {"serviceIdentifier": observed.id},
        after=ends,
        needs=[*settled(observed), *(Gone(one.ref) for one in associations)],
    )


def _report_failure(draft: Draft, resource: str, status: str, failure: str) -> None:
    if status == CREATE_FAILED:
        reason = failure or "Lattice gives no reason"
        draft.problems.append(Problem(reason="CreateFailed", message=f"creating the {resource} failed: {reason}"))
    elif status == DELETE_FAILED:
        reason = failure or "Lattice gives no reason"
        draft.problems.append(Problem(reason="DeleteFailed", message=f"deleting the {resource} failed: {reason}"))
