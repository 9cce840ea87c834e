"""A Lattice service as its route wants it."""

from controller.api.keys import RouteRef, ServiceKey
from controller.lattice.model import DesiredService, FixedResponse, Forward, HeaderMatch, Match
from controller.translate.certificates import ByName, Named
from controller.translate.route import translate_route
from controller.translate.service import ServiceTranslation, translate_service
from tests.support.view import FakeView, backend, gateway, gateway_class, listener, path, route, rule, service

PREFIX = "application-networking.k8s.aws/"
RATES = RouteRef("HTTPRoute", "default", "rates")
KEY = ServiceKey("HTTPRoute", route=RATES)
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"
CERTIFICATE = {"mode": "Terminate", "options": {PREFIX + "certificate-arn": ARN}}


def hotel(*objects) -> FakeView:
    return FakeView([gateway_class(), gateway(), service("parking"), service("review")]).having(*objects)


def desired(view: FakeView, ctx, key: ServiceKey = KEY) -> DesiredService:
    found = translate_service(view, key, ctx).desired
    assert found is not None
    return found


def hostname(name: str, *networks: str) -> ServiceKey:
    return ServiceKey("HTTPRoute", hostname=name, networks=networks or ("my-hotel",))


def rules(*written, ctx, annotations=None):
    made = desired(hotel(route("rates", *written, annotations=annotations or {})), ctx)
    return made.listeners[0].rules


def forwards(made) -> list[tuple[str, int]]:
    assert isinstance(made.action, Forward)
    return [(group.service, weight) for group, weight in made.action.weights]


def test_a_service_bears_its_routes_name_tags_and_network(ctx):
    made = desired(hotel(route("rates", rule(backend("parking")))), ctx)
    assert made.name == "rates-default"
    assert made.tags == {
        PREFIX + "RouteName": "rates",
        PREFIX + "RouteNamespace": "default",
        PREFIX + "RouteType": "http",
    }
    assert made.networks == ("my-hotel",)
    assert (made.custom_domain, made.certificate_arn, made.takeover_from) == (None, None, None)


def test_who_contributes_is_told_with_generation_and_finalizer(ctx):
    meta = {"generation": 3, "finalizers": ["httproute.k8s.aws/resources"]}
    translation = translate_service(hotel(route("rates", rule(backend("parking")), meta=meta)), KEY, ctx)
    assert [(each.ref, each.generation, each.finalizer) for each in translation.routes] == [(RATES, 3, True)]


def test_nobody_asks_for_the_service_of_a_route_that_is_gone_going_or_refused(ctx):
    for objects in (
        [],
        [route("rates", rule(backend("parking")), meta={"deletionTimestamp": "2026-01-02T00:00:00Z"})],
        [route("rates", rule(backend("parking")), parents=[{"name": "gone"}])],
        [route("rates", rule(backend("parking")), hostnames=["a.example.com"])],
    ):
        assert translate_service(hotel(*objects), KEY, ctx) == ServiceTranslation(key=KEY)


def test_annotations_of_the_route_concern_the_service(ctx):
    annotations = {
        PREFIX + "service-name-override": "my-rates",
        PREFIX + "tags": "Team=hotel",
        PREFIX + "allow-takeover-from": " 123456789012/other/vpc-1 ",
    }
    made = desired(hotel(route("rates", rule(backend("parking")), annotations=annotations)), ctx)
    assert made.name == "my-rates"
    assert made.user_tags == {"Team": "hotel"}
    assert made.tags["Team"] == "hotel"
    assert made.takeover_from == "123456789012/other/vpc-1"


def test_the_first_hostname_has_the_routes_name_and_further_ones_their_own(ctx):
    view = hotel(route("rates", rule(backend("parking")), hostnames=["b.example.com", "a.example.com"]))
    first, further = desired(view, ctx, hostname("b.example.com")), desired(view, ctx, hostname("a.example.com"))
    assert (first.name, first.custom_domain) == ("rates-default", "b.example.com")
    assert further.custom_domain == "a.example.com"
    assert further.name.startswith("rates-default-")
    assert len(further.name) == len("rates-default-") + 7


def test_a_hostname_is_served_only_under_the_key_of_its_networks(ctx):
    view = hotel(route("rates", rule(backend("parking")), hostnames=["a.example.com"]))
    assert translate_service(view, hostname("a.example.com", "other"), ctx).desired is None


def test_every_port_of_every_accepting_listener_listens(ctx):
    view = hotel(
        gateway("my-hotel", "default", listener("a", 80), listener("b", 443, "HTTPS"), listener("c", 444, "TCP")),
        gateway("other", "default", listener("d", 8080), listener("e", 80, hostname="x.example.com")),
        route("rates", rule(backend("parking")), parents=[{"name": "my-hotel"}, {"name": "other"}]),
    )
    made = desired(view, ctx)
    assert [(each.port, each.protocol, each.name) for each in made.listeners] == [
        (80, "HTTP", "rates-default-80-http"),
        (443, "HTTPS", "rates-default-443-https"),
        (8080, "HTTP", "rates-default-8080-http"),
    ]
    assert {each.default_action for each in made.listeners} == {FixedResponse(status_code=404)}
    assert made.networks == ("my-hotel", "other")


def test_the_certificate_goes_with_the_custom_domain(ctx):
    view = hotel(
        gateway("my-hotel", "default", listener("https", 443, "HTTPS", tls=CERTIFICATE)),
        route("rates", rule(backend("parking")), hostnames=["a.example.com"]),
        route("plain", rule(backend("parking"))),
    )
    assert desired(view, ctx, hostname("a.example.com")).certificate_arn == ARN
    plain = ServiceKey("HTTPRoute", route=RouteRef("HTTPRoute", "default", "plain"))
    assert desired(view, ctx, plain).certificate_arn is None


def test_a_rule_without_matches_takes_every_path(ctx):
    (made,) = rules(rule(backend("parking")), ctx=ctx)
    assert made.match == Match(path_prefix="/")
    assert forwards(made) == [("parking", 1)]


def test_a_prefix_is_one_rule_without_its_trailing_slash(ctx):
    made = rules(rule(backend("parking"), matches=[path("/parking/")]), ctx=ctx)
    assert [each.match for each in made] == [Match(path_prefix="/parking")]


def test_a_match_is_one_lattice_rule_with_all_its_conditions(ctx):
    match = {
        **path("/parking", "Exact"),
        "method": "GET",
        "headers": [{"name": "X-b", "value": "2"}, {"name": "X-a", "value": "1"}, {"name": "x-B", "value": "3"}],
    }
    (made,) = rules(rule(backend("parking"), matches=[match]), ctx=ctx)
    assert made.match == Match(
        method="GET",
        path_exact="/parking",
        headers=(HeaderMatch(name="X-a", value="1"), HeaderMatch(name="X-b", value="2")),
    )


def test_of_equal_matches_the_first_counts(ctx):
    match = {**path("/a", "Exact"), "headers": [{"name": "A", "value": "1"}]}
    same = {**path("/a", "Exact"), "headers": [{"name": "a", "value": "1"}]}
    (made,) = rules(rule(backend("parking"), matches=[match]), rule(backend("review"), matches=[same, same]), ctx=ctx)
    assert forwards(made) == [("parking", 1)]


def test_rules_are_in_the_specifications_order(ctx):
    made = rules(
        rule(backend("parking"), matches=[path("/"), path("/a"), {**path("/"), "method": "GET"}]),
        rule(
            backend("parking"),
            matches=[
                path("/long/path"),
                path("/z", "Exact"),
                {**path("/"), "headers": [{"name": "a", "value": "1"}]},
                {**path("/"), "headers": [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]},
            ],
        ),
        ctx=ctx,
    )
    described = [
        (each.match.path_exact or f"{each.match.path_prefix}*", each.match.method, len(each.match.headers))
        for each in made
    ]
    assert described == [
        ("/z", None, 0),
        ("/long/path*", None, 0),
        ("/a*", None, 0),
        ("/*", "GET", 0),
        ("/*", None, 2),
        ("/*", None, 1),
        ("/*", None, 0),
    ]


def test_weights_are_scaled_and_one_group_twice_is_added(ctx):
    (made,) = rules(
        rule(
            backend("parking", weight=100_000),
            backend("review", weight=600_000),
            backend("parking", weight=200_000),
        ),
        ctx=ctx,
    )
    assert forwards(made) == [("parking", 1), ("review", 2)]


def test_an_invalid_backends_share_goes_to_the_valid_ones(ctx):
    (made,) = rules(rule(backend("parking", weight=1), backend("gone", weight=9)), ctx=ctx)
    assert forwards(made) == [("parking", 1)]


def test_a_rule_without_a_backend_to_forward_to_answers_500(ctx):
    for written in (rule(), rule(backend("gone")), rule(backend("parking", weight=0))):
        (made,) = rules(written, ctx=ctx)
        assert made.action == FixedResponse(status_code=500)


def test_the_groups_are_those_that_rules_forward_to(ctx):
    view = hotel(
        route(
            "rates",
            rule(backend("parking"), matches=[path("/a")]),
            rule(backend("review"), matches=[path("/a")]),
            rule(backend("parking"), backend("review", weight=0), matches=[path("/b")]),
        )
    )
    translation = translate_service(view, KEY, ctx)
    assert {group.service for group in translation.target_groups} == {"parking", "review"}
    assert len(translation.target_groups) == 2
    assert {group.owner for group in translation.target_groups} == {KEY}


def test_fixed_priorities_are_lattices_and_unique(ctx):
    made = rules(
        rule(backend("parking"), matches=[path("/a")]),
        rule(backend("review"), matches=[path("/b", "Exact")]),
        rule(backend("review"), matches=[path("/c", "Exact")]),
        ctx=ctx,
        annotations={PREFIX + "rule-0-priority": "100", PREFIX + "rule-1-priority": "101"},
    )
    assert {each.match.path_exact or each.match.path_prefix: each.priority for each in made} == {
        "/a": 100,
        "/b": 101,
        "/c": None,
    }


def certificate(ctx, *gateways, hostnames=("a.example.com",), of="a.example.com"):
    """Where the certificate of a hostname's service comes from, for a route with all of these Gateways as parents."""
    parents = [{"name": each.name} for each in gateways]
    view = hotel(*gateways, route("rates", rule(backend("parking")), parents=parents, hostnames=list(hostnames)))
    key = next(key for key in translate_route(view, RATES, ctx).services if key.hostname == of)
    return translate_service(view, key, ctx).certificate


def test_a_certificate_is_found_by_name_where_no_listener_names_one(ctx):
    https = gateway("my-hotel", "default", listener("https", 443, "HTTPS"))
    assert certificate(ctx, https) == ByName()


def test_the_first_listener_of_a_hostname_that_names_a_certificate_decides(ctx):
    first = gateway("my-hotel", "default", listener("https", 443, "HTTPS"))
    second = gateway("other", "default", listener("https", 8443, "HTTPS", tls=CERTIFICATE))
    assert certificate(ctx, first, second) == Named(arn=ARN)


def test_the_certificate_of_a_listener_serves_the_hostnames_of_that_listener(ctx):
    named = listener("a", 443, "HTTPS", hostname="a.example.com", tls=CERTIFICATE)
    unnamed = listener("b", 443, "HTTPS", hostname="b.example.com")
    https = gateway("my-hotel", "default", named, unnamed)
    hostnames = ("a.example.com", "b.example.com")
    assert certificate(ctx, https, hostnames=hostnames) == Named(arn=ARN)
    assert certificate(ctx, https, hostnames=hostnames, of="b.example.com") == ByName()


def test_a_name_that_is_served_over_http_alone_needs_no_certificate(ctx):
    assert certificate(ctx, gateway("my-hotel", "default", listener())) is None


def test_no_name_needs_no_certificate(ctx):
    https = gateway("my-hotel", "default", listener("https", 443, "HTTPS"))
    assert certificate(ctx, https, hostnames=(), of="") is None
