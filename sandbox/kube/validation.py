"""Checks a value against its structural schema and says what is wrong in the API server's words.

The messages are those that users of kubectl know from custom resources: the field's path, the value, what it should
have been. A value of the wrong type is reported once; what is inside it is not looked at.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from sandbox.kube.errors import Problems
from sandbox.kube.objects import same, sorted_json
from sandbox.kube.schema import Schema

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)\Z")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")


def _is_address(version: int) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return fits


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": lambda text: _DATE_TIME.match(text) is not None,
    "micro-time": lambda text: _MICRO_TIME.match(text) is not None,
    "byte": lambda text: _BASE64.match(text.replace("\n", "")) is not None,
    "ipv4": _is_address(4),
    "ipv6": _is_address(6),
}
"""The formats that are checked; others are not."""


def type_name(value: object) -> str:
    """The JSON type, in the words of OpenAPI."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


_UNKNOWN: Any = object()
"""There is no value to compare with."""


def validate(schema: Schema, value: Any, path: str, problems: Problems, old: Any = _UNKNOWN) -> None:
    """Adds to `problems` whatever of the value the schema does not allow. `path` is where the value is, or empty.

    Of an update, `old` is what was there before: what has not changed is let pass as it was then, as the API server
    does with custom resources ("Validation ratcheting"). Items of a list are compared where they have keys.
    """
    if value is None and schema.nullable:
        return
    if old is not _UNKNOWN and same(value, old):
        return
    if not type_fits(schema, value):
        name = type_name(value)
        expected = "integer,string" if schema.int_or_string else schema.type
        problems.type_invalid(path, name, f'{path} in body must be of type {expected}: "{name}"')
        return
    if schema.enum and value not in schema.enum:
        problems.unsupported(path, value, schema.enum)
    if isinstance(value, dict):
        _validate_object(schema, value, path, problems, old)
    elif isinstance(value, list):
        _validate_list(schema, value, path, problems, old)
    elif isinstance(value, str):
        _validate_string(schema, value, path, problems)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _validate_number(schema, value, path, problems)
    if schema.all_of or schema.any_of or schema.one_of or schema.negated is not None:
        validate_combined(schema, value, path, problems)


def is_valid(schema: Schema, value: Any) -> bool:
    problems = Problems()
    validate(schema, value, "", problems)
    return not problems.causes


def type_fits(schema: Schema, value: Any) -> bool:
    if schema.int_or_string:
        return isinstance(value, int | str) and not isinstance(value, bool)
    match schema.type:
        case "":
            return True
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return False


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _validate_object(schema: Schema, value: dict[str, Any], path: str, problems: Problems, old: Any) -> None:
    for name in schema.required:
        if name not in value:
            problems.required(_join(path, name))
    properties, additional = schema.properties, schema.additional
    for name, item in value.items():
        child = properties.get(name, additional)
        if child is not None:
            before = old.get(name, _UNKNOWN) if isinstance(old, dict) else _UNKNOWN
            validate(child, item, _join(path, name), problems, before)
    if schema.max_properties is not None and len(value) > schema.max_properties:
        problems.too_many(path, len(value), schema.max_properties)
    if schema.min_properties is not None and len(value) < schema.min_properties:
        problems.invalid(path, len(value), f"{path} in body should have at least {schema.min_properties} properties")


def _validate_list(schema: Schema, value: list[Any], path: str, problems: Problems, old: Any) -> None:
    if schema.max_items is not None and len(value) > schema.max_items:
        problems.too_many(path, len(value), schema.max_items)
    if schema.min_items is not None and len(value) < schema.min_items:
        problems.invalid(path, len(value), f"{path} in body should have at least {schema.min_items} items")
    found = len(problems.causes)
    if schema.items is not None:
        there = _by_key(schema, old)
        for index, item in enumerate(value):
            before = (
                there.get(sorted_json(schema.item_key(item)), _UNKNOWN)
                if isinstance(item, dict) and there
                else _UNKNOWN
            )
            validate(schema.items, item, f"{path}[{index}]", problems, before)
    if len(problems.causes) == found:
        _validate_unique(schema, value, path, problems)


def _by_key(schema: Schema, old: Any) -> dict[bytes, Any]:
    if schema.list_type != "map" or not isinstance(old, list):
        return {}
    return {sorted_json(schema.item_key(item)): item for item in old if isinstance(item, dict)}


def _validate_unique(schema: Schema, value: list[Any], path: str, problems: Problems) -> None:
    seen: set[Any] = set()
    for index, item in enumerate(value):
        identity: Any
        if schema.list_type == "map":
            identity = schema.item_key(item)
            shown: Any = dict(zip(schema.list_keys, identity, strict=True))
        elif schema.list_type == "set" or schema.unique_items:
            identity = sorted_json(item)
            shown = item
        else:
            return
        if identity in seen:
            by_name = len(schema.list_keys) == 1 and schema.items is not None and schema.items.struct
            at = f"{path}[{index}].{schema.list_keys[0]}" if by_name else f"{path}[{index}]"
            problems.duplicate(at, identity[0] if by_name else shown)
        seen.add(identity)


def _validate_string(schema: Schema, value: str, path: str, problems: Problems) -> None:
    if schema.max_length is not None and len(value) > schema.max_length:
        problems.too_long(path, schema.max_length)
    if schema.min_length is not None and len(value) < schema.min_length:
        problems.invalid(path, value, f"{path} in body should be at least {schema.min_length} chars long")
    if schema.pattern is not None and not schema.pattern.search(value):
        problems.invalid(path, value, f"{path} in body should match '{schema.raw['pattern']}'")
    fits = FORMATS.get(schema.format)
    if fits is not None and not fits(value):
        problems.type_invalid(path, value, f'{path} in body must be of type {schema.format}: "{value}"')


def _validate_number(schema: Schema, value: float, path: str, problems: Problems) -> None:
    low, high = schema.minimum, schema.maximum
    if low is not None and (value <= low if schema.exclusive_minimum else value < low):
        relation = "greater than" if schema.exclusive_minimum else "greater than or equal to"
        problems.invalid(path, value, f"{path} in body should be {relation} {low}")
    if high is not None and (value >= high if schema.exclusive_maximum else value > high):
        relation = "less than" if schema.exclusive_maximum else "less than or equal to"
        problems.invalid(path, value, f"{path} in body should be {relation} {high}")
    if schema.multiple_of is not None and value % schema.multiple_of != 0:
        problems.invalid(path, value, f"{path} in body should be a multiple of {schema.multiple_of}")


def validate_combined(schema: Schema, value: Any, path: str, problems: Problems) -> None:
    """What no single schema is to blame for names no field; where none of several fits, the first says why not."""
    shown = path or "<root>"
    for sub in schema.all_of:
        validate(sub, value, path, problems)
    if schema.any_of and not any(is_valid(sub, value) for sub in schema.any_of):
        problems.invalid("<nil>", "", f'"{shown}" must validate at least one schema (anyOf)')
        validate(schema.any_of[0], value, path, problems)
    if schema.one_of:
        matching = sum(is_valid(sub, value) for sub in schema.one_of)
        if matching != 1:
            found = "none valid" if matching == 0 else f"{matching} valid alternatives"
            problems.invalid("<nil>", "", f'"{shown}" must validate one and only one schema (oneOf). Found {found}')
        if matching == 0:
            validate(schema.one_of[0], value, path, problems)
    if schema.negated is not None and is_valid(schema.negated, value):
        problems.invalid("<nil>", "", f'"{shown}" must not validate the schema (not)')
