"""Definitions that an API server does not take, and what it says is wrong with them."""

import copy

import pytest

from tests.contract.kubernetes.definitions import CRDS, MAP, NUMBER, TEXT, definition_of, list_of, object_of

pytestmark = pytest.mark.anyio


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
