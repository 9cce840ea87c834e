"""Whether what an operation needs holds, and whom to wait for where it does not; and what its references stand for.

Answered from the mirror alone, so that `apply` can ask before every single write.
"""

from controller.api.keys import Key, ServiceKey, TargetGroupKey
from controller.lattice.inventory.mirror import Mirror
from controller.lattice.inventory.warmth import Warmth
from controller.lattice.model import Frozen
from controller.lattice.observed import (
    ACTIVE,
    CREATE_IN_PROGRESS,
    ObservedAssociation,
    ObservedListener,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.plan import (
    Active,
    AssociationOf,
    Gone,
    ListenerOf,
    Need,
    Reference,
    Registered,
    Resource,
    Settled,
    Unused,
    Warm,
)
from controller.lattice.plan.wire import short_id
from controller.lattice.refs import ResourceRef


class Unmet(Frozen, frozen=True):
    """A need that does not hold, and who can change that: a resource that changes by itself, or the work of other keys.

    With neither, only looking again helps.
    """

    waits: tuple[ResourceRef, ...] = ()
    holds: tuple[Key, ...] = ()


class Needs:
    def __init__(self, mirror: Mirror, warmth: Warmth) -> None:
        self._mirror = mirror
        self._warmth = warmth

    def resolve(self, reference: Reference) -> str | None:
        """The id or ARN that a reference stands for; None if the resource does not exist yet."""
        found = self._found(reference.to)
        if found is None:
            return None
        return found.id if reference.attribute == "id" else found.arn

    def _found(
        self, resource: Resource
    ) -> ObservedService | ObservedTargetGroup | ObservedListener | ObservedAssociation | None:
        match resource:
            case ServiceKey():
                return self._mirror.service_of(resource)
            case TargetGroupKey():
                return self._mirror.group_of(resource)
            case ListenerOf(service=key, port=port):
                service = self._mirror.service_of(key)
                return None if service is None else (service.listeners or {}).get(port)
            case AssociationOf(service=key, network_id=network):
                service = self._mirror.service_of(key)
                return None if service is None else (service.associations or {}).get(network)

    def unmet(self, need: Need) -> Unmet | None:
        """Why a need does not hold; None if it holds."""
        match need:
            case Active(resource=resource):
                return self._not_active(resource)
            case Settled(ref=ref):
                return Unmet(waits=(ref,)) if self._mirror.state(ref) == CREATE_IN_PROGRESS else None
            case Gone(ref=ref):
                return None if self._mirror.state(ref) is None else self._still_there(ref)
            case Registered(group=key):
                group = self._mirror.group_of(key)
                return None if group is not None and group.registered else Unmet(holds=(key,))
            case Warm(group=wanted):
                return self._not_warm(wanted)
            case Unused(group_id=ident):
                return self._used(ident)

    def _not_active(self, resource: Resource) -> Unmet | None:
        found = self._found(resource)
        if found is None:
            return Unmet()
        if isinstance(found, ObservedListener) or found.status == ACTIVE:
            return None
        return Unmet(waits=(found.ref,)) if _changes(found.status) else Unmet()

    def _not_warm(self, wanted: TargetGroupKey | str) -> Unmet | None:
        if isinstance(wanted, str):
            ident = short_id(wanted)
        elif (group := self._mirror.group_of(wanted)) is None:
            return Unmet(holds=(wanted,))
        else:
            ident = group.id
        if not self._mirror.group_users[ident]:
            return Unmet()
        return Unmet(waits=(ResourceRef("targets", ident),)) if self._warmth.is_cold(ident) else None

    def _still_there(self, ref: ResourceRef) -> Unmet:
        if _changes(self._mirror.state(ref) or ""):
            return Unmet(waits=(ref,))
        service = self._mirror.services.get(ref.id)
        holder = None if service is None else self._mirror.service_key(service)
        return Unmet() if holder is None else Unmet(holds=(holder,))

    def _used(self, ident: str) -> Unmet | None:
        """Who forwards to a group: by the rules of services that were read, else by what the group itself said."""
        mirror = self._mirror
        users = set(mirror.group_users[ident])
        group = mirror.groups.get(ident)
        foreign = False
        for arn in () if group is None else group.service_arns:
            service = mirror.services.get(short_id(arn))
            if service is not None and service.listeners is None:
                users.add(service.id)
            foreign = foreign or service is None
        keys = [mirror.service_key(mirror.services[user]) for user in sorted(users)]
        if users or foreign:
            return Unmet(holds=tuple(key for key in keys if key is not None))
        return None


def _changes(status: str) -> bool:
    return status.endswith("_IN_PROGRESS")
