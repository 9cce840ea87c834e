"""Server-side apply: who owns which field, conflicts, and what becomes of fields that are no longer applied."""

import pytest

pytestmark = pytest.mark.anyio


async def apply(cluster, path, body, manager="tests", **query):
    return await cluster.patch(path, body, "apply", fieldManager=manager, **query)


def owned(body, manager):
    """The fields of a manager."""
    return {entry["manager"]: entry["fieldsV1"] for entry in body["metadata"]["managedFields"]}[manager]


def managers(body):
    return {(e["manager"], e["operation"], e.get("subresource", "")) for e in body["metadata"]["managedFields"]}


async def test_applying_creates_and_then_changes(cluster, paths, new):
    path = paths.core("configmaps", "a")
    assert (await apply(cluster, path, new.config_map("a", data={"k": "1"}))).code == 201
    reply = await apply(cluster, path, new.config_map("a", data={"k": "2"}))
    assert (reply.code, reply.body["data"]) == (200, {"k": "2"})
    assert managers(reply.body) == {("tests", "Apply", "")}


async def test_applying_the_same_again_changes_nothing(cluster, paths, new):
    path = paths.core("configmaps", "a")
    first = await apply(cluster, path, new.config_map("a", data={"k": "1"}))
    second = await apply(cluster, path, new.config_map("a", data={"k": "1"}))
    assert second.body == first.body


async def test_what_is_no_longer_applied_goes(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1", "l": "2"}))
    await cluster.patch(path, {"data": {"m": "3"}})
    body = (await apply(cluster, path, new.config_map("a", data={"k": "1"}))).body
    assert body["data"] == {"k": "1", "m": "3"}


async def test_what_another_manager_set_otherwise_is_a_conflict(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1"}), "first")
    reply = await apply(cluster, path, new.config_map("a", data={"k": "2"}), "second")
    assert (reply.code, reply.reason) == (409, "Conflict")
    (cause,) = reply.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.k")
    assert cause["message"] == 'conflict with "first"'
    assert reply.message == 'Apply failed with 1 conflict: conflict with "first": .data.k'


async def test_all_conflicts_are_told_by_manager(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1", "l": "1"}), "first")
    await cluster.patch(path, {"data": {"m": "1"}}, fieldManager="editor")
    reply = await apply(cluster, path, new.config_map("a", data={"k": "2", "l": "2", "m": "2"}), "second")
    assert reply.fields == {".data.k", ".data.l", ".data.m"}
    assert reply.message == (
        'Apply failed with 3 conflicts: conflicts with "editor" using v1:\n- .data.m\n'
        'conflicts with "first":\n- .data.k\n- .data.l'
    )


async def test_a_conflict_in_the_status_names_the_subresource(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    status = {"addresses": [{"type": "Hostname", "value": "x"}]}
    await cluster.patch(paths.gateways("a") + "/status", {"status": status}, fieldManager="other")
    applied = {**new.gateway("a"), "status": {"addresses": [{"type": "Hostname", "value": "y"}]}}
    reply = await apply(cluster, paths.gateways("a") + "/status", applied)
    assert reply.causes == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "other" with subresource "status" using gateway.networking.k8s.io/v1',
            "field": ".status.addresses",
        }
    ]


async def test_what_is_forced_is_taken_from_the_other(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1", "l": "1"}), "first")
    body = (await apply(cluster, path, new.config_map("a", data={"k": "2"}), "second", force="true")).body
    assert owned(body, "first") == {"f:data": {"f:l": {}}}
    assert owned(body, "second") == {"f:data": {"f:k": {}}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"other": 1}, ".other: field not declared in schema"),
        ({"data": {"k": 1}}, ".data.k: expected string"),
        ({"data": []}, ".data: expected map"),
    ],
)
async def test_what_the_schema_does_not_know_cannot_be_applied(cluster, paths, new, change, told):
    """Whatever the field validation: an apply owns fields, and cannot own what it does not know."""
    for strictness in ("Ignore", "Strict"):
        body = new.config_map("a", **change)
        reply = await apply(cluster, paths.core("configmaps", "a"), body, fieldValidation=strictness)
        assert reply.code == 500
        assert f"failed to create typed patch object (/a; /v1, Kind=ConfigMap): {told}" in reply.message
    assert (await cluster.get(paths.core("configmaps", "a"))).code == 404


@pytest.mark.parametrize(
    ("listeners", "told"),
    [
        ([{"name": "a", "port": 1, "protocol": "HTTP"}] * 2, 'duplicate entries for key [name="a"]'),
        ([{"port": 1, "protocol": "HTTP"}], "element 0: associative list with keys has an element that omits all key"),
    ],
)
async def test_a_list_whose_items_cannot_be_told_apart_cannot_be_applied(cluster, paths, new, listeners, told):
    reply = await apply(cluster, paths.gateways("a"), new.gateway("a", listeners=listeners))
    assert reply.code == 500
    assert f".spec.listeners: {told}" in reply.message


@pytest.mark.parametrize(
    "change", [{"kind": "Secret"}, {"kind": ""}, {"apiVersion": "v2"}, {"metadata": {"name": "b"}}]
)
async def test_only_an_object_of_that_kind_and_name_is_applied(cluster, paths, new, change):
    reply = await apply(cluster, paths.core("configmaps", "a"), {**new.config_map("a"), **change})
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_the_name_may_be_in_the_path_alone_but_for_a_new_object(cluster, paths, new):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"}}
    assert (await apply(cluster, paths.core("configmaps", "a"), body)).code == 400
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await apply(cluster, paths.core("configmaps", "a"), body)
    assert (reply.code, reply.body["data"]) == (200, {"k": "v"})


async def test_managed_fields_cannot_be_applied(cluster, paths, new):
    body = new.config_map("a", metadata={"managedFields": [{"manager": "x", "operation": "Apply"}]})
    reply = await apply(cluster, paths.core("configmaps", "a"), body)
    assert (reply.code, reply.message) == (400, "metadata.managedFields must be nil")


async def test_an_apply_can_be_of_one_version_only(cluster, paths, new):
    path = paths.core("configmaps", "a")
    old = (await apply(cluster, path, new.config_map("a", data={"k": "1"}))).version
    await cluster.patch(path, {"data": {"l": "1"}})
    body = new.config_map("a", data={"k": "2"}, metadata={"resourceVersion": old})
    assert (await apply(cluster, path, body)).code == 409


async def test_an_apply_can_be_of_one_incarnation_only(cluster, paths, new):
    body = new.config_map("a", metadata={"uid": "00000000-0000-0000-0000-000000000000"})
    reply = await apply(cluster, paths.core("configmaps", "a"), body)
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert "no existing object was found" in reply.message
    await cluster.post(paths.core("configmaps"), new.config_map("a"))
    reply = await apply(cluster, paths.core("configmaps", "a"), body)
    assert (reply.code, reply.fields) == (422, {"metadata.uid"})


async def test_what_applies_is_validated(cluster, paths, new):
    reply = await apply(cluster, paths.gateways("a"), new.gateway("a", gatewayClassName=""))
    assert (reply.code, reply.fields) == (422, {"spec.gatewayClassName"})


async def test_a_dry_run_applies_nothing(cluster, paths, new):
    reply = await apply(cluster, paths.core("configmaps", "a"), new.config_map("a", data={"k": "1"}), dryRun="All")
    assert (reply.code, reply.body["data"]) == (201, {"k": "1"})
    assert (await cluster.get(paths.core("configmaps", "a"))).code == 404


async def test_the_same_manager_applies_spec_and_status_apart(cluster, paths, new):
    path = paths.gateways("a")
    await apply(cluster, path, new.gateway("a"))
    status = {"status": {"addresses": [{"type": "Hostname", "value": "x"}]}}
    await apply(cluster, f"{path}/status", {**new.gateway("a"), **status})
    body = (await apply(cluster, path, new.gateway("a"))).body
    assert body["status"]["addresses"] == status["status"]["addresses"]
    assert managers(body) == {("tests", "Apply", ""), ("tests", "Apply", "status")}


async def test_conditions_are_applied_one_by_one(cluster, paths, new):
    """The conditions that the definition's defaults give belong to nobody, so that a controller meets no conflict."""
    path = paths.gateways("a")
    await cluster.post(path.removesuffix("/a"), new.gateway("a"))
    condition = {"reason": "A", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z", "status": "True"}
    for types in (["Accepted"], ["Other"]):
        applied = {**new.gateway("a"), "status": {"conditions": [{**condition, "type": type_} for type_ in types]}}
        reply = await apply(cluster, f"{path}/status", applied)
        assert reply.code == 200
    assert [condition["type"] for condition in reply.body["status"]["conditions"]] == ["Programmed", "Other"]


async def test_fields_that_nobody_tracks_belong_to_a_manager_once_somebody_applies(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await cluster.post(paths.core("configmaps"), new.config_map("a", data={"k": "1"}))
    reset = await cluster.patch(path, {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in reset.body["metadata"]
    assert "managedFields" not in (await cluster.patch(path, {"data": {"l": "1"}})).body["metadata"]
    reply = await apply(cluster, path, new.config_map("a", data={"k": "2"}))
    assert reply.causes[0]["message"] == 'conflict with "before-first-apply" using v1'
    body = (await apply(cluster, path, new.config_map("a", data={"k": "1"}))).body
    assert owned(body, "before-first-apply") == {"f:data": {".": {}, "f:k": {}, "f:l": {}}}


async def test_a_conflict_can_be_forced(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1"}), "first")
    reply = await apply(cluster, path, new.config_map("a", data={"k": "2"}), "second", force="true")
    assert reply.body["data"] == {"k": "2"}
    assert managers(reply.body) == {("second", "Apply", "")}


async def test_what_another_manager_set_alike_is_shared(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1"}), "first")
    body = (await apply(cluster, path, new.config_map("a", data={"k": "1"}), "second")).body
    assert managers(body) == {("first", "Apply", ""), ("second", "Apply", "")}
    body = (await apply(cluster, path, new.config_map("a"), "second")).body
    assert body["data"] == {"k": "1"}


async def test_an_update_takes_the_fields_that_it_changes(cluster, paths, new):
    path = paths.core("configmaps", "a")
    await apply(cluster, path, new.config_map("a", data={"k": "1"}))
    await cluster.patch(path, {"data": {"k": "2"}}, fieldManager="editor")
    reply = await apply(cluster, path, new.config_map("a", data={"k": "3"}))
    assert reply.code == 409
    assert reply.body["details"]["causes"][0]["message"] == 'conflict with "editor" using v1'


async def test_lists_with_keys_are_shared_item_by_item(cluster, paths, new):
    path = paths.gateways("a")
    one, two = ({"name": name, "protocol": "HTTP", "port": port} for name, port in (("one", 80), ("two", 81)))
    await apply(cluster, path, new.gateway("a", listeners=[one]), "first")
    second = new.gateway("a", listeners=[two])
    body = (await apply(cluster, path, second, "second")).body
    assert [entry["name"] for entry in body["spec"]["listeners"]] == ["one", "two"]
    body = (await apply(cluster, path, new.gateway("a", listeners=[]), "second")).body
    assert [entry["name"] for entry in body["spec"]["listeners"]] == ["one"]


async def test_the_status_can_be_applied(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"))
    applied = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "a"},
        "status": {"addresses": [{"type": "Hostname", "value": "x"}]},
    }
    body = (await apply(cluster, paths.gateways("a") + "/status", applied)).body
    assert body["status"]["addresses"] == applied["status"]["addresses"]
    assert ("tests", "Apply", "status") in managers(body)


async def test_a_manager_has_to_give_its_name(cluster, paths, new):
    reply = await cluster.patch(paths.core("configmaps", "a"), new.config_map("a"), "apply")
    assert (reply.code, reply.body["details"]["kind"], reply.fields) == (422, "PatchOptions", {"fieldManager"})


@pytest.mark.parametrize("name", ["x" * 129, "line\nbreak"])
async def test_the_name_of_a_manager_is_short_and_can_be_read(cluster, paths, new, name):
    reply = await apply(cluster, paths.core("configmaps", "a"), new.config_map("a"), name)
    assert (reply.code, reply.fields) == (422, {"fieldManager"})


async def test_a_creation_and_an_update_are_recorded_by_their_managers(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"), fieldManager="creator")
    status = {"addresses": [{"type": "Hostname", "value": "x"}]}
    body = (await cluster.patch(paths.gateways("a") + "/status", {"status": status}, fieldManager="controller")).body
    assert owned(body, "controller") == {"f:status": {"f:addresses": {}}}
    listener = {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}, "f:allowedRoutes": {
        ".": {}, "f:namespaces": {".": {}, "f:from": {}},
    }}  # fmt: skip
    assert owned(body, "creator") == {
        "f:spec": {".": {}, "f:gatewayClassName": {}, "f:listeners": {".": {}, 'k:{"name":"http"}': listener}}
    }


async def test_an_update_owns_what_it_changed_and_no_longer_what_it_removed(cluster, paths, new):
    path = paths.core("configmaps", "a")
    body = new.config_map("a", data={"k": "1", "l": "1"}, metadata={"labels": {"a": "b"}})
    await cluster.post(paths.core("configmaps"), body, fieldManager="creator")
    changed = (await cluster.patch(path, {"data": {"k": "2", "l": None}}, fieldManager="editor")).body
    assert owned(changed, "creator") == {"f:data": {}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}}
    assert owned(changed, "editor") == {"f:data": {"f:k": {}}}


async def test_the_managed_fields_can_be_emptied(cluster, paths, new):
    await apply(cluster, paths.core("configmaps", "a"), new.config_map("a", data={"k": "1"}))
    body = (await cluster.patch(paths.core("configmaps", "a"), {"metadata": {"managedFields": [{}]}})).body
    assert "managedFields" not in body["metadata"]
