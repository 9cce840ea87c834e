"""Which keys an event touches."""

from typing import Any

import msgspec
import pytest

from controller.api.core import EndpointSlice, Service
from controller.api.gateway import Gateway, GatewayClass, HTTPRoute, ParentReference
from controller.api.keys import Key, ObjectKey, RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Object, Undecodable
from controller.translate.route import translate_route
from controller.translate.triggers import keys_for_change
from tests.support.view import (
    FakeView,
    accepted,
    backend,
    endpoints,
    gateway,
    gateway_class,
    grant,
    listener,
    make,
    namespace,
    path,
    route,
    rule,
    service,
)

PREFIX = "application-networking.k8s.aws/"
FINALIZER = "httproute.k8s.aws/resources"
RATES = route("rates", rule(backend("parking")))
OTHER = route("other", rule(backend("review")), hostnames=["a.example.com"])
REF = RouteRef("HTTPRoute", "default", "rates")
SERVICE = ServiceKey("HTTPRoute", route=REF)
GROUP = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80)
GATEWAY = ObjectKey("Gateway", "default", "my-hotel")
CLASS = ObjectKey("GatewayClass", "", "amazon-vpc-lattice")
BASE = FakeView([gateway_class(), gateway(), service("parking"), service("review"), namespace("default"), RATES, OTHER])


def touched(ctx, old: Object | None, new: Object | None, base: FakeView = BASE) -> frozenset[Key]:
    some = new or old
    assert some is not None
    view = base.having(new) if new is not None else base.without(some)
    return keys_for_change(type(some).__name__, old, new, view, ctx)


def changed(obj: Any, **meta: Any) -> Any:
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, **meta))


def own_keys(view: FakeView, ctx, ref: RouteRef) -> set[Key]:
    translation = translate_route(view, ref, ctx)
    return {ref.key, *translation.services, *translation.target_groups}


@pytest.mark.parametrize("obj", [RATES, gateway(), gateway_class(), service("parking"), namespace("default")])
def test_bookkeeping_touches_nothing(ctx, obj):
    version = changed(obj, resource_version="2", labels=obj.metadata.labels, annotations={"example.com/note": "x"})
    assert touched(ctx, obj, version) == set()
    if not isinstance(obj, (Service,)) and hasattr(obj, "status"):
        assert touched(ctx, obj, msgspec.structs.replace(obj, status=msgspec.Raw(b'{"conditions":[]}'))) == set()


def test_annotations_that_the_route_reports_by_touch_it_and_the_gateways_that_show_the_address(ctx):
    domain, arn = {PREFIX + "lattice-assigned-domain-name": "x"}, {PREFIX + "lattice-service-arn": "y"}
    assert touched(ctx, RATES, changed(RATES, annotations=domain)) == {REF.key, GATEWAY}
    assert touched(ctx, RATES, changed(RATES, annotations=arn)) == {REF.key}


def with_parents(*parents: dict[str, Any]) -> HTTPRoute:
    return msgspec.structs.replace(RATES, status=msgspec.Raw(msgspec.json.encode({"parents": parents})))


def test_a_status_touches_the_route_if_our_part_of_it_is_another(ctx):
    own, other = {"controllerName": ctx.controller_name, "conditions": []}, {"controllerName": "example.com/other"}
    assert touched(ctx, with_parents(own, other), with_parents(other)) == {REF.key}
    assert touched(ctx, with_parents(own), with_parents({**own, "conditions": [{}]})) == {REF.key}
    assert touched(ctx, with_parents(own, other), with_parents({**other, "conditions": []}, own)) == set()
    assert (
        touched(ctx, with_parents(other), msgspec.structs.replace(RATES, status=msgspec.Raw(b'{"parents":5}'))) == set()
    )


def test_a_status_touches_the_gateways_if_it_accepts_the_route_anew_or_not_any_more(ctx):
    yes, no = accepted(RATES), accepted(RATES, "False")
    assert touched(ctx, RATES, yes) == touched(ctx, yes, no) == {REF.key, GATEWAY}
    assert touched(ctx, RATES, no) == {REF.key}


def test_our_finalizer_lets_the_services_and_groups_begin(ctx):
    assert touched(ctx, RATES, changed(RATES, finalizers=(FINALIZER,))) == {SERVICE, GROUP}


def test_a_finalizer_taken_away_by_somebody_touches_the_route(ctx):
    assert REF.key in touched(ctx, changed(RATES, finalizers=(FINALIZER,)), RATES)


@pytest.mark.parametrize("deleting", [False, True])
def test_a_route_that_comes_or_goes_touches_all_that_it_feeds(ctx, deleting):
    version = changed(RATES, deletion_timestamp="2026-01-02T00:00:00Z") if deleting else RATES
    for old, new in ((None, version), (version, None)):
        assert touched(ctx, old, new) == {REF.key, SERVICE, GROUP, GATEWAY}


def test_a_deletion_that_begins_touches_what_the_route_fed(ctx):
    assert touched(ctx, RATES, changed(RATES, deletion_timestamp="2026-01-02T00:00:00Z")) >= {REF.key, SERVICE, GROUP}


def test_a_changed_route_touches_what_it_fed_and_what_it_feeds(ctx):
    new = route("rates", rule(backend("review")), hostnames=["b.example.com"], parents=[{"name": "new"}])
    view = BASE.having(gateway("new"))
    keys = touched(ctx, RATES, new, view)
    service_key = ServiceKey("HTTPRoute", hostname="b.example.com", networks=("new",))
    assert keys == {
        REF.key,
        SERVICE,
        GROUP,
        service_key,
        TargetGroupKey(owner=service_key, namespace="default", service="review", port=80),
        GATEWAY,
        ObjectKey("Gateway", "default", "new"),
    }


def test_annotations_that_a_translation_reads_touch_the_route(ctx):
    assert touched(ctx, RATES, changed(RATES, annotations={PREFIX + "tags": "a=b"})) >= {REF.key, SERVICE, GROUP}


def test_a_route_that_asks_for_a_hostname_touches_the_one_that_has_it(ctx):
    rival = route("rates", rule(backend("parking")), hostnames=["a.example.com"], created="2025-01-01T00:00:00Z")
    other = RouteRef("HTTPRoute", "default", "other")
    assert touched(ctx, None, rival) >= own_keys(BASE, ctx, other)
    assert touched(ctx, rival, None) >= own_keys(BASE, ctx, other)


def shared(count: int) -> list[HTTPRoute]:
    """Routes that all want one hostname, oldest first."""
    return [
        route(f"r{n}", rule(backend("parking")), hostnames=["a.example.com"], created=f"2026-01-01T00:00:{n:02d}Z")
        for n in range(count)
    ]


def routes_in(keys: frozenset[Key]) -> set[str]:
    return {key.name for key in keys if isinstance(key, ObjectKey) and key.kind == "HTTPRoute"}


def elsewhere(one: HTTPRoute, *gateways: str) -> HTTPRoute:
    """The route with these Gateways as its parents."""
    parents = tuple(ParentReference(name=name) for name in gateways)
    return msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, parent_refs=parents))


def test_a_route_that_does_not_get_its_hostname_touches_no_other(ctx):
    first, second, third, fourth = shared(4)
    third = elsewhere(third, "two", "my-hotel")
    view = BASE.without(OTHER).having(gateway("two"), first, second, third, fourth)
    tagged = {PREFIX + "tags": "a=b"}
    assert routes_in(touched(ctx, third, changed(third, annotations=tagged), view)) == {"r2"}
    assert routes_in(touched(ctx, third, None, view)) == {"r2"}
    assert routes_in(touched(ctx, first, changed(first, annotations=tagged), view)) == {"r0", "r1", "r2", "r3"}


def test_a_route_that_shares_a_service_touches_those_that_come_after_it(ctx):
    routes = shared(4)
    view = BASE.without(OTHER).having(*routes)
    tagged = {PREFIX + "tags": "a=b"}
    assert routes_in(touched(ctx, routes[2], changed(routes[2], annotations=tagged), view)) == {"r2", "r3"}
    assert routes_in(touched(ctx, routes[3], changed(routes[3], annotations=tagged), view)) == {"r3"}


def test_a_route_that_loses_its_hostname_touches_all_that_are_younger(ctx):
    routes = shared(4)
    first, view = routes[0], BASE.without(OTHER).having(*routes)
    nameless = msgspec.structs.replace(first, spec=RATES.spec)
    keys = touched(ctx, first, nameless, view)
    assert keys >= own_keys(view.having(nameless), ctx, RouteRef("HTTPRoute", "default", "r1"))
    assert routes_in(keys) == {"r0", "r1", "r2", "r3"}


def test_a_route_of_another_network_stands_in_nobodys_way(ctx):
    first, second, third = shared(3)
    view = BASE.without(OTHER).having(gateway("two"), elsewhere(first, "two"), second, third)
    assert routes_in(touched(ctx, third, changed(third, annotations={PREFIX + "tags": "a=b"}), view)) == {"r2"}
    assert routes_in(touched(ctx, second, changed(second, annotations={PREFIX + "tags": "a=b"}), view)) == {"r1", "r2"}


def test_what_is_said_of_endpoints_beside_their_addresses_touches_nothing(ctx):
    ready, unready = endpoints("parking", "10.0.0.1", ready=True), endpoints("parking", "10.0.0.1", ready=False)
    assert touched(ctx, ready, unready) == set()
    pods = msgspec.json.decode(
        b'{"endpoints":[{"addresses":["10.0.0.1"],"targetRef":{"kind":"Pod","name":"a"},"zone":"z"}],"ports":[{"port":8080,"name":"","protocol":"TCP"}]}',
        type=EndpointSlice,
    )
    assert touched(ctx, ready, msgspec.structs.replace(pods, metadata=ready.metadata)) == set()
    assert touched(ctx, ready, endpoints("parking", "10.0.0.1", terminating=True)) == {GROUP}


def test_a_mesh_route_with_the_gateways_name_is_none_of_its_routes(ctx):
    mesh = route("mesh", rule(backend("parking")), parents=[{"name": "my-hotel", "group": "", "kind": "Service"}])
    view = BASE.having(mesh)
    assert touched(ctx, None, mesh) == {ObjectKey("HTTPRoute", "default", "mesh")}
    assert "mesh" not in routes_in(touched(ctx, gateway(), None, view))


def test_endpoints_touch_target_groups_only(ctx):
    old, new = endpoints("parking", "10.0.0.1"), endpoints("parking", "10.0.0.2")
    assert touched(ctx, None, new) == touched(ctx, old, new) == touched(ctx, old, None) == {GROUP}
    assert touched(ctx, old, old) == set()
    assert touched(ctx, None, endpoints("unused", "10.0.0.1")) == set()


def test_endpoints_that_change_their_service_touch_both(ctx):
    old, new = endpoints("parking", "10.0.0.1", name="s"), endpoints("review", "10.0.0.1", name="s")
    assert {key.service for key in touched(ctx, old, new) if isinstance(key, TargetGroupKey)} == {"parking", "review"}


def test_a_service_touches_the_routes_that_use_it_and_what_they_feed(ctx):
    six = service("parking", families=["IPv6"])
    sixth = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80, ip_address_type="IPV6")
    assert touched(ctx, service("parking"), six) == {REF.key, SERVICE, GROUP, sixth}
    assert touched(ctx, None, service("parking")) == {REF.key, SERVICE, GROUP}
    assert touched(ctx, service("parking"), None) == {REF.key, SERVICE, GROUP}
    assert touched(ctx, None, service("unused")) == set()


def test_a_gateway_touches_itself_its_class_and_its_routes(ctx):
    old, new = gateway(), gateway("my-hotel", "default", listener(hostname="a.example.com"))
    keys = touched(ctx, old, new)
    assert keys >= {GATEWAY, CLASS, REF.key, SERVICE, GROUP}
    assert ServiceKey("HTTPRoute", hostname="a.example.com", networks=("my-hotel",)) in keys
    assert touched(ctx, old, None) >= {GATEWAY, CLASS, REF.key, SERVICE, GROUP}


@pytest.mark.parametrize("name", ["standalone", "paused"])
def test_what_a_gateways_annotations_say_of_its_routes_touches_them(ctx, name):
    assert touched(ctx, gateway(), gateway(meta={"annotations": {PREFIX + name: "true"}})) >= {REF.key, SERVICE, GROUP}


def test_our_finalizer_on_a_gateway_touches_nothing_until_it_is_taken_away(ctx):
    held = gateway(meta={"finalizers": ["gateway.k8s.aws/resources"]})
    assert touched(ctx, gateway(), held) == set()
    assert touched(ctx, held, gateway()) == {GATEWAY}


def test_a_class_touches_its_gateways_and_their_routes(ctx):
    assert touched(ctx, None, gateway_class()) >= {CLASS, GATEWAY, REF.key, SERVICE, GROUP}
    assert touched(ctx, gateway_class(), None) >= {CLASS, GATEWAY, REF.key, SERVICE, GROUP}


def test_labels_of_a_namespace_touch_routes_only_where_a_gateway_selects_by_them(ctx):
    old, new = namespace("default"), namespace("default", team="blue")
    assert touched(ctx, old, new) == set()
    selector = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "blue"}}}}
    selecting = BASE.having(gateway("my-hotel", "default", listener(allowedRoutes=selector)))
    keys = touched(ctx, old, new, selecting)
    assert keys >= {GATEWAY, REF.key, SERVICE, GROUP}
    assert touched(ctx, new, old, selecting) == keys


def test_a_grant_touches_the_routes_that_refer_across(ctx):
    across = route("rates", rule(backend("far", namespace="far")))
    view = BASE.having(across, service("far", "far"))
    group = TargetGroupKey(owner=SERVICE, namespace="far", service="far", port=80)
    given = grant("far", "default")
    assert touched(ctx, None, given, view) == touched(ctx, given, None, view) == {REF.key, SERVICE, group}
    assert touched(ctx, None, grant("far", "elsewhere"), view) == set()


def test_what_is_unknown_touches_only_what_depends_on_it(ctx):
    blind = FakeView(BASE.objects, unknown=[Gateway])
    assert keys_for_change("HTTPRoute", None, RATES, blind, ctx) == {REF.key, GATEWAY}
    assert keys_for_change("Service", None, service("parking"), blind, ctx) == {REF.key}
    assert keys_for_change("Service", None, service("parking"), FakeView([], unknown=[HTTPRoute]), ctx) == set()
    assert GATEWAY not in keys_for_change("GatewayClass", None, gateway_class(), blind, ctx)


def test_an_object_that_cannot_be_decoded_touches_what_it_was(ctx):
    broken = Undecodable(metadata=RATES.metadata, error="bad")
    keys = keys_for_change("HTTPRoute", RATES, broken, BASE, ctx)
    assert REF.key in keys
    assert keys_for_change("HTTPRoute", None, broken, BASE, ctx) == set()


def test_kinds_that_nothing_reads_touch_nothing(ctx):
    assert keys_for_change("Secret", None, make(GatewayClass, "x"), BASE, ctx) == frozenset()


def test_a_rule_that_goes_touches_its_group(ctx):
    two = route("rates", rule(backend("parking"), matches=[path("/a")]), rule(backend("review"), matches=[path("/b")]))
    gone = TargetGroupKey(owner=SERVICE, namespace="default", service="review", port=80)
    assert gone in touched(ctx, two, RATES)


def test_a_new_generation_touches_the_objects_status_whatever_changed(ctx):
    def later(obj):
        return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, generation=9))

    assert touched(ctx, RATES, later(RATES)) == {REF.key}
    assert touched(ctx, gateway(), later(gateway())) == {ObjectKey("Gateway", "default", "my-hotel")}
    assert touched(ctx, gateway_class(), later(gateway_class())) == {
        ObjectKey("GatewayClass", "", "amazon-vpc-lattice")
    }
