"""What a route publishes, decided without a cluster."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.external_dns import DNSEndpoint, Endpoint
from controller.api.gateway import Route
from controller.api.keys import ObjectKey, RouteRef, ServiceKey
from controller.api.meta import Object
from controller.translate.context import TranslateContext
from controller.translate.dns import (
    NAME_MAX,
    Publication,
    heirs,
    names_of,
    owner_reference,
    publication,
    publisher,
    routes_meant,
    slot_of,
)
from controller.translate.outcomes import Failed, Pending, Programmed, ServiceOutcome
from controller.translate.route import translate_route
from controller.translate.triggers import keys_for_change
from tests.support.view import (
    FakeView,
    backend,
    gateway,
    gateway_class,
    grpc_route,
    listener,
    make,
    namespace,
    route,
    rule,
    service,
)

SHOP, WEB = "shop.example.com", "web.example.com"
FINALIZERS = {"HTTPRoute": "httproute.k8s.aws/resources", "GRPCRoute": "grpcroute.k8s.aws/resources"}
LATER = "2026-02-01T00:00:00Z"
REFUSED = Failed(reason="Conflicted", message="", transient=False)
RETRIED = Failed(reason="Pending", message="", transient=True)


def rates(name: str = "rates", *hostnames: str, created: str = "2026-01-01T00:00:00Z", **meta: object) -> Route:
    uid = f"uid-of-{name}"
    meta = {"uid": uid, "finalizers": [FINALIZERS["HTTPRoute"]], **meta}
    return route(name, rule(backend("parking")), hostnames=hostnames, created=created, meta=meta)


def held(of: Route | None, *hostnames: str, name: str = "", target: str = "", **more: object) -> DNSEndpoint:
    """An object with these records; `of` owns it."""
    owners = [] if of is None else [msgspec.to_builtins(owner_reference(of))]
    made = [
        {"dnsName": each, "targets": [target or domain(each)], "recordType": "CNAME", "recordTTL": 300, **more}
        for each in hostnames
    ]
    name = name or f"{of.name if of is not None else 'rates'}-dns"
    return make(DNSEndpoint, name, meta={"ownerReferences": owners}, spec={"endpoints": made})


def domain(hostname: str) -> str:
    return f"{hostname.partition('.')[0]}.on.aws"


def cluster(*objects: Object) -> FakeView:
    base = [
        gateway_class(),
        gateway("my-hotel", "default", listener(), listener("https", 443, "HTTPS")),
        service("parking"),
        namespace("default"),
    ]
    return FakeView([*base, *objects], external_dns=True)


def programmed(key: ServiceKey) -> ServiceOutcome:
    return Programmed(domain=domain(key.hostname), arn=key.hostname)


def decided(
    view: FakeView,
    of: Route,
    ctx: TranslateContext,
    outcome: ServiceOutcome | None = None,
    complete: bool = True,
    **more: object,
) -> Publication:
    services = translate_route(view, of.ref, ctx).services
    became = programmed if outcome is None else lambda _: outcome
    return publication(view, of, services, ctx, became, complete=lambda _: complete, **more)


def told(wanted: Publication) -> dict[str, tuple[str, ...] | None]:
    return {each.dns_name: each.targets for each in wanted.endpoints}


# Records


def test_a_record_leads_from_each_hostname_to_what_lattice_assigned(ctx):
    of = rates("rates", SHOP, WEB)
    wanted = decided(cluster(of), of, ctx)
    assert wanted.slot.name == "rates-dns"
    assert wanted.slot.held is None
    assert wanted.endpoints == tuple(
        Endpoint(dns_name=each, targets=(domain(each),), record_type="CNAME", record_ttl=300) for each in (SHOP, WEB)
    )


@pytest.mark.parametrize("outcome", [Pending(), RETRIED, REFUSED], ids=["undecided", "tried again", "refused"])
def test_what_is_not_programmed_gets_no_record_and_keeps_the_one_that_it_has(ctx, outcome):
    of = rates("rates", SHOP)
    assert decided(cluster(of), of, ctx, outcome).endpoints == ()
    wanted = decided(cluster(of, held(of, SHOP)), of, ctx, outcome)
    assert told(wanted) == {SHOP: (domain(SHOP),)}
    assert not wanted.changes


@pytest.mark.parametrize("outcome", [Pending(), RETRIED, REFUSED], ids=["undecided", "tried again", "refused"])
def test_a_former_hostname_keeps_its_record_until_all_that_is_asked_for_is_programmed(ctx, outcome):
    of = rates("rates", WEB)
    view = cluster(of, held(of, SHOP))
    assert told(decided(view, of, ctx, outcome)) == {SHOP: (domain(SHOP),)}
    assert told(decided(view, of, ctx)) == {WEB: (domain(WEB),)}


def test_so_it_does_where_the_service_was_programmed_for_another_route_and_has_not_this_ones_rules(ctx):
    of = rates("rates", WEB)
    view = cluster(of, rates("other", WEB, created=LATER), held(of, SHOP))
    assert told(decided(view, of, ctx, complete=False)) == {WEB: (domain(WEB),), SHOP: (domain(SHOP),)}
    assert told(decided(view, of, ctx)) == {WEB: (domain(WEB),)}


def test_without_hostnames_there_are_no_records(ctx):
    of = rates("rates")
    assert decided(cluster(of, held(of, SHOP)), of, ctx).endpoints == ()


def test_a_record_that_leads_elsewhere_is_put_right_and_keeps_what_others_added(ctx):
    of = rates("rates", SHOP)
    wrong = held(of, SHOP, target="elsewhere.example.net", setIdentifier="blue", labels={"a": "b"})
    wanted = decided(cluster(of, wrong), of, ctx)
    assert wanted.changes
    (only,) = wanted.endpoints
    assert (only.targets, only.set_identifier, only.labels) == ((domain(SHOP),), "blue", {"a": "b"})


def test_the_order_of_records_is_no_difference(ctx):
    of = rates("rates", SHOP, WEB)
    assert not decided(cluster(of, held(of, WEB, SHOP)), of, ctx).changes
    assert decided(cluster(of, held(of, WEB, SHOP, SHOP)), of, ctx).changes


def test_what_may_be_another_controllers_work_is_added_to_and_nothing_else(ctx):
    of = rates("rates", SHOP, WEB)
    present = held(of, "old.example.com", SHOP, target="elsewhere.example.net")
    wanted = decided(cluster(of, present), of, ctx, spare=True)
    elsewhere = ("elsewhere.example.net",)
    assert told(wanted) == {"old.example.com": elsewhere, SHOP: elsewhere, WEB: (domain(WEB),)}
    assert wanted.spared
    assert not decided(cluster(of, held(of, SHOP)), of, ctx, spare=True).spared


# Whose record it is


def test_the_oldest_of_those_that_share_a_service_publishes(ctx):
    old, young = rates("b", SHOP), rates("a", SHOP, created=LATER)
    view = cluster(old, young)
    (key,) = translate_route(view, young.ref, ctx).services
    assert publisher(view, key, ctx) == old.ref
    assert told(decided(view, old, ctx)) == {SHOP: (domain(SHOP),)}
    assert decided(view, young, ctx).endpoints == ()


def test_the_younger_keeps_the_record_until_the_older_has_it(ctx):
    old, young = rates("b", SHOP), rates("a", SHOP, created=LATER)
    view = cluster(old, young, held(young, SHOP))
    assert told(decided(view, young, ctx)) == {SHOP: (domain(SHOP),)}
    assert decided(view.having(held(old, SHOP)), young, ctx).endpoints == ()


@pytest.mark.parametrize("outcome", [None, Pending(), REFUSED], ids=["programmed", "undecided", "refused"])
def test_who_leaves_a_service_keeps_the_record_until_the_next_has_it(ctx, outcome):
    left, next_ = rates("a"), rates("b", SHOP, created=LATER)
    view = cluster(left, next_, held(left, SHOP))
    assert told(decided(view, left, ctx, outcome)) == {SHOP: (domain(SHOP),)}
    assert decided(view.having(held(next_, SHOP)), left, ctx).endpoints == ()


def test_who_leaves_does_not_keep_the_record_of_another_service(ctx):
    left, next_ = rates("a"), rates("b", SHOP, created=LATER)
    view = cluster(left, next_, held(left, SHOP, target="former.on.aws"))
    assert decided(view, left, ctx).endpoints == ()


def test_a_deleted_route_waits_for_its_heir_unless_that_cannot_be_served(ctx):
    gone = rates("a", SHOP, deletionTimestamp=LATER)
    next_ = rates("b", SHOP, created=LATER)
    view = cluster(gone, next_, held(gone, SHOP))
    assert heirs(view, gone, ctx, programmed) == (next_.ref,)
    assert heirs(view, gone, ctx, lambda _: Pending()) == (next_.ref,)
    assert heirs(view, gone, ctx, lambda _: REFUSED) == ()
    assert heirs(view.having(held(next_, SHOP)), gone, ctx, programmed) == ()
    assert heirs(view.without(next_), gone, ctx, programmed) == ()


def test_a_route_for_which_nothing_may_be_written_yet_is_passed_over(ctx):
    old, young = rates("b", SHOP, finalizers=[]), rates("a", SHOP, created=LATER)
    view = cluster(old, young)
    assert told(decided(view, young, ctx)) == {SHOP: (domain(SHOP),)}


# In which object


def test_an_object_of_somebody_else_is_not_the_routes_and_what_it_lacks_is_told(ctx):
    of = rates("rates", SHOP)
    for other in (held(None, SHOP), held(rates("rates", uid="former"), SHOP)):
        wanted = decided(cluster(of, other), of, ctx)
        assert wanted.slot.held is None
        assert (wanted.slot.taken, wanted.endpoints, wanted.lacking) == (other, (), (SHOP,))


def test_a_route_whose_name_is_taken_is_passed_over(ctx):
    old, young = rates("b", SHOP), rates("a", SHOP, created=LATER)
    view = cluster(old, young, held(None, name="b-dns"))
    assert told(decided(view, young, ctx)) == {SHOP: (domain(SHOP),)}
    wanted = decided(view, old, ctx)
    assert (wanted.endpoints, wanted.lacking, wanted.instead) == ((), (), (young.ref,))


def test_of_two_kinds_with_one_name_each_has_an_object(ctx):
    of = rates("rates", SHOP)
    uid = {"uid": "uid-of-calls", "finalizers": [FINALIZERS["GRPCRoute"]]}
    calls = grpc_route("rates", {"backendRefs": [backend("parking")]}, hostnames=[WEB], meta=uid)
    assert slot_of(cluster(of, calls), calls).name == "rates-dns"
    view = cluster(of, calls, held(of, SHOP))
    slot = slot_of(view, calls)
    assert (slot.name, slot.held, slot.taken) == ("rates-grpcroute-dns", None, None)
    own = held(calls, WEB, name="rates-grpcroute-dns")
    assert slot_of(view.having(own).without(held(of, SHOP)), calls).held == own, "what it has it keeps"
    both = view.having(own, held(calls, WEB))
    assert [obj.name for obj in slot_of(both, calls).more] == ["rates-grpcroute-dns"]


SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
NAMES = st.from_regex(SUBDOMAIN, fullmatch=True).map(lambda name: (name * 100)[:NAME_MAX]) | st.from_regex(
    SUBDOMAIN, fullmatch=True
)


@given(st.sets(NAMES.filter(lambda name: name[-1].isalnum()), min_size=2, max_size=4))
def test_names_are_good_and_tell_routes_apart(names):
    found = {
        name: [each for kind in FINALIZERS for each in names_of(RouteRef(kind, "default", name))] for name in names
    }
    for each in (each for made in found.values() for each in made):
        assert len(each) <= NAME_MAX
        assert re.fullmatch(SUBDOMAIN, each)
    assert len({made[0] for made in found.values()}) == len(names)


@given(NAMES.filter(lambda name: name[-1].isalnum()))
def test_an_object_is_traced_back_to_the_route_by_its_name(name):
    for kind in FINALIZERS:
        ref = RouteRef(kind, "default", name)
        for each in names_of(ref):
            if len(name) <= 200:
                assert ref in set(routes_meant(make(DNSEndpoint, each)))


# Who hears of it


def touched(ctx, view: FakeView, old: DNSEndpoint | None, new: DNSEndpoint | None) -> set[str]:
    some = new or old
    assert some is not None
    now = view.having(new) if new is not None else view.without(some)
    return {str(key) for key in keys_for_change("DNSEndpoint", old, new, now, ctx)}


def test_an_object_touches_the_routes_that_it_belongs_to_or_has_the_name_of(ctx):
    of = rates("rates", SHOP)
    view = cluster(of, rates("other", WEB))
    assert touched(ctx, view, None, held(of, SHOP, name="strange")) == {str(of.ref)}
    assert touched(ctx, view, held(None, SHOP), None) == {str(of.ref)}
    assert touched(ctx, view, None, held(None, SHOP, name="nobodys-dns")) == set()


def test_a_record_that_comes_or_goes_touches_who_has_it_too(ctx):
    old, young = rates("b", SHOP), rates("a", SHOP, created=LATER)
    view = cluster(old, young, held(young, SHOP))
    assert touched(ctx, view, None, held(old, SHOP)) == {str(old.ref), str(young.ref)}
    assert touched(ctx, view, held(old, SHOP), held(old, SHOP, WEB)) == {str(old.ref)}


def test_bookkeeping_touches_nothing(ctx):
    of = rates("rates", SHOP)
    obj = held(of, SHOP)
    later = msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, resource_version="9"))
    assert touched(ctx, cluster(of), obj, later) == set()


def test_a_route_that_comes_or_goes_touches_who_keeps_a_record_for_it(ctx):
    left, next_ = rates("a"), rates("b", SHOP, created=LATER)
    view = cluster(left, next_, held(left, SHOP))
    keys = keys_for_change("HTTPRoute", next_, None, view.without(next_), ctx)
    assert ObjectKey("HTTPRoute", "default", "a") in keys
