"""The quick way through the schema gives what the four passes give."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf import samples
from sandbox.kube import KubeServer
from sandbox.kube.bodies import duplicates
from sandbox.kube.builtins import type_schema
from sandbox.kube.conformity import completed, conforms
from sandbox.kube.errors import Problems
from sandbox.kube.schema import Schema, compile_schema, default, drop_nulls, prune
from sandbox.kube.validation import is_valid, validate

names = st.sampled_from(["a", "b", "c"])
words = st.sampled_from(["", "x", "xy", "10.0.0.1"])
numbers = st.integers(-2, 4)
scalars = st.none() | st.booleans() | numbers | words | st.just(1.0) | st.just(0.5)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)


def keywords(**kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=kinds)


def of_type(name: str, **kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return keywords(nullable=st.booleans(), **kinds).map(lambda given: {"type": name, **given})


texts = of_type(
    "string",
    minLength=st.integers(0, 2),
    maxLength=st.integers(1, 3),
    pattern=st.just("^x"),
    enum=st.lists(words, min_size=1, max_size=3),
    format=st.sampled_from(["ipv4", "date-time", "unheard-of"]),
    default=words,
)
integers = of_type(
    "integer",
    minimum=numbers,
    maximum=numbers,
    exclusiveMinimum=st.booleans(),
    multipleOf=st.just(2),
    enum=st.lists(numbers, min_size=1, max_size=3),
    default=numbers,
)
leaves = (
    texts
    | integers
    | of_type("boolean", default=st.booleans())
    | of_type("number", maximum=numbers)
    | st.just({"x-kubernetes-int-or-string": True})
    | st.just({"x-kubernetes-preserve-unknown-fields": True})
    | st.just({"type": "integer", "anyOf": [{"minimum": 3}, {"maximum": 0}]})
    | st.just({"type": "string", "not": {"enum": ["x"]}})
)


def containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.dictionaries(names, inner, min_size=1, max_size=3)
    objects = of_type(
        "object",
        properties=fields,
        required=st.lists(names, max_size=1),
        minProperties=st.integers(0, 2),
        maxProperties=st.integers(1, 3),
        default=st.just({}),
        **{"x-kubernetes-preserve-unknown-fields": st.booleans()},
    )
    maps = of_type("object", additionalProperties=inner | st.just(True))
    lists = of_type(
        "array",
        items=inner,
        minItems=st.integers(0, 2),
        maxItems=st.integers(1, 3),
        uniqueItems=st.booleans(),
        **{"x-kubernetes-list-type": st.sampled_from(["atomic", "set"])},
    )
    keyed = st.builds(
        lambda key, properties: {
            "type": "array",
            "items": {"type": "object", "properties": {**properties, "a": key}},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
        },
        texts | integers,
        fields,
    )
    return objects | maps | lists | keyed


def without_bad_defaults(raw: Any) -> Any:
    """A definition is only accepted if its defaults are valid."""
    if not isinstance(raw, dict):
        return raw
    kept = {name: without_bad_defaults(value) for name, value in raw.items() if name != "default"}
    if "properties" in kept:
        kept["properties"] = {name: without_bad_defaults(child) for name, child in kept["properties"].items()}
    if "default" in raw:
        schema, value = compile_schema(kept), copy.deepcopy(raw["default"])
        default(schema, value)
        if is_valid(schema, value):
            kept["default"] = raw["default"]
    return kept


schemas = (
    st.recursive(leaves, containers, max_leaves=6)
    .map(lambda raw: {"type": "object", "properties": {"a": raw, "b": {"type": "boolean"}}})
    .map(without_bad_defaults)
)


def fitting(raw: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that are mostly what the schema asks for."""
    kind = raw.get("type")
    right: st.SearchStrategy[Any] = scalars
    if kind == "object":
        properties = raw.get("properties", {})
        right = st.fixed_dictionaries({}, optional={name: fitting(child) for name, child in properties.items()})
        others = raw.get("additionalProperties")
        if isinstance(others, dict):
            right = st.dictionaries(names, fitting(others), max_size=3)
    elif kind == "array":
        right = st.lists(fitting(raw["items"]) if "items" in raw else anything, max_size=3)
    elif kind in {"string", "integer", "boolean"}:
        right = {"string": words, "integer": numbers, "boolean": st.booleans()}[kind]
    return right | right | right | anything


@st.composite
def cases(draw: st.DrawFn) -> tuple[Schema, Any]:
    raw = draw(schemas)
    return compile_schema(raw), draw(fitting(raw))


def drop_all_nulls(_: Schema, value: Any) -> None:
    """As it is done for built-in kinds."""
    if isinstance(value, dict):
        for name in [name for name, item in value.items() if item is None]:
            del value[name]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        drop_all_nulls(_, item)


def four_passes(schema: Schema, value: Any, drop: Any) -> tuple[Any, list[str], list[str]]:
    """What becomes of the value, what is unknown, what is wrong."""
    unknown = prune(schema, value)
    drop(schema, value)
    default(schema, value)
    problems = Problems()
    validate(schema, value, "", problems)
    return value, unknown, [cause.message for cause in problems.causes]


@settings(max_examples=400)
@given(cases())
def test_what_conforms_is_left_as_it_is_and_has_nothing_wrong(case):
    schema, value = case
    if conforms(schema, value):
        for drop in (drop_nulls, drop_all_nulls):
            assert repr(four_passes(schema, copy.deepcopy(value), drop)) == repr((value, [], []))


@settings(max_examples=400)
@given(cases())
def test_what_is_completed_quickly_is_what_the_four_passes_make_of_it(case):
    schema, value = case
    for drop in (drop_nulls, drop_all_nulls):
        slow, quick = copy.deepcopy(value), copy.deepcopy(value)
        expected = four_passes(schema, slow, drop)
        found = (quick, [], []) if completed(schema, quick) else four_passes(schema, quick, drop)
        assert found == expected


LISTS = compile_schema(
    {
        "type": "object",
        "required": ["there"],
        "maxProperties": 3,
        "properties": {
            "there": {"type": "boolean"},
            "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "maxItems": 2},
            "map": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name", "size"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}},
            },
            "either": {"type": "string", "enum": ["one", "other"]},
            "port": {"x-kubernetes-int-or-string": True},
        },
    }
)


@pytest.mark.parametrize(
    ("fields", "fit"),
    [
        ({}, True),
        ({"there": 1}, False),
        ({"there": None}, False),
        ({"more": 1}, False),
        ({"set": ["a", "b"]}, True),
        ({"set": ["a", "a"]}, False),
        ({"set": ["a", "b", "c"]}, False),
        ({"map": [{"name": "a", "size": 1}, {"name": "a", "size": 2}]}, True),
        ({"map": [{"name": "a", "size": 1}, {"name": "a", "size": 1}]}, False),
        ({"map": [{"name": "a"}, {"name": "a"}]}, False),
        ({"either": "one"}, True),
        ({"either": "two"}, False),
        ({"port": 80}, True),
        ({"port": "http"}, True),
        ({"port": True}, False),
        ({"set": [], "map": [], "port": 1}, False),
    ],
)
def test_what_is_missing_doubled_or_of_another_type_does_not_conform(fields, fit):
    assert conforms(LISTS, {"there": True, **fields}) is fit


SERVER = KubeServer()


def route() -> dict[str, Any]:
    sample = samples.route(1)
    return {
        **sample,
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "a", "labels": {"a": "b"}},
    }


def pieces() -> dict[str, Any]:
    sample = samples.endpoint_slice(1)
    return {**sample, "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "a"}}


POD = {"spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, **POD}


@pytest.mark.parametrize(
    "obj",
    [
        route(),
        pieces(),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, **POD},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE},
        },
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "a"},
            "spec": {"renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 15},
        },
    ],
    ids=lambda obj: obj["kind"],
)
def test_what_the_server_gives_out_takes_the_quick_way(obj):
    resource = SERVER.api.registry.by_kind(obj["apiVersion"], obj["kind"])
    assert resource is not None
    (stored,) = SERVER.apply(obj)
    assert conforms(resource.schema, stored)


def test_a_null_deep_in_what_nobody_describes_is_seen():
    anywhere = compile_schema({"type": "object", "properties": {"a": {"x-kubernetes-preserve-unknown-fields": True}}})
    assert conforms(anywhere, {"a": [{"b": [1]}]})
    assert not conforms(anywhere, {"a": [{"b": [None]}]})
    assert not conforms(type_schema("ObjectMeta"), {"name": None})


@given(anything, st.booleans())
def test_a_body_that_has_each_field_once_has_none_twice_however_it_is_written(value, compact):
    raw = json.dumps({"a": value}, separators=(",", ":") if compact else None).encode()
    assert duplicates(raw, "application/json") == ()
    assert duplicates(raw[:-1] + b',"a":1}', "application/json") == ('duplicate field "a"',)
