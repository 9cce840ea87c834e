"""Custom resources at run time: definitions come, change and go."""

import copy

import pytest

pytestmark = pytest.mark.anyio

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "port": {"x-kubernetes-int-or-string": True},
                "note": {"type": "string", "nullable": True, "maxLength": 5},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "choice": {
                    "type": "object",
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                },
                "limits": {"type": "object", "additionalProperties": {"type": "number"}},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


@pytest.fixture
def group(namespace):
    return f"{namespace}.example.com"


@pytest.fixture
def definition(group):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": copy.deepcopy(SCHEMA)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                }
            ],
        },
    }


@pytest.fixture
async def things(cluster, paths, group, definition, eventually):
    """The path of an installed definition's objects."""
    assert (await cluster.post(CRDS, definition)).code == 201
    path = paths.group(f"{group}/v1", "things")

    async def served():
        return (await cluster.get(path)).code == 200

    await eventually(served)
    return path


@pytest.fixture
def thing(group):
    def make(name="a", **spec):
        return {
            "apiVersion": f"{group}/v1",
            "kind": "Thing",
            "metadata": {"name": name},
            "spec": {"size": 1, **spec},
        }

    return make


async def test_a_definition_is_established(cluster, definition, things, eventually):
    async def established():
        body = (await cluster.get(f"{CRDS}/{definition['metadata']['name']}")).body
        return {c["type"]: c["status"] for c in body["status"]["conditions"]}.get("Established") == "True"

    await eventually(established)
    body = (await cluster.get(f"{CRDS}/{definition['metadata']['name']}")).body
    assert body["status"]["storedVersions"] == ["v1"]
    assert body["spec"]["names"] == {
        "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList", "shortNames": ["th"],
    }  # fmt: skip


async def test_its_objects_get_their_defaults(cluster, things, thing):
    spec = (await cluster.post(things, thing())).body["spec"]
    assert spec == {"size": 1, "colour": "red"}


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"size": 0}, "spec.size", "FieldValueInvalid"),
        ({"size": 10}, "spec.size", "FieldValueInvalid"),
        ({"size": 1.5}, "spec.size", "FieldValueTypeInvalid"),
        ({"size": True}, "spec.size", "FieldValueTypeInvalid"),
        ({"colour": "green"}, "spec.colour", "FieldValueNotSupported"),
        ({"port": 1.5}, "spec.port", "FieldValueTypeInvalid"),
        ({"note": "longer"}, "spec.note", "FieldValueTooLong"),
        ({"tags": ["a", "a"]}, "spec.tags[1]", "FieldValueDuplicate"),
        ({"choice": {"a": "x", "b": "y"}}, "spec.choice", "FieldValueInvalid"),
        ({"choice": {}}, "spec.choice", "FieldValueInvalid"),
        ({"limits": {"a": "many"}}, "spec.limits.a", "FieldValueTypeInvalid"),
    ],
)
async def test_its_objects_are_validated(cluster, things, thing, spec, field, reason):
    reply = await cluster.post(things, thing(**spec))
    assert reply.code == 422
    assert (field, reason) in {(cause["field"], cause["reason"]) for cause in reply.body["details"]["causes"]}


@pytest.mark.parametrize(
    "spec",
    [
        {"port": 80},
        {"port": "http"},
        {"note": None},
        {"tags": ["a", "b"]},
        {"choice": {"a": "x"}},
        {"limits": {"a": 1.5}},
    ],
)
async def test_what_the_schema_allows_is_stored_as_it_is(cluster, things, thing, spec):
    assert (await cluster.post(things, thing(**spec))).body["spec"] == {"size": 1, "colour": "red", **spec}


async def test_unknown_fields_are_kept_where_the_schema_says_so(cluster, things, thing):
    body = thing(free={"a": {"b": 1}}, other=1)
    assert (await cluster.post(things, body)).body["spec"] == {"size": 1, "colour": "red", "free": {"a": {"b": 1}}}


async def test_it_is_discovered(cluster, group, things):
    (resource, status) = (await cluster.get(f"/apis/{group}/v1")).body["resources"]
    assert (resource["name"], resource["kind"], resource["shortNames"]) == ("things", "Thing", ["th"])
    assert status["name"] == "things/status"
    assert group in {entry["name"] for entry in (await cluster.get("/apis")).body["groups"]}


async def test_its_columns_are_shown(cluster, things, thing):
    await cluster.post(things, thing(size=3))
    table = (await cluster.get(things, accept="application/json;as=Table;g=meta.k8s.io;v=v1")).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 3]


async def test_another_version_shows_the_same_objects(cluster, paths, group, definition, things, thing, eventually):
    await cluster.post(things, thing())
    second = {**copy.deepcopy(definition["spec"]["versions"][0]), "name": "v2", "storage": False}
    path = f"{CRDS}/{definition['metadata']['name']}"
    await cluster.patch(path, [{"op": "add", "path": "/spec/versions/-", "value": second}], "json")
    v2 = paths.group(f"{group}/v2", "things", "a")

    async def served():
        return (await cluster.get(v2)).code == 200

    await eventually(served)
    assert (await cluster.get(v2)).body["apiVersion"] == f"{group}/v2"
    changed = (await cluster.patch(v2, {"spec": {"size": 2}})).body
    assert (changed["apiVersion"], changed["spec"]["size"]) == (f"{group}/v2", 2)
    assert (await cluster.get(f"{things}/a")).body["spec"]["size"] == 2


async def test_a_definition_takes_its_objects_along(cluster, definition, things, thing, eventually):
    await cluster.post(things, thing())
    await cluster.delete(f"{CRDS}/{definition['metadata']['name']}")

    async def gone():
        return (await cluster.get(things)).code == 404

    await eventually(gone)


async def test_a_definition_waits_for_the_finalizers_of_its_objects(cluster, definition, things, thing, eventually):
    path = f"{CRDS}/{definition['metadata']['name']}"
    body = thing()
    body["metadata"]["finalizers"] = ["x.io/a"]
    await cluster.post(things, body)
    await cluster.delete(path)
    assert (await cluster.get(path)).body["metadata"]["deletionTimestamp"]
    await cluster.patch(f"{things}/a", {"metadata": {"finalizers": None}})

    async def gone():
        return (await cluster.get(path)).code == 404

    await eventually(gone)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d["metadata"].update(name="others.example.com"), "metadata.name"),
        (lambda d: d["spec"]["versions"][0].update(storage=False), "spec.versions"),
        (lambda d: d["spec"]["versions"][0].pop("schema"), "spec.versions[0].schema.openAPIV3Schema"),
        (lambda d: d["spec"].update(scope="World"), "spec.scope"),
        (lambda d: d["spec"].pop("names"), "spec.names"),
    ],
)
async def test_a_definition_that_makes_no_sense_is_invalid(cluster, definition, change, field):
    change(definition)
    reply = await cluster.post(CRDS, definition)
    assert reply.code == 422
    assert field in reply.fields


async def test_a_schema_that_cannot_be_served_is_invalid(cluster, definition):
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["size"] = {"type": "string", "pattern": "("}
    assert (await cluster.post(CRDS, definition)).code == 422
