"""Patches: JSON patch, merge patch and strategic merge patch, over HTTP."""

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def config(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v", "l": "w"}))
    return paths.core("configmaps", "a")


async def test_a_merge_patch_merges_and_removes(cluster, config):
    reply = await cluster.patch(config, {"data": {"k": None, "m": "x"}})
    assert reply.body["data"] == {"l": "w", "m": "x"}


async def test_a_json_patch_is_done_in_order(cluster, config):
    patch = [
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "move", "from": "/data/k", "path": "/data/n"},
        {"op": "add", "path": "/metadata/labels", "value": {"a/b": "c"}},
        {"op": "replace", "path": "/metadata/labels/a~1b", "value": "d"},
    ]
    body = (await cluster.patch(config, patch, "json")).body
    assert body["data"] == {"l": "w", "n": "v"}
    assert body["metadata"]["labels"] == {"a/b": "d"}


async def test_a_json_patch_whose_test_fails_changes_nothing(cluster, config):
    patch = [
        {"op": "add", "path": "/data/x", "value": "y"},
        {"op": "test", "path": "/data/k", "value": "other"},
    ]
    reply = await cluster.patch(config, patch, "json")
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert "x" not in (await cluster.get(config)).body["data"]


@pytest.mark.parametrize("patch", [{"op": "add"}, ["x"], [1], "x"])
async def test_a_json_patch_is_a_list_of_operations(cluster, config, patch):
    reply = await cluster.patch(config, patch, "json")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert reply.message.startswith("error decoding patch: ")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "fly", "path": "/x"},
        {"path": "/x"},
        {"op": "add"},
        {"op": "add", "path": "data"},
        {"op": "add", "path": "/nothing/x", "value": 1},
        {"op": "add", "path": "/metadata/finalizers/7", "value": "x.io/b"},
        {"op": "remove", "path": "/data/x"},
        {"op": "remove", "path": ""},
        {"op": "move", "path": "/data/x"},
        {"op": "test", "path": "/data/k", "value": "other"},
    ],
)
async def test_an_operation_that_cannot_be_done_is_rejected_without_a_word(cluster, config, operation):
    reply = await cluster.patch(config, [{"op": "add", "path": "/data/new", "value": "x"}, operation], "json")
    assert (reply.code, reply.reason, reply.body["details"]) == (422, "Invalid", {})
    assert reply.message == "the server rejected our request due to an error in our request"
    assert "new" not in (await cluster.get(config)).body["data"]


async def test_a_json_patch_may_replace_what_is_not_there(cluster, config):
    reply = await cluster.patch(config, [{"op": "replace", "path": "/data/new", "value": "x"}], "json")
    assert (reply.code, reply.body["data"]["new"]) == (200, "x")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
async def test_a_merge_patch_is_an_object(cluster, config, body):
    reply = await cluster.send("PATCH", config, body, media="application/merge-patch+json")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert reply.message.startswith("error decoding patch: ")


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ({"data": "text"}, "merge"),
        ({"data": {"k": 1}}, "merge"),
        ({"data": {"k": 1}}, "strategic"),
        ([{"op": "add", "path": "/data", "value": []}], "json"),
        ({"kind": "Secret"}, "merge"),
        ({"apiVersion": "v2"}, "merge"),
    ],
)
async def test_a_patch_that_leaves_no_object_of_the_kind_is_invalid(cluster, config, patch, kind):
    reply = await cluster.patch(config, patch, kind)
    assert (reply.code, reply.reason, reply.fields) == (422, "Invalid", {"patch"})


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"kind": "HTTPRoute"}, "kind"),
        ({"apiVersion": "gateway.networking.k8s.io/v1beta1"}, "apiVersion"),
        ({"spec": "text"}, "spec"),
    ],
)
async def test_a_custom_resource_says_which_field_of_a_patch_does_not_fit(cluster, paths, new, patch, field):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.patch(paths.gateways("a"), patch)
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert field in reply.fields


async def test_an_unknown_directive_is_an_error(cluster, config):
    assert (await cluster.patch(config, {"$patch": "fly"}, "strategic")).code == 500


async def test_only_an_apply_can_be_forced(cluster, config):
    reply = await cluster.patch(config, {"data": {"k": "2"}}, force="true")
    assert (reply.code, reply.body["details"]["kind"], reply.fields) == (422, "PatchOptions", {"force"})


async def test_a_patch_of_another_incarnation_is_invalid(cluster, config):
    reply = await cluster.patch(config, {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}})
    assert (reply.code, reply.fields) == (422, {"metadata.uid"})


async def test_a_patch_with_the_present_version_is_done(cluster, config):
    now = (await cluster.get(config)).version
    reply = await cluster.patch(config, {"metadata": {"resourceVersion": now}, "data": {"k": "3"}})
    assert (reply.code, reply.body["data"]["k"]) == (200, "3")


async def test_a_json_patch_can_test_the_version(cluster, config):
    old = (await cluster.get(config)).version
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": old},
        {"op": "add", "path": "/data/k", "value": "2"},
    ]
    assert (await cluster.patch(config, patch, "json")).code == 200
    assert (await cluster.patch(config, patch, "json")).code == 422


async def test_a_patch_with_an_old_version_conflicts(cluster, config):
    old = (await cluster.get(config)).body["metadata"]["resourceVersion"]
    await cluster.patch(config, {"data": {"k": "2"}})
    reply = await cluster.patch(config, {"metadata": {"resourceVersion": old}, "data": {"k": "3"}})
    assert (reply.code, reply.reason) == (409, "Conflict")


async def test_a_patch_of_a_missing_object_is_not_found(cluster, paths):
    assert (await cluster.patch(paths.core("configmaps", "b"), {})).code == 404


async def test_a_patch_can_neither_rename_nor_move(cluster, config):
    assert (await cluster.patch(config, {"metadata": {"name": "b"}})).code == 400
    assert (await cluster.patch(config, {"metadata": {"namespace": "default"}})).code == 400


async def test_an_unknown_patch_language_is_unsupported(cluster, config):
    reply = await cluster.send("PATCH", config, {}, media="application/json")
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")


async def test_custom_resources_know_no_strategic_merge(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.patch(paths.gateways("a"), {}, "strategic")
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")


async def test_a_merge_patch_replaces_lists(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    containers = [{"name": "other", "image": "other:1"}]
    body = (
        await cluster.patch(paths.deployments("a"), {"spec": {"template": {"spec": {"containers": containers}}}})
    ).body
    assert [c["name"] for c in body["spec"]["template"]["spec"]["containers"]] == ["other"]


async def test_a_strategic_merge_patch_merges_lists_by_their_key(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    containers = [{"name": "web", "image": "web:2"}, {"name": "side", "image": "side:1"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    body = (await cluster.patch(paths.deployments("a"), patch, "strategic")).body
    found = {c["name"]: c["image"] for c in body["spec"]["template"]["spec"]["containers"]}
    assert found == {"web": "web:2", "side": "side:1"}


async def test_a_strategic_merge_patch_removes_items_by_their_key(cluster, paths, new):
    await cluster.post(
        paths.core("services"), new.service("a", ports=[{"name": "x", "port": 1}, {"name": "y", "port": 2}])
    )
    patch = {"spec": {"ports": [{"port": 1, "$patch": "delete"}]}}
    body = (await cluster.patch(paths.core("services", "a"), patch, "strategic")).body
    assert [port["name"] for port in body["spec"]["ports"]] == ["y"]


async def test_finalizers_are_merged_by_a_strategic_merge_patch(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"finalizers": ["x.io/a"]}))
    patch = {"metadata": {"finalizers": ["x.io/b"]}}
    body = (await cluster.patch(paths.core("configmaps", "a"), patch, "strategic")).body
    assert body["metadata"]["finalizers"] == ["x.io/b", "x.io/a"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}}
    body = (await cluster.patch(paths.core("configmaps", "a"), patch, "strategic")).body
    assert body["metadata"]["finalizers"] == ["x.io/b"]


async def test_a_strategic_merge_patch_orders_a_list_if_asked_to(cluster, paths, new):
    containers = [{"name": name, "image": "i"} for name in "abc"]
    body = new.deployment("a")
    body["spec"]["template"]["spec"]["containers"] = containers
    await cluster.post(paths.deployments(), body)
    spec = {
        "$setElementOrder/containers": [{"name": name} for name in "cab"],
        "containers": [{"name": "b", "image": "j"}],
    }
    reply = await cluster.patch(paths.deployments("a"), {"spec": {"template": {"spec": spec}}}, "strategic")
    found = [(c["name"], c["image"]) for c in reply.body["spec"]["template"]["spec"]["containers"]]
    assert found == [("c", "i"), ("a", "i"), ("b", "j")]


async def test_a_strategic_merge_patch_replaces_a_list_if_asked_to(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    containers = [{"$patch": "replace"}, {"name": "other", "image": "i"}]
    reply = await cluster.patch(
        paths.deployments("a"), {"spec": {"template": {"spec": {"containers": containers}}}}, "strategic"
    )
    assert [c["name"] for c in reply.body["spec"]["template"]["spec"]["containers"]] == ["other"]


async def test_conditions_are_merged_by_type(cluster, paths, new):
    await cluster.post(paths.core("pods"), new.pod("a"))
    for type_, status in (("Ready", "False"), ("gate.io/x", "True"), ("Ready", "True")):
        patch = {"status": {"conditions": [{"type": type_, "status": status}]}}
        reply = await cluster.patch(paths.core("pods", "a") + "/status", patch, "strategic")
    assert [(c["type"], c["status"]) for c in reply.body["status"]["conditions"]] == [
        ("gate.io/x", "True"),
        ("Ready", "True"),
    ]


async def test_the_number_of_replicas_is_set_through_scale(cluster, paths, new):
    await cluster.post(paths.deployments(), new.deployment("a"))
    scale = (await cluster.get(paths.deployments("a") + "/scale")).body
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["selector"]) == ("Scale", 1, "app=a")
    scale["spec"]["replicas"] = 4
    assert (await cluster.put(paths.deployments("a") + "/scale", scale)).body["spec"]["replicas"] == 4
    assert (await cluster.patch(paths.deployments("a") + "/scale", {"spec": {"replicas": 2}})).code == 200
    assert (await cluster.get(paths.deployments("a"))).body["spec"]["replicas"] == 2
