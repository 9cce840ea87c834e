"""What a GRPCRoute becomes: rules by path and POST, groups that speak gRPC (Gateway API v1.6, `GRPCRoute`)."""

import pytest

from controller.api.keys import RouteRef, ServiceKey
from controller.lattice.model import FixedResponse, HeaderMatch, Match
from controller.translate.outcomes import Programmed, route_report
from controller.translate.route import ACCEPTED_MESSAGE, RouteTranslation, translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group
from tests.support.view import (
    FakeView,
    backend,
    endpoints,
    gateway,
    gateway_class,
    grant,
    grpc_route,
    listener,
    route,
    rule,
    service,
)

PREFIX = "application-networking.k8s.aws/"
CALLS = RouteRef("GRPCRoute", "default", "calls")
KEY = ServiceKey("GRPCRoute", route=CALLS)
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"
SECURE = listener("https", 443, "HTTPS", tls={"options": {PREFIX + "certificate-arn": ARN}})


def method(service_name: str | None = None, name: str | None = None, **fields):
    given = {"service": service_name, "method": name, **fields}
    return {"method": {key: value for key, value in given.items() if value is not None}}


def header(name: str, value: str, **fields):
    return {"headers": [{"name": name, "value": value, **fields}]}


def hotel(*objects) -> FakeView:
    hotel_gateway = gateway("my-hotel", "default", listener("http", 80), SECURE)
    return FakeView([gateway_class(), hotel_gateway, service("parking"), service("review")]).having(*objects)


def rules(*written, ctx):
    made = translate_service(hotel(grpc_route("calls", *written)), KEY, ctx).desired
    assert made is not None
    return made.listeners[0].rules


def matches(*written, ctx) -> list[Match]:
    return [made.match for made in rules(*written, ctx=ctx)]


def judged(*written, ctx) -> dict[str, tuple[str, str, str]]:
    """The conditions of a route with these rules, by type."""
    return conditions_of(translate_route(hotel(grpc_route("calls", *written)), CALLS, ctx))


def conditions_of(translation: RouteTranslation) -> dict[str, tuple[str, str, str]]:
    (parent,) = translation.parents
    return {each.type: (each.status, each.reason, each.message) for each in parent.conditions}


def test_its_service_listens_for_https_alone_and_bears_its_name_and_type(ctx):
    made = translate_service(hotel(grpc_route("calls", rule(backend("parking")))), KEY, ctx).desired
    assert made is not None
    assert [(each.name, each.port, each.protocol) for each in made.listeners] == [
        ("calls-default-443-https", 443, "HTTPS")
    ]
    assert made.listeners[0].default_action == FixedResponse(status_code=404)
    assert made.tags == {
        PREFIX + "RouteName": "calls",
        PREFIX + "RouteNamespace": "default",
        PREFIX + "RouteType": "grpc",
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ((), Match(method="POST", path_prefix="/")),
        (({},), Match(method="POST", path_prefix="/")),
        ((method("hotel.Rates"),), Match(method="POST", path_prefix="/hotel.Rates/")),
        ((method("hotel.Rates", "Get"),), Match(method="POST", path_exact="/hotel.Rates/Get")),
        (
            ({**method("hotel.Rates"), **header("X-Guest", "gold")},),
            Match(method="POST", path_prefix="/hotel.Rates/", headers=(HeaderMatch(name="X-Guest", value="gold"),)),
        ),
    ],
    ids=["no matches", "an empty match", "a service", "a method of a service", "a header"],
)
def test_a_match_is_a_post_to_the_path_of_its_calls(written, expected, ctx):
    assert matches(rule(backend("parking"), matches=written), ctx=ctx) == [expected]


def test_matches_go_by_the_length_of_service_then_of_method_then_by_headers(ctx):
    found = matches(
        rule(backend("parking")),
        rule(
            backend("parking"),
            matches=[
                method("a.Long"),
                method("a.L", "Method"),
                method("a.Long", "Get"),
                method("a.Long", "GetAll"),
                {**method("a.Long", "Get"), **header("x", "1")},
                header("x", "1"),
            ],
        ),
        ctx=ctx,
    )
    assert [(each.path_exact or each.path_prefix, len(each.headers)) for each in found] == [
        ("/a.Long/GetAll", 0),
        ("/a.Long/Get", 1),
        ("/a.Long/Get", 0),
        ("/a.Long/", 0),
        ("/a.L/Method", 0),
        ("/", 1),
        ("/", 0),
    ]


@pytest.mark.parametrize(
    ("written", "field"),
    [
        (rule(matches=[method(None, "Get")]), "rules[0].matches[0].method.service"),
        (rule(matches=[method("a.*", type="RegularExpression")]), "rules[0].matches[0].method.type"),
        (rule(matches=[method("a" * 200)]), "rules[0].matches[0].method"),
        (rule(matches=[header("x", ".*", type="RegularExpression")]), "rules[0].matches[0].headers[0].type"),
        (
            rule(matches=[{"headers": [{"name": f"x{i}", "value": "1"} for i in range(6)]}]),
            "rules[0].matches[0].headers",
        ),
        (rule(filters=[{"type": "RequestMirror"}]), "rules[0].filters"),
        (rule(sessionPersistence={}), "rules[0].sessionPersistence"),
        (rule(backend("parking", filters=[{"type": "RequestHeaderModifier"}])), "rules[0].backendRefs[0].filters"),
    ],
)
def test_what_lattice_cannot_do_is_refused_with_the_field_that_asks_for_it(written, field, ctx):
    alone = judged(written, ctx=ctx)
    assert alone["Accepted"][:2] == ("False", "UnsupportedValue")
    assert alone["Accepted"][2].startswith(f"{field}: ")
    beside = judged(rule(backend("parking"), matches=[method("a.B")]), written, ctx=ctx)
    assert beside["Accepted"][:2] == ("True", "Accepted")
    assert beside["PartiallyInvalid"][:2] == ("True", "UnsupportedValue")
    assert beside["PartiallyInvalid"][2].startswith(f"Dropped Rule 1: {field.replace('rules[0]', 'rules[1]')}: ")


def test_its_groups_speak_grpc_and_have_no_health_check(ctx):
    view = hotel(grpc_route("calls", rule(backend("parking"))), endpoints("parking", "10.0.0.1"))
    (key,) = translate_route(view, CALLS, ctx).target_groups
    made = translate_target_group(view, key, ctx)
    assert made is not None
    assert (made.protocol, made.protocol_version, made.health_check.enabled) == ("HTTP", "GRPC", False)
    assert made.identity_tags[PREFIX + "SourceTypeKey"] == "GRPCRoute"
    assert made.identity_tags[PREFIX + "ProtocolVersion"] == "GRPC"
    assert [(target.ip, target.port) for target in made.targets] == [("10.0.0.1", 8080)]


def test_a_rule_without_valid_backends_answers_500(ctx):
    (made,) = rules(rule(backend("nowhere")), ctx=ctx)
    assert made.action == FixedResponse(status_code=500)
    assert judged(rule(backend("nowhere")), ctx=ctx)["ResolvedRefs"][:2] == ("False", "BackendNotFound")


def test_a_grant_for_another_kind_of_route_does_not_permit_it(ctx):
    elsewhere = grpc_route("calls", rule(backend("parking", namespace="shop")))
    for kind, reason in (("HTTPRoute", "RefNotPermitted"), ("GRPCRoute", "ResolvedRefs")):
        view = hotel(elsewhere, service("parking", "shop"), grant("shop", "default", from_kind=kind))
        assert conditions_of(translate_route(view, CALLS, ctx))["ResolvedRefs"][1] == reason


def test_of_an_http_route_and_a_grpc_route_with_one_hostname_the_older_is_accepted(ctx):
    for first, second in (
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
    ):
        pages = route("pages", rule(backend("parking")), hostnames=["a.example.com"], created=first)
        calls = grpc_route("calls", rule(backend("parking")), hostnames=["a.example.com"], created=second)
        view = hotel(pages, calls)
        found = {of.kind: translate_route(view, of.ref, ctx) for of in (pages, calls)}
        older, younger = ("HTTPRoute", "GRPCRoute") if first < second else ("GRPCRoute", "HTTPRoute")
        assert conditions_of(found[older])["Accepted"][:2] == ("True", "Accepted")
        status, reason, message = conditions_of(found[younger])["Accepted"]
        assert (status, reason) == ("False", "Conflicted")
        assert f"is served by the older {older}/default/" in message
        assert [translate_service(view, key, ctx).routes[0].ref.kind for key in found[older].services] == [older]


def test_a_route_whose_hostnames_overlap_in_part_with_those_of_another_kind_serves_the_rest_and_says_so(ctx):
    both = ["a.example.com", "b.example.com"]
    pages = route("pages", rule(backend("parking")), hostnames=both, created="2026-01-01T00:00:00Z")
    calls = grpc_route(
        "calls", rule(backend("parking")), hostnames=["b.example.com", "c.example.com"], created="2026-01-02T00:00:00Z"
    )
    view = hotel(pages, calls)
    found = translate_route(view, CALLS, ctx)
    assert [key.hostname for key in found.services] == ["c.example.com"]
    told = "Hostname b.example.com is served by the older HTTPRoute/default/pages."
    assert conditions_of(found)["Accepted"] == ("True", "Accepted", f"{ACCEPTED_MESSAGE} {told}")
    programmed = {key: Programmed(domain="x.on.aws", arn="arn:x") for key in found.services}
    [parent] = route_report(found, programmed).parents
    [accepted] = [each for each in parent["conditions"] if each["type"] == "Accepted"]
    assert (accepted["status"], accepted["message"]) == ("True", f"DNS Name: x.on.aws {told}")
    assert [key.hostname for key in translate_route(view, pages.ref, ctx).services] == both


def test_routes_of_two_kinds_that_were_made_together_under_one_name_are_told_apart(ctx):
    pages = route("same", rule(backend("parking")), hostnames=["a.example.com"])
    calls = grpc_route("same", rule(backend("parking")), hostnames=["a.example.com"])
    view = hotel(pages, calls)
    served = [of.kind for of in (pages, calls) if translate_route(view, of.ref, ctx).services]
    assert len(served) == 1
    keys = [ServiceKey(of.kind, hostname="a.example.com", networks=("my-hotel",)) for of in (pages, calls)]
    assert [key.kind for key in keys if translate_service(view, key, ctx).desired is not None] == served
