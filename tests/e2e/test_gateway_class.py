"""What a GatewayClass says of itself, of the cluster's definitions, and of its parameters."""

from pathlib import Path

import pytest

from controller.gateway.features import SUPPORTED
from controller.translate.gateway_class import BUNDLE_VERSION
from tests.e2e.harness import Json, World, world
from tests.e2e.objects import CLASS, gateway, gateway_class

pytestmark = pytest.mark.anyio

DEFINITION = "customresourcedefinitions.apiextensions.k8s.io"
DEFINED = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
DEFINED_KIND = "CustomResourceDefinition"


def conditions(one: World) -> dict[str, tuple[str, str]]:
    found = one.get("GatewayClass", CLASS)
    assert found is not None
    told: list[Json] = found["status"]["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in told}


async def test_it_names_its_features_and_the_versions_of_the_definitions(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        for definition in one.kube.api.store.collection(one.kube.api.resource(*DEFINED).storage).ordered():
            metadata = {"name": definition.obj["metadata"]["name"], "annotations": {BUNDLE_VERSION: "v1.6.1"}}
            one.kube.apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": DEFINED_KIND, "metadata": metadata})
        await one.apply(gateway_class())
        await one.start()
        await one.quiet()
        assert conditions(one) == {
            "Accepted": ("True", "Accepted"),
            "SupportedVersion": ("True", "SupportedVersion"),
        }
        found = one.get("GatewayClass", CLASS)
        assert found is not None
        assert [each["name"] for each in found["status"]["supportedFeatures"]] == list(SUPPORTED)


async def test_definitions_without_a_version_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        for definition in one.kube.api.store.collection(one.kube.api.resource(*DEFINED).storage).ordered():
            metadata = {"name": definition.obj["metadata"]["name"], "annotations": {BUNDLE_VERSION: None}}
            one.kube.apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": DEFINED_KIND, "metadata": metadata})
        await one.apply(gateway_class())
        await one.start()
        await one.quiet()
        assert conditions(one)["SupportedVersion"] == ("False", "UnsupportedVersion")


async def test_definitions_that_may_not_be_read_leave_it_open(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.kube.faults.fail(403, verb="get", resource=DEFINITION, times=None)
        await one.apply(gateway_class())
        await one.start()
        await one.quiet()
        assert conditions(one)["SupportedVersion"] == ("Unknown", "Pending")


async def test_parameters_are_refused_and_gateways_go_on(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        made = gateway_class()
        made["spec"]["parametersRef"] = {"group": "", "kind": "ConfigMap", "name": "tuning", "namespace": "default"}
        await one.apply(made, gateway())
        await one.start()
        await one.quiet()
        assert conditions(one)["Accepted"] == ("False", "InvalidParameters")
        found = one.get("Gateway", "my-hotel")
        assert found is not None
        told = {each["type"]: each["status"] for each in found["status"]["conditions"]}
        assert told == {"Accepted": "True", "Programmed": "True"}
