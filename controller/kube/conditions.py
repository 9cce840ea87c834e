"""Conditions and the statuses made of them, merged with what is there. Pure.

`lastTransitionTime` says when a condition's status last changed, so it must be taken over from the old status wherever
the condition's status is the same; condition types that are not ours are left as they are. The old status is somebody
else's writing and may be anything; what cannot be read of it is treated as not there.

Source: Kubernetes API conventions, "Typical status properties"; Gateway API, GatewayStatus and ListenerStatus.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

Json = Mapping[str, Any]

MAX_MESSAGE = 32768
"""Characters that the schema of a condition allows in `message`."""


def merge_status(
    raw_status: bytes | msgspec.Raw, conditions: Sequence[Json], now: str, fields: Json | None = None
) -> bytes | None:
    """The status patch for a kind whose status is its conditions, and `fields` that are replaced as a whole; None when
    nothing changes."""
    old = read_object(raw_status)
    new = {"conditions": merged(objects_of(old.get("conditions")), conditions, now), **(fields or {})}
    return _patch(old, new)


def merge_gateway_status(
    raw_status: bytes | msgspec.Raw,
    *,
    conditions: Sequence[Json],
    listeners: Sequence[Json],
    addresses: Sequence[Json],
    now: str,
) -> bytes | None:
    """The status patch for a Gateway; None when nothing changes.

    `listeners` are ListenerStatus objects as JSON; their conditions are merged by listener name, and listeners that are
    not given go. `addresses` are replaced as a whole.
    """
    old = read_object(raw_status)
    old_listeners = {str(listener.get("name")): listener for listener in objects_of(old.get("listeners"))}
    new = {
        "addresses": list(addresses),
        "conditions": merged(objects_of(old.get("conditions")), conditions, now),
        "listeners": [
            {
                **listener,
                "conditions": merged(
                    objects_of(old_listeners.get(listener["name"], {}).get("conditions")),
                    listener.get("conditions", ()),
                    now,
                ),
            }
            for listener in listeners
        ],
    }
    return _patch(old, new)


def merged(old: Sequence[Json], new: Sequence[Json], now: str) -> list[Json]:
    """The list to write for `conditions`: ours, with their transition times, and those of other types as they were.

    `new` are our conditions as JSON objects (see `condition_to_json`); their own `lastTransitionTime` does not count.
    `now` is RFC 3339. Conditions that were there keep their places, ours that are new follow.
    """
    ours = {condition["type"]: condition for condition in new}
    result: list[Json] = []
    placed: set[str] = set()
    for condition in old:
        kind = condition.get("type")
        if not isinstance(kind, str) or kind not in ours:
            result.append(condition)
        elif kind not in placed:
            placed.add(kind)
            result.append(_carried_over(condition, ours[kind], now))
    result += [_carried_over({}, condition, now) for kind, condition in ours.items() if kind not in placed]
    return result


def read_object(raw: bytes | msgspec.Raw) -> dict[str, Any]:
    """The JSON object in these bytes; empty where there is none."""
    try:
        value = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """The JSON objects in what should be a list of them."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _carried_over(old: Json, new: Json, now: str) -> Json:
    since = old.get("lastTransitionTime")
    same = old.get("status") == new["status"] and isinstance(since, str) and since
    return {**new, "message": new["message"][:MAX_MESSAGE], "lastTransitionTime": since if same else now}


def covers(old: Any, new: Any) -> bool:
    """Whether all of `new` stands in `old`; `old` may have more, for the API server adds defaults to what we write."""
    if isinstance(old, dict) and isinstance(new, Mapping):
        return all(field in old and covers(old[field], value) for field, value in new.items())
    if isinstance(old, list) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(covers, old, new))
    return bool(old == new)


def _patch(old: Json, new: Json) -> bytes | None:
    # An empty list that was never written is as good as one that was.
    wanted = {field: value for field, value in new.items() if value or old.get(field)}
    return None if covers(old, wanted) else orjson.dumps(new)
