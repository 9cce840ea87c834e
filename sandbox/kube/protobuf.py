"""Bodies in Kubernetes' protobuf form, as kubectl's generators (`create deployment`, `auth can-i`…) send them.

The answer is JSON, which such clients accept too. `protobuf.yaml` has the numbers of fields, `schemas/` their types.
What is not in both cannot be read: the request is refused, never half understood. Go's encoder writes plain fields even
if they are zero; in JSON those are left out, as Go's JSON encoder does.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from sandbox.kube.bodies import load_yaml
from sandbox.kube.errors import Json
from sandbox.kube.objects import timestamp
from sandbox.kube.types import TypeCatalog

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_SIGN = 1 << 63


class UnreadableError(ValueError):
    """A message that is malformed or has something that is not described."""


def decode(raw: bytes) -> Json:
    """The object of a body.

    Raises:
        UnreadableError: malformed, or of a type or with a field that is not described.
    """
    if not raw.startswith(_MAGIC):
        raise UnreadableError("the body does not start as Kubernetes' protobuf does")
    try:
        return _decode(raw)
    except (UnicodeDecodeError, OverflowError, OSError) as wrong:
        raise UnreadableError(str(wrong)) from wrong


def _decode(raw: bytes) -> Json:
    envelope = dict(_fields(raw[len(_MAGIC) :]))
    types = dict(_fields(_bytes(envelope.get(1, b""))))
    api_version, kind = (_bytes(types.get(number, b"")).decode() for number in (1, 2))
    obj = _message(kind, _bytes(envelope.get(2, b"")))
    return {"apiVersion": api_version, "kind": kind, **obj}


@cache
def _numbers() -> Mapping[str, Mapping[int, tuple[str, str, bool]]]:
    """For each type, by number: the field's name, its type, and whether it is kept if zero."""
    (document,) = load_yaml(files("sandbox.kube").joinpath("protobuf.yaml").read_bytes())
    catalog = TypeCatalog.load()
    result: dict[str, dict[int, tuple[str, str, bool]]] = {}
    for name, fields in document.items():
        notation = catalog.notation(name)
        numbered = {1: ("metadata", "ObjectMeta", False)} if "$kind" in notation else {}
        for field, number in fields.items():
            type_ = notation[field].split(" ")[0].rstrip("!")
            numbered[int(str(number).rstrip("*"))] = (field, type_, str(number).endswith("*"))
        result[name] = numbered
    return result


def _message(name: str, raw: bytes) -> Json:
    described = _numbers().get(name)
    if described is None:
        raise UnreadableError(f"the type {name} is not described")
    result: Json = {}
    for number, value in _fields(raw):
        if number not in described:
            raise UnreadableError(f"the field {number} of {name} is not described")
        field, type_, kept = described[number]
        if type_.startswith("["):
            result.setdefault(field, []).append(_value(type_[1:-1], value))
        elif type_.startswith("{"):
            entry = dict(_fields(_bytes(value)))
            key = _bytes(entry.get(1, b"")).decode()
            result.setdefault(field, {})[key] = _value(type_[1:-1], entry.get(2, b""))
        else:
            read = _value(type_, value)
            if kept or read not in ("", 0, False, None, {}):
                result[field] = read
    return result


def _value(type_: str, value: int | bytes) -> Any:
    match type_:
        case "string":
            return _bytes(value).decode()
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "bool":
            return bool(_integer(value))
        case "int32" | "int64":
            return _integer(value)
        case "time":
            seconds = dict(_fields(_bytes(value))).get(1)
            return None if seconds is None else timestamp(datetime.fromtimestamp(_integer(seconds), UTC))
        case "quantity":
            return _bytes(dict(_fields(_bytes(value))).get(1, b"")).decode()
        case "int-or-string":
            parts = dict(_fields(_bytes(value)))
            is_text = _integer(parts.get(1, 0)) == 1
            return _bytes(parts.get(3, b"")).decode() if is_text else _integer(parts.get(2, 0))
        case _:
            return _message(type_, _bytes(value))


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise UnreadableError("a number where a length was expected")
    return value


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise UnreadableError("a length where a number was expected")
    return value - 2 * _SIGN if value >= _SIGN else value


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message as numbers and values, undecoded (Protocol Buffers documentation, "Encoding")."""
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        value, position = _varint(raw, position)
        match tag & 7:
            case 0:
                yield tag >> 3, value
            case 2:
                if position + value > len(raw):
                    raise UnreadableError("a field is longer than its message")
                yield tag >> 3, raw[position : position + value]
                position += value
            case _:
                raise UnreadableError("a wire type that the API does not use")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(raw) and shift < 64:
        byte = raw[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise UnreadableError("a number that does not end")
