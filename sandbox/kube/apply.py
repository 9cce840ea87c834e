"""Server-side apply: merges what a manager wants to be so into what is.

The applied object says everything that its manager cares for. What other managers own with another value is a
conflict, unless forced; what the manager applied before and no longer does is removed, unless somebody else owns it
too. Pure: the result is an object and the set of fields that the manager now owns; storing both is the ordinary
update's work.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.kube import errors
from sandbox.kube.errors import Cause, Json
from sandbox.kube.fields import (
    FieldSet,
    all_fields,
    changes,
    child_of,
    difference,
    element,
    intersection,
    is_granular_list,
    is_granular_map,
    new_fields,
    paths,
)
from sandbox.kube.managers import Manager, entry, tracked
from sandbox.kube.resource import Resource
from sandbox.kube.schema import ANYTHING, EMBEDDED, Schema
from sandbox.kube.validation import type_fits

_TYPES = {"object": "map", "array": "list", "integer": "numeric", "number": "numeric"}
_BEFORE = "before-first-apply"
"""Owns what an object had when fields were not tracked yet."""


def applied_fields(applied: Json, schema: Schema) -> FieldSet:
    """The fields that an applied object sets."""
    return all_fields(tracked(applied), schema)


def check_typed(applied: Json, resource: Resource) -> None:
    """That the schema knows every field of what is applied, and how its lists merge.

    Raises:
        ApiError: 500, which is how the API server answers, whatever the field validation.
    """
    problems = list(_untyped(applied, resource.schema, ""))
    if problems:
        meta = applied["metadata"] if isinstance(applied.get("metadata"), dict) else {}
        place = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
        told = problems[0] if len(problems) == 1 else "errors:" + "".join(f"\n  {problem}" for problem in problems)
        kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
        raise errors.ApiError(500, "", f"failed to create typed patch object ({place}; {kind}): {told}")


def _untyped(value: Any, schema: Schema, path: str) -> Iterator[str]:
    expected = _TYPES.get(schema.type, schema.type)
    if value is not None and not type_fits(schema, value) and not (expected == "numeric" and isinstance(value, float)):
        yield f"{path}: expected {expected or 'string or numeric'}, got {errors.show(value)}"
    elif isinstance(value, dict):
        for name, item in value.items():
            child = schema.child(name)
            if child is not None:
                yield from _untyped(item, child, f"{path}.{name}")
            elif not schema.preserve and not (schema.embedded and name in EMBEDDED):
                yield f"{path}.{name}: field not declared in schema"
    elif isinstance(value, list) and schema.items is not None:
        yield from _untyped_items(value, schema, path)
        for index, item in enumerate(value):
            yield from _untyped(item, schema.items, f"{path}[{index}]")


def _untyped_items(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    if not is_granular_list(schema, value):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        if schema.list_type == "map" and all(key is None for key in schema.item_key(item)):
            keys = errors.show(list(schema.list_keys))
            why = f"associative list with keys has an element that omits all key fields {keys}"
            yield f"{path}: element {index}: {why} (and doesn't have default values for any key fields)"
            continue
        part = element(schema, item)
        if part in seen:
            yield f"{path}: duplicate entries for key {next(paths({part: {}}))}"
        seen.add(part)


def merge_applied(live: Json, applied: Json, schema: Schema, manager: Manager, now: str, *, force: bool) -> Json:
    """The object that results from applying to the live one, which is consumed. What an object has whose fields nobody
    tracked has a manager of its own from `now` on.

    Raises:
        ApiError: 409 with one cause a field that another manager owns, unless `force`.
    """
    assert manager.applied is not None
    entries: list[Json] = live["metadata"].get("managedFields") or []
    if not entries and (before := new_fields(tracked(live), schema)):
        entries = [entry(Manager(_BEFORE), live["apiVersion"], before, now)]
    others = [held for held in entries if not manager.is_of(held)]
    merged: Json = merge(live, applied, schema)
    if not force:
        _check_conflicts(live, merged, schema, manager.applied, others)
    own: FieldSet = next((held["fieldsV1"] for held in entries if manager.is_of(held)), {})
    dropped = difference(own, manager.applied)
    for held in others:
        dropped = difference(dropped, held["fieldsV1"])
    merged = remove(merged, dropped, schema) if dropped else merged
    merged["metadata"]["managedFields"] = entries
    return merged


def _check_conflicts(live: Json, merged: Json, schema: Schema, applied: FieldSet, others: list[Json]) -> None:
    changed, _ = changes(tracked(live), tracked(merged), schema)
    wanted = intersection(changed, applied)
    causes: list[Cause] = []
    for held in others:
        using = f" using {held['apiVersion']}" if held.get("operation") == "Update" else ""
        subresource = f' with subresource "{held["subresource"]}"' if held.get("subresource") else ""
        message = f'conflict with "{held["manager"]}"{subresource}{using}'
        fields = intersection(held["fieldsV1"], wanted)
        causes += [Cause("FieldManagerConflict", message, path) for path in paths(fields)]
    if causes:
        raise errors.apply_conflict(causes)


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """The applied value over the live one: maps and granular lists merge, everything else is replaced."""
    if is_granular_map(schema, live) and is_granular_map(schema, applied):
        result = dict(live)
        for name, value in applied.items():
            result[name] = merge(live.get(name), value, child_of(schema, name))
        return result
    if is_granular_list(schema, live) and is_granular_list(schema, applied):
        items = schema.items or ANYTHING
        wanted = {element(schema, item): item for item in applied}
        present = {element(schema, item) for item in live}
        merged = [
            merge(item, wanted[key], items) if (key := element(schema, item)) in wanted else item for item in live
        ]
        return merged + [item for key, item in wanted.items() if key not in present]
    return applied


def remove(value: Any, fields: FieldSet, schema: Schema) -> Any:
    """The value without these fields; a list item goes when the item itself is among them."""
    if is_granular_map(schema, value):
        result: Json = {}
        for name, item in value.items():
            part = fields.get(f"f:{name}")
            if part is None:
                result[name] = item
            elif part:
                rest = remove(item, part, child_of(schema, name))
                if rest or rest == item:
                    result[name] = rest
        return result
    if is_granular_list(schema, value):
        kept: list[Any] = []
        for item in value:
            part = fields.get(element(schema, item))
            if part is None:
                kept.append(item)
            elif part and "." not in part:
                kept.append(remove(item, part, schema.items or ANYTHING))
        return kept
    return value
