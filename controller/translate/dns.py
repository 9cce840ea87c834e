"""The DNS records that a route publishes: what is to stand in its DNSEndpoint, of which external-dns makes records.

A record is a CNAME from a hostname of the route to the domain name that VPC Lattice assigned to the service of that
hostname. It appears when the service is programmed, and not before, for until then it would lead nowhere; and it stays
while the service does: a hostname that a route gives up keeps its record until what takes its place is there, with
the rules of this route.

**Who publishes.** Routes that share a service share its record, and external-dns has to choose when two objects say
different things of a name. So one of them publishes it: the oldest, which gives the service its name and tags too. When
it is another's turn, who had the record keeps it until the other has it as well, and a route that is deleted stays for
as long. In between both say the same, which makes one record, and there is no moment without it.

**In which object.** `{route}-dns`, as the AWS Gateway API Controller calls it, so that what that one made is found and
kept. Routes of two kinds may have one name in a namespace: then the object is whose it was first, and the other's has
the kind in its name. It is a route's if its owner references say so. One that belongs to anybody else is never touched;
a route whose name is taken so is passed over, and the next oldest publishes what they share.

Source: external-dns documentation, "CRD Source"; Kubernetes documentation, "Owners and Dependents", "Object Names".
"""

from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from typing import Final, get_args

from msgspec.structs import replace

from controller.api.external_dns import DNSEndpoint, Endpoint
from controller.api.gateway import GROUP, Route
from controller.api.keys import RouteKind, RouteRef, ServiceKey
from controller.api.meta import OwnerReference
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.claims import claims_of, services_of_hostname
from controller.translate.context import TranslateContext
from controller.translate.merge import is_acknowledged
from controller.translate.outcomes import Failed, Programmed, ServiceOutcome

RECORD_TYPE: Final = "CNAME"
RECORD_TTL: Final = 300
"""Seconds."""

NAME_MAX: Final = 253
"""Characters of an object's name (RFC 1123, subdomain)."""

_SUFFIX: Final = "-dns"
_DIGEST: Final = 7
_KINDS: Final[tuple[RouteKind, ...]] = get_args(RouteKind)

Outcomes = Callable[[ServiceKey], ServiceOutcome]
"""What became of a service, as far as is known."""


class Slot(Frozen, frozen=True):
    """Where the records of a route stand, or are to stand."""

    name: str
    """Of the object."""
    held: DNSEndpoint | None = None
    """The route's own object, if there is one; otherwise the name is free, or `taken`."""
    more: tuple[DNSEndpoint, ...] = ()
    """Further objects of the route, which are one too many."""
    taken: DNSEndpoint | None = None
    """Somebody else's object that has the name."""

    @property
    def records(self) -> dict[str, Endpoint]:
        """What the route has published, by hostname."""
        return {} if self.held is None else {endpoint.dns_name: endpoint for endpoint in self.held.endpoints}


class Publication(Frozen, frozen=True):
    """What is to become of a route's DNSEndpoint."""

    slot: Slot
    endpoints: tuple[Endpoint, ...]
    """Without any, there is to be no object."""
    lacking: tuple[str, ...] = ()
    """Hostnames that nobody can publish, as the object's name is taken."""
    instead: tuple[RouteRef, ...] = ()
    """Routes that are to publish what this one cannot, and do not yet."""
    spared: bool = False
    """Whether something stays only because it may be another controller's work that is not taken over yet."""

    @property
    def changes(self) -> bool:
        """Whether the route's object is to be another one than it is. The order of records is no difference."""
        held = () if self.slot.held is None else self.slot.held.endpoints
        wanted = {each.dns_name: each for each in self.endpoints}
        return len(held) != len(wanted) or self.slot.records != wanted


def names_of(ref: RouteRef) -> tuple[str, str]:
    """What a route's object is called; and how where a route of another kind has that name."""
    return _fitting(ref.name), _fitting(f"{ref.name}-{ref.kind.lower()}")


def _fitting(base: str) -> str:
    room = NAME_MAX - len(_SUFFIX)
    if len(base) > room:
        digest = sha256(base.encode()).hexdigest()[:_DIGEST]
        base = f"{base[: room - _DIGEST - 1].rstrip('-.')}-{digest}"
    return base + _SUFFIX


def owners_of(obj: DNSEndpoint) -> Iterator[RouteRef]:
    """The routes that its owner references name, whether there are such or not."""
    for owner in obj.metadata.owner_references:
        if (kind := _route_kind(owner)) is not None:
            yield RouteRef(kind, obj.namespace, owner.name)


def routes_meant(obj: DNSEndpoint) -> Iterator[RouteRef]:
    """The routes to which an object of this name and with these owners matters, whether there are such or not."""
    yield from owners_of(obj)
    base = obj.name.removesuffix(_SUFFIX)
    for kind in _KINDS:
        for name in (base, base.removesuffix(f"-{kind.lower()}")):
            ref = RouteRef(kind, obj.namespace, name)
            if name and obj.name in names_of(ref):
                yield ref


def belongs_to(obj: DNSEndpoint, route: Route) -> bool:
    """Whether an object is the route's own: it goes with it."""
    uid = route.metadata.uid
    return bool(uid) and any(owner.uid == uid for owner in obj.metadata.owner_references)


def owner_reference(route: Route) -> OwnerReference:
    """What makes an object the route's own.

    It does not block the route's deletion in the foreground: that would need a right on the route's finalizers where
    the API server enforces it.
    """
    return OwnerReference(
        api_version=f"{GROUP}/v1", kind=route.kind, name=route.name, uid=route.metadata.uid, controller=True
    )


def slot_of(view: View, route: Route) -> Slot:
    """Where a route's records stand or are to stand. Raises `UnknownError`."""
    plain, own = names_of(route.ref)
    first, second = (view.dns_endpoint(route.namespace, name) for name in (plain, own))
    mine = [obj for obj in (first, second) if obj is not None and belongs_to(obj, route)]
    if mine:
        return Slot(name=mine[0].name, held=mine[0], more=tuple(mine[1:]))
    if first is None:
        return Slot(name=plain)
    if any(_is_another_route(owner, route) for owner in first.metadata.owner_references):
        return Slot(name=own, taken=second)
    return Slot(name=plain, taken=first)


def publisher(view: View, key: ServiceKey, ctx: TranslateContext) -> RouteRef | None:
    """The route that publishes the record of a service: the oldest that can. Raises `UnknownError`."""
    for claim in claims_of(view, key, ctx):
        route = claim.draft.route
        if is_acknowledged(route) and slot_of(view, route).taken is None:
            return claim.draft.ref
    return None


def publication(
    view: View,
    route: Route,
    services: Collection[ServiceKey],
    ctx: TranslateContext,
    outcome: Outcomes,
    *,
    complete: Callable[[ServiceKey], bool],
    spare: bool = False,
) -> Publication:
    """What a route is to publish that asks for these services. Raises `UnknownError`.

    `complete` tells whether a service has all that this route asks of it, for it may be programmed for others before.
    `spare` keeps what there is as it is, and only adds.
    """
    slot = slot_of(view, route)
    present = slot.records
    asked = {key.hostname: key for key in services if key.hostname}
    settled = all(isinstance(outcome(key), Programmed) and complete(key) for key in services)
    lacking: list[str] = []
    instead: list[RouteRef] = []
    wanted: dict[str, Endpoint | None] = {}
    for hostname, key in asked.items():
        who = publisher(view, key, ctx)
        before, became = present.get(hostname), outcome(key)
        if who == route.ref:
            wanted[hostname] = record(hostname, became.domain, before) if isinstance(became, Programmed) else before
        elif who is not None and _publishes(view, who, hostname):
            wanted[hostname] = None
        else:
            wanted[hostname] = before
            if slot.taken is not None:
                lacking += [hostname] if who is None else []
                instead += [who] if who is not None else []
    for hostname, before in present.items():
        if hostname not in asked:
            passed_on, heir = _succession(view, route, before, ctx, outcome)
            wanted[hostname] = None if passed_on or (settled and heir is None) else before
    spared = [hostname for hostname, before in present.items() if spare and wanted[hostname] != before]
    wanted |= {hostname: present[hostname] for hostname in spared}
    return Publication(
        slot=slot,
        endpoints=tuple(each for each in wanted.values() if each is not None) if slot.taken is None else (),
        lacking=tuple(lacking),
        instead=tuple(dict.fromkeys(instead)),
        spared=bool(spared),
    )


def heirs(view: View, route: Route, ctx: TranslateContext, outcome: Outcomes) -> tuple[RouteRef, ...]:
    """Routes that are yet to publish what a deleted route has published so far. Raises `UnknownError`.

    One whose service cannot be made as desired is not waited for: a route can always be deleted.
    """
    found = (_succession(view, route, each, ctx, outcome)[1] for each in slot_of(view, route).records.values())
    return tuple(dict.fromkeys(ref for ref in found if ref is not None))


def record(hostname: str, domain: str, before: Endpoint | None = None) -> Endpoint:
    """The record of a hostname; what somebody added to the one that was there before stays."""
    return replace(
        before or Endpoint(), dns_name=hostname, targets=(domain,), record_type=RECORD_TYPE, record_ttl=RECORD_TTL
    )


def taken_message(slot: Slot, route: Route, hostnames: Collection[str]) -> str:
    """What to tell the author of a route whose records cannot be published."""
    of = "" if slot.taken is None else _owners_text(slot.taken, route)
    names = ", ".join(hostnames)
    return (
        f"The DNS record of {names} is not published: DNSEndpoint {route.namespace}/{slot.name} is not this route's but"
        f" {of}, and is left as it is. Delete or rename it, or publish the record there."
    )


def _owners_text(obj: DNSEndpoint, route: Route) -> str:
    owners = obj.metadata.owner_references
    if any((_route_kind(owner), owner.name) == (route.kind, route.name) for owner in owners):
        return "that of an earlier route of this name, with which it goes"
    return f"that of {', '.join(f'{owner.kind} {owner.name}' for owner in owners)}" if owners else "somebody else's"


def _succession(
    view: View, route: Route, before: Endpoint, ctx: TranslateContext, outcome: Outcomes
) -> tuple[bool, RouteRef | None]:
    """Whether another route publishes what this one has published; and the one that is to do so before it goes."""
    passed_on, heir = False, None
    for key in services_of_hostname(view, before.dns_name, ctx):
        who = publisher(view, key, ctx)
        if who is None or who == route.ref:
            continue
        became = outcome(key)
        if _publishes(view, who, before.dns_name):
            passed_on = True
        elif isinstance(became, Programmed):
            heir = who if became.domain in (before.targets or ()) else heir
        elif not _decided(became) or not route.deleting:
            heir = who
    return passed_on and heir is None, heir


def _publishes(view: View, ref: RouteRef, hostname: str) -> bool:
    route = view.route(ref)
    return route is not None and hostname in slot_of(view, route).records


def _decided(outcome: ServiceOutcome) -> bool:
    return isinstance(outcome, Programmed) or (isinstance(outcome, Failed) and not outcome.transient)


def _route_kind(owner: OwnerReference) -> RouteKind | None:
    if owner.api_version.partition("/")[0] != GROUP:
        return None
    return next((kind for kind in _KINDS if kind == owner.kind), None)


def _is_another_route(owner: OwnerReference, route: Route) -> bool:
    return _route_kind(owner) is not None and (owner.kind, owner.name) != (route.kind, route.name)
