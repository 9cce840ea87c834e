"""Request bodies: JSON and YAML, read as the API server reads them.

JSON is parsed fast first. Fields that a body has twice are found by a second, slower parse, which is only done
where the client may be told of them (`fieldValidation` Strict or Warn), and where there may be any: what is encoded
again as it came has each field once. YAML is read without its implicit
timestamps: the API's times are strings.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from sandbox.kube import errors

_JSON_PATCH = "application/json-patch+json"
_YAML_TYPES = ("application/yaml", "application/apply-patch+yaml")
BODY_TYPES = frozenset({"", "application/json", "application/yaml"})
"""What a body may be said to be that is no patch; where nothing is said it is JSON."""
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc] # PyYAML has the C loader only where libyaml is
    """Resolves what JSON has, and nothing else."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _BASE.yaml_implicit_resolvers.items()
}


def load_yaml(raw: bytes | str) -> list[Any]:
    """The documents of a YAML stream.

    Raises:
        yaml.YAMLError: it is none.
    """
    return list(yaml.load_all(raw, Loader=_Loader))


def parse(raw: bytes, media_type: str) -> Any:
    """The body's value.

    Raises:
        ApiError: 400, the body is not of its type.
    """
    if not raw.strip():
        raise errors.bad_request("the request has an empty body")
    if media_type in _YAML_TYPES and not raw.lstrip().startswith((b"{", b"[")):
        try:
            (document,) = load_yaml(raw)
        except (yaml.YAMLError, ValueError) as wrong:
            raise errors.bad_request(f"error decoding YAML: {wrong}") from wrong
        return document
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as wrong:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {wrong}") from wrong


def parse_patch(raw: bytes, media_type: str) -> Any:
    """A patch's value; a JSON patch is a list of objects, every other an object.

    Raises:
        ApiError: 400.
    """
    if media_type in _YAML_TYPES:
        value = parse(raw, media_type)
    else:
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as wrong:
            raise errors.bad_request(f"error decoding patch: {wrong}") from wrong
    if media_type != _JSON_PATCH:
        fits = isinstance(value, dict)
    else:
        fits = isinstance(value, list) and all(isinstance(operation, dict) for operation in value)
    if not fits:
        raise errors.bad_request(f"error decoding patch: this is none: {errors.show(value)}")
    return value


class _Object(dict[str, Any]):
    """An object that remembers which of its fields came more than once."""

    repeated: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = _Object(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        result.repeated = tuple(sorted({name for name in names if names.count(name) > 1}))
    return result


def duplicates(raw: bytes, media_type: str) -> tuple[str, ...]:
    """What to say of the fields that a body has more than once; nothing for bodies that are neither JSON nor YAML.

    Raises:
        ValueError, yaml.YAMLError: the body is not of its type.
    """
    if raw.lstrip().startswith(b"{"):
        if orjson.dumps(orjson.loads(raw)) == raw:
            return ()
        paths = _duplicates(json.loads(raw, object_pairs_hook=_pairs), "")
        return tuple(f'duplicate field "{path}"' for path in paths)
    if media_type in _YAML_TYPES:
        return tuple(_repeated(yaml.compose(raw, Loader=_Loader)))
    return ()


def _repeated(node: yaml.Node | None) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)


def _duplicates(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Object):
        for name in value.repeated:
            yield f"{path}.{name}" if path else name
        for name, item in value.items():
            yield from _duplicates(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _duplicates(item, f"{path}[{index}]")
