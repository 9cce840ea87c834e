"""What a route asks for, and what its author is told (Gateway API v1.6, `RouteParentStatus`)."""

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Condition
from controller.translate.route import RouteTranslation, translate_route
from tests.support.view import (
    FakeView,
    backend,
    gateway,
    gateway_class,
    grant,
    listener,
    path,
    route,
    rule,
    service,
)

RATES = RouteRef("HTTPRoute", "default", "rates")
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"
CERTIFICATE = {"mode": "Terminate", "options": {"application-networking.k8s.aws/certificate-arn": ARN}}
PARKING = rule(backend("parking"), matches=[path("/parking")])


def hotel(*objects) -> FakeView:
    return FakeView([gateway_class(), service("parking"), service("review")]).having(gateway()).having(*objects)


def translate(view: FakeView, ctx, ref: RouteRef = RATES) -> RouteTranslation:
    return translate_route(view, ref, ctx)


def conditions(translation: RouteTranslation, parent: int = 0) -> dict[str, Condition]:
    return {condition.type: condition for condition in translation.parents[parent].conditions}


def refused(translation: RouteTranslation, parent: int = 0) -> tuple[str, str]:
    accepted = conditions(translation, parent)["Accepted"]
    assert accepted.status == "False"
    assert not translation.parents[parent].accepted
    return accepted.reason, accepted.message


def test_a_simple_route_feeds_its_own_service(ctx):
    translation = translate(hotel(route("rates", PARKING)), ctx)
    key = ServiceKey("HTTPRoute", route=RATES)
    assert translation.services == (key,)
    assert translation.target_groups == (TargetGroupKey(owner=key, namespace="default", service="parking", port=80),)
    assert {type_: each.status for type_, each in conditions(translation).items()} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
    }


def test_conditions_bear_the_generation_they_judge(ctx):
    translation = translate(hotel(route("rates", PARKING, meta={"generation": 7})), ctx)
    assert {condition.observed_generation for condition in translation.parents[0].conditions} == {7}


def test_a_route_that_is_not_there_feeds_nothing(ctx):
    translation = translate(hotel(), ctx)
    assert translation.route is None
    assert (translation.parents, translation.services) == ((), ())


def test_a_deleting_route_feeds_nothing(ctx):
    translation = translate(hotel(route("rates", PARKING, meta={"deletionTimestamp": "2026-01-02T00:00:00Z"})), ctx)
    assert translation.route is not None
    assert (translation.parents, translation.services, translation.target_groups) == ((), (), ())


def test_each_hostname_is_a_service_of_its_own(ctx):
    translation = translate(hotel(route("rates", PARKING, hostnames=["b.example.com", "a.example.com"])), ctx)
    assert translation.services == tuple(
        ServiceKey("HTTPRoute", hostname=name, networks=("my-hotel",)) for name in ("b.example.com", "a.example.com")
    )
    assert {group.owner for group in translation.target_groups} == set(translation.services)


def test_the_networks_are_those_of_all_parents_that_serve_the_hostname(ctx):
    view = hotel(
        gateway("blue", "default", listener(hostname="blue.example.com")),
        route(
            "rates",
            PARKING,
            parents=[{"name": "my-hotel"}, {"name": "blue"}],
            hostnames=["red.example.com", "blue.example.com"],
        ),
    )
    assert translate(view, ctx).services == (
        ServiceKey("HTTPRoute", hostname="red.example.com", networks=("my-hotel",)),
        ServiceKey("HTTPRoute", hostname="blue.example.com", networks=("blue", "my-hotel")),
    )


def test_a_standalone_route_joins_no_network(ctx):
    view = hotel(
        route(
            "rates",
            PARKING,
            hostnames=["a.example.com"],
            annotations={"application-networking.k8s.aws/standalone": " TRUE "},
        )
    )
    assert translate(view, ctx).services == (ServiceKey("HTTPRoute", hostname="a.example.com"),)


def test_the_routes_word_on_standalone_beats_the_gateways(ctx):
    standalone = gateway(meta={"annotations": {"application-networking.k8s.aws/standalone": "true"}})
    plain = route("rates", PARKING, hostnames=["a.example.com"])
    said = route(
        "rates",
        PARKING,
        hostnames=["a.example.com"],
        annotations={"application-networking.k8s.aws/standalone": "false"},
    )
    assert translate(hotel(standalone, plain), ctx).services[0].networks == ()
    assert translate(hotel(standalone, said), ctx).services[0].networks == ("my-hotel",)


def test_a_missing_gateway_is_told_and_the_other_parent_serves(ctx):
    translation = translate(hotel(route("rates", PARKING, parents=[{"name": "gone"}, {"name": "my-hotel"}])), ctx)
    assert refused(translation)[0] == "NoMatchingParent"
    assert translation.parents[1].accepted
    assert len(translation.services) == 1


def test_a_parent_of_another_controller_gets_no_entry(ctx):
    view = hotel(
        gateway_class("other", "example.com/other"),
        gateway("theirs", "default", class_name="other"),
        route("rates", PARKING, parents=[{"name": "theirs"}]),
    )
    assert translate(view, ctx).parents == ()


def test_a_route_that_no_parent_accepts_feeds_nothing_and_still_has_its_references_judged(ctx):
    translation = translate(
        hotel(route("rates", rule(backend("gone")), parents=[{"name": "my-hotel", "port": 9}])), ctx
    )
    assert translation.services == ()
    assert refused(translation)[0] == "NoMatchingParent"
    assert conditions(translation)["ResolvedRefs"].reason == "BackendNotFound"


def test_references_that_cannot_be_followed(ctx):
    for ref, objects, reason, told in [
        (backend("gone"), [], "BackendNotFound", "no Service default/gone"),
        (backend("parking", 81), [], "BackendNotFound", "no TCP port 81; its ports are: 80"),
        (backend("parking", kind="Bucket", group="s3.aws"), [], "InvalidKind", "Bucket.s3.aws"),
        (backend("far", namespace="other"), [service("far", "other")], "RefNotPermitted", "ReferenceGrant"),
        (
            backend("out"),
            [service("out", type="ExternalName", externalName="example.com")],
            "InvalidKind",
            "ExternalName",
        ),
    ]:
        translation = translate(hotel(route("rates", rule(ref)), *objects), ctx)
        resolved = conditions(translation)["ResolvedRefs"]
        assert (resolved.status, resolved.reason) == ("False", reason)
        assert "rules[0].backendRefs[0]" in resolved.message
        assert told in resolved.message
        assert conditions(translation)["Accepted"].status == "True"
        assert translation.target_groups == ()


def test_a_grant_permits_a_backend_in_another_namespace(ctx):
    view = hotel(
        service("far", "other"), grant("other", "default"), route("rates", rule(backend("far", namespace="other")))
    )
    translation = translate(view, ctx)
    assert conditions(translation)["ResolvedRefs"].status == "True"
    assert [(group.namespace, group.service) for group in translation.target_groups] == [("other", "far")]


def test_two_ip_families_are_unsupported(ctx):
    translation = translate(hotel(service("parking", families=["IPv4", "IPv6"]), route("rates", PARKING)), ctx)
    reason, message = refused(translation)
    assert reason == "UnsupportedValue"
    assert "SingleStack" in message
    assert translation.services == ()


def test_an_ipv6_service_gets_an_ipv6_group(ctx):
    translation = translate(hotel(service("parking", families=["IPv6"]), route("rates", PARKING)), ctx)
    assert [group.ip_address_type for group in translation.target_groups] == ["IPV6"]


def test_what_lattice_cannot_express_names_the_field(ctx):
    for unsupported, told in [
        (rule(backend("parking"), matches=[{"queryParams": [{"name": "a", "value": "b"}]}]), "matches[0].queryParams"),
        (rule(backend("parking"), matches=[path("/a.*", "RegularExpression")]), "matches[0].path.type"),
        (rule(backend("parking"), matches=[path("/a!")]), "matches[0].path.value"),
        (rule(backend("parking"), matches=[path("/" + "a" * 200, "Exact")]), "at most 200"),
        (rule(backend("parking"), matches=[path("/" + "a" * 200)]), "at most 200"),
        (
            rule(backend("parking"), matches=[{"headers": [{"name": str(n), "value": "x"} for n in range(6)]}]),
            "at most 5 headers",
        ),
        (
            rule(backend("parking"), matches=[{"headers": [{"name": "a", "value": "b", "type": "RegularExpression"}]}]),
            "headers[0].type",
        ),
        (rule(backend("parking"), matches=[{"headers": [{"name": "a", "value": "x" * 201}]}]), "headers[0].value"),
        (rule(backend("parking"), filters=[{"type": "RequestRedirect"}]), "filters: VPC Lattice has no filters (Requ"),
        (rule(backend("parking", filters=[{"type": "URLRewrite"}])), "backendRefs[0].filters"),
        (rule(backend("parking"), timeouts={"request": "1s"}), "timeouts"),
        (rule(backend("parking"), retry={"attempts": 2}), "retry"),
        (rule(backend("parking"), sessionPersistence={"type": "Cookie"}), "sessionPersistence"),
        (rule(*(backend("parking", port) for port in range(1, 12))), "at most 10 target groups"),
    ]:
        view = hotel(
            service("parking", ports=[{"port": port, "name": f"p{port}"} for port in (*range(1, 12), 80)]),
            route("rates", unsupported),
        )
        reason, message = refused(translate(view, ctx))
        assert reason == "UnsupportedValue", told
        assert message.startswith("rules[0]."), message
        assert told in message


def test_the_valid_rest_of_a_route_is_served(ctx):
    bad = rule(backend("review"), filters=[{"type": "RequestRedirect"}])
    translation = translate(hotel(route("rates", PARKING, bad)), ctx)
    found = conditions(translation)
    assert found["Accepted"].status == "True"
    assert (found["PartiallyInvalid"].status, found["PartiallyInvalid"].reason) == ("True", "UnsupportedValue")
    assert found["PartiallyInvalid"].message.startswith("Dropped Rule 1: rules[1].filters")
    assert [group.service for group in translation.target_groups] == ["parking"]


def test_empty_timeouts_are_nothing(ctx):
    assert translate(hotel(route("rates", rule(backend("parking"), timeouts={}))), ctx).parents[0].accepted


def test_a_service_name_that_lattice_refuses_is_told(ctx):
    view = hotel(route("my.rates", PARKING))
    reason, message = refused(translate(view, ctx, RouteRef("HTTPRoute", "default", "my.rates")))
    assert reason == "UnsupportedValue"
    assert "'my.rates-default'" in message
    assert "service-name-override" in message


def test_a_wrong_name_override_is_told(ctx):
    annotations = {"application-networking.k8s.aws/service-name-override": "svc-rates"}
    assert "svc-" in refused(translate(hotel(route("rates", PARKING, annotations=annotations)), ctx))[1]


def test_a_wrong_rule_priority_is_told_and_ignored(ctx):
    annotations = {"application-networking.k8s.aws/rule-0-priority": "0"}
    translation = translate(hotel(route("rates", PARKING, annotations=annotations)), ctx)
    assert translation.parents[0].accepted
    assert "rule-0-priority is ignored" in conditions(translation)["Accepted"].message


def test_https_without_a_hostname_needs_none(ctx):
    https = gateway("my-hotel", "default", listener("https", 443, "HTTPS"))
    assert translate(hotel(https, route("rates", PARKING)), ctx).parents[0].accepted


def test_two_parents_that_want_one_port_with_two_protocols(ctx):
    view = hotel(
        gateway("other", "default", listener("https", 80, "HTTPS", tls=CERTIFICATE)),
        route("rates", PARKING, parents=[{"name": "my-hotel"}, {"name": "other"}]),
    )
    translation = translate(view, ctx)
    assert translation.parents[0].accepted
    assert refused(translation, 1)[0] == "Conflicted"


YOUNGER = {"created": "2026-02-01T00:00:00Z", "hostnames": ["a.example.com"]}


BOTH = {"parents": [{"name": "blue"}, {"name": "my-hotel"}]}
"""Other networks than those of a route with the usual parent, and one of them the same: such routes contend."""


def test_the_older_route_keeps_a_hostname(ctx):
    view = hotel(gateway("blue"), route("old", PARKING, hostnames=["a.example.com"], **BOTH))
    view = view.having(route("rates", PARKING, **YOUNGER))
    reason, message = refused(translate(view, ctx))
    assert reason == "Conflicted"
    assert "HTTPRoute/default/old" in message
    assert translate(view, ctx, RouteRef("HTTPRoute", "default", "old")).parents[0].accepted


def test_of_equal_age_the_first_by_namespace_and_name_keeps_it(ctx):
    view = hotel(
        gateway("blue"),
        route("zebra", PARKING, hostnames=["a.example.com"]),
        route("rates", PARKING, hostnames=["a.example.com"], **BOTH),
    )
    assert translate(view, ctx).parents[0].accepted
    assert refused(translate(view, ctx, RouteRef("HTTPRoute", "default", "zebra")))[0] == "Conflicted"


def test_a_deleting_or_refused_route_keeps_nothing(ctx):
    for old in [
        route("old", PARKING, hostnames=["a.example.com"], meta={"deletionTimestamp": "2026-01-02T00:00:00Z"}),
        route("old", PARKING, hostnames=["a.example.com"], parents=[{"name": "gone"}]),
        route("old", rule(filters=[{"type": "RequestRedirect"}]), hostnames=["a.example.com"]),
    ]:
        assert translate(hotel(old, route("rates", PARKING, **YOUNGER)), ctx).parents[0].accepted


def test_other_networks_do_not_contend(ctx):
    view = hotel(
        gateway("blue"),
        route("old", PARKING, parents=[{"name": "blue"}], hostnames=["a.example.com"]),
        route("rates", PARKING, **YOUNGER),
    )
    assert translate(view, ctx).parents[0].accepted


def test_a_route_that_lost_keeps_nobody_else_out(ctx):
    view = hotel(
        gateway("blue"),
        route("old", PARKING, hostnames=["a.example.com"], created="2025-01-01T00:00:00Z"),
        route("middle", PARKING, parents=[{"name": "blue"}, {"name": "my-hotel"}], hostnames=["a.example.com"]),
        route("rates", PARKING, parents=[{"name": "blue"}], **YOUNGER),
    )
    assert translate(view, ctx).parents[0].accepted


def test_a_hostname_taken_from_the_listener_contends_too(ctx):
    view = hotel(
        gateway("my-hotel", "default", listener(hostname="a.example.com")),
        gateway("blue", "default", listener(hostname="a.example.com")),
        route("old", PARKING, hostnames=["*.example.com"], **BOTH),
        route("rates", PARKING, created="2026-02-01T00:00:00Z"),
    )
    assert refused(translate(view, ctx))[0] == "Conflicted"


def test_routes_without_hostnames_never_collide(ctx):
    view = hotel(route("old", PARKING), route("rates", PARKING))
    assert translate(view, ctx).parents[0].accepted


def test_a_route_that_loses_one_of_its_hostnames_serves_the_other(ctx):
    view = hotel(
        gateway("blue"),
        route("old", PARKING, hostnames=["a.example.com"], **BOTH),
        route("rates", PARKING, hostnames=["a.example.com", "b.example.com"], created="2026-02-01T00:00:00Z"),
    )
    translation = translate(view, ctx)
    assert [key.hostname for key in translation.services] == ["b.example.com"]
    assert "a.example.com is served by the older" in conditions(translation)["Accepted"].message


def test_an_object_of_many_rules_is_judged_whole(ctx):
    rules = [rule(backend("x" * 60), matches=[path(f"/{'y' * 150}{number}")] * 60) for number in range(60)]
    translation = translate(hotel(route("rates", *rules)), ctx)
    assert all(len(condition.message) <= 32768 for condition in translation.parents[0].conditions)


def test_a_paused_route_is_translated_as_ever_and_says_so(ctx):
    paused = {"application-networking.k8s.aws/paused": "true"}
    told = translate(hotel(route("rates", PARKING, annotations=paused)), ctx)
    plain = translate(hotel(route("rates", PARKING)), ctx)
    assert told.services == plain.services
    assert told.target_groups == plain.target_groups
    accepted = conditions(told)["Accepted"]
    assert accepted.status == "True"
    assert "application-networking.k8s.aws/paused" in accepted.message
    assert "paused" not in conditions(plain)["Accepted"].message


def test_a_headless_service_without_a_selector_is_given_two_families_and_takes_the_first(ctx):
    both = {"families": ["IPv4", "IPv6"], "clusterIP": "None"}
    (group,) = translate(hotel(service("parking", **both), route("rates", PARKING)), ctx).target_groups
    assert group.ip_address_type == "IPV4"
    chosen = translate(hotel(service("parking", selector={"app": "parking"}, **both), route("rates", PARKING)), ctx)
    assert refused(chosen)[0] == "UnsupportedValue"
