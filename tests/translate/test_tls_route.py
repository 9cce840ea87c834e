"""What a TLSRoute becomes: a listener that forwards by default, groups that take TCP (Gateway API v1.6, `TLSRoute`)."""

import pytest

from controller.api.gateway import TLSRoute
from controller.api.keys import RouteRef, ServiceKey
from controller.lattice.model import DesiredService, Forward
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group
from tests.support.view import (
    FakeView,
    backend,
    endpoints,
    gateway,
    gateway_class,
    listener,
    make,
    route,
    rule,
    service,
    tls_route,
)

PREFIX = "application-networking.k8s.aws/"
SEALED = RouteRef("TLSRoute", "default", "sealed")
NAME = "sealed.example.com"
PASSTHROUGH = {"mode": "Passthrough"}


def hotel(*objects, hostname: str | None = None) -> FakeView:
    fields = {"hostname": hostname} if hostname else {}
    hotel_gateway = gateway("my-hotel", "default", listener("tls", 443, "TLS", tls=PASSTHROUGH, **fields))
    return FakeView([gateway_class(), hotel_gateway, service("parking"), service("review")]).having(*objects)


def desired(view: FakeView, ctx, hostname: str = NAME) -> DesiredService:
    found = translate_service(view, ServiceKey("TLSRoute", hostname=hostname, networks=("my-hotel",)), ctx).desired
    assert found is not None
    return found


def judged(view: FakeView, ctx) -> dict[str, tuple[str, str, str]]:
    (parent,) = translate_route(view, SEALED, ctx).parents
    return {each.type: (each.status, each.reason, each.message) for each in parent.conditions}


def test_its_service_has_its_hostname_and_a_listener_that_forwards_by_default(ctx):
    made = desired(hotel(tls_route("sealed", backend("parking"), hostnames=[NAME])), ctx)
    assert (made.name, made.custom_domain, made.certificate_arn) == ("sealed-default", NAME, None)
    assert made.tags[PREFIX + "RouteType"] == "tls"
    (only,) = made.listeners
    assert (only.name, only.port, only.protocol) == ("sealed-default-443-tls", 443, "TLS_PASSTHROUGH")
    assert only.rules == ()
    assert isinstance(only.default_action, Forward)
    assert [(group.service, weight) for group, weight in only.default_action.weights] == [("parking", 1)]


def test_connections_are_shared_by_weight(ctx):
    backends = (backend("parking", weight=90), backend("review", weight=10), backend("nowhere", weight=50))
    made = desired(hotel(tls_route("sealed", *backends, hostnames=[NAME])), ctx)
    action = made.listeners[0].default_action
    assert isinstance(action, Forward)
    assert [(group.service, weight) for group, weight in action.weights] == [("parking", 90), ("review", 10)]


def test_each_hostname_is_a_service(ctx):
    view = hotel(tls_route("sealed", backend("parking"), hostnames=["a.example.com", "b.example.com", "c.example.org"]))
    assert [key.hostname for key in translate_route(view, SEALED, ctx).services] == [
        "a.example.com",
        "b.example.com",
        "c.example.org",
    ]
    narrowed = view.having(*hotel(hostname="*.example.com").objects)
    assert [key.hostname for key in translate_route(narrowed, SEALED, ctx).services] == [
        "a.example.com",
        "b.example.com",
    ]


def test_its_groups_take_tcp_and_have_no_health_check(ctx):
    view = hotel(tls_route("sealed", backend("parking"), hostnames=[NAME]), endpoints("parking", "10.0.0.1"))
    (key,) = translate_route(view, SEALED, ctx).target_groups
    made = translate_target_group(view, key, ctx)
    assert made is not None
    assert (made.protocol, made.protocol_version, made.health_check.enabled) == ("TCP", "", False)
    assert made.identity_tags[PREFIX + "SourceTypeKey"] == "TLSRoute"
    assert made.identity_tags[PREFIX + "ProtocolVersion"] == ""


@pytest.mark.parametrize(
    ("backends", "reason"),
    [
        ((backend("nowhere"),), "BackendNotFound"),
        ((backend("parking", kind="Bucket", group="example.com"),), "InvalidKind"),
        ((backend("parking", namespace="shop"),), "RefNotPermitted"),
        ((backend("parking", weight=0),), "ResolvedRefs"),
    ],
)
def test_connections_are_refused_while_no_backend_takes_them(backends, reason, ctx):
    """VPC Lattice can only forward them; a service without a listener is where nobody listens."""
    view = hotel(tls_route("sealed", *backends, hostnames=[NAME]))
    assert desired(view, ctx).listeners == ()
    found = judged(view, ctx)
    assert found["Accepted"][:2] == ("True", "Accepted")
    assert found["ResolvedRefs"][1] == reason


def test_without_a_hostname_it_cannot_be_served(ctx):
    """The definition demands one; an object of an older version of it may have none."""
    view = hotel(tls_route("sealed", backend("parking")))
    status, reason, message = judged(view, ctx)["Accepted"]
    assert (status, reason) == ("False", "UnsupportedValue")
    assert "spec.hostnames" in message
    named = hotel(tls_route("sealed", backend("parking")), hostname=NAME)
    assert judged(named, ctx)["Accepted"][0] == "True"


def test_a_wildcard_cannot_be_served(ctx):
    view = hotel(tls_route("sealed", backend("parking"), hostnames=["*.example.com"]))
    assert judged(view, ctx)["Accepted"][:2] == ("False", "UnsupportedValue")


def test_rules_after_the_first_are_dropped(ctx):
    two = make(
        TLSRoute,
        "sealed",
        spec={
            "parentRefs": [{"name": "my-hotel"}],
            "hostnames": [NAME],
            "rules": [rule(backend("parking")), rule(backend("review"))],
        },
    )
    view = hotel(two)
    status, reason, message = judged(view, ctx)["PartiallyInvalid"]
    assert (status, reason) == ("True", "UnsupportedValue")
    assert message.startswith("Dropped Rule 1: rules[1]: ")
    action = desired(view, ctx).listeners[0].default_action
    assert isinstance(action, Forward)
    assert [group.service for group, _ in action.weights] == ["parking"]


def test_a_hostname_that_an_older_route_of_another_kind_has_is_its(ctx):
    pages = route("pages", rule(backend("parking")), hostnames=[NAME], created="2025-01-01T00:00:00Z")
    both = gateway("my-hotel", "default", listener("http", 80), listener("tls", 443, "TLS", tls=PASSTHROUGH))
    view = hotel(tls_route("sealed", backend("parking"), hostnames=[NAME]), pages, both)
    status, reason, message = judged(view, ctx)["Accepted"]
    assert (status, reason) == ("False", "Conflicted")
    assert "HTTPRoute/default/pages" in message
