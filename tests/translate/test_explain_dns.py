"""What is said of the DNS records of a route."""

from controller.api.external_dns import DNSEndpoint
from controller.api.keys import RouteRef
from controller.lattice.observed import ObservedService
from controller.lattice.plan import Plan
from controller.translate.explain import explain_route
from controller.translate.facts import Fact, Seen, SeenService
from controller.translate.route import translate_route
from tests.support.view import FakeView
from tests.translate.test_dns import LATER, SHOP, WEB, cluster, domain, held, rates


def records(view: FakeView, ctx, name: str = "rates") -> list[Fact]:
    ref = RouteRef("HTTPRoute", "default", name)
    services = {
        key: SeenService(observed=observed(key.hostname), plan=Plan())
        for key in translate_route(view, ref, ctx).services
    }
    of = view.route(ref)
    assert of is not None
    found = explain_route(view, of, ctx, Seen(services=services))
    return [fact for fact in found.below if fact.kind.startswith("DNS record")]


def observed(hostname: str) -> ObservedService:
    return ObservedService(
        id="svc-1",
        arn="arn:svc-1",
        name="rates-default",
        status="ACTIVE",
        domain=domain(hostname),
        custom_domain=hostname,
        certificate_arn=None,
        auth_type="NONE",
        tags={},
    )


def test_a_record_that_leads_to_the_service_is_well_and_others_say_what_is_wanted(ctx):
    of = rates("rates", SHOP, WEB, "new.example.com")
    view = cluster(of, held(of, SHOP, "old.example.com"))
    assert records(view, ctx) == [
        Fact(kind="DNS record", name=SHOP, well=True, told="CNAME shop.on.aws in DNSEndpoint default/rates-dns"),
        Fact(kind="DNS record", name=WEB, well=False, told="not in DNSEndpoint default/rates-dns yet"),
        Fact(kind="DNS record", name="new.example.com", well=False, told="not in DNSEndpoint default/rates-dns yet"),
        Fact(
            kind="DNS record",
            name="old.example.com",
            told="CNAME old.on.aws in DNSEndpoint default/rates-dns; goes when what replaces it is served",
        ),
    ]
    (wrong,) = records(cluster(rates("rates", SHOP), held(of, SHOP, target="elsewhere.example.net")), ctx)
    assert (wrong.well, wrong.told) == (
        False,
        "CNAME elsewhere.example.net in DNSEndpoint default/rates-dns, shop.on.aws wanted",
    )


def test_who_publishes_instead_is_named(ctx):
    old, young = rates("b", SHOP), rates("a", SHOP, created=LATER)
    view = cluster(old, young)
    (waits,) = records(view, ctx, "a")
    assert waits.told == "is published by HTTPRoute/default/b, with which the service is shared; not yet"
    (there,) = records(view.having(held(old, SHOP)), ctx, "a")
    assert (there.well, there.told) == (True, "is published by HTTPRoute/default/b, with which the service is shared")


def test_a_name_that_is_taken_is_told(ctx):
    (fact,) = records(cluster(rates("rates", SHOP), held(None, SHOP)), ctx)
    assert fact.well is False
    assert "DNSEndpoint default/rates-dns is not this route's but somebody else's" in fact.told


def test_without_the_kind_nothing_is_said(ctx):
    view = cluster(rates("rates", SHOP))
    view.external_dns = False
    assert records(view, ctx) == []


def test_where_the_kind_is_not_known_that_is_all_that_is_said(ctx):
    view, without = cluster(rates("rates", SHOP)), cluster(rates("rates"))
    view.unknown = without.unknown = (DNSEndpoint,)
    (fact,) = records(view, ctx)
    assert (fact.kind, fact.well, fact.told) == ("DNS records", None, "not known: DNSEndpoint: unknown in this test")
    assert records(without, ctx) == []
