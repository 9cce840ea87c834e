"""What a CustomResourceDefinition has to be before anything is served of it: names, versions, columns, paths, schemas.

What is wrong is said in the API server's words and at its places. Where all versions of a definition say the same, it
takes that as said once for all of them, and names the place so: `spec.validation` for their schema, without versions.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

from sandbox.kube.errors import Json, Problems
from sandbox.kube.jsonpath import compile_path
from sandbox.kube.objects import copy, label_1035_problem, subdomain_problem
from sandbox.kube.schema import Schema, SchemaError, compile_schema, default, prune
from sandbox.kube.structural import check_structural
from sandbox.kube.validation import validate

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE = frozenset({"string", "boolean", "integer"})
_MAX_SELECTABLE = 8
_PROTECTED = (".k8s.io", ".kubernetes.io")
_APPROVAL = "api-approved.kubernetes.io"
_NO_SIMPLE_PATH = "must be a simple json path starting with ."


def check_definition(obj: Json, problems: Problems) -> None:
    """Add to `problems` whatever keeps the definition from being served. It fits the schema of its kind."""
    spec = obj["spec"]
    _check_names(obj, problems)
    _check_approval(obj, problems)
    if spec["conversion"].get("strategy", "None") != "None":
        problems.unsupported("spec.conversion.strategy", spec["conversion"]["strategy"], ("None",))
    if spec.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        problems.invalid("spec.preserveUnknownFields", True, why)
    _check_versions(spec["versions"], problems)
    for path, schema in _said(spec["versions"], "schema", "spec.validation"):
        raw = (schema or {}).get("openAPIV3Schema")
        if raw is not None:
            _check_schema(raw, f"{path}.openAPIV3Schema", problems)
    for path, columns in _said(spec["versions"], "additionalPrinterColumns", "spec.additionalPrinterColumns"):
        for index, column in enumerate(columns or ()):
            _check_column(column, f"{path}[{index}]", problems)
    for path, subresources in _said(spec["versions"], "subresources", "spec.subresources"):
        if (subresources or {}).get("scale") is not None:
            _check_scale(subresources["scale"], f"{path}.scale", problems)
    for path, (fields, schema) in _said_of_fields(spec["versions"]):
        _check_selectable(fields, schema, path, problems)


def _said(versions: list[Json], part: str, once: str) -> Iterator[tuple[str, Any]]:
    """What the versions say of a part and where: `once`, where all say the same."""
    said = [version.get(part) for version in versions]
    if said and all(one == said[0] for one in said):
        yield once, said[0]
    else:
        yield from ((f"spec.versions[{index}].{part}", one) for index, one in enumerate(said))


def _said_of_fields(versions: list[Json]) -> Iterator[tuple[str, tuple[list[Json], Json]]]:
    """The fields that can be selected by, and the schema that has them."""
    for version, (path, fields) in zip(
        versions, _said(versions, "selectableFields", "spec.selectableFields"), strict=False
    ):
        yield path, (fields or [], (version.get("schema") or {}).get("openAPIV3Schema") or {})


def _check_names(obj: Json, problems: Problems) -> None:
    group, names = obj["spec"]["group"], obj["spec"]["names"]
    if obj["metadata"].get("name") != f"{names['plural']}.{group}":
        problems.invalid("metadata.name", obj["metadata"].get("name", ""), 'must be spec.names.plural+"."+spec.group')
    if not group:
        problems.required("spec.group")
    elif wrong := subdomain_problem(group):
        problems.invalid("spec.group", group, wrong)
    elif "." not in group:
        problems.invalid("spec.group", group, "should be a domain with at least one dot")
    for part in ("plural", "singular", "kind", "listKind"):
        name = names.get(part, "")
        if not name:
            problems.required(f"spec.names.{part}")
        elif wrong := label_1035_problem(name.lower() if "ind" in part else name):
            problems.invalid(f"spec.names.{part}", name, wrong)
    for part in ("shortNames", "categories"):
        for index, name in enumerate(names.get(part) or ()):
            if wrong := label_1035_problem(name):
                problems.invalid(f"spec.names.{part}[{index}]", name, wrong)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        problems.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _check_approval(obj: Json, problems: Problems) -> None:
    """Kubernetes' own groups are kept for what its community has approved, or is said not to have."""
    group = obj["spec"]["group"]
    given = (obj["metadata"].get("annotations") or {}).get(_APPROVAL, "")
    if not group.endswith(_PROTECTED) and f".{group}" not in _PROTECTED:
        return
    at = f"metadata.annotations[{_APPROVAL}]"
    if not given:
        why = f'protected groups must have approval annotation "{_APPROVAL}"'
        problems.required(at, f"{why}, see https://github.com/kubernetes/enhancements/pull/1111")
    elif not given.startswith(("unapproved", "https://", "http://")):
        why = "protected groups must have approval annotation with either a URL or a reason starting with"
        problems.invalid(at, given, f'{why} "unapproved"')


def _check_versions(versions: list[Json], problems: Problems) -> None:
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if version["name"] in seen:
            problems.duplicate(f"{path}.name", version["name"])
        seen.add(version["name"])
        if wrong := label_1035_problem(version["name"]):
            problems.invalid(f"{path}.name", version["name"], wrong)
        if version.get("deprecationWarning") and not version.get("deprecated"):
            why = "can only be set for deprecated versions"
            problems.invalid(f"{path}.deprecationWarning", version["deprecationWarning"], why)
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            problems.required(f"{path}.schema.openAPIV3Schema")
    if sum(version["storage"] for version in versions) != 1:
        problems.invalid("spec.versions", versions, "must have exactly one version marked as storage version")


def _check_column(column: Json, path: str, problems: Problems) -> None:
    if not column["name"]:
        problems.required(f"{path}.name")
    if column["type"] not in _COLUMN_TYPES:
        problems.invalid(f"{path}.type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}")
    if column.get("format") and column["format"] not in _COLUMN_FORMATS:
        problems.invalid(f"{path}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}")
    if not column["jsonPath"]:
        problems.required(f"{path}.JSONPath")
    else:
        _check_path(column["jsonPath"], f"{path}.JSONPath", problems)


def _check_path(given: str, path: str, problems: Problems) -> bool:
    if not given.startswith("."):
        problems.invalid(path, given, _NO_SIMPLE_PATH)
        return False
    try:
        compile_path(given)
    except ValueError as wrong:
        problems.invalid(path, given, str(wrong))
        return False
    return True


def _check_scale(scale: Json, path: str, problems: Problems) -> None:
    for part, roots, where in (
        ("specReplicasPath", (".spec.",), "under .spec"),
        ("statusReplicasPath", (".status.",), "under .status"),
        ("labelSelectorPath", (".spec.", ".status."), "under either .spec or .status"),
    ):
        given, at = scale.get(part) or "", f"{path}.{part}"
        if not given:
            if part != "labelSelectorPath":
                problems.required(at)
        elif _check_path(given, at, problems) and not given.startswith(roots):
            problems.invalid(at, given, f"should be a json path {where}")


def _check_selectable(fields: list[Json], schema: Json, path: str, problems: Problems) -> None:
    if len(fields) > _MAX_SELECTABLE:
        problems.too_many(path, len(fields), _MAX_SELECTABLE)
    seen: set[str] = set()
    for index, field in enumerate(fields):
        given, at = field["jsonPath"], f"{path}[{index}].jsonPath"
        if not given:
            problems.required(at)
        elif wrong := _selectable_problem(given, schema):
            problems.invalid(at, given, wrong)
        if given in seen:
            problems.duplicate(at, given)
        seen.add(given)


def _selectable_problem(path: str, schema: Json) -> str | None:
    if "[" in path:
        return "is an invalid path: array notation is not allowed"
    if not path.startswith("."):
        return f"is an invalid path: expected [ or . but got: {path.partition('.')[0]}"
    names = path[1:].split(".")
    found: Any = None if names[0] in {"apiVersion", "kind", "metadata"} else schema
    for name in names:
        found = (found or {}).get("properties", {}).get(name) or (found or {}).get("additionalProperties")
    if not isinstance(found, dict):
        return "is an invalid path: does not refer to a valid field"
    if found.get("type") not in _SELECTABLE:
        return (
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are "
            "allowed."
        )
    return None


def _check_schema(raw: Json, path: str, problems: Problems) -> None:
    try:
        schema = compiled(orjson.dumps(raw), path)
    except SchemaError as wrong:
        problems.invalid(wrong.path, wrong.value, wrong.why)
        return
    before = len(problems.causes)
    check_structural(raw, path, problems)
    if len(problems.causes) > before:
        return
    if "default" in raw:
        for name in ("apiVersion", "kind"):
            if name not in (raw["default"] or {}):
                problems.required(f"{path}.default.{name}")
    _check_defaults(schema, path, problems)


def _check_defaults(schema: Schema, path: str, problems: Problems) -> None:
    """Every default is a value that its schema allows, and knows all of."""
    if schema.has_default:
        value = copy(schema.default)
        if prune(schema, value):
            problems.invalid(f"{path}.default", schema.default, "must not have unknown fields")
        default(schema, value)
        validate(schema, value, f"{path}.default", problems)
    if not schema.has_defaults:
        return
    for name, child in schema.properties.items():
        _check_defaults(child, f"{path}.properties[{name}]", problems)
    if schema.items is not None:
        _check_defaults(schema.items, f"{path}.items", problems)
    if schema.additional is not None:
        _check_defaults(schema.additional, f"{path}.additionalProperties", problems)


@lru_cache(maxsize=64)
def compiled(encoded: bytes, path: str) -> Schema:
    """A schema compiled once for all servers of this process that are given it: tests make thousands of servers.

    Nobody changes a compiled schema. Raises SchemaError, which is not remembered.
    """
    return compile_schema(orjson.loads(encoded), path)
