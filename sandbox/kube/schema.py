"""Structural schemas: what an object may look like, which fields it gets by default, which are dropped.

The API server describes custom resources by a subset of OpenAPI v3 ("structural schemas"), and everything about the
shape of an object follows from it: pruning of unknown fields, defaulting, validation, and how lists merge. Built-in
kinds are described in the same language here (`types`), so that one implementation serves both.

A schema is compiled once, when its resource is registered, into a tree of `Schema` nodes; then `default` and
`prune` walk value and tree together. Both change the value that they are given, which must be the caller's own.
`validation` has the checks. CEL rules (`x-kubernetes-validations`) are accepted and not evaluated.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.kube.objects import copy

_MISSING: Any = object()


class SchemaError(ValueError):
    """A schema that cannot be read: at which path, what is given there, and what is wrong with it."""

    def __init__(self, path: str, value: object, why: str) -> None:
        super().__init__(f"{path}: Invalid value: {value!r}: {why}")
        self.path = path
        self.value = value
        self.why = why


@dataclass(slots=True, eq=False)
class Schema:
    """A compiled node. `raw` is what it was compiled from, for publication."""

    raw: Mapping[str, Any]
    type: str = ""
    properties: dict[str, "Schema"] = field(default_factory=dict)
    additional: "Schema | None" = None
    items: "Schema | None" = None
    required: tuple[str, ...] = ()
    default: Any = _MISSING
    nullable: bool = False
    preserve: bool = False
    embedded: bool = False
    int_or_string: bool = False
    enum: tuple[Any, ...] = ()
    pattern: re.Pattern[str] | None = None
    format: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False
    min_properties: int | None = None
    max_properties: int | None = None
    all_of: tuple["Schema", ...] = ()
    any_of: tuple["Schema", ...] = ()
    one_of: tuple["Schema", ...] = ()
    negated: "Schema | None" = None
    list_type: str = "atomic"
    """`atomic`, `set` or `map`: how server-side apply owns and merges the list."""
    list_keys: tuple[str, ...] = ()
    atomic_map: bool = False
    merge_key: str = ""
    """The key by which a strategic merge patch joins the items of this list; empty where it replaces the list."""
    merges: bool = False
    """Whether a strategic merge patch merges this list at all."""
    retain_keys: bool = False
    has_defaults: bool = False
    struct: bool = False
    """A struct of a built-in kind: it is there, if empty, wherever it may be."""
    check: Callable[[Any], bool] | None = field(default=None, init=False, repr=False)
    """What `conformity` has made of the node; None until it is first asked."""

    @property
    def has_default(self) -> bool:
        return self.default is not _MISSING

    def child(self, key: str) -> "Schema | None":
        """The schema of a property; None where nothing is known of it."""
        return self.properties.get(key) or self.additional

    def item_key(self, item: Any) -> tuple[Any, ...]:
        """The identity of an item of a `map` list; a missing key counts with its default."""
        assert self.items is not None
        values: list[Any] = []
        for key in self.list_keys:
            value = item.get(key, _MISSING)
            if value is _MISSING:
                child = self.items.properties.get(key)
                value = None if child is None or child.default is _MISSING else child.default
            values.append(value)
        return tuple(values)


ANYTHING = Schema(raw={"x-kubernetes-preserve-unknown-fields": True}, preserve=True)
"""Accepts everything: the schema of what is not described."""

_COPIED = {
    "type": "type",
    "format": "format",
    "nullable": "nullable",
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
    "uniqueItems": "unique_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "x-kubernetes-preserve-unknown-fields": "preserve",
    "x-kubernetes-embedded-resource": "embedded",
    "x-kubernetes-int-or-string": "int_or_string",
    "x-kubernetes-list-type": "list_type",
    "x-kubernetes-patch-merge-key": "merge_key",
}


_KEYWORDS: tuple[tuple[type | tuple[type, ...], tuple[str, ...]], ...] = (
    (str, ("type", "format", "pattern", "x-kubernetes-list-type", "x-kubernetes-map-type")),
    (bool, ("nullable", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")),
    ((int, float), ("minimum", "maximum", "multipleOf")),
    (int, ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")),
    (dict, ("properties", "items", "not")),
    (list, ("required", "enum", "allOf", "anyOf", "oneOf", "x-kubernetes-list-map-keys")),
)  # fmt: skip


def _check_keywords(raw: Mapping[str, Any], path: str) -> None:
    for type_, keywords in _KEYWORDS:
        for keyword in keywords:
            if keyword in raw and not isinstance(raw[keyword], type_):
                raise SchemaError(f"{path}.{keyword}", raw[keyword], "has another type")


def compile_schema(raw: Mapping[str, Any], path: str = "openAPIV3Schema", *, structs: bool = False) -> Schema:
    """Compiles a structural schema; with `structs`, of a built-in type.

    Raises:
        SchemaError: a part is malformed, for instance a pattern that is no regular expression.
    """
    return _Compiler(structs=structs).compile(raw, path)


class _Compiler:
    """Shares the nodes of raw schemas that are the same Python object, so that common types are compiled once."""

    def __init__(self, *, structs: bool) -> None:
        self._structs = structs
        self._done: dict[int, Schema] = {}

    def compile(self, raw: Any, path: str) -> Schema:
        if not isinstance(raw, Mapping):
            raise SchemaError(path, raw, "must be an object")
        done = self._done.get(id(raw))
        if done is None:
            done = self._done[id(raw)] = self._compile(raw, path)
        return done

    def _compile(self, raw: Mapping[str, Any], path: str) -> Schema:
        _check_keywords(raw, path)
        node = Schema(raw=raw, **{name: raw[key] for key, name in _COPIED.items() if key in raw})
        node.struct = self._structs and "properties" in raw
        node.required = tuple(raw.get("required") or ())
        node.enum = tuple(raw.get("enum") or ())
        node.list_keys = tuple(raw.get("x-kubernetes-list-map-keys") or ())
        node.atomic_map = raw.get("x-kubernetes-map-type") == "atomic"
        strategies = str(raw.get("x-kubernetes-patch-strategy", "")).split(",")
        node.merges = "merge" in strategies
        node.retain_keys = "retainKeys" in strategies
        if "pattern" in raw:
            node.pattern = _pattern(raw["pattern"], path)
        if "default" in raw:
            node.default = raw["default"]
        self._compile_children(node, raw, path)
        node.has_defaults = any(
            child.default is not _MISSING or child.has_defaults
            for child in (*node.properties.values(), node.additional, node.items)
            if child is not None
        )
        return node

    def _compile_children(self, node: Schema, raw: Mapping[str, Any], path: str) -> None:
        properties = raw.get("properties") or {}
        node.properties = {name: self.compile(sub, f"{path}.properties[{name}]") for name, sub in properties.items()}
        additional = raw.get("additionalProperties")
        if isinstance(additional, Mapping):
            node.additional = self.compile(additional, f"{path}.additionalProperties")
        elif additional is True:
            node.additional = ANYTHING
        if "items" in raw:
            node.items = self.compile(raw["items"], f"{path}.items")
        node.all_of = self._compile_all(raw, "allOf", path)
        node.any_of = self._compile_all(raw, "anyOf", path)
        node.one_of = self._compile_all(raw, "oneOf", path)
        if "not" in raw:
            node.negated = self.compile(raw["not"], f"{path}.not")

    def _compile_all(self, raw: Mapping[str, Any], key: str, path: str) -> tuple[Schema, ...]:
        return tuple(self.compile(sub, f"{path}.{key}[{index}]") for index, sub in enumerate(raw.get(key) or ()))


def _pattern(text: str, path: str) -> re.Pattern[str]:
    # The API server's expressions are RE2's, where `$` is the end of the text, and not also before its last newline.
    ends = text.endswith("$") and not text.endswith("\\$")
    try:
        return re.compile(text[:-1] + r"\Z" if ends else text)
    except re.error as wrong:
        raise SchemaError(f"{path}.pattern", text, f"must be a valid regular expression, but isn't: {wrong}") from wrong


def default(schema: Schema, value: Any) -> None:
    """Fills in what is missing (CRD documentation, "Defaulting"); a null counts as missing unless null is allowed."""
    if not schema.has_defaults:
        return
    if isinstance(value, dict):
        for name, child in schema.properties.items():
            present = value.get(name, _MISSING)
            if child.default is not _MISSING and (present is _MISSING or (present is None and not child.nullable)):
                value[name] = present = copy(child.default)
            if child.has_defaults and present is not _MISSING:
                default(child, present)
        if schema.additional is not None and schema.additional.has_defaults:
            for name, present in value.items():
                if name not in schema.properties:
                    default(schema.additional, present)
    elif isinstance(value, list) and schema.items is not None:
        for item in value:
            default(schema.items, item)


def drop_nulls(schema: Schema, value: Any) -> None:
    """Takes away the nulls of fields that may not be null: they count as not given."""
    if isinstance(value, dict):
        for name, item in list(value.items()):
            child = schema.child(name)
            if item is None and child is not None and child.type and not child.nullable:
                del value[name]
            elif child is not None:
                drop_nulls(child, item)
    elif isinstance(value, list) and schema.items is not None:
        for item in value:
            drop_nulls(schema.items, item)


def prune(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Drops the fields that the schema does not know; their paths are what strict field validation complains of."""
    dropped: list[str] = []
    _prune(schema, value, path, dropped)
    return dropped


EMBEDDED = ("apiVersion", "kind", "metadata")


def _prune(schema: Schema, value: Any, path: str, dropped: list[str]) -> None:
    if isinstance(value, dict):
        known = schema.properties
        for name in list(value):
            child = known.get(name)
            if child is None:
                if schema.embedded and name in EMBEDDED:
                    continue
                child = schema.additional
            if child is not None:
                if isinstance(value[name], dict | list):
                    _prune(child, value[name], f"{path}.{name}" if path else name, dropped)
            elif not schema.preserve:
                dropped.append(f"{path}.{name}" if path else name)
                del value[name]
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                _prune(schema.items, item, f"{path}[{index}]", dropped)
