"""Objects of a definition at run time: defaulted, validated, selected and shown as its schema says."""

import pytest

from tests.contract.kubernetes.definitions import definition_of, install, thing_of
from tests.contract.kubernetes.servers import connect

pytestmark = pytest.mark.anyio


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


async def test_its_fields_select_where_it_says_so(cluster, things, thing):
    await cluster.post(things, thing("a", colour="blue"))
    await cluster.post(things, thing("b"))
    assert (await cluster.get(things, fieldSelector="spec.colour=blue")).names == ["a"]
    assert (await cluster.get(things, fieldSelector="spec.size=1")).code == 400


async def test_its_columns_are_shown(cluster, things, thing):
    await cluster.post(things, thing(size=3))
    table = (await cluster.get(things, accept="application/json;as=Table;g=meta.k8s.io;v=v1")).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 3]
