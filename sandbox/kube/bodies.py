"""Request bodies: JSON and YAML, read as the API server reads them.

JSON is parsed fast first. Fields that a body has twice are found by a second, slower parse, which is only done
where the client may be told of them (`fieldValidation` Strict or Warn). YAML is read without its implicit
timestamps: the API's times are strings.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from sandbox.kube import errors

_YAML_TYPES = ("application/yaml", "application/apply-patch+yaml")
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


class _Object(dict[str, Any]):
    """An object that remembers which of its fields came more than once."""

    repeated: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = _Object(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        result.repeated = tuple(sorted({name for name in names if names.count(name) > 1}))
    return result


def duplicates(raw: bytes) -> tuple[str, ...]:
    """The paths of the fields that a JSON body has more than once; nothing for other bodies."""
    if not raw.lstrip().startswith(b"{"):
        return ()
    return tuple(_duplicates(json.loads(raw, object_pairs_hook=_pairs), ""))


def _duplicates(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Object):
        for name in value.repeated:
            yield f"{path}.{name}" if path else name
        for name, item in value.items():
            yield from _duplicates(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _duplicates(item, f"{path}[{index}]")
