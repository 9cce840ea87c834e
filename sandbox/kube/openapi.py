"""The OpenAPI v3 documents: what `kubectl apply` and `kubectl explain` know of a kind.

There is one document a group and version, listed at `/openapi/v3`. kubectl reads from it that the server validates
fields (the `fieldValidation` parameter of a kind's patch), how lists merge (the extensions in the schemas), and the
fields that it explains.

For `kind: List`, of which no server has a schema, kubectl asks for the older document at `/openapi/v2`, and gives up
where there is none. It is served without definitions, in protobuf (`openapi.v2.Document` of gnostic), the only form in
which kubectl asks: what kubectl finds no definition of, it leaves to the server to validate.
"""

from typing import Any

from sandbox.kube.errors import Json
from sandbox.kube.resource import Registry, Resource

_WRITE_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


ASKED_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
SERVED_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What clients ask for is no valid media type; API servers answer with one that is."""


def swagger() -> bytes:
    """`/openapi/v2`: swagger = 1, info = 2 with title = 1 and version = 2."""
    info = _text(1, "Kubernetes") + _text(2, "v1.32.0")
    return _text(1, "2.0") + bytes([2 << 3 | 2, len(info)]) + info


def _text(number: int, value: str) -> bytes:
    """A short string field of a protobuf message."""
    return bytes([number << 3 | 2, len(value)]) + value.encode()


def index(registry: Registry) -> Json:
    """`/openapi/v3`. The hash changes with the register, so that clients may keep documents."""
    versions = sorted({(resource.group, resource.version) for resource in registry})
    return {
        "paths": {
            _path(*version): {"serverRelativeURL": f"/openapi/v3/{_path(*version)}?hash={registry.generation}"}
            for version in versions
        }
    }


def document(registry: Registry, group: str, version: str) -> Json | None:
    """The document of a group and version, or None where there is none."""
    resources = [r for r in registry if (r.group, r.version) == (group, version)]
    if not resources:
        return None
    paths: Json = {}
    schemas: Json = {}
    for resource in resources:
        name = _schema_name(resource)
        schemas[name] = _schema(resource)
        base = f"/{_path(group, version)}/"
        collection = (
            f"{base}namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else base + resource.plural
        )
        paths[collection] = {
            method: _operation(resource, name, action) for method, action in (("get", "list"), ("post", "post"))
        }
        paths[f"{collection}/{{name}}"] = {
            method: _operation(resource, name, method) for method in ("get", "put", "patch", "delete")
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schema_name(resource: Resource) -> str:
    domain = ".".join(reversed((resource.group or "core.api.k8s.io").split(".")))
    return f"{domain}.{resource.version}.{resource.kind}"


def _kind(resource: Resource) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _operation(resource: Resource, schema: str, action: str) -> Json:
    reference = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    operation: Json = {
        "operationId": f"{action}{resource.group}{resource.version}{resource.kind}",
        "responses": {"200": {"description": "OK", "content": reference}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
    }
    if action in {"post", "put", "patch"}:
        operation["parameters"] = _WRITE_PARAMETERS
        operation["requestBody"] = {"content": reference}
    return operation


def _schema(resource: Resource) -> Json:
    raw: Json = dict(resource.schema.raw)
    properties = dict(raw.get("properties") or {})
    for name in ("apiVersion", "kind", "metadata"):
        properties[name] = resource.schema_of(name).raw
    return {
        **_publishable(raw),
        "properties": {name: _publishable(value) for name, value in properties.items()},
        "x-kubernetes-group-version-kind": [_kind(resource)],
    }


def _publishable(raw: Any) -> Any:
    """Without what OpenAPI v3 clients of the API do not expect: `nullable` stays, CEL rules go."""
    if isinstance(raw, list):
        return [_publishable(item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    result = {key: _publishable(value) for key, value in raw.items() if key != "x-kubernetes-validations"}
    if result.get("x-kubernetes-int-or-string") is True and "oneOf" not in result and "anyOf" not in result:
        result["oneOf"] = [{"type": "integer"}, {"type": "string"}]
    return result
