"""Who set which field: the upkeep of `metadata.managedFields`.

Each writer is a manager, known by its name, whether it applies or updates, and the subresource it wrote through.
After an update the manager owns what it changed, and others no longer do; after an apply it owns exactly what it
applied (Kubernetes documentation, "Server-Side Apply", Field management).
"""

from dataclasses import dataclass
from typing import Any

from sandbox.kube.errors import Json
from sandbox.kube.fields import FieldSet, changes, new_fields, union, without
from sandbox.kube.resource import Resource

_TRACKED_METADATA = ("labels", "annotations", "finalizers", "ownerReferences", "generateName")


@dataclass(frozen=True, slots=True)
class Manager:
    """A writer of fields. `applied` is what a server-side apply sets, None for every other write."""

    name: str
    subresource: str = ""
    applied: FieldSet | None = None

    @property
    def operation(self) -> str:
        return "Update" if self.applied is None else "Apply"

    def is_of(self, held: Json) -> bool:
        """Whether the entry of `managedFields` is this manager's."""
        return (
            held.get("manager") == self.name
            and held.get("operation") == self.operation
            and held.get("subresource", "") == self.subresource
        )


def tracked(obj: Json) -> Json:
    """The part of an object whose fields have managers."""
    result = {name: value for name, value in obj.items() if name not in {"apiVersion", "kind", "metadata"}}
    meta = {name: obj["metadata"][name] for name in _TRACKED_METADATA if obj["metadata"].get(name)}
    if meta:
        result["metadata"] = meta
    return result


def track(obj: Json, old: Json | None, resource: Resource, manager: Manager, now: str) -> bool:
    """Brings the object's managedFields up to date after the manager made it of `old`; says whether they changed.

    `resource` is the one in whose version the object is stored. Of an object that has no managers, none are kept until
    one applies. A new object's status is the server's.
    """
    meta = obj["metadata"]
    new = tracked(obj)
    if old is None:
        new = {name: part for name, part in new.items() if part or resource.custom}
        if resource.status:
            new.pop("status", None)
    previous: list[Json] = (old["metadata"].get("managedFields") or []) if old is not None else []
    given = meta.get("managedFields") if old is not None else None
    entries: list[Json] = previous if given is None else [held for held in given if held.get("fieldsV1") is not None]
    if old is None:
        changed, removed = new_fields(new, resource.schema), FieldSet()
    elif not entries and manager.applied is None:
        meta.pop("managedFields", None)
        return bool(previous)
    else:
        changed, removed = changes(tracked(old), new, resource.schema)
    result = _updated(entries, changed, removed, manager)
    own = next((held for held in entries if manager.is_of(held)), None)
    fields = _own_fields(own, changed, removed, manager)
    if fields:
        kept = own is not None and own["fieldsV1"] == fields
        result.append(own if own is not None and kept else entry(manager, resource.api_version, fields, now))
    result.sort(key=_order)
    if result:
        meta["managedFields"] = result
    else:
        meta.pop("managedFields", None)
    return result != previous


def _order(held: Json) -> tuple[Any, ...]:
    return held.get("operation") != "Apply", held.get("time", ""), held.get("manager", "")


def _updated(entries: list[Json], changed: FieldSet, removed: FieldSet, manager: Manager) -> list[Json]:
    """The other managers' entries, without what they no longer own."""
    lost = union(changed, removed) if changed or removed else {}
    result: list[Json] = []
    for held in entries:
        if manager.is_of(held):
            continue
        fields = without(held["fieldsV1"], lost) if lost else held["fieldsV1"]
        if fields:
            result.append(held if fields == held["fieldsV1"] else {**held, "fieldsV1": fields})
    return result


def _own_fields(own: Json | None, changed: FieldSet, removed: FieldSet, manager: Manager) -> FieldSet:
    if manager.applied is not None:
        return manager.applied
    before: FieldSet = own["fieldsV1"] if own is not None else {}
    return union(without(before, removed), changed)


def entry(manager: Manager, api_version: str, fields: FieldSet, now: str) -> Json:
    """An entry of `managedFields`."""
    made: Json = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if manager.subresource:
        made["subresource"] = manager.subresource
    return made
