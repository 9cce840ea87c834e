"""The quick way for objects that are in order: one look instead of four passes.

Pruning, dropping nulls, filling in defaults and validating each walk through an object, and nearly always to find that
nothing is to be done: what is written most is what the server itself gave out, changed in one place. `conforms` asks
the schema a single question, whether all four would leave the value as it is and have nothing to say. For that a
schema is compiled, once, into nested functions that know beforehand what each of its places may hold.

It is careful rather than complete: where it says yes, that is so; where it says no, the four passes decide, and find
the words for what is wrong. So a null is always left to them, and so is whatever is rare.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.kube.errors import Problems
from sandbox.kube.schema import Schema, default
from sandbox.kube.validation import FORMATS, is_valid, validate_combined

Check = Callable[[Any], bool]

_Place = tuple[type | None, Check | None]
"""What a place may hold: a value of exactly that type, if one is named, which passes the check, if there is one."""

_TYPES: Mapping[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
_COMPARABLE = frozenset({"string", "integer", "boolean"})


def conforms(schema: Schema, value: Any) -> bool:
    """Whether the value is as the schema wants it: nothing unknown, no null, no default missing, and valid."""
    check = schema.check
    if check is None:
        check = schema.check = _whole(_place(schema))
    return check(value)


def completed(schema: Schema, value: Any) -> bool:
    """Whether the value conforms once its defaults are filled in, which this does; defaults never do harm."""
    if conforms(schema, value):
        return True
    default(schema, value)
    return conforms(schema, value)


def _whole(place: _Place) -> Check:
    kind, check = place

    def holds(value: Any) -> bool:
        return (kind is None or type(value) is kind) and (check is None or check(value))

    return holds


def _never(_: Any) -> bool:
    return False


def _has_no_nulls(value: Any) -> bool:
    if type(value) is dict:
        return all(map(_has_no_nulls, value.values()))
    return all(map(_has_no_nulls, value)) if type(value) is list else value is not None


def _place(schema: Schema) -> _Place:
    if schema.all_of or schema.any_of or schema.one_of or schema.negated is not None:
        return _combined(schema)
    return _alone(schema)


def _combined(schema: Schema) -> _Place:
    kind, check = _alone(schema)

    def holds(value: Any) -> bool:
        if check is not None and not check(value):
            return False
        problems = Problems()
        validate_combined(schema, value, "", problems)
        return not problems.causes

    return kind, holds


def _alone(schema: Schema) -> _Place:
    """What the schema itself says, and not those that it combines."""
    if schema.int_or_string:
        return None, _int_or_string(schema)
    if not schema.type:
        undescribed = schema.preserve and not (schema.properties or schema.items or schema.enum)
        return None, _has_no_nulls if undescribed else _never
    kind = _TYPES.get(schema.type)
    if kind is None:
        return None, _never
    if kind is dict:
        return dict, _never if schema.enum else _object(schema)
    if kind is list:
        return list, _never if schema.enum else _list(schema)
    return kind, _both(_choice(schema), _string(schema) if kind is str else _number(schema))


def _both(one: Check | None, other: Check | None) -> Check | None:
    if one is None or other is None:
        return one or other
    return lambda value: one(value) and other(value)


def _choice(schema: Schema) -> Check | None:
    return frozenset(schema.enum).__contains__ if schema.enum else None


def _number(schema: Schema) -> Check | None:
    low, high = schema.minimum, schema.maximum
    if schema.multiple_of is not None or schema.exclusive_minimum or schema.exclusive_maximum:
        return lambda value: is_valid(schema, value)
    if low is None and high is None:
        return None
    return lambda value: (low is None or value >= low) and (high is None or value <= high)


def _int_or_string(schema: Schema) -> Check:
    return lambda value: type(value) in (int, str) and is_valid(schema, value)


def _string(schema: Schema) -> Check | None:
    lengths = schema.min_length is not None or schema.max_length is not None
    low, high = schema.min_length or 0, schema.max_length
    search = schema.pattern.search if schema.pattern is not None else None
    fits = FORMATS.get(schema.format)
    if not lengths and search is None:
        return fits

    def holds(value: str) -> bool:
        if lengths and (len(value) < low or (high is not None and len(value) > high)):
            return False
        return (search is None or search(value) is not None) and (fits is None or fits(value))

    return holds


def _object(schema: Schema) -> Check:
    places = {name: _place(child) for name, child in schema.properties.items()}
    needed = frozenset(schema.required) | {name for name, child in schema.properties.items() if child.has_default}
    other: _Place | None = None
    if schema.additional is not None:
        other = _place(schema.additional)
    elif schema.preserve:
        other = (None, _has_no_nulls)
    low, high = schema.min_properties or 0, schema.max_properties

    def holds(value: dict[str, Any]) -> bool:
        for name, item in value.items():
            place = places.get(name, other)
            if place is None:
                return False
            kind, check = place
            if kind is not None and type(item) is not kind:
                return False
            if check is not None and not check(item):
                return False
        if needed and not needed <= value.keys():
            return False
        return len(value) >= low and (high is None or len(value) <= high)

    return holds


def _list(schema: Schema) -> Check:
    kind, check = _place(schema.items) if schema.items is not None else (None, _has_no_nulls)
    low, high = schema.min_items or 0, schema.max_items
    distinct = _distinct(schema)

    def holds(value: list[Any]) -> bool:
        for item in value:
            if kind is not None and type(item) is not kind:
                return False
            if check is not None and not check(item):
                return False
        if len(value) < low or (high is not None and len(value) > high):
            return False
        return distinct is None or len(value) < 2 or distinct(value)

    return holds


def _distinct(schema: Schema) -> Check | None:
    """That no two items are the same where that is asked for; items that cannot be compared so are left to others."""
    items = schema.items
    if schema.list_type == "map":
        assert items is not None
        keys = [items.properties.get(key) for key in schema.list_keys]
        if not all(key is not None and (key.int_or_string or key.type in _COMPARABLE) for key in keys):
            return _never
        return lambda value: len(set(map(schema.item_key, value))) == len(value)
    if schema.list_type == "set" or schema.unique_items:
        if items is None or items.type not in _COMPARABLE:
            return _never
        return lambda value: len(set(value)) == len(value)
    return None
