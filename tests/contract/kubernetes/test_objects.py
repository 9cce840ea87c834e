"""Create, get and update: names, metadata, versions and the optimistic lock."""

import pytest

pytestmark = pytest.mark.anyio


async def test_a_created_object_has_what_the_server_gives(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v"}))
    meta = reply.body["metadata"]
    assert reply.code == 201
    assert meta["namespace"] == paths.namespace
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0
    assert (await cluster.get(paths.core("configmaps", "a"))).body == reply.body


async def test_a_name_can_be_used_once(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a"))
    assert (reply.code, reply.reason) == (409, "AlreadyExists")


async def test_the_server_completes_generated_names(cluster, paths):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "some-"}}
    first = await cluster.post(paths.core("configmaps"), body)
    second = await cluster.post(paths.core("configmaps"), body)
    names = {reply.body["metadata"]["name"] for reply in (first, second)}
    assert len(names) == 2
    assert all(name.startswith("some-") and len(name) == 10 for name in names)


async def test_a_namespace_has_to_exist(cluster, new):
    reply = await cluster.post("/api/v1/namespaces/nowhere/configmaps", new.config_map("a"))
    assert (reply.code, reply.body["message"]) == (404, 'namespaces "nowhere" not found')


async def test_the_namespace_of_the_body_has_to_be_that_of_the_path(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"namespace": "default"}))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_the_kind_of_the_body_has_to_be_that_of_the_path(cluster, paths, new):
    reply = await cluster.post(paths.core("pods"), new.config_map("a"))
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_a_new_object_brings_no_version(cluster, paths, new):
    """An error of the server's own, by its number."""
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", metadata={"resourceVersion": "7"}))
    assert (reply.code, reply.message) == (500, "resourceVersion should not be set on objects to be created")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"'])
async def test_a_body_that_is_no_object_is_refused(cluster, paths, body):
    reply = await cluster.send("POST", paths.core("configmaps"), body)
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_yaml_is_accepted(cluster, paths):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {day: 2020-01-01, yes: 'no'}\n"
    reply = await cluster.send(
        "POST", paths.core("configmaps"), body.replace(b"yes", b"'yes'"), media="application/yaml"
    )
    assert reply.body["data"] == {"day": "2020-01-01", "yes": "no"}


async def test_other_bodies_are_unsupported(cluster, paths):
    reply = await cluster.send("POST", paths.core("configmaps"), b"x", media="text/plain")
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")


async def test_a_body_of_more_than_3_mib_is_too_large(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "v" * (3 << 20)}))
    assert (reply.code, reply.reason) == (413, "RequestEntityTooLarge")


async def test_a_config_map_holds_a_mebibyte(cluster, paths, new):
    for mebibytes, fits in ((0.9, True), (1.1, False), (1.6, False)):
        big = new.config_map("big", data={"k": "v" * int(mebibytes * (1 << 20))})
        reply = await cluster.post(paths.core("configmaps"), big)
        assert (reply.code == 201) is fits
    assert (reply.code, reply.causes[0]["reason"]) == (422, "FieldValueTooLong")


async def test_an_update_changes_the_version_only_if_it_changes_the_object(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "1"}))).body
    same = (await cluster.put(paths.core("configmaps", "a"), created)).body
    assert same["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    changed = (await cluster.put(paths.core("configmaps", "a"), {**created, "data": {"k": "2"}})).body
    assert int(changed["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


async def test_an_update_of_an_old_version_conflicts(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body
    await cluster.put(paths.core("configmaps", "a"), {**created, "data": {"k": "1"}})
    reply = await cluster.put(paths.core("configmaps", "a"), {**created, "data": {"k": "2"}})
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert "please apply your changes to the latest version" in reply.body["message"]


async def test_an_update_of_another_incarnation_conflicts(cluster, paths, new):
    created = (await cluster.post(paths.core("configmaps"), new.config_map("a"))).body
    created["metadata"] |= {"uid": "00000000-0000-0000-0000-000000000000"}
    reply = await cluster.put(paths.core("configmaps", "a"), created)
    assert (reply.code, reply.reason) == (409, "Conflict")


async def test_a_custom_resource_is_updated_with_its_version_only(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    reply = await cluster.put(paths.gateways("a"), new.gateway("a"))
    assert (reply.code, reply.fields) == (422, {"metadata.resourceVersion"})
    assert reply.body["details"]["kind"] == "gateways"
    assert reply.causes[0]["message"] == "Invalid value: 0: must be specified for an update"


async def test_a_built_in_kind_may_be_updated_without_a_version(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    assert (await cluster.put(paths.core("configmaps", "a"), new.config_map("a", data={"k": "v"}))).code == 200


async def test_what_the_server_gave_cannot_be_changed(cluster, paths, new):
    created = (await cluster.post(paths.gateways(), new.gateway("a"))).body
    changed = {
        **created,
        "metadata": {**created["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9},
    }
    meta = (await cluster.put(paths.gateways("a"), changed)).body["metadata"]
    assert meta["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert meta["generation"] == 1


async def test_a_dry_run_answers_and_stores_nothing(cluster, paths, new):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a"), dryRun="All")
    assert reply.code == 201
    assert (await cluster.get(paths.core("configmaps", "a"))).code == 404


async def test_a_dry_run_of_an_update_changes_nothing(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.patch(paths.core("configmaps", "a"), {"data": {"k": "v"}}, dryRun="All")
    assert reply.body["data"] == {"k": "v"}
    assert "data" not in (await cluster.get(paths.core("configmaps", "a"))).body


@pytest.mark.parametrize("version", ["", "0", "1"])
async def test_an_object_is_as_fresh_as_asked_for(cluster, paths, new, eventually, version):
    made = await cluster.post(paths.core("configmaps"), new.config_map("a"))

    async def in_the_cache() -> bool:
        return (await cluster.get(paths.core("configmaps", "a"), resourceVersion=made.version)).code == 200

    await eventually(in_the_cache)  # An older version than this is fresh enough for those below.
    assert (await cluster.get(paths.core("configmaps", "a"), resourceVersion=version)).code == 200


async def test_an_object_of_the_future_times_out(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await cluster.get(paths.core("configmaps", "a"), resourceVersion="999999999999")
    assert (reply.code, reply.reason, reply.headers["Retry-After"]) == (504, "Timeout", "1")


async def test_an_update_names_its_object(cluster, paths):
    reply = await cluster.put(paths.core("configmaps", "a"), {"apiVersion": "v1", "kind": "ConfigMap"})
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert "name must be provided" in reply.message


async def test_an_update_creates_what_some_kinds_do_not_have_yet(cluster, paths, new):
    group = "rbac.authorization.k8s.io/v1"
    role = {"apiVersion": group, "kind": "Role", "metadata": {"name": "a"}, "rules": []}
    assert (await cluster.put(paths.core("services", "a"), new.service("a"))).code == 201
    assert (await cluster.put(paths.group(group, "roles", "a"), role)).code == 201


async def test_a_disruption_budget_is_updated_with_its_version_only(cluster, paths):
    path = paths.group("policy/v1", "poddisruptionbudgets")
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}, "spec": {}}
    assert (await cluster.post(path, body)).code == 201
    reply = await cluster.put(f"{path}/a", body)
    assert (reply.code, reply.fields) == (422, {"metadata.resourceVersion"})


async def test_an_update_of_what_is_not_there_is_not_found(cluster, paths, new):
    assert (await cluster.put(paths.core("configmaps", "a"), new.config_map("a"))).code == 404


@pytest.mark.parametrize("change", [{"kind": "HTTPRoute"}, {"kind": "ConfigMap", "apiVersion": "v1"}])
async def test_the_kind_of_a_custom_resource_has_to_be_that_of_the_path(cluster, paths, new, change):
    reply = await cluster.post(paths.gateways(), {**new.gateway("a"), **change})
    assert (reply.code, reply.reason) == ((422, "Invalid") if len(change) == 1 else (400, "BadRequest"))


async def test_a_built_in_kind_is_known_by_its_path(cluster, paths):
    for name, part in (("a", {"apiVersion": "v1"}), ("b", {"kind": "ConfigMap"}), ("c", {})):
        assert (await cluster.post(paths.core("configmaps"), {**part, "metadata": {"name": name}})).code == 201


async def test_a_custom_resource_says_what_it_is(cluster, paths, new):
    for part in ("apiVersion", "kind"):
        body = {key: value for key, value in new.gateway("a").items() if key != part}
        assert (await cluster.post(paths.gateways(), body)).code == 400


@pytest.mark.parametrize("options", [{"dryRun": "Some"}, {"fieldValidation": "Loose"}, {"fieldManager": "x" * 129}])
async def test_options_that_make_no_sense_are_invalid(cluster, paths, new, options):
    reply = await cluster.post(paths.core("configmaps"), new.config_map("a"), **options)
    assert (reply.code, reply.body["details"]["kind"], reply.fields) == (422, "CreateOptions", set(options))
    assert reply.message.startswith('CreateOptions.meta.k8s.io "" is invalid: ')
    reply = await cluster.put(paths.core("configmaps", "a"), new.config_map("a"), **options)
    assert (reply.code, reply.body["details"]["kind"], reply.fields) == (422, "UpdateOptions", set(options))


async def test_an_unknown_path_is_not_found(cluster):
    reply = await cluster.get("/apis/example.com/v1/things")
    assert (reply.code, reply.body) == (404, "404 page not found\n")


@pytest.mark.parametrize("path", ["/api/v1/things", "/apis/apps/v1/things", "/api/v1/namespaces/default/nodes"])
async def test_an_unknown_resource_of_a_known_group_is_not_found(cluster, path):
    reply = await cluster.get(path)
    assert (reply.code, reply.reason, reply.body["details"]) == (404, "NotFound", {})
    assert reply.message == "the server could not find the requested resource"


async def test_an_unknown_subresource_is_not_found(cluster, paths, new):
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    await cluster.post(paths.gateways(), new.gateway("a"))
    for path in (paths.core("configmaps", "a") + "/status", paths.gateways("a") + "/scale"):
        reply = await cluster.get(path)
        assert (reply.code, reply.reason) == (404, "NotFound")


async def test_a_method_that_a_resource_does_not_know_is_not_allowed(cluster, paths):
    for reply in (
        await cluster.post(paths.core("configmaps", "a"), {}),
        await cluster.put(paths.core("configmaps"), {}),
        await cluster.patch(paths.core("configmaps"), {}),
        await cluster.post("/api/v1/configmaps", {}),
        await cluster.delete("/api/v1/configmaps"),
        await cluster.post(paths.gateways("a") + "/status", {}),
        await cluster.delete(paths.gateways("a") + "/status"),
    ):
        assert (reply.code, reply.reason) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
async def test_the_server_says_that_it_is_well(cluster, path):
    reply = await cluster.get(path)
    assert (reply.code, reply.body) == (200, "ok")


@pytest.mark.parametrize("lists", [{}, {"endpoints": None, "ports": None}, {"endpoints": [], "ports": []}])
async def test_a_slice_without_endpoints_has_null_for_them(cluster, paths, new, lists):
    body = new.endpoint_slice("a", **lists)
    made = (await cluster.post(paths.slices(), body)).body
    assert (made["endpoints"], made["ports"]) == (None, None)
    filled = {"endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}
    assert (await cluster.patch(paths.slices("a"), filled)).body["endpoints"] == [
        {"addresses": ["10.0.0.1"], "conditions": {}}
    ]
    emptied = (await cluster.put(paths.slices("a"), body)).body
    assert (emptied["endpoints"], emptied["metadata"]["generation"]) == (None, 3)
    again = (await cluster.patch(paths.slices("a"), {"metadata": {"annotations": {"a": "b"}}})).body
    assert (again["ports"], again["metadata"]["generation"]) == (None, 3)


async def test_some_kinds_count_changes_of_metadata_as_generations(cluster, paths, new):
    for path, obj, counted, other in (
        (paths.slices(), new.endpoint_slice("a", endpoints=[]), "labels", "annotations"),
        (paths.deployments(), new.deployment("a"), "annotations", "labels"),
    ):
        await cluster.post(path, obj)
        for part, generation in ((other, 1), (counted, 2), (counted, 2)):
            meta = (await cluster.patch(f"{path}/a", {"metadata": {part: {"a": "b"}}})).body["metadata"]
            assert meta["generation"] == generation


async def test_pods_have_generations(cluster, paths, new):
    assert (await cluster.post(paths.core("pods"), new.pod("a"))).body["metadata"]["generation"] == 1
    image = {"spec": {"containers": [{"name": "c", "image": "other"}]}}
    changed = await cluster.patch(paths.core("pods", "a"), image, "strategic")
    assert changed.body["metadata"]["generation"] == 2
