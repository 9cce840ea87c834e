"""Server-side apply: merges what a manager wants to be so into what is.

The applied object says everything that its manager cares for. What other managers own with another value is a
conflict, unless forced; what the manager applied before and no longer does is removed, unless somebody else owns it
too. Pure: the result is an object and the set of fields that the manager now owns; storing both is the ordinary
update's work.
"""

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
    paths,
)
from sandbox.kube.managers import Manager, tracked
from sandbox.kube.schema import ANYTHING, Schema


def applied_fields(applied: Json, schema: Schema) -> FieldSet:
    """The fields that an applied object sets."""
    return all_fields(tracked(applied), schema)


def merge_applied(live: Json, applied: Json, schema: Schema, manager: Manager, *, force: bool) -> Json:
    """The object that results from applying to the live one, which is consumed.

    Raises:
        ApiError: 409 with one cause a field that another manager owns, unless `force`.
    """
    assert manager.applied is not None
    entries: list[Json] = live["metadata"].get("managedFields") or []
    others = [entry for entry in entries if not manager.is_of(entry)]
    merged: Json = merge(live, applied, schema)
    if not force:
        _check_conflicts(live, merged, schema, manager.applied, others)
    own: FieldSet = next((entry["fieldsV1"] for entry in entries if manager.is_of(entry)), {})
    dropped = difference(own, manager.applied)
    for entry in others:
        dropped = difference(dropped, entry["fieldsV1"])
    merged = remove(merged, dropped, schema) if dropped else merged
    merged["metadata"]["managedFields"] = entries
    return merged


def _check_conflicts(live: Json, merged: Json, schema: Schema, applied: FieldSet, others: list[Json]) -> None:
    changed, _ = changes(tracked(live), tracked(merged), schema)
    wanted = intersection(changed, applied)
    causes: list[Cause] = []
    for entry in others:
        using = f" using {entry['apiVersion']}" if entry.get("operation") == "Update" else ""
        subresource = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
        message = f'conflict with "{entry["manager"]}"{subresource}{using}'
        fields = intersection(entry["fieldsV1"], wanted)
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
