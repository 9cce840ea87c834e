"""Discovery, tables and the OpenAPI documents."""

import pytest

pytestmark = pytest.mark.anyio

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


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


async def test_the_documents_say_that_fields_are_validated(cluster):
    index = (await cluster.get("/openapi/v3")).body["paths"]
    url = index["apis/gateway.networking.k8s.io/v1"]["serverRelativeURL"]
    document = (await cluster.get(url.partition("?")[0])).body
    patches = [path["patch"] for path in document["paths"].values() if "patch" in path]
    route = next(p for p in patches if p["x-kubernetes-group-version-kind"]["kind"] == "HTTPRoute")
    assert "fieldValidation" in {parameter["name"] for parameter in route["parameters"]}


async def cells(cluster, path, **query):
    table = (await cluster.get(path, accept=TABLE, **query)).body
    assert table["kind"] == "Table"
    return [column["name"] for column in table["columnDefinitions"] if not column["priority"]], [
        row["cells"] for row in table["rows"]
    ]


async def test_services_are_shown_with_their_ports(cluster, paths, new):
    await cluster.post(
        paths.core("services"), new.service("a", clusterIP="None", ports=[{"port": 80}, {"name": "x", "port": 1}][:1])
    )
    columns, (row,) = await cells(cluster, paths.core("services"))
    assert columns == ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"]
    assert row[:5] == ["a", "ClusterIP", "None", "<none>", "80/TCP"]


async def test_deployments_are_shown_with_their_readiness(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a", replicas=3))
    await cluster.patch(paths.deployments("a") + "/status", {"status": {"replicas": 3, "readyReplicas": 2}})
    columns, (row,) = await cells(cluster, paths.deployments())
    assert columns == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert row[:4] == ["a", "2/3", 0, 0]


async def test_pods_are_shown_with_their_readiness_gates(cluster, paths):
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i"}], "readinessGates": [{"conditionType": "x.io/g"}]},
    }
    await cluster.post(paths.core("pods"), body)
    table = (await cluster.get(paths.core("pods"), accept=TABLE)).body
    row = dict(zip([c["name"] for c in table["columnDefinitions"]], table["rows"][0]["cells"], strict=True))
    assert (row["Ready"], row["Status"], row["Readiness Gates"]) == ("0/1", "Pending", "0/1")


async def test_endpoint_slices_are_shown_with_their_endpoints(cluster, paths):
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "a"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [f"10.0.0.{i}"]} for i in range(5)],
        "ports": [{"port": 80}, {"name": "x", "port": 81}],
    }
    path = paths.group("discovery.k8s.io/v1", "endpointslices")
    await cluster.post(path, body)
    _, (row,) = await cells(cluster, path)
    assert row[:4] == ["a", "IPv4", "80,81", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."]


async def test_gateways_are_shown_by_their_definition(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    status = {"addresses": [{"type": "Hostname", "value": "x.example.com"}]}
    await cluster.patch(paths.gateways("a") + "/status", {"status": status})
    columns, (row,) = await cells(cluster, paths.gateways())
    assert columns == ["Name", "Class", "Address", "Programmed", "Age"]
    assert row[:4] == ["a", "amazon-vpc-lattice", "x.example.com", "Unknown"]


async def test_hostnames_of_routes_are_shown_as_a_list(cluster, paths, new):
    await cluster.post(paths.routes(), new.route("a", hostnames=["x.example.com", "y.example.com"]))
    await cluster.post(paths.routes(), new.route("b"))
    _, rows = await cells(cluster, paths.routes())
    assert [row[:2] for row in rows] == [["a", '["x.example.com","y.example.com"]'], ["b", None]]


async def test_rows_carry_the_metadata_of_their_objects(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}))
    (row,) = (await cluster.get(paths.core("configmaps"), accept=TABLE)).body["rows"]
    assert (row["object"]["kind"], row["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    (row,) = (await cluster.get(paths.core("configmaps"), accept=TABLE, includeObject="Object")).body["rows"]
    assert row["object"]["data"] == {"k": "v"}


async def test_a_watch_can_be_of_tables(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    async with cluster.watch(paths.core("configmaps"), accept=TABLE) as stream:
        event = await stream.next()
    assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
    assert event["object"]["rows"][0]["cells"][0] == "a"
