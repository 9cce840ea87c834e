"""Discovery and the OpenAPI documents."""

import json

import pytest

pytestmark = pytest.mark.anyio


async def test_the_version_is_told(cluster):
    body = (await cluster.get("/version")).body
    assert body["major"] == "1"
    assert body["gitVersion"].startswith("v1.")


async def test_the_core_group_has_its_resources(cluster):
    body = (await cluster.get("/api/v1")).body
    assert (body["kind"], body["groupVersion"]) == ("APIResourceList", "v1")
    found = {resource["name"]: resource for resource in body["resources"]}
    assert found["services"]["shortNames"] == ["svc"]
    assert found["namespaces"]["namespaced"] is False
    assert {"pods", "pods/status", "services", "services/status", "secrets", "configmaps", "events"} <= found.keys()


async def test_the_groups_are_listed(cluster):
    body = (await cluster.get("/apis")).body
    assert {"apps", "discovery.k8s.io", "coordination.k8s.io", "events.k8s.io", "apiextensions.k8s.io"} <= {
        group["name"] for group in body["groups"]
    }
    assert (await cluster.get("/apis/apps")).body["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}


async def test_scale_is_a_subresource_of_another_group(cluster):
    resources = (await cluster.get("/apis/apps/v1")).body["resources"]
    (scale,) = [resource for resource in resources if resource["name"] == "deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


async def test_everything_is_discovered_at_once(cluster):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    core, groups = (await cluster.get("/api", accept=accept)).body, (await cluster.get("/apis", accept=accept)).body
    assert core["kind"] == groups["kind"] == "APIGroupDiscoveryList"
    names = {resource["resource"] for resource in core["items"][0]["versions"][0]["resources"]}
    assert {"pods", "services"} <= names
    assert "gateway.networking.k8s.io" in {item["metadata"]["name"] for item in groups["items"]}


async def test_a_group_that_is_not_served_is_not_found(cluster):
    assert (await cluster.get("/apis/nothing.example.com")).code == 404


async def document(cluster, path):
    """A JSON document whose type the server does not always say."""
    body = (await cluster.get(path)).body
    return body if isinstance(body, dict) else json.loads(body)


async def test_the_documents_say_that_fields_are_validated(cluster):
    index = (await document(cluster, "/openapi/v3"))["paths"]
    url = index["apis/gateway.networking.k8s.io/v1"]["serverRelativeURL"]
    described = await document(cluster, url.partition("?")[0])
    patches = [path["patch"] for path in described["paths"].values() if "patch" in path]
    route = next(p for p in patches if p["x-kubernetes-group-version-kind"]["kind"] == "HTTPRoute")
    assert "fieldValidation" in {parameter["name"] for parameter in route["parameters"]}
