"""Objects with one part spoilt: each is stored or refused with a Status, and no write ends in an accident."""

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kube import ApiError, KubeServer
from sandbox.kube.deletion import DeleteOptions
from sandbox.kube.writing import WriteOptions

CONTAINER = {
    "name": "c",
    "image": "i",
    "ports": [{"containerPort": 1, "name": "p"}],
    "resources": {"limits": {"cpu": "1"}},
}
SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a$"}}}},
}
VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
OBJECTS = [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "labels": {"a": "b"}},
        "spec": {
            "type": "NodePort",
            "selector": {"a": "b"},
            "ports": [{"name": "x", "port": 80, "targetPort": "http"}],
        },
    },
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [CONTAINER], "volumes": []}},
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
        },
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "a"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"port": 80}],
    },
    {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}, "involvedObject": {"namespace": "default"}},
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "a", "finalizers": ["a/b"]},
        "spec": {"parentRefs": [{"name": "g"}], "rules": [{"matches": [{"path": {"value": "/x"}}]}]},
    },
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [VERSION],
        },
    },
]
SPOILT = st.sampled_from(
    [None, 0, -1, 1.5, "", "x", True, [], {}, [{}], [None], {"a": None}, "10.0.0.300", [[]], ["a"], {"": 1}]
)


def places(value, path=()):
    """Where the parts of an object are; its apiVersion and kind are left alone."""
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if path or key not in {"apiVersion", "kind"}:
            yield from places(part, (*path, key))


@st.composite
def spoilt_objects(draw):
    obj = copy.deepcopy(draw(st.sampled_from(OBJECTS)))
    path = draw(st.sampled_from(list(places(obj))))
    parent = obj
    for key in path[:-1]:
        parent = parent[key]
    if draw(st.booleans()):
        parent[path[-1]] = copy.deepcopy(draw(SPOILT))
    else:
        del parent[path[-1]]
    return obj


@pytest.fixture(scope="module")
def api():
    return KubeServer(seed=1).api


@given(obj=spoilt_objects())
def test_every_write_of_a_spoilt_object_is_done_or_refused(api, obj):
    resource = api.registry.by_kind(obj["apiVersion"], obj["kind"])
    key = ("default" if resource.namespaced else "", "a" if resource.namespaced else "things.example.com")
    writes = [
        lambda body: api.writer.create(resource, key[0], body, WriteOptions()),
        lambda body: api.replace(resource, key, body, WriteOptions(), ""),
        lambda body: api.apply_patch(resource, key, body, WriteOptions(), "", force=True),
        lambda body: api.patch(resource, key, "application/merge-patch+json", body, WriteOptions(), "status"),
        lambda _: api.deleter.delete(resource, key, DeleteOptions()),
    ]
    for write in writes:
        with contextlib.suppress(ApiError):
            write(copy.deepcopy(obj))
