"""Custom resources at run time: definitions come, change and go."""

import copy

import pytest

from tests.contract.kubernetes.servers import connect, until

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
                "since": {"type": "string", "format": "date-time"},
                "address": {"type": "string", "format": "ipv4"},
                "code": {"type": "string", "pattern": "^a+$"},
                "parts": {
                    "type": "array",
                    "maxItems": 2,
                    "items": {
                        "type": "object",
                        "properties": {"weight": {"type": "integer", "default": 1}, "note": {"type": "string"}},
                    },
                },
                "nested": {
                    "type": "object",
                    "properties": {"depth": {"type": "integer", "default": 3}, "note": {"type": "string"}},
                },
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def definition_of(group):
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
                    "selectableFields": [{"jsonPath": ".spec.colour"}],
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                }
            ],
        },
    }


async def install(cluster, definition):
    assert (await cluster.post(CRDS, definition)).code == 201
    path = f"/apis/{definition['spec']['group']}/v1/things"

    async def served():
        return (await cluster.get(path)).code == 200

    await until(served)


@pytest.fixture
def group(namespace):
    return f"{namespace}.example.com"


@pytest.fixture
def definition(group):
    return definition_of(group)


@pytest.fixture
async def installed(cluster, definition):
    """A definition of the test's own, installed: its path."""
    await install(cluster, definition)
    path = f"{CRDS}/{definition['metadata']['name']}"
    yield path
    await cluster.delete(path)


@pytest.fixture(scope="module")
async def shared_group(server):
    """The group of a definition that the tests of a server share, as none of them changes it."""
    group = "shared.example.com"
    async with connect(server) as cluster:
        await install(cluster, definition_of(group))
    return group


@pytest.fixture
def things(paths, shared_group):
    """The path of the shared definition's objects in the test's namespace."""
    return paths.group(f"{shared_group}/v1", "things")


@pytest.fixture
def thing(shared_group):
    return thing_of(shared_group)


def thing_of(group):
    def make(name="a", **spec):
        return {
            "apiVersion": f"{group}/v1",
            "kind": "Thing",
            "metadata": {"name": name},
            "spec": {"size": 1, **spec},
        }

    return make


async def test_a_definition_is_established(cluster, installed):
    body = (await cluster.get(installed)).body
    conditions = {condition["type"]: condition["status"] for condition in body["status"]["conditions"]}
    assert (conditions["NamesAccepted"], conditions["Established"]) == ("True", "True")
    assert body["status"]["storedVersions"] == ["v1"]
    assert body["status"]["acceptedNames"] == body["spec"]["names"]
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
        ({"choice": {"a": "x", "b": "y"}}, "<nil>", "FieldValueInvalid"),
        ({"choice": {}}, "<nil>", "FieldValueInvalid"),
        ({"choice": {}}, "spec.choice.a", "FieldValueRequired"),
        ({"size": None}, "spec.size", "FieldValueRequired"),
        ({"size": "1"}, "spec.size", "FieldValueTypeInvalid"),
        ({"since": "yesterday"}, "spec.since", "FieldValueTypeInvalid"),
        ({"address": "a.b.c.d"}, "spec.address", "FieldValueTypeInvalid"),
        ({"code": "b"}, "spec.code", "FieldValueInvalid"),
        ({"parts": [{}, {}, {}]}, "spec.parts", "FieldValueTooMany"),
        ({"parts": [None]}, "spec.parts[0]", "FieldValueTypeInvalid"),
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
        {"since": "2026-01-01T00:00:00Z"},
        {"address": "10.0.0.1"},
        {"free": {"a": {"b": None}}},
    ],
)
async def test_what_the_schema_allows_is_stored_as_it_is(cluster, things, thing, spec):
    assert (await cluster.post(things, thing(**spec))).body["spec"] == {"size": 1, "colour": "red", **spec}


async def test_unknown_fields_are_kept_where_the_schema_says_so(cluster, things, thing):
    body = thing(free={"a": {"b": 1}}, other=1)
    assert (await cluster.post(things, body)).body["spec"] == {"size": 1, "colour": "red", "free": {"a": {"b": 1}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"parts": [{}, {"weight": 2, "other": 1}]}, {"parts": [{"weight": 1}, {"weight": 2}]}),
        ({"nested": {}}, {"nested": {"depth": 3}}),
        ({"nested": {"depth": None, "note": "x"}}, {"nested": {"depth": 3, "note": "x"}}),
        ({"nested": None}, {}),
        ({"colour": None}, {}),
        ({"limits": {"a": None}}, {"limits": {}}),
        ({"free": None}, {}),
    ],
)
async def test_defaults_reach_into_what_is_there_and_nulls_count_as_nothing(cluster, things, thing, spec, expected):
    reply = await cluster.post(things, thing(**spec))
    assert reply.body["spec"] == {"size": 1, "colour": "red", **expected}


async def test_defaults_are_filled_in_on_every_way_to_write(cluster, things, thing):
    await cluster.post(things, thing())
    assert (await cluster.patch(f"{things}/a", {"spec": {"colour": None}})).body["spec"]["colour"] == "red"
    assert (await cluster.patch(f"{things}/a", {"spec": {"nested": {}}})).body["spec"]["nested"] == {"depth": 3}
    replaced = await cluster.put(f"{things}/a", (await cluster.get(f"{things}/a")).body | {"spec": {"size": 2}})
    assert replaced.body["spec"] == {"size": 2, "colour": "red"}
    applied = await cluster.patch(f"{things}/b", thing("b"), "apply", fieldManager="tests")
    assert applied.body["spec"] == {"size": 1, "colour": "red"}


async def test_a_status_subresource_keeps_status_and_the_rest_apart(cluster, things, thing):
    created = await cluster.post(things, {**thing(), "status": {"ready": True}})
    assert "status" not in created.body
    body = {
        "spec": {"size": 9},
        "status": {"ready": True},
        "metadata": {"labels": {"a": "b"}, "finalizers": ["x.io/a"]},
    }
    changed = (await cluster.patch(f"{things}/a/status", body)).body
    assert (changed["spec"]["size"], changed["status"]) == (1, {"ready": True})
    assert {"labels", "finalizers"}.isdisjoint(changed["metadata"])
    assert (await cluster.patch(f"{things}/a", {"status": None, "spec": {"size": 2}})).body["status"] == {"ready": True}


async def test_without_a_status_subresource_status_is_a_field_like_others(cluster, paths, group, definition):
    del definition["spec"]["versions"][0]["subresources"]
    await install(cluster, definition)
    path = paths.group(f"{group}/v1", "things")
    created = await cluster.post(path, {**thing_of(group)(), "status": {"ready": True}})
    assert created.body["status"] == {"ready": True}
    changed = (await cluster.patch(f"{path}/a", {"status": {"ready": False}})).body
    assert (changed["status"], changed["metadata"]["generation"]) == ({"ready": False}, 2)
    assert (await cluster.get(f"{path}/a/status")).code == 404


async def test_its_fields_select_where_it_says_so(cluster, things, thing):
    await cluster.post(things, thing("a", colour="blue"))
    await cluster.post(things, thing("b"))
    assert (await cluster.get(things, fieldSelector="spec.colour=blue")).names == ["a"]
    assert (await cluster.get(things, fieldSelector="spec.size=1")).code == 400


async def test_it_is_discovered(cluster, group, installed):
    (resource, status) = (await cluster.get(f"/apis/{group}/v1")).body["resources"]
    assert (resource["name"], resource["kind"], resource["shortNames"]) == ("things", "Thing", ["th"])
    assert status["name"] == "things/status"
    assert group in {entry["name"] for entry in (await cluster.get("/apis")).body["groups"]}


async def test_its_columns_are_shown(cluster, things, thing):
    await cluster.post(things, thing(size=3))
    table = (await cluster.get(things, accept="application/json;as=Table;g=meta.k8s.io;v=v1")).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 3]


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


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d["metadata"].update(name="others.example.com"), "metadata.name"),
        (lambda d: d["spec"]["versions"][0].update(storage=False), "spec.versions"),
        (lambda d: d["spec"]["versions"][0].pop("schema"), "spec.versions[0].schema.openAPIV3Schema"),
        (lambda d: d["spec"].update(scope="World"), "spec.scope"),
        (lambda d: d["spec"].pop("names"), "spec.names.plural"),
        (lambda d: d["spec"].update(group="short"), "spec.group"),
        (lambda d: d["spec"].update(versions=[]), "spec.versions"),
    ],
)
async def test_a_definition_that_makes_no_sense_is_invalid(cluster, definition, change, field):
    change(definition)
    reply = await cluster.post(CRDS, definition)
    assert reply.code == 422
    assert field in reply.fields


@pytest.mark.parametrize(
    "size",
    [
        {"type": "string", "pattern": "("},
        {},
        {"type": "integer", "default": "one"},
        {"type": "integer", "minimum": 1, "default": 0},
        {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
    ],
)
async def test_a_schema_that_cannot_be_served_is_invalid(cluster, definition, size):
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["size"] = size
    assert (await cluster.post(CRDS, definition)).code == 422


TEXT, NUMBER, MAP = {"type": "string"}, {"type": "integer"}, {"type": "object"}


def object_of(**properties):
    return {"type": "object", "properties": properties}


def list_of(items, list_type=None, *keys):
    told = {} if list_type is None else {"x-kubernetes-list-type": list_type}
    told |= {"x-kubernetes-list-map-keys": list(keys)} if keys else {}
    return {"type": "array", "items": items, **told}


KEYED = {**object_of(k=TEXT), "required": ["k"]}
UNSTRUCTURAL = [
    ({}, {".type"}),
    ({"type": "text"}, {".type"}),
    ({"type": "string", "pattern": "("}, {".pattern"}),
    ({"type": "string", "default": 1}, {".default"}),
    ({**object_of(a=TEXT), "default": {"a": 1}}, {".default.a"}),
    ({**object_of(a=TEXT), "default": {"b": "c"}}, {".default"}),
    ({"type": "array"}, {".items"}),
    (list_of({}), {".items.type"}),
    ({**list_of(TEXT), "uniqueItems": True}, {".uniqueItems"}),
    (list_of(TEXT, "bag"), {".x-kubernetes-list-type"}),
    ({"type": "string", "x-kubernetes-list-type": "set"}, {".type"}),
    (list_of(object_of(k=TEXT), "set"), {".items.x-kubernetes-map-type"}),
    (list_of({**TEXT, "nullable": True}, "set"), {".items.nullable"}),
    (list_of(KEYED, None, "k"), {".x-kubernetes-list-type"}),
    (list_of(KEYED, "set", "k"), {".x-kubernetes-list-type", ".items.x-kubernetes-map-type"}),
    (list_of(KEYED, "map"), {".x-kubernetes-list-map-keys"}),
    (list_of(KEYED, "map", "z"), {".x-kubernetes-list-map-keys"}),
    (list_of(KEYED, "map", "k", "k"), {".x-kubernetes-list-map-keys"}),
    (list_of(TEXT, "map", "k"), {".items.type"}),
    (list_of(object_of(k=TEXT), "map", "k"), {".items.properties[k].default"}),
    (list_of({**object_of(k=MAP), "required": ["k"]}, "map", "k"), {".items.properties[k].type"}),
    ({"type": "object", "x-kubernetes-map-type": "odd"}, {".x-kubernetes-map-type"}),
    ({"type": "string", "x-kubernetes-map-type": "atomic"}, {".type"}),
    ({**object_of(a=TEXT), "additionalProperties": TEXT}, {".additionalProperties"}),
    ({"type": "object", "x-kubernetes-preserve-unknown-fields": False}, {".x-kubernetes-preserve-unknown-fields"}),
    ({"type": "object", "x-kubernetes-embedded-resource": True}, {".properties"}),
    ({**TEXT, "anyOf": [TEXT]}, {".anyOf[0].type"}),
    ({**TEXT, "allOf": [{"oneOf": [{"default": "a"}]}]}, {".allOf[0].oneOf[0].default"}),
    ({**TEXT, "not": {"nullable": True}}, {".not.nullable"}),
    ({"x-kubernetes-int-or-string": True, "anyOf": [TEXT, NUMBER]}, {".anyOf[0].type", ".anyOf[1].type"}),
    ({"$ref": "#/definitions/a"}, {".$ref"}),
    ({**object_of(a=TEXT), "patternProperties": {"a": TEXT}}, {".patternProperties"}),
]


@pytest.mark.parametrize(("size", "fields"), UNSTRUCTURAL)
async def test_a_schema_that_is_not_structural_is_invalid(cluster, definition, size, fields):
    (version,) = definition["spec"]["versions"]
    version["schema"]["openAPIV3Schema"] = object_of(spec=object_of(size=size))
    del version["selectableFields"]
    reply = await cluster.post(CRDS, definition)
    path = "spec.validation.openAPIV3Schema.properties[spec].properties[size]"
    assert (reply.code, reply.fields) == (422, {path + field for field in fields})


@pytest.mark.parametrize(
    "size",
    [
        {"x-kubernetes-preserve-unknown-fields": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [NUMBER, TEXT]},
        {"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": [NUMBER, TEXT]}, {"pattern": "a"}]},
        {**object_of(a=TEXT), "anyOf": [{"properties": {"a": {"pattern": "b"}}}, {"required": ["a"]}]},
        {**object_of(a=TEXT), "additionalProperties": True},
        list_of({**object_of(k=TEXT), "x-kubernetes-map-type": "atomic"}, "set"),
        list_of(object_of(k={**TEXT, "default": "a"}), "map", "k"),
        {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    ],
)
async def test_a_structural_schema_is_not(cluster, definition, size):
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = object_of(spec=object_of(size=size, colour=TEXT))
    assert (await cluster.post(CRDS, definition, dryRun="All")).code == 201


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"properties": {}}, ".type"),
        (TEXT, ".type"),
        ({"type": "object", "additionalProperties": TEXT}, ".additionalProperties"),
        (object_of(metadata=object_of(labels=MAP)), ".properties[metadata]"),
        (object_of(metadata=TEXT), ".properties[metadata].type"),
        (object_of(kind=NUMBER), ".properties[kind].type"),
    ],
)
async def test_a_root_is_an_object_with_the_fields_of_every_object(cluster, definition, schema, field):
    (version,) = definition["spec"]["versions"]
    version["schema"]["openAPIV3Schema"] = schema
    del version["selectableFields"]
    reply = await cluster.post(CRDS, definition, dryRun="All")
    assert reply.code == 422
    assert f"spec.validation.openAPIV3Schema{field}" in reply.fields


async def test_what_two_versions_say_differently_is_said_of_each(cluster, definition):
    (version,) = definition["spec"]["versions"]
    del version["selectableFields"]
    other = copy.deepcopy(version) | {"name": "v2", "storage": False}
    definition["spec"]["versions"].append(other)
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"]
    reply = await cluster.post(CRDS, definition)
    assert reply.fields == {"spec.versions[0].schema.openAPIV3Schema.properties[spec].type"}
    other["schema"] = version["schema"]
    reply = await cluster.post(CRDS, definition)
    assert reply.fields == {"spec.validation.openAPIV3Schema.properties[spec].type"}


def column(**more):
    return {"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".a", **more}]}


def scale(**more):
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size", **more}
    return {"subresources": {"scale": {name: path for name, path in paths.items() if path}}}


def selectable(*paths):
    return {"selectableFields": [{"jsonPath": path} for path in paths]}


FIELD, SCALE = "spec.selectableFields[0].jsonPath", "spec.subresources.scale."


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (column(name=""), "spec.additionalPrinterColumns[0].name"),
        (column(type="text"), "spec.additionalPrinterColumns[0].type"),
        (column(format="odd"), "spec.additionalPrinterColumns[0].format"),
        (column(jsonPath="a"), "spec.additionalPrinterColumns[0].JSONPath"),
        (scale(specReplicasPath=".size"), SCALE + "specReplicasPath"),
        (scale(specReplicasPath="spec.size"), SCALE + "specReplicasPath"),
        (scale(statusReplicasPath=".spec.size"), SCALE + "statusReplicasPath"),
        (scale(statusReplicasPath=""), SCALE + "statusReplicasPath"),
        (scale(labelSelectorPath=".labels"), SCALE + "labelSelectorPath"),
        (selectable(".spec.nothing"), FIELD),
        (selectable(".spec"), FIELD),
        (selectable(".spec.parts"), FIELD),
        (selectable(".spec.parts[0].note"), FIELD),
        (selectable("spec.colour"), FIELD),
        (selectable(".metadata.name"), FIELD),
        (selectable(""), FIELD),
        (selectable(".spec.colour", ".spec.colour"), "spec.selectableFields[1].jsonPath"),
        ({"name": "V1"}, "spec.versions[0].name"),
        ({"deprecationWarning": "old"}, "spec.versions[0].deprecationWarning"),
    ],
)
async def test_a_version_that_makes_no_sense_is_invalid(cluster, definition, change, field):
    definition["spec"]["versions"][0] |= change
    reply = await cluster.post(CRDS, definition)
    assert reply.code == 422
    assert field in reply.fields


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ({"shortNames": ["A_b"]}, "spec.names.shortNames[0]"),
        ({"categories": ["a b"]}, "spec.names.categories[0]"),
        ({"listKind": "Thing"}, "spec.names.listKind"),
        ({"singular": "X"}, "spec.names.singular"),
    ],
)
async def test_names_that_make_no_sense_are_invalid(cluster, definition, names, field):
    definition["spec"]["names"] |= names
    reply = await cluster.post(CRDS, definition)
    assert (reply.code, reply.fields) == (422, {field})


async def test_fields_cannot_be_preserved_for_all_versions_at_once(cluster, definition):
    definition["spec"]["preserveUnknownFields"] = True
    assert (await cluster.post(CRDS, definition)).fields == {"spec.preserveUnknownFields"}


async def test_the_groups_of_the_community_are_kept_for_what_it_has_approved(cluster):
    annotation = "api-approved.kubernetes.io"
    definition = definition_of("contract.k8s.io")
    assert (await cluster.post(CRDS, definition)).fields == {f"metadata.annotations[{annotation}]"}
    definition["metadata"]["annotations"] = {annotation: "soon"}
    assert (await cluster.post(CRDS, definition)).fields == {f"metadata.annotations[{annotation}]"}
    for told in ("unapproved, a test", "https://github.com/kubernetes/enhancements/pull/1111"):
        definition["metadata"]["annotations"] = {annotation: told}
        assert (await cluster.post(CRDS, definition, dryRun="All")).code == 201


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


async def test_keywords_that_no_schema_has_are_warned_of_or_refused(cluster, definition):
    (version,) = definition["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["size"]["colour"] = "red"
    properties["parts"]["items"]["colour"] = "red"
    version["subresources"]["status"] = {"colour": "red"}
    reply = await cluster.post(CRDS, definition, dryRun="All")
    path = "spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.size.colour"
    assert reply.code == 201
    assert sorted(reply.headers.getall("Warning")) == [
        f'299 - "unknown field \\"{unknown}\\""' for unknown in (path, "spec.versions[0].subresources.status.colour")
    ]
    assert (await cluster.post(CRDS, definition, fieldValidation="Strict")).code == 400
