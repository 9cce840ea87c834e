"""Events on objects, as `kubectl describe` shows them, and few of them.

`record` may be called on every attempt of every reconcile: it is synchronous, never raises and costs no I/O. The same
thing told again about the same object becomes one Event with a growing count; what an object may tell in a short time
is limited; the queue is bounded and drops its oldest. A single task writes.

Source: core/v1 Event; the limits follow client-go's `record.EventCorrelator`.
"""

from typing import Literal, NamedTuple, Self

from controller.api.meta import Object
from controller.api.resources import Resource
from controller.kube.client import KubeClient


class ObjectRef(NamedTuple):
    """The object that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str = ""

    @classmethod
    def of(cls, resource: Resource[object], obj: Object) -> Self:  # type: ignore[type-var]
        raise NotImplementedError


class EventRecorder:
    """Records Events in the name of `component`; `instance` is this replica's identity (the pod's name)."""

    def __init__(self, client: KubeClient, component: str, *, instance: str = "") -> None:
        raise NotImplementedError

    @property
    def dropped(self) -> int:
        """How many Events were given up: queue full, or the API server would not take them."""
        raise NotImplementedError

    def record(self, ref: ObjectRef, type: Literal["Normal", "Warning"], reason: str, message: str) -> None:  # noqa: A002
        """Tell something about an object. `reason` is a short CamelCase word, `message` a sentence for people."""
        raise NotImplementedError

    async def run(self) -> None:
        """Write what is recorded until cancelled; then try for a moment to write the rest."""
        raise NotImplementedError
