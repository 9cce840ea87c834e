"""The few writes to Kubernetes objects that the controller makes: finalizers, annotations, status; objects of its own.

Each change is a JSON merge patch that carries only our fields and the resourceVersion that the decision was made on. If
somebody wrote in between, the API server answers Conflict; the object is read and the decision, a pure function, made
again. A patch that would change nothing is not sent.

All return the API server's answer, for `Informer.observe`, or None where nothing was sent: nothing to change, or the
object is gone (or its name taken by another object, which was never meant). All raise ApiError for what remains,
Conflict too when the object kept changing.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import msgspec
import orjson

from controller.api.meta import Object, StatusObject, Struct, Undecodable
from controller.api.resources import Resource
from controller.kube.client import MERGE_PATCH, KubeClient
from controller.kube.decode import Decoder
from controller.kube.errors import Conflict, NotFound

T = TypeVar("T", bound=Object)
S = TypeVar("S", bound=StatusObject)

ATTEMPTS = 5
"""How often a decision is made before a Conflict is passed on: the key's own backoff does the rest."""


async def update_finalizers(
    client: KubeClient,
    resource: Resource[T],
    obj: T,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
) -> bytes | None:
    """Add and remove finalizers, leaving others in their order. Nothing is added to an object that is being deleted."""

    def decide(current: Object) -> dict[str, Any] | None:
        had = current.metadata.finalizers
        wanted = finalizers_after(had, add=() if current.deleting else add, remove=remove)
        return None if wanted == had else {"metadata": {"finalizers": wanted}}

    return await _patch(client, resource, obj, decide)


def finalizers_after(had: Collection[str], *, add: Collection[str], remove: Collection[str]) -> tuple[str, ...]:
    """The finalizers once some are added, at the end, and some removed."""
    kept = tuple(name for name in had if name not in remove)
    return (*kept, *(name for name in add if name not in kept))


async def patch_annotations(
    client: KubeClient, resource: Resource[T], obj: T, annotations: Mapping[str, str | None]
) -> bytes | None:
    """Set these annotations, remove those given as None, leave all others."""

    def decide(current: Object) -> dict[str, Any] | None:
        changed = {name: value for name, value in annotations.items() if current.annotation(name) != value}
        return {"metadata": {"annotations": changed}} if changed else None

    return await _patch(client, resource, obj, decide)


async def patch_status(
    client: KubeClient,
    resource: Resource[S],
    obj: S,
    build: Callable[[bytes], bytes | Mapping[str, Any] | None],
) -> bytes | None:
    """Patch the status subresource with what `build` makes of the current status.

    `build` is pure: it gets the current status as JSON (empty if there is none) and returns the fields to set, as JSON
    or as what encodes to it, or None when nothing changes. It is called again after a conflict. Fields that it does not
    return stay as they are. `conditions` and `route_status` have the usual ones.
    """

    def decide(current: S) -> dict[str, Any] | None:
        status = build(bytes(current.status))
        if status is None:
            return None
        return {"status": orjson.Fragment(status) if isinstance(status, bytes) else dict(status)}

    return await _patch(client, resource, obj, decide, subresource="status")


async def patch_spec(
    client: KubeClient, resource: Resource[T], obj: T, build: Callable[[T], Struct | None]
) -> bytes | None:
    """Patch the spec with what `build` makes of the object: the fields to set, or None when nothing changes.

    `build` is pure, and called again after a conflict.
    """

    def decide(current: T) -> dict[str, Any] | None:
        fields = build(current)
        return None if fields is None else {"spec": msgspec.to_builtins(fields)}

    return await _patch(client, resource, obj, decide)


async def create_object(client: KubeClient, resource: Resource[T], obj: T) -> bytes:
    """Create an object, of which every field that is not the default is sent. Conflict: the name is taken."""
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **msgspec.to_builtins(obj)}
    return await client.request("POST", resource.path(obj.namespace), body=orjson.dumps(body))


async def delete_object(client: KubeClient, resource: Resource[T], obj: T) -> None:
    """Delete this object as it is. Conflict: it has changed since, or is another one. One that is gone is well."""
    meta = obj.metadata
    options = {"preconditions": {"uid": meta.uid, "resourceVersion": meta.resource_version}}
    try:
        await client.request("DELETE", resource.path(obj.namespace, obj.name), body=orjson.dumps(options))
    except NotFound:
        return


async def _patch(
    client: KubeClient,
    resource: Resource[T],
    obj: T,
    decide: Callable[[T], dict[str, Any] | None],
    subresource: str = "",
) -> bytes | None:
    namespace, name, uid = obj.namespace, obj.name, obj.metadata.uid
    path = resource.path(namespace, name, subresource)
    for attempt in range(1, ATTEMPTS + 1):
        fields = decide(obj)
        if fields is None:
            return None
        # The uid too: a deleted and re-created object must never get what was decided for its predecessor.
        precondition = {"resourceVersion": obj.metadata.resource_version} | ({"uid": uid} if uid else {})
        patch = {**fields, "metadata": {**fields.get("metadata", {}), **precondition}}
        try:
            return await client.request("PATCH", path, body=orjson.dumps(patch), content_type=MERGE_PATCH)
        except NotFound:
            return None
        except Conflict:
            if attempt == ATTEMPTS:
                raise
            fresh = await _read(client, resource, namespace, name)
            if fresh is None or fresh.metadata.uid != uid:
                return None
            if isinstance(fresh, Undecodable):
                raise
            obj = fresh
    raise AssertionError("the last attempt returns or raises")


async def _read(client: KubeClient, resource: Resource[T], namespace: str, name: str) -> T | Undecodable | None:
    try:
        answer = await client.request("GET", resource.path(namespace, name))
    except NotFound:
        return None
    return Decoder(resource).object(answer)
