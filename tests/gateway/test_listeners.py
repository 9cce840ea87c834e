"""Listeners by themselves (Gateway API v1.6, `Listener`, `ListenerStatus`)."""

import pytest

from controller.gateway.listeners import CERTIFICATE_ARN, ListenerState, certificate_arn, listener_states
from tests.support.view import gateway, listener

ARN = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"


def states(*listeners) -> dict[str, ListenerState]:
    return {state.listener.name: state for state in listener_states(gateway("g", "default", *listeners))}


def tls(**options: str):
    return {"tls": {"mode": "Terminate", "certificateRefs": [{"name": "unused"}], "options": options}}


PASSTHROUGH = {"tls": {"mode": "Passthrough"}}


@pytest.mark.parametrize(
    ("protocol", "fields", "kinds"),
    [
        ("HTTP", {}, ("HTTPRoute",)),
        ("HTTPS", {}, ("HTTPRoute", "GRPCRoute")),
        ("TLS", PASSTHROUGH, ("TLSRoute",)),
    ],
)
def test_a_protocol_takes_the_kinds_of_routes_that_lattice_serves_by_it(protocol, fields, kinds):
    state = states(listener(protocol=protocol, **fields))["http"]
    assert state.usable
    assert state.kinds == kinds
    assert state.resolved.status
    assert not state.conflicted.status


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "example.com/own"])
def test_other_protocols_are_unsupported(protocol):
    state = states(listener(protocol=protocol))["http"]
    assert (state.accepted.status, state.accepted.reason) == (False, "UnsupportedProtocol")
    assert state.kinds == ()


@pytest.mark.parametrize(
    ("protocol", "fields", "use"),
    [
        ("HTTPS", PASSTHROUGH, "use Terminate"),
        ("TLS", {"tls": {"mode": "Terminate"}}, "use Passthrough"),
        ("TLS", {}, "use Passthrough"),
    ],
)
def test_https_is_terminated_and_tls_passed_through(protocol, fields, use):
    state = states(listener(protocol=protocol, **fields))["http"]
    assert (state.accepted.status, state.accepted.reason) == (False, "UnsupportedValue")
    assert use in state.accepted.message


def test_a_tls_listener_is_told_apart_as_others_are():
    found = states(
        listener("a", 443, "TLS", hostname="a.x", **PASSTHROUGH),
        listener("b", 443, "TLS", hostname="b.x", **PASSTHROUGH),
        listener("c", 444, "TLS", **PASSTHROUGH),
        listener("d", 444, "TLS", **PASSTHROUGH),
        listener("e", 445, "TLS", hostname="a.x", **PASSTHROUGH),
        listener("f", 445, "HTTPS", hostname="b.x"),
    )
    assert {name: state.conflicted.reason for name, state in found.items()} == {
        "a": "NoConflicts",
        "b": "NoConflicts",
        "c": "HostnameConflict",
        "d": "HostnameConflict",
        "e": "ProtocolConflict",
        "f": "ProtocolConflict",
    }


def test_kinds_that_a_protocol_cannot_carry_are_refused():
    allowed = {"kinds": [{"kind": "GRPCRoute"}, {"kind": "TLSRoute"}, {"kind": "HTTPRoute"}]}
    found = states(
        listener("http", 80, "HTTP", allowedRoutes=allowed),
        listener("https", 443, "HTTPS", allowedRoutes=allowed),
        listener("tls", 8443, "TLS", allowedRoutes=allowed, **PASSTHROUGH),
    )
    assert {name: (state.kinds, state.resolved.reason) for name, state in found.items()} == {
        "http": (("HTTPRoute",), "InvalidRouteKinds"),
        "https": (("HTTPRoute", "GRPCRoute"), "InvalidRouteKinds"),
        "tls": (("TLSRoute",), "InvalidRouteKinds"),
    }


def test_a_certificate_does_not_count_where_tls_is_passed_through():
    state = states(listener(protocol="TLS", tls={"mode": "Passthrough", "options": {CERTIFICATE_ARN: "no-arn"}}))[
        "http"
    ]
    assert state.resolved.status


def test_one_port_has_one_protocol():
    found = states(listener("a", hostname="a.x"), listener("b", protocol="HTTPS", hostname="b.x"), listener("c", 81))
    assert {name: state.conflicted.reason for name, state in found.items()} == {
        "a": "ProtocolConflict",
        "b": "ProtocolConflict",
        "c": "NoConflicts",
    }
    assert [name for name, state in found.items() if state.usable] == ["c"]


def test_listeners_of_one_port_need_different_hostnames():
    found = states(listener("a", hostname="a.x"), listener("b", hostname="a.x"), listener("c"))
    assert {name: state.conflicted.reason for name, state in found.items()} == {
        "a": "HostnameConflict",
        "b": "HostnameConflict",
        "c": "NoConflicts",
    }


def test_an_unsupported_kind_is_reported_and_the_others_are_kept():
    kinds = [{"kind": "HTTPRoute"}, {"kind": "TCPRoute"}, {"kind": "Thing", "group": "example.com"}]
    state = states(listener(allowedRoutes={"namespaces": {"from": "All"}, "kinds": kinds}))["http"]
    assert (state.resolved.status, state.resolved.reason) == (False, "InvalidRouteKinds")
    assert "TCPRoute, Thing.example.com" in state.resolved.message
    assert state.kinds == ("HTTPRoute",)
    assert state.usable


def test_the_certificate_is_a_tls_option():
    state = states(listener(protocol="HTTPS", **tls(**{CERTIFICATE_ARN: ARN})))["http"]
    assert certificate_arn(state.listener) == ARN
    assert state.resolved.status


def test_a_secret_is_not_looked_up():
    state = states(listener(protocol="HTTPS", **tls()))["http"]
    assert certificate_arn(state.listener) is None
    assert state.resolved.status


def test_what_is_no_certificate_is_reported():
    state = states(listener(protocol="HTTPS", **tls(**{CERTIFICATE_ARN: "arn:aws:iam::123456789012:role/x"})))["http"]
    assert certificate_arn(state.listener) is None
    assert state.resolved.reason == "InvalidCertificateRef"
