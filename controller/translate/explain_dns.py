"""Which DNS records are published for a route, as facts; nothing where external-dns's kind is not installed."""

from collections.abc import Iterator

from controller.api.gateway import Route
from controller.gateway.view import UnknownError, View
from controller.translate.context import TranslateContext
from controller.translate.dns import publisher, slot_of, taken_message
from controller.translate.facts import Fact, Seen
from controller.translate.route import RouteTranslation


def explain_records(
    view: View, route: Route, translation: RouteTranslation, ctx: TranslateContext, seen: Seen
) -> Iterator[Fact]:
    """A fact for each hostname that is served, and for each record that the route has beside these; one that says so
    where DNSEndpoints are not known.

    Raises `UnknownError`.
    """
    try:
        if not view.has_external_dns():
            return
    except UnknownError as error:
        if any(key.hostname for key in translation.services):
            yield Fact(kind="DNS records", name=route.ref.name, told=f"not known: {error}")
        return
    slot = slot_of(view, route)
    place = f"DNSEndpoint {route.namespace}/{slot.name}"
    asked = {key.hostname: key for key in translation.services if key.hostname}
    for hostname, key in asked.items():
        who = publisher(view, key, ctx)
        sight = seen.services.get(key)
        domain = None if sight is None or sight.observed is None else sight.observed.domain
        present = slot.records.get(hostname)
        if who is not None and who != route.ref:
            other = view.route(who)
            there = other is not None and hostname in slot_of(view, other).records
            told = f"is published by {who}, with which the service is shared" + ("" if there else "; not yet")
            yield Fact(kind="DNS record", name=hostname, well=there, told=told)
        elif slot.taken is not None:
            yield Fact(kind="DNS record", name=hostname, well=False, told=taken_message(slot, route, [hostname]))
        elif present is None:
            yield Fact(kind="DNS record", name=hostname, well=False, told=f"not in {place} yet")
        else:
            targets = ", ".join(present.targets or ())
            well = domain is not None and present.targets == (domain,)
            wanted = "" if well else f", {domain or 'what VPC Lattice is to assign'} wanted"
            told = f"{present.record_type} {targets} in {place}{wanted}"
            yield Fact(kind="DNS record", name=hostname, well=well, told=told)
    for hostname, former in slot.records.items():
        if hostname not in asked:
            told = f"{former.record_type} {', '.join(former.targets or ())} in {place}"
            yield Fact(kind="DNS record", name=hostname, told=f"{told}; goes when what replaces it is served")
