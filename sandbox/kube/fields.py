"""Sets of an object's fields, in the form in which `managedFields` keeps them (`FieldsV1`).

A set is a tree of dictionaries: `f:name` is a field, `k:{…}` an item of a list that is merged by keys, `v:…` an
item of a list that is a set, `.` the item itself. An empty dictionary is a field that is owned as a whole: a
scalar, an atomic list or map, an empty one. Every function is pure and returns a new tree.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from sandbox.kube.schema import ANYTHING, Schema

FieldSet = dict[str, Any]


def element(schema: Schema, item: Any) -> str:
    """The path element of an item of a list that is not atomic."""
    if schema.list_type == "set":
        return f"v:{orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()}"
    keys = dict(zip(schema.list_keys, schema.item_key(item), strict=True))
    return f"k:{orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()}"


def is_granular_list(schema: Schema, value: Any) -> bool:
    """Whether the list's items are owned one by one."""
    if not isinstance(value, list):
        return False
    if schema.list_type == "map":
        return all(isinstance(item, dict) for item in value)
    return schema.list_type == "set"


def is_granular_map(schema: Schema, value: Any) -> bool:
    return isinstance(value, dict) and not schema.atomic_map


def child_of(schema: Schema, name: str) -> Schema:
    return schema.child(name) or ANYTHING


def all_fields(value: Any, schema: Schema) -> FieldSet:
    """Every field of a value."""
    if is_granular_map(schema, value):
        return {f"f:{name}": all_fields(item, child_of(schema, name)) for name, item in value.items()}
    if is_granular_list(schema, value):
        if schema.list_type == "set":
            return {element(schema, item): {} for item in value}
        items = schema.items or ANYTHING
        parts = {element(schema, item): all_fields(item, items) for item in value}
        return {part: {".": {}, **fields} if fields else {} for part, fields in parts.items()}
    return {}


def new_fields(value: Any, schema: Schema) -> FieldSet:
    """Every field of a value that was not there before, for an update: maps and lists are owned themselves too, but not
    the structs of built-in kinds, which are always there.
    """
    if is_granular_map(schema, value):
        return {f"f:{name}": _new_field(item, child_of(schema, name)) for name, item in value.items()}
    if is_granular_list(schema, value):
        items = schema.items or ANYTHING
        return {element(schema, item): _new_field(item, items, is_item=True) for item in value}
    return {}


def _new_field(value: Any, schema: Schema, *, is_item: bool = False) -> FieldSet:
    fields = new_fields(value, schema)
    return {".": {}, **fields} if fields and (is_item or not schema.struct) else fields


def _by_element(value: list[Any], schema: Schema) -> dict[str, Any]:
    return {element(schema, item): item for item in value}


def changes(old: Any, new: Any, schema: Schema) -> tuple[FieldSet, FieldSet]:
    """The fields that are new or have another value, and those that are gone. Looks only where the values differ."""
    changed: FieldSet = {}
    removed: FieldSet = {}
    if is_granular_map(schema, old) and is_granular_map(schema, new):
        for name in new.keys() | old.keys():
            before, after = old.get(name, _NOTHING), new.get(name, _NOTHING)
            if not _equal(before, after):
                _compare(f"f:{name}", before, after, child_of(schema, name), changed, removed)
    elif is_granular_list(schema, old) and is_granular_list(schema, new):
        there, wanted = _by_element(old, schema), _by_element(new, schema)
        for part in wanted.keys() | there.keys():
            before, after = there.get(part, _NOTHING), wanted.get(part, _NOTHING)
            if not _equal(before, after):
                _compare(part, before, after, schema.items or ANYTHING, changed, removed)
    return changed, removed


_NOTHING: Any = object()


def _equal(one: Any, other: Any) -> bool:
    return one is other or (one == other and type(one) is type(other))


def _compare(part: str, before: Any, after: Any, schema: Schema, changed: FieldSet, removed: FieldSet) -> None:
    if after is _NOTHING:
        removed[part] = {}
        return
    if before is _NOTHING:
        changed[part] = _new_field(after, schema, is_item=not part.startswith("f:"))
        return
    granular = (is_granular_map(schema, before) and is_granular_map(schema, after)) or (
        is_granular_list(schema, before) and is_granular_list(schema, after)
    )
    if not granular:
        changed[part] = _new_field(after, schema)
        return
    sub_changed, sub_removed = changes(before, after, schema)
    if sub_changed:
        changed[part] = sub_changed
    if sub_removed:
        removed[part] = sub_removed


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    result = dict(left)
    for part, sub in right.items():
        other = result.get(part)
        if other is None:
            result[part] = sub
        elif bool(other) is bool(sub):
            result[part] = union(other, sub)
        else:
            result[part] = {".": {}, **(other or sub)}
    return result


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """What of the first set is not in the second, member by member."""
    return _subtract(left, right, deep=False)


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is left of the first set when the fields of the second and all below them are gone."""
    return _subtract(left, right, deep=True)


def _subtract(left: FieldSet, right: FieldSet, *, deep: bool) -> FieldSet:
    result: FieldSet = {}
    for part, sub in left.items():
        other = right.get(part)
        if other is None:
            result[part] = sub
        elif other and sub:
            rest = _subtract(sub, other, deep=deep)
            if rest:
                result[part] = {} if set(rest) == {"."} else rest
        elif other or (sub and not deep):
            result[part] = sub
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """The fields that are in both."""
    result: FieldSet = {}
    for part, sub in left.items():
        other = right.get(part)
        if other is None:
            continue
        if not sub or not other:
            if sub == other:
                result[part] = {}
            continue
        both = intersection(sub, other)
        if both:
            result[part] = both
    return result


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """The fields as the API server's conflict messages name them: `.spec.containers[name="a"].image`."""
    for part, sub in sorted(fields.items()):
        if part == ".":
            yield prefix
            continue
        kind, _, rest = part.partition(":")
        if kind == "f":
            here = f"{prefix}.{rest}"
        elif kind == "k":
            keys = orjson.loads(rest)
            here = f"{prefix}[{','.join(f'{key}={orjson.dumps(value).decode()}' for key, value in keys.items())}]"
        else:
            here = f"{prefix}[={rest}]"
        if sub:
            yield from paths(sub, here)
        else:
            yield here
