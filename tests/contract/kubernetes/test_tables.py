"""Tables, which kubectl shows as they come, and metadata alone, which is all that some clients ask for."""

import pytest

pytestmark = pytest.mark.anyio

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


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


async def test_endpoint_slices_are_shown_with_their_endpoints(cluster, paths, new):
    endpoints = [{"addresses": [f"10.0.0.{i}"]} for i in range(5)]
    ports = [{"port": 80}, {"name": "x", "port": 81}]
    await cluster.post(paths.slices(), new.endpoint_slice("a", endpoints=endpoints, ports=ports))
    _, (row,) = await cells(cluster, paths.slices())
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


async def columns(cluster, path):
    definitions = (await cluster.get(path, accept=TABLE)).body["columnDefinitions"]
    return [(column["name"], column["type"], column["format"], column["priority"]) for column in definitions]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/configmaps", "Name*,Data,Age"),
        ("/api/v1/services", "Name*,Type,Cluster-IP,External-IP,Port(s),Age,Selector+"),
        (
            "/api/v1/pods",
            "Name*,Ready,Status,Restarts,Age,IP+,Node+,Nominated Node+,Readiness Gates+",
        ),
        (
            "/api/v1/events",
            "Last Seen,Type,Reason,Object,Subobject+,Source+,Message,First Seen+,Count+,Name*+",
        ),
        ("/apis/apps/v1/deployments", "Name*,Ready,Up-to-date,Available,Age,Containers+,Images+,Selector+"),
        ("/apis/discovery.k8s.io/v1/endpointslices", "Name*,AddressType,Ports,Endpoints,Age"),
        ("/apis/coordination.k8s.io/v1/leases", "Name*,Holder,Age"),
    ],
)
async def test_built_in_kinds_have_their_columns(cluster, path, expected):
    """`*` is the format of names, `+` the priority of what is shown only if asked for."""
    found = await columns(cluster, path)
    assert {type_ for _, type_, _, _ in found} == {"string"}
    shown = [f"{name}{'*' if form == 'name' else ''}{'+' if priority else ''}" for name, _, form, priority in found]
    assert ",".join(shown) == expected


async def test_a_table_comes_in_pages(cluster, paths, new):
    for name in "abc":
        await cluster.post(paths.core("configmaps"), new.config_map(name))
    first = (await cluster.get(paths.core("configmaps"), accept=TABLE, limit=2)).body
    assert ([row["cells"][0] for row in first["rows"]], first["metadata"]["remainingItemCount"]) == (["a", "b"], 1)
    token = first["metadata"]["continue"]
    second = (await cluster.get(paths.core("configmaps"), accept=TABLE, limit=2, **{"continue": token})).body
    assert [row["cells"][0] for row in second["rows"]] == ["c"]


async def test_one_object_is_a_table_of_one_row(cluster, paths, new):
    created = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}))
    table = (await cluster.get(paths.core("configmaps", "a"), accept=TABLE)).body
    assert ([row["cells"][:2] for row in table["rows"]], table["metadata"]) == (
        [["a", 1]],
        {"resourceVersion": created.version},
    )


async def test_rows_come_without_objects_if_asked_to(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    (row,) = (await cluster.get(paths.core("configmaps"), accept=TABLE, includeObject="None")).body["rows"]
    assert row.get("object") is None
    assert (await cluster.get(paths.core("configmaps"), accept=TABLE, includeObject="Some")).code == 400


async def test_what_is_created_can_be_answered_as_metadata_alone(cluster, paths, new):
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}), accept=accept)
    assert (reply.code, reply.body["kind"], "data" in reply.body) == (201, "PartialObjectMetadata", False)


async def test_a_watch_can_be_of_metadata_alone(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}))
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    async with cluster.watch(paths.core("configmaps"), accept=accept) as stream:
        event = await stream.next()
    assert set(event["object"]) == {"kind", "apiVersion", "metadata"}
    assert event["object"]["kind"] == "PartialObjectMetadata"


async def test_a_form_that_there_is_not_is_not_acceptable(cluster, paths):
    accept = "application/json;as=Picture;g=meta.k8s.io;v=v1"
    assert (await cluster.get(paths.core("configmaps"), accept=accept)).code == 406
