"""`status.parents` of a route: one atomic list that several controllers share. Pure.

Each controller owns the entries that bear its controllerName and must return all others as they are. They are never
decoded into our structs, for a field that we do not know would be lost: they are kept as the bytes that came.

Source: Gateway API, RouteParentStatus.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from controller.kube.conditions import covers, merged, objects_of

MAX_PARENTS = 32
"""More entries are refused by the API's schema."""

_REF_DEFAULTS = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}


class _Status(msgspec.Struct, frozen=True):
    parents: msgspec.Raw = msgspec.Raw(b"[]")


_status = msgspec.json.Decoder(_Status)
_entries = msgspec.json.Decoder(list[msgspec.Raw])


def merge_route_parents(
    raw_status: bytes | msgspec.Raw, controller_name: str, ours: Sequence[Mapping[str, Any]], *, now: str
) -> bytes | None:
    """The status patch that makes our entries these; None when nothing changes.

    `raw_status` is the route's present status as JSON (empty if there is none). `ours` are RouteParentStatus objects as
    JSON, one per parentRef; their conditions' `lastTransitionTime` is set here: to what it was, where a condition's
    status is as it was, else to `now` (RFC 3339). Conditions of other types in our entries go, and with no `ours` all
    our entries. Entries of other controllers keep their bytes and their places; where the list would grow past 32, our
    last entries are left out. What is in the list and is no object is nobody's entry, and goes.
    """
    waiting = {_ref(entry.get("parentRef")): entry for entry in ours}
    result: list[msgspec.Raw | dict[str, Any]] = []
    changed = False
    for raw in _parents(raw_status):
        entry = msgspec.json.decode(raw)
        if not isinstance(entry, dict):
            changed = True
        elif entry.get("controllerName") != controller_name:
            result.append(raw)
        elif (new := waiting.pop(_ref(entry.get("parentRef")), None)) is None:
            changed = True
        else:
            merged_entry = _entry(controller_name, entry, new, now)
            changed = changed or not covers(entry, merged_entry)
            result.append(merged_entry)
    room = max(0, MAX_PARENTS - len(result))
    added = [_entry(controller_name, {}, new, now) for new in list(waiting.values())[:room]]
    if not changed and not added:
        return None
    return msgspec.json.encode({"parents": result + added})


def _parents(raw_status: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _entries.decode(_status.decode(raw_status).parents) if raw_status else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _entry(controller_name: str, old: Mapping[str, Any], new: Mapping[str, Any], now: str) -> dict[str, Any]:
    given = new.get("conditions", ())
    types = {condition["type"] for condition in given}
    # The whole entry is ours: a condition that we no longer give, as of a route that was mended, is no longer so.
    kept = [condition for condition in objects_of(old.get("conditions")) if condition.get("type") in types]
    return {
        "parentRef": old.get("parentRef") or new["parentRef"],
        "controllerName": controller_name,
        "conditions": merged(kept, given, now),
    }


def _ref(ref: Any) -> bytes:
    """A parentRef as something to compare, whether or not its defaults are written out."""
    fields = ref if isinstance(ref, Mapping) else {}
    given = {field: value for field, value in fields.items() if value is not None}
    return msgspec.json.encode({**_REF_DEFAULTS, **given}, order="sorted")
