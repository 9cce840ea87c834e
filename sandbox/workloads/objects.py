"""Small questions that every controller asks of Kubernetes objects, which are plain decoded JSON here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


def key_of(obj: Json) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def uid_of(obj: Json) -> str:
    uid: str = obj["metadata"]["uid"]
    return uid


def labels_of(obj: Json) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def version_of(obj: Json) -> int:
    """The resourceVersion as a number: in etcd and in the sandbox it is one, and grows (KEP-5504)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def is_terminating(obj: Json) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def controller_of(obj: Json) -> Json | None:
    """The owner reference that is marked as the controller's."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), None)


def owned_by(owner: Json, api_version: str, kind: str) -> list[Json]:
    """The `ownerReferences` of an object that `owner` controls."""
    return [
        {
            "apiVersion": api_version,
            "kind": kind,
            "name": owner["metadata"]["name"],
            "uid": uid_of(owner),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an equality selector, as Services and our ReplicaSets have it, selects these labels."""
    return all(labels.get(name) == value for name, value in selector.items())


def condition(obj: Json, kind: str) -> Json | None:
    """The condition of that type in `status.conditions`."""
    return next((c for c in obj.get("status", {}).get("conditions") or () if c["type"] == kind), None)


def is_true(obj: Json, kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def with_condition(obj: Json, kind: str, *, true: bool, now: datetime, reason: str = "", message: str = "") -> Json:
    """The condition as it now is; `lastTransitionTime` stays while the status does."""
    status = "True" if true else "False"
    before = condition(obj, kind)
    since = before.get("lastTransitionTime") if before and before["status"] == status else None
    made = {"type": kind, "status": status, "lastTransitionTime": since or timestamp(now)}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made


def says(actual: Any, wanted: Any) -> bool:
    """Whether `actual` has all that `wanted` says; what a server adds, or omits because it is zero, is no matter."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(says(actual.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(actual, list) and len(actual) == len(wanted)
        return same_length and all(says(one, other) for one, other in zip(actual, wanted, strict=True))
    return bool(actual == wanted) or (actual is None and not wanted)


def timestamp(now: datetime) -> str:
    """RFC 3339 in seconds and UTC, as the API writes times."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text)
