"""Whatever route the definitions admit, judging it ends, and in a status that they admit too."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.api.gateway import Gateway, Route
from controller.api.resources import ROUTES
from controller.translate.explain import explain_route
from controller.translate.facts import Seen
from controller.translate.gateway import gateway_status
from controller.translate.outcomes import Failed, Found, Pending, Programmed, route_report
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group
from controller.translate.triggers import keys_for_change
from sandbox.kube import KubeServer
from sandbox.kube.errors import ApiError
from tests.support.admitted_routes import admitted
from tests.support.view import FakeView, endpoints, gateway, gateway_class, grant, listener, namespace, service
from tests.translate.test_properties import CTX, check_service

ARN = "arn:aws:acm:us-west-2:123456789012:certificate/1"
SECURE = {"options": {"application-networking.k8s.aws/certificate-arn": ARN}}
PASSTHROUGH = {"mode": "Passthrough"}
OUTCOMES = st.sampled_from(
    [Pending(), Programmed(domain="d", arn="a"), Failed(reason="Conflicted", message="m" * 40000, transient=False)]
)


def hotel() -> FakeView:
    return FakeView(
        [
            gateway_class(),
            gateway(
                "my-hotel",
                "default",
                listener("http", 80),
                listener("https", 443, "HTTPS", tls=SECURE),
                listener("tls", 8443, "TLS", tls=PASSTHROUGH),
            ),
            gateway("other", "default", listener("tls", 443, "TLS", hostname="*.example.com", tls=PASSTHROUGH)),
            namespace("default"),
            namespace("elsewhere"),
            *(service(name, where) for name in ("rates", "parking") for where in ("default", "elsewhere")),
            endpoints("rates", "10.0.0.1"),
            grant("elsewhere", "default", from_kind="GRPCRoute"),
        ]
    )


def stored(server: KubeServer, obj: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server has it. Raises ApiError where it refuses it."""
    return server.apply(obj)[0]


def decoded(obj: dict[str, Any]) -> Route:
    route: Route = msgspec.json.decode(orjson.dumps(obj), type=ROUTES[obj["kind"]].type)
    return route


@given(st.lists(admitted(), min_size=1, max_size=6), OUTCOMES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_admitted_route_ends_in_a_status_that_is_admitted(written, outcome):
    server = KubeServer(seed=1)
    stored(server, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}})
    view = hotel()
    for obj in written:
        view = view.having(decoded(stored(server, obj)))
    for route in view.routes():
        translation = translate_route(view, route.ref, CTX)
        assert len(translation.parents) <= len(route.spec.parent_refs or ())
        for key in translation.services:
            desired = translate_service(view, key, CTX).desired
            assert desired is not None
            check_service(desired)
        for group in translation.target_groups:
            assert translate_target_group(view, group, CTX) is not None
        parents = route_report(translation, dict.fromkeys(translation.services, outcome)).parents
        for parent in parents:
            for condition in parent["conditions"]:
                condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        metadata = {"name": route.name, "namespace": route.namespace}
        whole = {"apiVersion": ROUTES[route.kind].api_version, "kind": route.kind, "metadata": metadata}
        stored(server, whole | {"status": {"parents": list(parents)}})
        assert explain_route(view, route, CTX, Seen()).name == f"{route.namespace}/{route.name}"
        assert route.ref.key in keys_for_change(route.kind, None, route, view, CTX)
    for each in view.all(Gateway):
        assert gateway_status(view, each, Found(id="sn-1", arn="arn"), CTX) is not None


def test_a_route_that_is_not_admitted_is_told_apart():
    server = KubeServer(seed=1)
    metadata = {"name": "one", "namespace": "default"}
    bad = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "TLSRoute",
        "metadata": metadata,
        "spec": {"rules": []},
    }
    with pytest.raises(ApiError, match="hostnames"):
        stored(server, bad)
