"""The schemas of built-in kinds, written in a short notation and expanded to structural schemas.

`schemas/*.yaml` describe each type as a mapping from field to an expression, for instance

    ports: "[ServicePort] merge=port map=port,protocol"

which is a list of `ServicePort`, merged by `port` in a strategic merge patch and by port and protocol in a
server-side apply. An expression is a type and then modifiers:

- types: `string`, `int32`, `int64`, `bool`, `time`, `microtime`, `int-or-string`, `quantity`, `bytes`, `any`; the name
  of another type; `[T]` a list and `{T}` a map of them. A `!` after it: the field is required.
- modifiers: `merge=key` or `merge` (strategic merge patch), `retainKeys`, `map=a,b`, `set`, `atomic` (server-side
  apply), `enum=A|B`, `default=value` (JSON).

A type that is a mapping with the key `$kind` is the object of a whole kind: it gets apiVersion, kind and metadata.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson

from sandbox.kube.bodies import load_yaml
from sandbox.kube.errors import Json

_PRIMITIVES: dict[str, Json] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time", "nullable": True},
    "microtime": {"type": "string", "format": "micro-time", "nullable": True},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "int-or-string": {"x-kubernetes-int-or-string": True},
    "quantity": {"x-kubernetes-int-or-string": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "object": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


class TypeCatalog:
    """Types by name, from notation to OpenAPI; a type is expanded once and shared where it is used."""

    def __init__(self, notation: Mapping[str, Mapping[str, str]]) -> None:
        self._notation = notation
        self._expanded: dict[str, Json] = {}

    @classmethod
    @cache
    def load(cls) -> "TypeCatalog":
        """All types of this package; they are read once."""
        notation: dict[str, Mapping[str, str]] = {}
        for resource in sorted(files("sandbox.kube").joinpath("schemas").iterdir(), key=lambda entry: entry.name):
            if resource.name.endswith(".yaml"):
                notation.update(*load_yaml(resource.read_bytes()))
        return cls(notation)

    def notation(self, name: str) -> Mapping[str, str]:
        """The fields of a type, as they are written.

        Raises:
            KeyError: no such type.
        """
        return self._notation[name]

    def schema(self, name: str) -> Json:
        """The OpenAPI schema of a type.

        Raises:
            KeyError: no such type.
        """
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        done = self._expanded.get(name)
        if done is None:
            done = self._expanded[name] = self._expand(name, self._notation[name])
        return done

    def _expand(self, name: str, fields: Mapping[str, str]) -> Json:
        fields = dict(fields)
        kind = fields.pop("$kind", None)
        result: Json = {"type": "object"}
        if fields.pop("$atomic", None) is not None:
            result["x-kubernetes-map-type"] = "atomic"
        properties: Json = {}
        if kind is not None:
            properties["apiVersion"] = _PRIMITIVES["string"]
            properties["kind"] = _PRIMITIVES["string"]
            properties["metadata"] = self.schema("ObjectMeta")
        required: list[str] = []
        for field, expression in fields.items():
            try:
                properties[field], needed = self._field(expression)
            except KeyError as missing:
                raise KeyError(f"{name}.{field}: no type {missing}") from missing
            if needed:
                required.append(field)
        result["properties"] = properties
        if required:
            result["required"] = required
        return result

    def _field(self, expression: str) -> tuple[Json, bool]:
        base, *modifiers = expression.split(" ")
        needed = base.endswith("!")
        result = self._base(base.rstrip("!"))
        if modifiers:
            result = dict(result)
        for modifier in modifiers:
            _modify(result, *modifier.partition("=")[::2])
        return result, needed

    def _base(self, base: str) -> Json:
        if base.startswith("["):
            return {"type": "array", "items": self._base(base[1:-1])}
        if base.startswith("{"):
            return {"type": "object", "additionalProperties": self._base(base[1:-1])}
        return self.schema(base)


def _modify(schema: Json, name: str, value: str) -> None:
    match name:
        case "merge":
            schema["x-kubernetes-patch-strategy"] = "merge"
            if value:
                schema["x-kubernetes-patch-merge-key"] = value
        case "mergeRetainKeys":
            schema["x-kubernetes-patch-strategy"] = "merge,retainKeys"
            schema["x-kubernetes-patch-merge-key"] = value
        case "retainKeys":
            schema["x-kubernetes-patch-strategy"] = "retainKeys"
        case "map":
            schema["x-kubernetes-list-type"] = "map"
            schema["x-kubernetes-list-map-keys"] = value.split(",")
        case "set":
            schema["x-kubernetes-list-type"] = "set"
        case "atomic":
            schema["x-kubernetes-list-type" if schema.get("type") == "array" else "x-kubernetes-map-type"] = "atomic"
        case "enum":
            schema["enum"] = sorted(value.split("|"))
        case "default":
            schema["default"] = orjson.loads(value)
        case _:
            raise KeyError(name)
