"""The three patch languages: JSON patch (RFC 6902), JSON merge patch (RFC 7386), strategic merge patch.

All are pure: they take a document and a patch and return the new document; the document given is theirs to consume.
The strategic merge patch is Kubernetes' own, known to built-in kinds only: it reads from the schema which lists
merge and by which key, and understands the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…` and
`$setElementOrder/…` (Kubernetes documentation, "Update API Objects in Place Using kubectl patch").
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.kube.errors import Json
from sandbox.kube.objects import copy
from sandbox.kube.schema import ANYTHING, Schema


class PatchError(ValueError):
    """A patch that is malformed or does not fit the document."""


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result: Json = document if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902, all operations or none, with the API server's leniency: `replace` adds what is not there, and a value
    that is not given is null.

    Raises:
        PatchError: malformed, or an operation does not fit the document.
    """
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is an array of operations")
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchError("an operation is an object with op and path")
        document = _apply_operation(document, operation)
    return document


def _apply_operation(document: Any, operation: Json) -> Any:
    name, path = operation.get("op"), _pointer(operation["path"])
    if name in {"add", "replace", "test"}:
        value = copy(operation.get("value"))
        if name == "add":
            return _add(document, path, value)
        if name == "replace":
            return _replace(document, path, value)
        if not _equal(_get(document, path), value):
            raise PatchError(f"testing value {operation['path']} failed")
        return document
    if name == "remove":
        return _remove(document, path)
    if name in {"move", "copy"}:
        if not isinstance(operation.get("from"), str):
            raise PatchError(f"{name} needs from")
        source = _pointer(operation["from"])
        value = copy(_get(document, source))
        if name == "move":
            if path[: len(source)] == source and len(path) > len(source):
                raise PatchError("a value cannot be moved into itself")
            document = _remove(document, source)
        return _add(document, path, value)
    raise PatchError(f"unexpected kind: {name}")


def _equal(left: Any, right: Any) -> bool:
    """Equality of JSON values, in which true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise PatchError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _index(part: str, *, end: int) -> int:
    if not re.fullmatch(r"0|[1-9]\d*", part) or int(part) >= end:
        raise PatchError(f"the index {part!r} is out of bounds")
    return int(part)


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(part, end=len(document))]
        else:
            raise PatchError(f"the path /{'/'.join(path)} does not exist")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        at = len(parent) if path[-1] == "-" else _index(path[-1], end=len(parent) + 1)
        parent.insert(at, value)
    else:
        raise PatchError(f"the path /{'/'.join(path)} does not exist")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    """As the API server's library does it: a field that is not there is added."""
    parent = _get(document, path[:-1]) if path else None
    if isinstance(parent, dict):
        parent[path[-1]] = value
        return document
    return value if not path else _add(_remove(document, path), path, value)


def _remove(document: Any, path: list[str]) -> Any:
    _get(document, path)
    if not path:
        raise PatchError("the whole document cannot be removed")
    parent = _get(document, path[:-1])
    if isinstance(parent, list):
        del parent[int(path[-1])]
    else:
        del parent[path[-1]]
    return document


_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(document: Any, patch: Json, schema: Schema) -> Json:
    """Applies a strategic merge patch.

    Raises:
        PatchError: a directive is unknown or a list item lacks its merge key.
    """
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is an object")
    current: Json = document if isinstance(document, dict) else {}
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise PatchError(f"unrecognized type: {directive}")
    if "$retainKeys" in patch:
        kept = set(patch["$retainKeys"])
        current = {key: value for key, value in current.items() if key in kept}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        child = schema.child(key) or ANYTHING
        if value is None:
            current.pop(key, None)
        elif isinstance(value, dict):
            current[key] = strategic_merge(current.get(key), value, child)
        elif isinstance(value, list):
            current[key] = _merge_list(current.get(key), value, child)
        else:
            current[key] = value
    _apply_list_directives(current, patch, schema)
    return current


def _apply_list_directives(current: Json, patch: Json, schema: Schema) -> None:
    for key, value in patch.items():
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            current[name] = [item for item in current.get(name) or () if item not in value]
    for key, order in patch.items():
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if isinstance(current.get(name), list):
                current[name] = _ordered(current[name], order, (schema.child(name) or ANYTHING).merge_key)


def _merge_list(current: Any, patch: list[Any], schema: Schema) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    existing: list[Any] = current if isinstance(current, list) else []
    if not schema.merges:
        return patch
    if not schema.merge_key:
        return _interleave([item for item in existing if item not in patch], patch, existing)
    return _merge_keyed(existing, patch, schema)


def _merge_keyed(existing: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    key, items = schema.merge_key, schema.items or ANYTHING
    found = {item.get(key): item for item in existing}
    named: list[Any] = []
    merged: list[Any] = []
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise PatchError(f"map: {item} does not contain declared merge key: {key}")
        named.append(item[key])
        if item.get("$patch") != "delete":
            merged.append(strategic_merge(found.get(item[key], {}), item, items))
    return _interleave([item for item in existing if item.get(key) not in named], merged, existing, key)


def _interleave(untouched: list[Any], patched: list[Any], existing: list[Any], key: str = "") -> list[Any]:
    """Both lists as one: the patch's items first, but for those that were there already after others that stay."""
    order = [_identity(item, key) for item in existing]
    result: list[Any] = []
    waiting = iter(patched)
    item = next(waiting, None)
    for other in untouched:
        place = order.index(_identity(other, key))
        while item is not None and not (_identity(item, key) in order and place < order.index(_identity(item, key))):
            result.append(item)
            item = next(waiting, None)
        result.append(other)
    return [*result, *([] if item is None else [item]), *waiting]


def _identity(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, Mapping) else item


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """Items named by the order come in that order; the others keep their place relative to the one before them."""
    wanted = [_identity(item, key) for item in order]
    listed = [item for item in items if _identity(item, key) in wanted]
    queue = iter(sorted(listed, key=lambda item: wanted.index(_identity(item, key))))
    return [next(queue) if _identity(item, key) in wanted else item for item in items]
