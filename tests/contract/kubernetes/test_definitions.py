"""Definitions at run time: they come, change and go, and their objects with them."""

import copy

import pytest

from tests.contract.kubernetes.definitions import (
    CRDS,
    NUMBER,
    TEXT,
    install,
    list_of,
    object_of,
    thing_of,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def installed(cluster, definition):
    """A definition of the test's own, installed: its path."""
    await install(cluster, definition)
    path = f"{CRDS}/{definition['metadata']['name']}"
    yield path
    await cluster.delete(path)


async def test_a_definition_is_established(cluster, installed):
    body = (await cluster.get(installed)).body
    conditions = {condition["type"]: condition["status"] for condition in body["status"]["conditions"]}
    assert (conditions["NamesAccepted"], conditions["Established"]) == ("True", "True")
    assert body["status"]["storedVersions"] == ["v1"]
    assert body["status"]["acceptedNames"] == body["spec"]["names"]
    assert body["spec"]["names"] == {
        "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList", "shortNames": ["th"],
    }  # fmt: skip


async def test_without_a_status_subresource_status_is_a_field_like_others(cluster, paths, group, definition):
    del definition["spec"]["versions"][0]["subresources"]
    await install(cluster, definition)
    path = paths.group(f"{group}/v1", "things")
    created = await cluster.post(path, {**thing_of(group)(), "status": {"ready": True}})
    assert created.body["status"] == {"ready": True}
    changed = (await cluster.patch(f"{path}/a", {"status": {"ready": False}})).body
    assert (changed["status"], changed["metadata"]["generation"]) == ({"ready": False}, 2)
    assert (await cluster.get(f"{path}/a/status")).code == 404


async def test_it_is_discovered(cluster, group, installed, eventually):
    async def known() -> bool:
        return (await cluster.get(f"/apis/{group}/v1")).code == 200

    await eventually(known)
    (resource, status) = (await cluster.get(f"/apis/{group}/v1")).body["resources"]
    assert (resource["name"], resource["kind"], resource["shortNames"]) == ("things", "Thing", ["th"])
    assert status["name"] == "things/status"
    assert group in {entry["name"] for entry in (await cluster.get("/apis")).body["groups"]}


async def test_another_version_shows_the_same_objects(cluster, paths, group, definition, installed, eventually):
    things = paths.group(f"{group}/v1", "things")
    await cluster.post(things, thing_of(group)())
    second = {**copy.deepcopy(definition["spec"]["versions"][0]), "name": "v2", "storage": False}
    await cluster.patch(installed, [{"op": "add", "path": "/spec/versions/-", "value": second}], "json")
    v2 = paths.group(f"{group}/v2", "things", "a")

    async def served():
        return (await cluster.get(v2)).code == 200

    await eventually(served)
    assert (await cluster.get(v2)).body["apiVersion"] == f"{group}/v2"
    changed = (await cluster.patch(v2, {"spec": {"size": 2}})).body
    assert (changed["apiVersion"], changed["spec"]["size"]) == (f"{group}/v2", 2)
    assert (await cluster.get(f"{things}/a")).body["spec"]["size"] == 2


async def test_a_definition_takes_its_objects_along(cluster, paths, group, installed, eventually):
    things = paths.group(f"{group}/v1", "things")
    await cluster.post(things, thing_of(group)())
    await cluster.delete(installed)

    async def gone():
        return (await cluster.get(things)).code == 404

    await eventually(gone)


async def test_a_definition_waits_for_the_finalizers_of_its_objects(cluster, paths, group, installed, eventually):
    things = paths.group(f"{group}/v1", "things")
    body = thing_of(group)()
    body["metadata"]["finalizers"] = ["x.io/a"]
    await cluster.post(things, body)
    await cluster.delete(installed)
    assert (await cluster.get(installed)).body["metadata"]["deletionTimestamp"]
    await cluster.patch(f"{things}/a", {"metadata": {"finalizers": None}})

    async def gone():
        return (await cluster.get(installed)).code == 404

    await eventually(gone)


async def test_what_was_valid_once_may_stay_as_it_is(cluster, paths, group, definition, eventually):
    """Where a definition becomes stricter, an object is held to it where it changes."""
    (version,) = definition["spec"]["versions"]
    del version["selectableFields"]
    keyed = list_of({**object_of(name=TEXT, note=TEXT), "required": ["name"]}, "map", "name")
    version["schema"]["openAPIV3Schema"] = object_of(
        spec=object_of(a=TEXT, b=TEXT, size=NUMBER, plain=list_of(TEXT), keyed=keyed)
    )
    await install(cluster, definition)
    things = paths.group(f"{group}/v1", "things")
    spec = {
        "a": "long",
        "b": "x",
        "size": 1,
        "plain": ["long"],
        "keyed": [{"name": "one", "note": "long"}, {"name": "two", "note": "x"}],
    }
    await cluster.post(things, {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
    short = {**TEXT, "maxLength": 2}
    keyed = list_of({**object_of(name=TEXT, note=short), "required": ["name"]}, "map", "name")
    stricter = object_of(
        spec=object_of(a=short, b=short, size={**NUMBER, "minimum": 5}, plain=list_of(short), keyed=keyed)
    )
    path = f"{CRDS}/{definition['metadata']['name']}"
    await cluster.patch(
        path, [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": stricter}], "json"
    )

    async def in_force():
        new = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "b"}, "spec": spec}
        return (await cluster.post(things, new, dryRun="All")).code == 422

    await eventually(in_force)
    for change in (
        {"metadata": {"labels": {"a": "b"}}},
        {"spec": {"b": "y"}},
        {"spec": {"keyed": [{"name": "one", "note": "long"}, {"name": "two", "note": "y"}]}},
    ):
        assert (await cluster.patch(f"{things}/a", change)).code == 200
    for change, fields in (
        ({"a": "longer"}, {"spec.a"}),
        ({"size": 2}, {"spec.size"}),
        ({"size": True}, {"spec.size"}),
        ({"plain": ["long", "x"]}, {"spec.plain[0]"}),
        ({"keyed": [{"name": "two", "note": "long"}, {"name": "one", "note": "long"}]}, {"spec.keyed[0].note"}),
    ):
        reply = await cluster.patch(f"{things}/a", {"spec": change})
        assert (reply.code, reply.fields) == (422, fields)
    await cluster.delete(path)
