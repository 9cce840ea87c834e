"""external-dns's kind, as far as its objects are made here: a definition written for these tests.

Fields and their types are those that external-dns documents ("CRD Source"); descriptions are left out.
"""

from typing import Any

NAME = "dnsendpoints.externaldns.k8s.io"

_TEXT = {"type": "string"}
_ENDPOINT = {
    "type": "object",
    "properties": {
        "dnsName": _TEXT,
        "labels": {"type": "object", "additionalProperties": _TEXT},
        "providerSpecific": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": _TEXT, "value": _TEXT}},
        },
        "recordTTL": {"type": "integer", "format": "int64"},
        "recordType": _TEXT,
        "setIdentifier": _TEXT,
        "targets": {"type": "array", "items": _TEXT},
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "metadata": {"type": "object"},
        "spec": {"type": "object", "properties": {"endpoints": {"type": "array", "items": _ENDPOINT}}},
        "status": {"type": "object", "properties": {"observedGeneration": {"type": "integer", "format": "int64"}}},
    },
}

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": NAME,
        # The API server asks for a word on this of everyone who defines a kind under k8s.io.
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/external-dns/pull/2007"},
    },
    "spec": {
        "group": "externaldns.k8s.io",
        "scope": "Namespaced",
        "names": {
            "kind": "DNSEndpoint",
            "listKind": "DNSEndpointList",
            "plural": "dnsendpoints",
            "singular": "dnsendpoint",
        },
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": _SCHEMA},
                "subresources": {"status": {}},
            }
        ],
    },
}
