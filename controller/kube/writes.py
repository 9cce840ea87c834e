"""The few writes to Kubernetes objects that the controller makes: finalizers, annotations, status.

Each is a JSON merge patch that carries only our fields and the resourceVersion that the decision was made on. If
somebody wrote in between, the API server answers Conflict; the object is read and the decision, a pure function, made
again. A patch that would change nothing is not sent.

All return the API server's answer, for `Informer.observe`, or None where nothing was sent: nothing to change, or the
object is gone (or its name taken by another object, which was never meant). All raise ApiError for what remains,
Conflict too when the object kept changing.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from controller.api.meta import Object, StatusObject
from controller.api.resources import Resource
from controller.kube.client import KubeClient

T = TypeVar("T", bound=Object)
S = TypeVar("S", bound=StatusObject)


async def update_finalizers(
    client: KubeClient,
    resource: Resource[T],
    obj: T,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
) -> bytes | None:
    """Add and remove finalizers, leaving others in their order. Nothing is added to an object that is being deleted."""
    raise NotImplementedError


async def patch_annotations(
    client: KubeClient, resource: Resource[T], obj: T, annotations: Mapping[str, str | None]
) -> bytes | None:
    """Set these annotations, remove those given as None, leave all others."""
    raise NotImplementedError


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
    raise NotImplementedError
