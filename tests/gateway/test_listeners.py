"""Listeners by themselves (Gateway API v1.6, `Listener`, `ListenerStatus`)."""

import pytest

from controller.gateway.listeners import CERTIFICATE_ARN, ListenerState, certificate_arn, listener_states
from tests.support.view import gateway, listener

ARN = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"


def states(*listeners) -> dict[str, ListenerState]:
    return {state.listener.name: state for state in listener_states(gateway("g", "default", *listeners))}


def tls(**options: str):
    return {"tls": {"mode": "Terminate", "certificateRefs": [{"name": "unused"}], "options": options}}


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS"])
def test_http_and_https_take_http_routes(protocol):
    state = states(listener(protocol=protocol))["http"]
    assert state.usable
    assert state.kinds == ("HTTPRoute",)
    assert state.resolved.status
    assert not state.conflicted.status


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "example.com/own"])
def test_other_protocols_are_unsupported(protocol):
    state = states(listener(protocol=protocol))["http"]
    assert (state.accepted.status, state.accepted.reason) == (False, "UnsupportedProtocol")
    assert state.kinds == ()


def test_https_passthrough_is_unsupported():
    state = states(listener(protocol="HTTPS", tls={"mode": "Passthrough"}))["http"]
    assert state.accepted.reason == "UnsupportedProtocol"
    assert "Passthrough" in state.accepted.message


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
