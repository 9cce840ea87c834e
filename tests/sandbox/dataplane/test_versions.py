"""The table of request protocols and versions of target groups."""

import pytest

from sandbox.dataplane.messages import Caller, Request
from sandbox.dataplane.versions import is_grpc, obstacle
from sandbox.lattice.directory import HealthCheck, TargetGroup


def request(spoken, method="POST", *, tls=True):
    caller = Caller("10.0.0.9", server_name="rates.example" if tls else None)
    fields = [("content-type", "application/grpc+proto")] if spoken == "gRPC" else []
    version = "HTTP/1.1" if spoken == "HTTP/1.1" else "HTTP/2"
    return Request(caller, version, method, "rates.example", "/a", fields, None)


def group(version, protocol="HTTP"):
    return TargetGroup("tg-1", protocol, version, HealthCheck(enabled=False), used=True)


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS"])
@pytest.mark.parametrize(
    ("spoken", "version", "works"),
    [
        ("HTTP/1.1", "HTTP1", True),
        ("HTTP/2", "HTTP1", True),
        ("gRPC", "HTTP1", False),
        ("HTTP/1.1", "HTTP2", False),
        ("HTTP/2", "HTTP2", True),
        ("gRPC", "HTTP2", True),
        ("HTTP/1.1", "GRPC", False),
        ("HTTP/2", "GRPC", True),
        ("gRPC", "GRPC", True),
    ],
)
def test_the_documented_combinations(spoken, version, works, protocol):
    assert (obstacle(request(spoken), group(version, protocol)) is None) == works


def test_http2_reaches_a_grpc_group_by_post_only():
    assert "takes no GET" in obstacle(request("HTTP/2", "GET"), group("GRPC"))


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_http2_and_grpc_groups_are_for_https_listeners(version):
    assert "HTTPS listeners only" in obstacle(request("gRPC", tls=False), group(version))


def test_http2_in_clear_reaches_http1_groups():
    assert obstacle(request("HTTP/2", tls=False), group("HTTP1")) is None


def test_a_tcp_group_takes_no_requests():
    assert "TLS listeners only" in obstacle(request("HTTP/1.1"), group(None, "TCP"))


@pytest.mark.parametrize(
    ("content_type", "grpc"),
    [
        ("application/grpc", True),
        ("Application/gRPC+json; charset=utf-8", True),
        ("application/grpc;x", True),
        ("application/grpc-web", False),
        ("application/grpcx", False),
        ("application/json", False),
    ],
)
def test_a_grpc_call_is_known_by_its_content_type(content_type, grpc):
    asked = request("HTTP/2")
    asked.fields = [("Content-Type", content_type)]
    assert is_grpc(asked) == grpc
