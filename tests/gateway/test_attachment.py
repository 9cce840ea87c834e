"""Which listeners accept a route (Gateway API v1.6, `ParentReference`, `AllowedRoutes`)."""

import msgspec
import pytest

from controller.api.gateway import HTTPRoute
from controller.gateway.attachment import Attachment, attach, attached_routes
from tests.support.view import (
    CONTROLLER,
    FakeView,
    accepted,
    gateway,
    gateway_class,
    grpc_route,
    listener,
    namespace,
    route,
    tls_route,
)


def judge(view: FakeView, of: HTTPRoute) -> Attachment | None:
    assert of.spec.parent_refs is not None
    return attach(view, of, of.spec.parent_refs[0], CONTROLLER)


def names(attachment: Attachment | None) -> list[str]:
    assert attachment is not None
    return [matched.listener.name for matched in attachment.listeners]


def refusal(attachment: Attachment | None) -> tuple[str, str]:
    assert attachment is not None
    assert attachment.refusal is not None
    return attachment.refusal.reason, attachment.refusal.message


def view(*objects, **options) -> FakeView:
    return FakeView([gateway_class(), *objects], **options)


TWO = gateway("my-hotel", "default", listener("http", 80), listener("other", 8080))


def test_a_parent_ref_without_section_or_port_selects_every_listener():
    assert names(judge(view(TWO), route("r"))) == ["http", "other"]


def test_a_section_name_selects_its_listener():
    assert names(judge(view(TWO), route("r", parents=[{"name": "my-hotel", "sectionName": "other"}]))) == ["other"]


def test_a_port_selects_its_listeners():
    assert names(judge(view(TWO), route("r", parents=[{"name": "my-hotel", "port": 80}]))) == ["http"]


def test_section_and_port_must_both_fit():
    reason, message = refusal(
        judge(view(TWO), route("r", parents=[{"name": "my-hotel", "sectionName": "http", "port": 8080}]))
    )
    assert reason == "NoMatchingParent"
    assert "named http on port 8080" in message
    assert "http (port 80), other (port 8080)" in message


def test_a_missing_gateway_is_no_matching_parent():
    reason, message = refusal(judge(view(), route("r", parents=[{"name": "gone", "namespace": "infra"}])))
    assert reason == "NoMatchingParent"
    assert "infra/gone" in message


@pytest.mark.parametrize(
    "parent",
    [{"name": "my-hotel", "kind": "Service", "group": ""}, {"name": "my-hotel", "group": "example.com"}],
)
def test_a_parent_of_another_kind_is_not_ours_to_answer(parent):
    assert judge(view(TWO), route("r", parents=[parent])) is None


def test_a_gateway_of_another_controller_is_not_ours_to_answer():
    foreign = FakeView([gateway_class(controller="example.com/other"), TWO])
    assert judge(foreign, route("r")) is None


def test_a_gateway_without_its_class_is_not_ours_to_answer():
    assert judge(FakeView([TWO]), route("r")) is None


def allowing(**namespaces) -> FakeView:
    return view(
        gateway("my-hotel", "default", listener(allowedRoutes={"namespaces": namespaces})),
        namespace("blue", team="blue"),
        namespace("red", team="red"),
    )


TO_DEFAULT = [{"name": "my-hotel", "namespace": "default"}]


@pytest.mark.parametrize(
    ("namespaces", "accepted"),
    [
        ({"from": "All"}, {"default", "blue", "red"}),
        ({"from": "Same"}, {"default"}),
        ({"from": "None"}, set()),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "blue"}}}, {"blue"}),
        (
            {"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}},
            {"blue", "red"},
        ),
        (
            {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]},
            },
            {"blue"},
        ),
        ({"from": "Selector"}, set()),
    ],
)
def test_allowed_namespaces(namespaces, accepted):
    for name in ("default", "blue", "red"):
        attachment = judge(allowing(**namespaces), route("r", namespace=name, parents=TO_DEFAULT))
        if name in accepted:
            assert names(attachment) == ["http"], name
        else:
            reason, message = refusal(attachment)
            assert reason == "NotAllowedByListeners"
            assert f"namespace {name}" in message


def test_a_listener_for_other_kinds_does_not_allow_the_route():
    only_grpc = listener(allowedRoutes={"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]})
    assert refusal(judge(view(gateway("my-hotel", "default", only_grpc)), route("r")))[0] == "NotAllowedByListeners"


def test_a_listener_that_is_not_accepted_takes_no_routes():
    reason, message = refusal(judge(view(gateway("my-hotel", "default", listener("tcp", protocol="TCP"))), route("r")))
    assert reason == "NoMatchingParent"
    assert "tcp" in message


def test_listeners_that_cannot_be_told_apart_all_serve_nothing():
    twins = gateway("my-hotel", "default", listener("a"), listener("b"), listener("c", 81))
    assert names(judge(view(twins), route("r"))) == ["c"]


def hostnames(listener_hostname: str | None, *wanted: str) -> Attachment:
    fields = {} if listener_hostname is None else {"hostname": listener_hostname}
    attachment = judge(view(gateway("my-hotel", "default", listener(**fields))), route("r", hostnames=wanted))
    assert attachment is not None
    return attachment


def test_without_hostnames_on_either_side_there_is_none():
    assert hostnames(None).listeners[0].hostnames == ("",)


def test_the_listeners_hostname_stands_in_for_the_routes():
    assert hostnames("a.example.com").listeners[0].hostnames == ("a.example.com",)


def test_the_listeners_hostname_narrows_the_routes():
    attachment = hostnames("*.example.com", "a.example.com", "b.example.org")
    assert attachment.listeners[0].hostnames == ("a.example.com",)


def test_the_routes_wildcard_is_narrowed_by_the_listener():
    assert hostnames("a.example.com", "*.example.com").listeners[0].hostnames == ("a.example.com",)


def test_a_wildcard_does_not_cover_its_own_suffix():
    assert hostnames("*.example.com", "example.com").refusal is not None


def test_hostnames_with_nothing_in_common_do_not_match():
    reason, message = refusal(hostnames("a.example.com", "b.example.com"))
    assert reason == "NoMatchingListenerHostname"
    assert "b.example.com" in message
    assert "a.example.com" in message


def test_a_hostname_that_stays_a_wildcard_is_unsupported():
    reason, message = refusal(hostnames("*.example.com"))
    assert reason == "UnsupportedValue"
    assert "*.example.com" in message


def test_a_wildcard_beside_a_full_hostname_is_left_out():
    attachment = hostnames(None, "*.example.com", "a.example.org")
    assert attachment.refusal is None
    assert attachment.listeners[0].hostnames == ("a.example.org",)
    assert attachment.wildcards == ("*.example.com",)


def test_accepted_routes_are_counted_where_parent_ref_allowed_routes_and_hostnames_let_them_in():
    own = gateway(
        "my-hotel",
        "default",
        listener("a", hostname="a.example.com"),
        listener("https", 443, "HTTPS"),
        listener("tls", 8443, "TLS", hostname="*.example.com", tls={"mode": "Passthrough"}),
    )
    twice = [{"name": "my-hotel", "sectionName": "a"}, {"name": "my-hotel", "port": 80}]
    counts = attached_routes(
        view(
            own,
            accepted(route("fits", hostnames=["a.example.com"])),
            accepted(route("misses", hostnames=["b.example.com"])),
            accepted(route("going", meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})),
            accepted(route("elsewhere", parents=[{"name": "other"}])),
            accepted(route("twice", parents=twice)),
            accepted(grpc_route("calls", hostnames=["a.example.com"])),
            accepted(tls_route("sealed", hostnames=["a.example.com", "b.example.com"])),
            accepted(tls_route("astray", hostnames=["a.example.org"])),
        ),
        own,
        CONTROLLER,
    )
    assert counts == {"a": 2, "https": 3, "tls": 1}


def test_a_route_is_not_counted_while_its_status_does_not_say_that_it_is_accepted():
    own = gateway("my-hotel", "default", listener("a", 80), listener("b", 81))
    both = [{"name": "my-hotel", "sectionName": "a"}, {"name": "my-hotel", "sectionName": "b"}]
    first = {"controllerName": CONTROLLER, "parentRef": both[0], "conditions": [{"type": "Accepted", "status": "True"}]}
    foreign = {**first, "controllerName": "example.com/other", "parentRef": both[1]}
    in_part = msgspec.structs.replace(
        route("in-part", parents=both), status=msgspec.Raw(msgspec.json.encode({"parents": [first, foreign]}))
    )
    found = view(
        own,
        route("new"),
        accepted(route("refused"), "False"),
        accepted(route("pending"), "Unknown"),
        msgspec.structs.replace(route("spoilt"), status=msgspec.Raw(b'{"parents": "a word"}')),
    )
    assert attached_routes(found, own, CONTROLLER) == {"a": 0, "b": 0}
    assert attached_routes(found.having(in_part), own, CONTROLLER) == {"a": 1, "b": 0}


HOTEL = gateway(
    "my-hotel",
    "default",
    listener("http", 80, "HTTP"),
    listener("https", 443, "HTTPS"),
    listener("tls", 8443, "TLS", tls={"mode": "Passthrough"}),
)


@pytest.mark.parametrize(
    ("made", "accepting"),
    [
        (route("rates"), ["http", "https"]),
        (grpc_route("calls"), ["https"]),
        (tls_route("sealed", hostnames=["a.example.com"]), ["tls"]),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else "",
)
def test_each_kind_is_accepted_by_the_listeners_that_can_carry_it(made, accepting):
    attachment = attach(view(HOTEL, made), made, made.spec.parent_refs[0], CONTROLLER)
    assert attachment is not None
    assert attachment.refusal is None
    assert [matched.listener.name for matched in attachment.listeners] == accepting


@pytest.mark.parametrize(
    ("make_route", "section", "told"),
    [
        (grpc_route, "http", "serves a GRPCRoute by listeners of protocol HTTPS alone; listener http of"),
        (grpc_route, "tls", "has TLS"),
        (tls_route, "https", "serves a TLSRoute by listeners of protocol TLS alone"),
        (route, "tls", "serves a HTTPRoute by listeners of protocol HTTP or HTTPS alone"),
    ],
)
def test_a_listener_of_a_protocol_that_cannot_carry_the_kind_does_not_allow_it(make_route, section, told):
    made = make_route("rates", parents=[{"name": "my-hotel", "sectionName": section}])
    attachment = attach(view(HOTEL, made), made, made.spec.parent_refs[0], CONTROLLER)
    assert attachment is not None
    assert attachment.refusal is not None
    assert attachment.refusal.reason == "NotAllowedByListeners"
    assert told in attachment.refusal.message
