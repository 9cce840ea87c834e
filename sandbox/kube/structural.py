"""Whether the schema of a definition is structural, and can be published and served.

A structural schema says the type of every field in one skeleton of properties, items and additionalProperties; what it
combines by allOf, anyOf, oneOf and not may restrict values further and say nothing of their shape (Kubernetes
documentation, "Specifying a structural schema"). Lists say how their items are told apart. A schema that breaks one of
these rules is refused when its definition comes, with the API server's words, so that nothing that is served later
meets a schema that makes no sense.
"""

from typing import Any

from sandbox.kube.errors import Json, Problems

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_SCALARS = frozenset({"boolean", "integer", "number", "string"})
_COMBINED = ("allOf", "anyOf", "oneOf")
_UNSUPPORTED = ("$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties")
_SHAPING = {
    "additionalProperties": "undefined",
    "default": "undefined",
    "description": "empty",
    "nullable": "false",
    "title": "empty",
    "type": "empty",
    "x-kubernetes-embedded-resource": "false",
    "x-kubernetes-int-or-string": "false",
    "x-kubernetes-list-map-keys": "empty",
    "x-kubernetes-list-type": "undefined",
    "x-kubernetes-map-type": "undefined",
    "x-kubernetes-preserve-unknown-fields": "false",
    "x-kubernetes-validations": "empty",
}
"""Keywords that only the skeleton may have, and what they have to be elsewhere."""
_KEYWORDS = frozenset(
    {
        *_UNSUPPORTED, *_SHAPING, *_COMBINED, "$schema", "enum", "example", "exclusiveMaximum", "exclusiveMinimum",
        "externalDocs", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength",
        "minProperties", "minimum", "multipleOf", "not", "pattern", "properties", "required", "uniqueItems",
    }
)  # fmt: skip
_INTEGER_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def check_structural(raw: Json, path: str, problems: Problems) -> None:
    """Add to `problems` what keeps the schema at the path from being structural."""
    kind = raw.get("type", "")
    if not kind:
        problems.required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        problems.invalid(f"{path}.type", kind, "must be object at the root")
    if raw.get("additionalProperties"):
        problems.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if raw.get("nullable"):
        problems.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    properties = raw.get("properties") or {}
    _check_common(properties, path, problems)
    _check(raw, path, problems)


def _check_common(properties: Json, path: str, problems: Problems) -> None:
    """What a definition may say of the fields that every object has."""
    for name, kind in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
        given = properties.get(name, {}).get("type", kind)
        if given != kind:
            problems.invalid(f"{path}.properties[{name}].type", given, f"must be {kind}")
    metadata = properties.get("metadata") or {}
    named = (metadata.get("properties") or {}).keys()
    if metadata.keys() - {"type", "description", "properties"} or named - {"name", "generateName"}:
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        problems.forbidden(f"{path}.properties[metadata]", why)


def _check(raw: Json, path: str, problems: Problems) -> None:
    _check_keywords(raw, path, problems)
    _check_shape(raw, path, problems)
    _check_list(raw, path, problems)
    _check_values(raw, path, problems)
    for at, child in _below(raw, path):
        _check_type(child, at, problems)
        _check(child, at, problems)


def _below(raw: Json, path: str) -> list[tuple[str, Json]]:
    """The next nodes of the skeleton."""
    found = [(f"{path}.properties[{name}]", child) for name, child in (raw.get("properties") or {}).items()]
    found += [(f"{path}.{part}", raw[part]) for part in ("items", "additionalProperties") if part in raw]
    return [(at, child) for at, child in found if isinstance(child, dict)]


def _check_type(raw: Json, path: str, problems: Problems) -> None:
    kind = raw.get("type", "")
    markers = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string", "$ref"
    if kind and kind not in _TYPES:
        problems.unsupported(f"{path}.type", kind, _TYPES)
    elif not kind and not any(raw.get(marker) for marker in markers):
        where = "array items" if path.endswith(".items") else "object fields"
        problems.required(f"{path}.type", f"must not be empty for specified {where}")


def _check_keywords(raw: Json, path: str, problems: Problems) -> None:
    for keyword in _UNSUPPORTED:
        if keyword in raw:
            problems.forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    if "$schema" in raw:
        problems.invalid(path, "", "OpenAPIV3Schema 'schema' is not supported")
    if raw.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        problems.forbidden(f"{path}.uniqueItems", why)
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        problems.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")


def _check_shape(raw: Json, path: str, problems: Problems) -> None:
    kind, properties = raw.get("type", ""), raw.get("properties")
    if kind == "array" and "items" not in raw:
        problems.required(f"{path}.items", "must be specified")
    if properties and isinstance(raw.get("additionalProperties"), dict):
        why = "additionalProperties and properties are mutual exclusive"
        problems.forbidden(f"{path}.additionalProperties", why)
    if raw.get("x-kubernetes-embedded-resource"):
        if kind != "object":
            problems.invalid(f"{path}.type", kind, "must be object if x-kubernetes-embedded-resource is true")
        if not properties and not raw.get("x-kubernetes-preserve-unknown-fields"):
            why = "must not be empty if x-kubernetes-embedded-resource is true without "
            problems.required(f"{path}.properties", f"{why}x-kubernetes-preserve-unknown-fields")
    map_type = raw.get("x-kubernetes-map-type")
    if map_type is not None:
        if kind != "object":
            problems.invalid(f"{path}.type", kind, "must be object if x-kubernetes-map-type is specified")
        if map_type not in {"atomic", "granular"}:
            problems.unsupported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))


def _check_list(raw: Json, path: str, problems: Problems) -> None:
    """How the items of a list are told apart."""
    list_type, keys = raw.get("x-kubernetes-list-type"), raw.get("x-kubernetes-list-map-keys") or []
    at = f"{path}.x-kubernetes-list-type"
    if list_type is not None and raw.get("type") != "array":
        problems.invalid(f"{path}.type", raw.get("type", ""), "must be array if x-kubernetes-list-type is specified")
    if list_type not in {None, "atomic", "set", "map"}:
        problems.unsupported(at, list_type, ("atomic", "set", "map"))
    if keys and list_type is None:
        problems.required(at, "must be map if x-kubernetes-list-map-keys is non-empty")
    elif keys and list_type != "map":
        problems.invalid(at, list_type, "must be map if x-kubernetes-list-map-keys is non-empty")
    items = raw.get("items")
    if list_type == "set" and isinstance(items, dict):
        _check_set_items(items, f"{path}.items", problems)
    if list_type == "map":
        if not keys:
            why = "must not be empty if x-kubernetes-list-type is map"
            problems.required(f"{path}.x-kubernetes-list-map-keys", why)
        if not isinstance(items, dict):
            problems.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        elif keys:
            _check_map_items(items, keys, path, problems)


def _check_set_items(items: Json, path: str, problems: Problems) -> None:
    if items.get("nullable"):
        problems.forbidden(f"{path}.nullable", "cannot be nullable when x-kubernetes-list-type is set")
    for kind, keyword in (("object", "x-kubernetes-map-type"), ("array", "x-kubernetes-list-type")):
        given = items.get(keyword)
        wrong = given != "atomic" if kind == "object" else given not in {None, "atomic"}
        if items.get("type") == kind and wrong:
            at = f"{path}.{keyword}"
            why = "must be atomic as item of a list with x-kubernetes-list-type=set"
            if given is None:
                problems.null_invalid(at, why)
            else:
                problems.invalid(at, given, why)


def _check_map_items(items: Json, keys: list[Any], path: str, problems: Problems) -> None:
    if items.get("type") != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        problems.invalid(f"{path}.items.type", items.get("type", ""), why)
        return
    properties, at = items.get("properties") or {}, f"{path}.x-kubernetes-list-map-keys"
    if len(set(keys)) != len(keys):
        problems.invalid(at, keys, "must not contain duplicate entries")
    if not set(keys) <= properties.keys():
        problems.invalid(at, keys, "entries must all be names of item properties")
    for key in dict.fromkeys(key for key in keys if key in properties):
        _check_key(properties[key], f"{path}.items.properties[{key}]", problems)
        if "default" not in properties[key] and key not in (items.get("required") or ()):
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            problems.required(f"{path}.items.properties[{key}].default", why)


def _check_key(raw: Json, path: str, problems: Problems) -> None:
    if raw.get("nullable"):
        why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
        problems.forbidden(f"{path}.nullable", why)
    if raw.get("type") not in _SCALARS and not raw.get("x-kubernetes-int-or-string"):
        why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
        problems.invalid(f"{path}.type", raw.get("type", ""), why)


def _check_values(raw: Json, path: str, problems: Problems) -> None:
    """What is combined says nothing of the shape."""
    either = bool(raw.get("x-kubernetes-int-or-string"))
    for keyword in _COMBINED:
        if either and keyword == "anyOf" and raw.get("anyOf") == _INTEGER_OR_STRING:
            continue
        for index, child in enumerate(raw.get(keyword) or ()):
            at = f"{path}.{keyword}[{index}]"
            first = either and keyword == "allOf" and index == 0 and child.get("anyOf") == _INTEGER_OR_STRING
            _check_value({name: part for name, part in child.items() if not first or name != "anyOf"}, at, problems)
    if "not" in raw:
        _check_value(raw["not"], f"{path}.not", problems)


def _check_value(raw: Json, path: str, problems: Problems) -> None:
    for keyword, wanted in _SHAPING.items():
        if raw.get(keyword) or (keyword == "default" and keyword in raw):
            problems.forbidden(f"{path}.{keyword}", f"must be {wanted} to be structural")
    for keyword in _COMBINED:
        for index, child in enumerate(raw.get(keyword) or ()):
            _check_value(child, f"{path}.{keyword}[{index}]", problems)
    if "not" in raw:
        _check_value(raw["not"], f"{path}.not", problems)
    for at, child in _below({part: raw[part] for part in ("properties", "items") if part in raw}, path):
        _check_value(child, at, problems)


def prune_schemas(definition: Json) -> list[str]:
    """Drops the keywords that no schema has from the schemas of a definition, and tells their paths; but not those of
    items and additionalProperties, which the API server drops in silence.
    """
    dropped: list[str] = []
    spec = definition.get("spec")
    versions = spec.get("versions") if isinstance(spec, dict) else None
    for index, version in enumerate(versions if isinstance(versions, list) else ()):
        schema = version.get("schema") if isinstance(version, dict) else None
        if isinstance(schema, dict):
            _prune(schema.get("openAPIV3Schema"), f"spec.versions[{index}].schema.openAPIV3Schema", dropped)
    return dropped


def _prune(raw: Any, path: str, dropped: list[str]) -> None:
    if not isinstance(raw, dict):
        return
    for name in [name for name in raw if name not in _KEYWORDS]:
        dropped.append(f"{path}.{name}")
        del raw[name]
    for part in ("items", "additionalProperties"):
        _prune(raw.get(part), f"{path}.{part}", [])
    _prune(raw.get("not"), f"{path}.not", dropped)
    properties = raw.get("properties")
    for name, child in properties.items() if isinstance(properties, dict) else ():
        _prune(child, f"{path}.properties.{name}", dropped)
    for part in _COMBINED:
        children = raw.get(part)
        for index, child in enumerate(children if isinstance(children, list) else ()):
            _prune(child, f"{path}.{part}[{index}]", dropped)
