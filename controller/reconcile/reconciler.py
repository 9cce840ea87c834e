"""From a key to the module that reconciles it, and from what that raises to when the key is tried again.

| raised          | what follows                                                                              |
|-----------------|-------------------------------------------------------------------------------------------|
| `UnknownError`  | the key rests until the kind that was in doubt is known, or its objects change            |
| `TakenError`    | another key's pass uses what this one wants: the key is added when that pass has ended     |
| `FencedError`   | nothing more was sent: tried again soon, in case we still lead; else nobody hands keys out |
| `TerminalError` | it was reported; tried once more after some minutes, at once when the object changes      |
| `RetryError`    | tried again when AWS says so, else with growing delays; 429 of the API server likewise    |
| `SuspectError`  | even what was read anew did not hold: tried again with growing delays                     |
| `ApiError`      | the Kubernetes API's: tried again with growing delays                                     |
| anything else   | logged, tried again with growing delays                                                   |
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from controller import logs
from controller.api import resources
from controller.api.keys import CertificateKey, Key, ObjectKey, RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Undecodable
from controller.api.resources import Resource
from controller.gateway.view import UnknownError
from controller.kube.errors import ApiError, TooManyRequests
from controller.lattice.errors import FencedError, LatticeError, RetryError, TerminalError
from controller.lattice.inventory import TakenError
from controller.reconcile import imports, route, service, target_group
from controller.reconcile.environment import Environment
from controller.reconcile.gateway import GatewayReconciler
from controller.reconcile.gateway_class import GatewayClassReconciler
from controller.reconcile.pass_on import SLOWLY
from workqueue import Result

log = logging.getLogger("controller.reconcile")


Outcome = Literal["success", "requeue", "requeue_after", "error"]


class ReconcileObserver(Protocol):
    """Where reconciles are counted, by controller and outcome, with their durations in seconds."""

    def reconciled(self, controller: str, result: Outcome, seconds: float) -> None: ...


def controller_of(key: Key) -> str:
    """The `controller` label of metrics, in controller-runtime's way: the kind in lower case."""
    match key:
        case ObjectKey():
            return key.kind.lower()
        case ServiceKey():
            return "service"
        case TargetGroupKey():
            return "targetgroup"
        case CertificateKey():
            return "certificate"


_WRITTEN: tuple[Resource[Any], ...] = (resources.GATEWAY_CLASSES, resources.GATEWAYS, *resources.ROUTES.values())
_OBJECTS: Mapping[str, Resource[Any]] = {resource.kind: resource for resource in _WRITTEN}

FENCED = 2.0
"""Seconds after which a key that the fence kept from writing is tried again: a late renewal opens it again."""


class Reconciler:
    """`reconcile` is what the worker pool calls with each key."""

    def __init__(
        self, env: Environment, observer: ReconcileObserver, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._env = env
        self._observer = observer
        self._monotonic = monotonic
        self._classes = GatewayClassReconciler(monotonic)
        self._gateways = GatewayReconciler(monotonic)
        self._in_doubt: dict[Key, str] = {}
        """Keys that rest, each with the kind that is in doubt."""

    async def reconcile(self, key: Key) -> Result | None:
        """One pass for a key. Raises what is to be tried again with growing delays."""
        started = self._monotonic()
        outcome: Outcome = "error"
        try:
            result = await self._guarded(key)
            outcome = "success"
            if result is not None and result.requeue_after is not None:
                outcome = "requeue_after"
            elif result is not None and result.requeue:
                outcome = "requeue"
            return result
        finally:
            self._observer.reconciled(controller_of(key), outcome, self._monotonic() - started)

    def known(self, kind: str, priority: int) -> None:
        """A kind, or an object of it, that was in doubt is not any more: what waited for it is tried again."""
        for key in [key for key, of in self._in_doubt.items() if of == kind]:
            del self._in_doubt[key]
            self._env.queue.add(key, priority)

    def failed(self, key: Key, error: Exception) -> None:
        """Log what a reconcile raised: a line for what the world did, a traceback for what only a defect explains."""
        with logs.key(key):
            if isinstance(error, LatticeError):
                log.warning("will be tried again: %s", error, extra={"code": error.code})
            elif isinstance(error, ApiError):
                log.warning("will be tried again: %s", error, extra={"code": error.reason})
            else:
                log.error("a reconcile failed and will be tried again: %s", error, exc_info=error)

    async def _guarded(self, key: Key) -> Result | None:
        self._in_doubt.pop(key, None)
        try:
            return await self._dispatch(key)
        except UnknownError as error:
            self._in_doubt[key] = error.kind
            with logs.key(key):
                log.info("waits for what is not known: %s", error)
            self._tell_doubt(key, error)
        except TakenError as error:
            with logs.key(key):
                log.debug("waits for its turn: %s", error)
        except FencedError as error:
            with logs.key(key):
                log.info("left to the holder of the lease: %s", error)
            return Result(requeue_after=FENCED)
        except TerminalError as error:
            with logs.key(key):
                log.error("refused by AWS: %s", error, extra={"code": error.code, "request_id": error.request_id})
            return Result(requeue_after=SLOWLY)
        except RetryError as error:
            if error.after is None and not error.throttled:
                raise
            return Result(requeue_after=error.after or 1.0)
        except TooManyRequests as error:
            return Result(requeue_after=error.retry_after)
        return None

    def _tell_doubt(self, key: Key, error: UnknownError) -> None:
        """Tell on the object itself why nothing happens; if it cannot be decoded, that was told when it came."""
        if not isinstance(key, ObjectKey):
            return
        resource = _OBJECTS[key.kind]
        obj = self._env.cluster.informer(resource).store.get(key.namespace, key.name)
        if obj is not None and not isinstance(obj, Undecodable):
            self._env.tell(resource, obj, "Retry-Reconcile", f"waits for what is not known: {error}", warning=True)

    async def _dispatch(self, key: Key) -> Result | None:
        match key:
            case ServiceKey():
                return await service.reconcile(self._env, key)
            case TargetGroupKey():
                return await target_group.reconcile(self._env, key)
            case CertificateKey():
                env = self._env
                return await imports.reconcile(env.certificates.imports, env.view, key, env.ctx, env.add, lane=env.lane)
            case ObjectKey():
                return await self._object(key)

    async def _object(self, key: ObjectKey) -> Result | None:
        if key.kind == "GatewayClass":
            return await self._classes.reconcile(self._env, key)
        if key.kind == "Gateway":
            return await self._gateways.reconcile(self._env, key)
        return await route.reconcile(self._env, RouteRef(key.kind, key.namespace, key.name))
