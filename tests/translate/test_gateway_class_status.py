"""Status of a GatewayClass (Gateway API v1.6, `GatewayClassStatus`)."""

from typing import Any

import pytest

from controller.api.gateway import GatewayClass
from controller.gateway.features import SUPPORTED
from controller.translate.context import TranslateContext
from controller.translate.gateway_class import GatewayClassStatus, Versions, gateway_class_status
from tests.support.view import gateway_class, make

NOW = {"gateways.gateway.networking.k8s.io": "v1.6.1", "httproutes.gateway.networking.k8s.io": "v1.5.0"}


def status(ctx: TranslateContext, versions: Versions | None = NOW, **spec: Any) -> GatewayClassStatus:
    made = make(GatewayClass, "c", "", spec={"controllerName": ctx.controller_name, **spec})
    found = gateway_class_status(made, versions, ctx)
    assert found is not None
    return found


def brief(found: GatewayClassStatus) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in found.conditions}


def test_our_class_is_accepted(ctx: TranslateContext) -> None:
    found = status(ctx)
    assert brief(found) == {
        "Accepted": ("True", "Accepted"),
        "SupportedVersion": ("True", "SupportedVersion"),
    }
    assert {each["observedGeneration"] for each in found.conditions} == {1}


def test_another_controllers_class_is_not_ours_to_answer(ctx: TranslateContext) -> None:
    assert gateway_class_status(gateway_class(controller="example.com/other"), NOW, ctx) is None


def test_a_class_with_parameters_is_refused(ctx: TranslateContext) -> None:
    found = status(ctx, parametersRef={"group": "", "kind": "ConfigMap", "name": "tuning", "namespace": "default"})
    assert brief(found)["Accepted"] == ("False", "InvalidParameters")
    assert "ConfigMap tuning" in found.conditions[0]["message"]


@pytest.mark.parametrize(
    ("version", "told"), [("v1.7.0", "v1.7.0: gateways"), ("", "without the annotation"), ("v1.60.0", "v1.60.0")]
)
def test_definitions_of_a_version_that_is_not_known_are_told(ctx: TranslateContext, version: str, told: str) -> None:
    found = status(ctx, {**NOW, "gateways.gateway.networking.k8s.io": version})
    assert brief(found)["Accepted"] == ("True", "Accepted")
    assert brief(found)["SupportedVersion"] == ("False", "UnsupportedVersion")
    assert told in found.conditions[1]["message"]
    assert "v1.5 and v1.6" in found.conditions[1]["message"]


def test_definitions_that_may_not_be_read_leave_it_open(ctx: TranslateContext) -> None:
    assert brief(status(ctx, None))["SupportedVersion"] == ("Unknown", "Pending")


def test_features_are_named_in_order(ctx: TranslateContext) -> None:
    names = [each["name"] for each in status(ctx).supported_features]
    assert names == sorted(names) == list(SUPPORTED)
    assert len(set(names)) == len(names) <= 64
    assert {"Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "ReferenceGrant"} <= set(names)
