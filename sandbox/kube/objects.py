"""What every object has: names, labels and the other parts of `ObjectMeta`, and their syntax.

Objects are plain JSON dictionaries here, because the API serves kinds that it learns at run time. Once stored, one is
never changed: whoever wants another takes a `copy`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from sandbox.kube.errors import Json, Problems

Clock = Callable[[], datetime]
"""The current time, with its zone; the server's only source of timestamps."""

_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_STANDARD_FINALIZERS = {"foregroundDeletion", "kubernetes", "orphan"}
_TOTAL_ANNOTATIONS = 256 * 1024

_REMEMBERED = 4096
"""Keys and values of labels: there are few, and they are looked at with every write."""

NameRule = Callable[[str], str | None]
"""Says what is wrong with a name, or None."""


def copy(value: Any) -> Any:
    """A deep copy, by way of JSON: quicker than `copy.deepcopy`, and never shares."""
    return orjson.loads(orjson.dumps(value))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: for Python, 1 and true are equal."""
    if one is other:
        return True
    if one != other:
        return False
    return orjson.dumps(one) == orjson.dumps(other) or sorted_json(one) == sorted_json(other)


def sorted_json(value: Any) -> bytes:
    """The one encoding of a value, whatever the order of its fields."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def timestamp(moment: datetime) -> str:
    """`metav1.Time`: RFC 3339 in UTC with whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def metadata(obj: Mapping[str, Any]) -> Json:
    """The object's metadata; an empty one for an object without."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def subdomain_problem(name: str) -> str | None:
    if len(name) > 253:
        return "must be no more than 253 characters"
    if not _SUBDOMAIN.fullmatch(name):
        return (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            f"'{_SUBDOMAIN.pattern}')"
        )
    return None


def label_1123_problem(name: str) -> str | None:
    if len(name) > 63:
        return "must be no more than 63 characters"
    if not _LABEL_1123.fullmatch(name):
        return (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            f"'{_LABEL_1123.pattern}')"
        )
    return None


def label_1035_problem(name: str) -> str | None:
    if len(name) > 63:
        return "must be no more than 63 characters"
    if not _LABEL_1035.fullmatch(name):
        return (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            f"validation is '{_LABEL_1035.pattern}')"
        )
    return None


def path_segment_problem(name: str) -> str | None:
    """The rule for RBAC names: anything that is one segment of a URL path."""
    if name in {".", ".."}:
        return f"may not be '{name}'"
    for part in ("/", "%"):
        if part in name:
            return f"may not contain '{part}'"
    return None


@lru_cache(_REMEMBERED)
def qualified_name_problem(key: str) -> str | None:
    """A label key, an annotation key or a finalizer: `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or subdomain_problem(prefix)):
        return "prefix part must be a lowercase RFC 1123 subdomain of at most 253 characters"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    if not _QUALIFIED.fullmatch(name):
        return (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            f"'{_QUALIFIED.pattern}')"
        )
    return None


@lru_cache(_REMEMBERED)
def label_value_problem(value: str) -> str | None:
    if len(value) > 63:
        return "must be no more than 63 characters"
    if not _LABEL_VALUE.fullmatch(value):
        return (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
            f"for validation is '{_LABEL_VALUE.pattern}')"
        )
    return None


def check_labels(labels: Mapping[str, Any], path: str, problems: Problems) -> None:
    for key, value in labels.items():
        if wrong := qualified_name_problem(key):
            problems.invalid(path, key, wrong)
        if wrong := label_value_problem(value):
            problems.invalid(path, value, wrong)


def unqualified_finalizers(obj: Mapping[str, Any]) -> list[str]:
    """The finalizers that are neither Kubernetes' own nor named by a domain; custom resources may have such."""
    given = metadata(obj).get("finalizers") or ()
    return [finalizer for finalizer in given if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS]


def check_metadata(obj: Json, *, namespaced: bool, custom: bool, name_rule: NameRule, problems: Problems) -> None:
    """The syntax of `ObjectMeta` (API conventions, "Metadata"); types have been checked by the schema before."""
    meta = metadata(obj)
    name = meta.get("name", "")
    if not name:
        problems.required("metadata.name", "name or generateName is required")
    elif wrong := name_rule(name):
        problems.invalid("metadata.name", name, wrong)
    if namespaced and not meta.get("namespace"):
        problems.required("metadata.namespace")
    elif not namespaced and meta.get("namespace"):
        problems.forbidden("metadata.namespace", "not allowed on this type")
    check_labels(meta.get("labels") or {}, "metadata.labels", problems)
    _check_annotations(meta.get("annotations") or {}, problems)
    unqualified = unqualified_finalizers(obj)
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        if wrong := qualified_name_problem(finalizer):
            problems.invalid("metadata.finalizers", finalizer, wrong)
        elif finalizer in unqualified and not custom:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            problems.invalid(f"metadata.finalizers[{index}]", finalizer, why)
    _check_owners(meta.get("ownerReferences") or (), problems)


def _check_annotations(annotations: Mapping[str, str], problems: Problems) -> None:
    total = 0
    for key, value in annotations.items():
        if wrong := qualified_name_problem(key.lower()):
            problems.invalid("metadata.annotations", key, wrong)
        total += len(key) + len(value)
    if total > _TOTAL_ANNOTATIONS:
        problems.too_long("metadata.annotations", _TOTAL_ANNOTATIONS)


def _check_owners(owners: Any, problems: Problems) -> None:
    controllers = 0
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                problems.invalid(f"{path}.{part}", owner.get(part, ""), "must not be empty")
        controllers += bool(owner.get("controller"))
        if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
            problems.invalid("metadata.ownerReferences", owner, "/v1, Kind=Event is disallowed from being an owner")
    if controllers > 1:
        problems.invalid("metadata.ownerReferences", "", "Only one reference can have Controller set to true")
