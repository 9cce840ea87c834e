"""Custom resources: from a CustomResourceDefinition to what the API serves.

A definition is an object like any other; its strategy has it checked (`defining`). `resources_of` turns it into one
`Resource` per served version. All versions share one shape of storage (conversion `None`: only the apiVersion differs).
"""

from collections.abc import Callable, Set
from dataclasses import replace
from datetime import datetime

import orjson

from sandbox.kube import gatewayapi
from sandbox.kube.columns import AGE, NAME
from sandbox.kube.defining import check_definition, compiled
from sandbox.kube.durations import age
from sandbox.kube.errors import Json, Problems
from sandbox.kube.jsonpath import compile_path
from sandbox.kube.objects import timestamp
from sandbox.kube.resource import Column, Environment, Resource, ScalePaths, Strategy
from sandbox.kube.schema import Schema, compile_schema
from sandbox.kube.selectors import FieldGetter
from sandbox.kube.structural import prune_schemas

_NO_CEL = "the sandbox does not evaluate x-kubernetes-validations: objects that break these rules are accepted"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""


class CustomStrategy(Strategy):
    """Custom resources: every change but of metadata and status counts as a generation."""

    generation = True
    unconditional = False


class GatewayStrategy(CustomStrategy):
    """Custom resources of Gateway API, whose definitions carry rules beyond their schemas."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.has_rules = kind in gatewayapi.RULES or kind in gatewayapi.IMMUTABLE

    def check(self, obj: Json, problems: Problems) -> None:
        gatewayapi.check(self._kind, obj, problems)

    def check_again(self, obj: Json, changed: Set[str], problems: Problems) -> None:
        gatewayapi.check(self._kind, {part: obj[part] for part in changed if part in obj}, problems)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        gatewayapi.check_update(self._kind, obj, old, problems)


class DefinitionStrategy(Strategy):
    generation = True
    unconditional = False

    def __init__(self, env: Environment) -> None:
        self._clock = env.clock

    def prune(self, obj: Json) -> list[str]:
        return prune_schemas(obj)

    def prepare_create(self, obj: Json) -> None:
        self.complete(obj)
        obj["status"] = _established(obj, timestamp(self._clock()))

    def prepare_update(self, obj: Json, old: Json) -> None:
        status = dict(old["status"])
        stored = status.get("storedVersions") or []
        current = [version["name"] for version in obj["spec"].get("versions") or () if version.get("storage")]
        status["storedVersions"] = stored + [name for name in current if name not in stored]
        status["acceptedNames"] = obj["spec"].get("names")
        obj["status"] = status

    def complete(self, obj: Json) -> None:
        names = obj["spec"].get("names")
        if isinstance(names, dict) and names.get("kind"):
            names.setdefault("singular", names["kind"].lower())
            names.setdefault("listKind", names["kind"] + "List")

    def check(self, obj: Json, problems: Problems) -> None:
        check_definition(obj, problems)

    def warn(self, obj: Json, warnings: list[str]) -> None:
        if _has_unknown_rules(obj["spec"]):
            warnings.append(_NO_CEL)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind")):
            new_value, old_value = obj["spec"], old["spec"]
            for part in path:
                new_value, old_value = new_value[part], old_value[part]
            if new_value != old_value:
                problems.immutable(f"spec.{'.'.join(path)}", new_value)
        names = {version["name"] for version in obj["spec"]["versions"]}
        for index, name in enumerate(old["status"].get("storedVersions") or ()):
            if name not in names:
                problems.invalid(f"status.storedVersions[{index}]", name, "must appear in spec.versions")


def _has_unknown_rules(spec: Json) -> bool:
    """Whether there are rules in CEL other than those of Gateway API, which are known by heart."""
    schemas = [version["schema"]["openAPIV3Schema"] for version in spec["versions"]]
    return spec["group"] != gatewayapi.GROUP and any(_has_rules(schema) for schema in schemas)


def _has_rules(value: object) -> bool:
    if isinstance(value, dict):
        return "x-kubernetes-validations" in value or any(_has_rules(item) for item in value.values())
    return isinstance(value, list) and any(_has_rules(item) for item in value)


def _established(obj: Json, now: str) -> Json:
    return {
        "conditions": [
            {"type": "NamesAccepted", "status": "True", "lastTransitionTime": now, "reason": "NoConflicts",
             "message": "no conflicts found"},
            {"type": "Established", "status": "True", "lastTransitionTime": now, "reason": "InitialNamesAccepted",
             "message": "the initial names have been accepted"},
        ],
        "acceptedNames": obj["spec"].get("names"),
        "storedVersions": [version["name"] for version in obj["spec"].get("versions") or () if version.get("storage")],
    }  # fmt: skip


def resources_of(definition: Json, metadata: Schema) -> list[Resource]:
    """The resources of a checked definition, one for each served version."""
    spec = definition["spec"]
    names = spec["names"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    return [
        Resource(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            singular=names["singular"],
            kind=names["kind"],
            list_kind=names["listKind"],
            namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            schema=_object_schema(version["schema"]["openAPIV3Schema"], metadata),
            strategy=_strategy(spec, version["schema"]["openAPIV3Schema"]),
            columns=_columns(version.get("additionalPrinterColumns")),
            status=(version.get("subresources") or {}).get("status") is not None,
            scale=_scale((version.get("subresources") or {}).get("scale")),
            custom=True,
            fields={field["jsonPath"].lstrip("."): _selectable(field["jsonPath"])
                    for field in version.get("selectableFields") or ()},
            storage_version=f"{spec['group']}/{stored}",
            deprecation=_deprecation(spec, version),
        )
        for version in spec["versions"]
        if version["served"]
    ]  # fmt: skip


def _scale(paths: Json | None) -> ScalePaths | None:
    if paths is None:
        return None
    parts = [
        tuple(part for part in paths.get(name, "").split(".") if part)
        for name in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    ]
    return ScalePaths(*parts)


def _strategy(spec: Json, schema: Json) -> CustomStrategy:
    """Gateway API's rules stand at places of a schema: a definition whose schema says nothing of `spec` has none."""
    if spec["group"] == gatewayapi.GROUP and "spec" in schema.get("properties", {}):
        return GatewayStrategy(spec["names"]["kind"])
    return CustomStrategy()


def _deprecation(spec: Json, version: Json) -> str:
    if not version.get("deprecated"):
        return ""
    default = f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
    return str(version.get("deprecationWarning") or default)


def _object_schema(raw: Json, metadata: Schema) -> Schema:
    """The definition's schema, with what every object has besides."""
    schema = compiled(orjson.dumps(raw), "openAPIV3Schema")
    text = compile_schema({"type": "string"})
    return replace(schema, properties={**schema.properties, "apiVersion": text, "kind": text, "metadata": metadata})


def _selectable(path: str) -> FieldGetter:
    read = compile_path(path)

    def get(obj: Json) -> str:
        found = read(obj)
        if not found:
            return ""
        return str(found[0]).lower() if isinstance(found[0], bool) else str(found[0])

    return get


def _columns(definitions: list[Json] | None) -> tuple[Column, ...]:
    if not definitions:
        return (NAME, AGE)
    return (
        NAME,
        *(
            Column(
                definition["name"],
                _cell(definition["jsonPath"], definition["type"]),
                type=definition["type"],
                format=definition.get("format", ""),
                description=definition.get("description", ""),
                priority=definition.get("priority", 0),
            )
            for definition in definitions
        ),
    )


def _cell(path: str, type_: str) -> Callable[[Json, datetime], object]:
    """Only the first value that the path finds is shown, as the API server does."""
    read = compile_path(path)

    def value(obj: Json, now: datetime) -> object:
        found = read(obj)
        if not found or found[0] is None:
            return None
        if type_ == "date":
            return age(found[0], now)
        if type_ == "string" and not isinstance(found[0], str):
            return orjson.dumps(found[0]).decode()
        return found[0]

    return value
