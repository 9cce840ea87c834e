"""Several routes with one hostname: one service, with the rules of all, and each route told the truth about its own."""

import msgspec

from controller.api.gateway import HTTPRoute
from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.model import TAG_PREFIX, DesiredService, Forward
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group
from tests.support.view import FakeView, backend, gateway, gateway_class, listener, path, route, rule, service

KEY = ServiceKey("HTTPRoute", hostname="a.example.com", networks=("my-hotel",))
OLD, YOUNG, YOUNGEST = (RouteRef("HTTPRoute", "default", name) for name in ("old", "young", "youngest"))
AGES = {"old": "2025-01-01T00:00:00Z", "young": "2026-01-01T00:00:00Z", "youngest": "2026-02-01T00:00:00Z"}


def sharing(name: str, *rules, **fields) -> HTTPRoute:
    return route(name, *rules, created=AGES[name], **{"hostnames": ["a.example.com"], **fields})


def hotel(*objects) -> FakeView:
    basis = [gateway_class(), service("parking"), service("review"), service("wide")]
    return FakeView(basis).having(gateway()).having(*objects)


def desired(view: FakeView, ctx) -> DesiredService:
    made = translate_service(view, KEY, ctx).desired
    assert made is not None
    return made


def forwards(view: FakeView, ctx, port: int = 80) -> list[tuple[str, str]]:
    """By which path each rule of a listener forwards to which Service."""
    (found,) = [each for each in desired(view, ctx).listeners if each.port == port]
    return [
        (each.match.path_exact or each.match.path_prefix or "", each.action.weights[0][0].service)
        for each in found.rules
        if isinstance(each.action, Forward)
    ]


def accepted(view: FakeView, ctx, ref: RouteRef) -> tuple[str, str]:
    (parent,) = translate_route(view, ref, ctx).parents
    found = next(condition for condition in parent.conditions if condition.type == "Accepted")
    return found.status, found.message


PARKING, REVIEW = (rule(backend(name), matches=[path(f"/{name}")]) for name in ("parking", "review"))


def test_rules_of_all_routes_stand_in_one_order_of_precedence(ctx):
    old = sharing("old", rule(backend("parking"), matches=[path("/")]))
    young = sharing("young", rule(backend("review"), matches=[path("/long/path")]))
    youngest = sharing("youngest", rule(backend("wide"), matches=[path("/only", "Exact")]))
    view = hotel(youngest, old, young)
    assert forwards(view, ctx) == [("/only", "wide"), ("/long/path", "review"), ("/", "parking")]
    assert [each.ref for each in translate_service(view, KEY, ctx).routes] == [OLD, YOUNG, YOUNGEST]


def test_the_oldest_route_gives_name_tags_and_what_concerns_the_service_as_a_whole(ctx):
    old = sharing("old", PARKING, annotations={TAG_PREFIX + "tags": "team=old"})
    young = sharing("young", REVIEW, annotations={TAG_PREFIX + "tags": "team=young"})
    made = desired(hotel(old, young), ctx)
    assert made.name == "old-default"
    assert (made.tags["team"], made.tags[TAG_PREFIX + "RouteName"]) == ("old", "old")
    made = desired(hotel(young), ctx)
    assert (made.name, made.tags[TAG_PREFIX + "RouteName"]) == ("young-default", "young")


def test_a_group_bears_the_name_of_the_oldest_route_that_forwards_to_it(ctx):
    old, young = sharing("old", PARKING), sharing("young", REVIEW, rule(backend("parking"), matches=[path("/more")]))
    view = hotel(old, young)
    groups = translate_service(view, KEY, ctx).target_groups
    assert {group.service for group in groups} == {"parking", "review"}
    names = {}
    for group in groups:
        made = translate_target_group(view, group, ctx)
        assert made is not None
        names[group.service] = made.identity_tags[TAG_PREFIX + "RouteName"]
    assert names == {"parking": "old", "review": "young"}
    assert {group.service for group in translate_route(view, YOUNG, ctx).target_groups} == {"parking", "review"}
    assert {group.service for group in translate_route(view, OLD, ctx).target_groups} == {"parking"}


def test_of_the_same_match_the_oldest_serves_and_the_other_is_told(ctx):
    old, young = sharing("old", PARKING), sharing("young", rule(backend("review"), matches=[path("/parking")]), REVIEW)
    view = hotel(old, young)
    assert sorted(forwards(view, ctx)) == [("/parking", "parking"), ("/review", "review")]
    status, message = accepted(view, ctx, YOUNG)
    assert status == "True"
    assert (
        "rules[0].matches[0]: what it matches of a.example.com is served by HTTPRoute/default/old, which has the same"
        in message
    )
    assert accepted(view, ctx, OLD) == ("True", "Route is accepted.")


def test_a_group_that_only_unreached_rules_forward_to_is_not_made(ctx):
    old, young = sharing("old", PARKING), sharing("young", rule(backend("review"), matches=[path("/parking")]))
    view = hotel(old, young)
    assert translate_route(view, YOUNG, ctx).target_groups == ()
    assert translate_target_group(view, TargetGroupKey(KEY, "default", "review", 80), ctx) is None


def test_annotations_of_the_service_that_have_no_effect_are_told(ctx):
    name = TAG_PREFIX + "service-name-override"
    view = hotel(sharing("old", PARKING), sharing("young", REVIEW, annotations={name: "mine"}))
    assert desired(view, ctx).name == "old-default"
    assert f"{name} has no effect for a.example.com" in accepted(view, ctx, YOUNG)[1]


def test_each_listener_has_the_rules_of_the_routes_that_are_attached_to_it(ctx):
    both = gateway("my-hotel", "default", listener("http", 80), listener("other", 8080))
    old = sharing("old", PARKING, parents=[{"name": "my-hotel", "sectionName": "http"}])
    young = sharing("young", REVIEW)
    view = hotel(both, old, young)
    assert sorted(forwards(view, ctx, 80)) == [("/parking", "parking"), ("/review", "review")]
    assert forwards(view, ctx, 8080) == [("/review", "review")]


def test_one_port_with_two_protocols_is_the_older_routes(ctx):
    arn = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"
    secure = {"mode": "Terminate", "options": {TAG_PREFIX + "certificate-arn": arn}}
    twins = [
        gateway("my-hotel", "default", listener("http", 80)),
        gateway(
            "my-hotel",
            "shop",
            listener("https", 80, "HTTPS", tls=secure, allowedRoutes={"namespaces": {"from": "All"}}),
        ),
    ]
    old = sharing("old", PARKING)
    young = sharing("young", REVIEW, parents=[{"name": "my-hotel", "namespace": "shop"}])
    view = hotel(*twins, old, young)
    assert accepted(view, ctx, YOUNG)[0] == "False"
    assert forwards(view, ctx) == [("/parking", "parking")]


def test_a_deleted_route_takes_its_rules_along(ctx):
    gone = sharing("old", PARKING, meta={"deletionTimestamp": "2026-03-01T00:00:00Z"})
    view = hotel(gone, sharing("young", REVIEW))
    assert forwards(view, ctx) == [("/review", "review")]
    assert [each.ref for each in translate_service(view, KEY, ctx).routes] == [YOUNG]


def test_another_version_than_the_views_is_weighed_in_its_place(ctx):
    old, young = sharing("old", PARKING), sharing("young", REVIEW)
    view = hotel(old, young)
    moved = msgspec.structs.replace(young, spec=sharing("young", PARKING).spec)
    assert "served by HTTPRoute/default/old" not in accepted(view, ctx, YOUNG)[1]
    assert "served by HTTPRoute/default/old" in accepted(view.having(moved), ctx, YOUNG)[1]
