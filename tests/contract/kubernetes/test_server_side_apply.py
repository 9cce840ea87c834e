"""Server-side apply: who owns which field, conflicts, and what becomes of fields that are no longer applied."""

import pytest

pytestmark = pytest.mark.anyio


async def apply(cluster, path, body, manager="tests", **query):
    return await cluster.patch(path, body, "apply", fieldManager=manager, **query)


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
    assert reply.code in {400, 422}


async def test_a_creation_and_an_update_are_recorded_by_their_managers(cluster, paths, new):
    await cluster.post(paths.gateways(), new.gateway("a"), fieldManager="creator")
    status = {"addresses": [{"type": "Hostname", "value": "x"}]}
    body = (await cluster.patch(paths.gateways("a") + "/status", {"status": status}, fieldManager="controller")).body
    fields = {entry["manager"]: entry["fieldsV1"] for entry in body["metadata"]["managedFields"]}
    assert fields["controller"] == {"f:status": {"f:addresses": {}}}
    assert "f:gatewayClassName" in fields["creator"]["f:spec"]
