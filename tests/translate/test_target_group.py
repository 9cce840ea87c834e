"""A target group: what it is called and found by, and which endpoints belong to it."""

import re

import pytest
from msgspec.structs import replace

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.model import DesiredTargetGroup, Target
from controller.translate.route import translate_route
from controller.translate.target_group import targets_to_follow, translate_target_group
from tests.support.view import FakeView, backend, endpoints, gateway, gateway_class, make, path, route, rule, service

PREFIX = "application-networking.k8s.aws/"
RATES = RouteRef("HTTPRoute", "default", "rates")
OWNER = ServiceKey("HTTPRoute", route=RATES)
KEY = TargetGroupKey(owner=OWNER, namespace="default", service="parking", port=80)
ROUTE = route("rates", rule(backend("parking")))


def hotel(*objects) -> FakeView:
    return FakeView([gateway_class(), gateway(), service("parking"), ROUTE]).having(*objects)


def desired(view: FakeView, ctx, key: TargetGroupKey = KEY) -> DesiredTargetGroup:
    group = translate_target_group(view, key, ctx)
    assert group is not None
    return group


def targets(ctx, *objects, key: TargetGroupKey = KEY) -> set[tuple[str, int]]:
    return {(target.ip, target.port) for target in desired(hotel(*objects), ctx, key).targets}


def test_name_tags_and_fixed_fields(ctx):
    group = desired(hotel(), ctx)
    assert re.fullmatch(r"k8s-default-parking-[a-z]{10}", group.name)
    assert group.identity_tags == {
        PREFIX + "ClusterName": "hotel",
        PREFIX + "ServiceName": "parking",
        PREFIX + "ServiceNamespace": "default",
        PREFIX + "SourceTypeKey": "HTTPRoute",
        PREFIX + "ProtocolVersion": "HTTP1",
        PREFIX + "RouteName": "rates",
        PREFIX + "RouteNamespace": "default",
    }
    assert group.tags == group.identity_tags
    assert (group.port, group.protocol, group.protocol_version, group.ip_address_type) == (80, "HTTP", "HTTP1", "IPV4")
    assert group.vpc == ctx.identity.vpc
    assert group.health_check.enabled


def test_the_users_tags_are_on_it_but_do_not_identify_it(ctx):
    plain = desired(hotel(), ctx)
    tagged = desired(hotel(route("rates", rule(backend("parking")), annotations={PREFIX + "tags": "Team=hotel"})), ctx)
    assert tagged.tags == {**plain.tags, "Team": "hotel"}
    assert (tagged.identity_tags, tagged.name) == (plain.identity_tags, plain.name)


def test_nobody_asks_for_a_group_that_no_rule_forwards_to(ctx):
    other = TargetGroupKey(owner=OWNER, namespace="default", service="review", port=80)
    assert translate_target_group(hotel(), other, ctx) is None
    assert translate_target_group(hotel().without(ROUTE), KEY, ctx) is None
    assert translate_target_group(hotel().without(service("parking")), KEY, ctx) is None


def test_every_endpoint_that_is_not_terminating_is_a_target_ready_or_not(ctx):
    assert targets(
        ctx,
        endpoints("parking", "10.0.0.1", name="a", ready=True),
        endpoints("parking", "10.0.0.2", name="b", ready=False, serving=False),
        endpoints("parking", "10.0.0.3", name="c", ready=False, serving=True, terminating=True),
        endpoints("parking", "10.0.0.4", name="d"),
    ) == {("10.0.0.1", 8080), ("10.0.0.2", 8080), ("10.0.0.4", 8080)}


def test_a_service_without_endpoints_has_a_group_without_targets(ctx):
    assert targets(ctx) == set()
    assert targets(ctx, make(type(endpoints("parking")), "empty", endpoints=None, ports=None)) == set()


def test_slices_of_other_services_families_and_namespaces_do_not_count(ctx):
    assert (
        targets(
            ctx,
            endpoints("review", "10.0.0.1"),
            endpoints("parking", "fd00::1", family="IPv6"),
            endpoints("parking", "10.0.0.2", namespace="other", name="x"),
        )
        == set()
    )


def test_an_address_in_two_slices_is_one_target(ctx):
    assert targets(
        ctx, endpoints("parking", "10.0.0.1", name="a"), endpoints("parking", "10.0.0.1", "10.0.0.2", name="b")
    ) == {("10.0.0.1", 8080), ("10.0.0.2", 8080)}


NAMED = (
    {"name": "web", "port": 8080, "protocol": "TCP"},
    {"name": "admin", "port": 9090, "protocol": "TCP"},
    {"name": "dns", "port": 53, "protocol": "UDP"},
)


def test_a_named_port_takes_the_endpoint_port_of_that_name(ctx):
    named = service("parking", ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 81}])
    assert targets(ctx, named, endpoints("parking", "10.0.0.1", ports=NAMED)) == {("10.0.0.1", 8080)}


def test_an_unnamed_port_takes_all_tcp_ports(ctx):
    assert targets(ctx, endpoints("parking", "10.0.0.1", ports=NAMED)) == {("10.0.0.1", 8080), ("10.0.0.1", 9090)}


def test_a_backend_without_a_port_takes_all(ctx):
    named = service("parking", ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 81}])
    key = TargetGroupKey(owner=OWNER, namespace="default", service="parking", port=None)
    bare = route("rates", rule({"name": "parking"}))
    found = targets(ctx, named, bare, endpoints("parking", "10.0.0.1", ports=NAMED), key=key)
    assert found == {("10.0.0.1", 8080), ("10.0.0.1", 9090)}


def test_an_ipv6_group_takes_ipv6_addresses(ctx):
    view = hotel(
        service("parking", families=["IPv6"]),
        endpoints("parking", "fd00::1", family="IPv6", name="six"),
        endpoints("parking", "10.0.0.1", name="four"),
    )
    (key,) = translate_route(view, RATES, ctx).target_groups
    assert desired(view, ctx, key).targets == frozenset({Target(ip="fd00::1", port=8080)})


def test_two_ports_of_a_service_are_told_apart_by_a_tag_of_the_higher(ctx):
    view = hotel(
        service("parking", ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 81}]),
        route(
            "rates",
            rule(backend("parking", 81), matches=[path("/admin")]),
            rule(backend("parking", 80), matches=[path("/")]),
        ),
    )
    groups = {key.port: desired(view, ctx, key) for key in translate_route(view, RATES, ctx).target_groups}
    assert PREFIX + "ServicePort" not in groups[80].identity_tags
    assert groups[81].identity_tags == {**groups[80].identity_tags, PREFIX + "ServicePort": "81"}
    assert groups[80].name != groups[81].name


def test_where_another_port_still_has_the_groups_tags_the_port_sets_it_apart(ctx):
    group = desired(hotel(), ctx)
    assert group.alternative_tags == {**group.identity_tags, PREFIX + "ServicePort": "80"}
    assert group.alternative_name not in {None, group.name}


def test_two_hostnames_have_two_groups_told_apart_by_a_tag_of_the_further(ctx):
    view = hotel(route("rates", rule(backend("parking")), hostnames=["b.example.com", "a.example.com"]))
    groups = {key.owner.hostname: desired(view, ctx, key) for key in translate_route(view, RATES, ctx).target_groups}
    assert PREFIX + "Hostname" not in groups["b.example.com"].identity_tags
    assert groups["a.example.com"].identity_tags[PREFIX + "Hostname"] == "a.example.com"
    assert groups["a.example.com"].name != groups["b.example.com"].name


WEB_AND_ADMIN = [{"name": "web", "port": 80}, {"name": "admin", "port": 81}]


def test_what_nobody_asks_for_follows_the_port_of_its_service():
    view = hotel(endpoints("parking", "10.0.0.2", ports=NAMED), service("parking", ports=WEB_AND_ADMIN))
    present = {Target(ip="10.0.0.1", port=7070)}
    assert set(targets_to_follow(view, KEY, present)) == {Target(ip="10.0.0.2", port=8080)}


@pytest.mark.parametrize("there", [True, False], ids=["a Service without the port", "no Service"])
def test_what_nobody_asks_for_keeps_to_the_ports_it_has_where_its_own_has_gone(there: bool):
    gone = replace(KEY, port=8443)
    several = service("parking", ports=WEB_AND_ADMIN)
    view = hotel(endpoints("parking", "10.0.0.2", ports=NAMED), several)
    view = view if there else view.without(several)
    present = {Target(ip="10.0.0.1", port=8080)}
    assert set(targets_to_follow(view, gone, present)) == {Target(ip="10.0.0.2", port=8080)}
    assert not set(targets_to_follow(view, gone, set()))
