"""A definition to install, with a field of each sort, and the schemas that definitions are made of."""

import copy

from tests.contract.kubernetes.servers import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "port": {"x-kubernetes-int-or-string": True},
                "note": {"type": "string", "nullable": True, "maxLength": 5},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "choice": {
                    "type": "object",
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                },
                "limits": {"type": "object", "additionalProperties": {"type": "number"}},
                "since": {"type": "string", "format": "date-time"},
                "address": {"type": "string", "format": "ipv4"},
                "code": {"type": "string", "pattern": "^a+$"},
                "parts": {
                    "type": "array",
                    "maxItems": 2,
                    "items": {
                        "type": "object",
                        "properties": {"weight": {"type": "integer", "default": 1}, "note": {"type": "string"}},
                    },
                },
                "nested": {
                    "type": "object",
                    "properties": {"depth": {"type": "integer", "default": 3}, "note": {"type": "string"}},
                },
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def definition_of(group):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": copy.deepcopy(SCHEMA)},
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": ".spec.colour"}],
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                }
            ],
        },
    }


async def install(cluster, definition):
    assert (await cluster.post(CRDS, definition)).code == 201
    path = f"/apis/{definition['spec']['group']}/v1/things"

    async def served():
        return (await cluster.get(path)).code == 200

    await until(served)


def thing_of(group):
    def make(name="a", **spec):
        return {
            "apiVersion": f"{group}/v1",
            "kind": "Thing",
            "metadata": {"name": name},
            "spec": {"size": 1, **spec},
        }

    return make


TEXT, NUMBER, MAP = {"type": "string"}, {"type": "integer"}, {"type": "object"}


def object_of(**properties):
    return {"type": "object", "properties": properties}


def list_of(items, list_type=None, *keys):
    told = {} if list_type is None else {"x-kubernetes-list-type": list_type}
    told |= {"x-kubernetes-list-map-keys": list(keys)} if keys else {}
    return {"type": "array", "items": items, **told}
