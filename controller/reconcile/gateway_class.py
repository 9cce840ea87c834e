"""The status of a GatewayClass, and the finalizer that keeps it while Gateways use it.

The status tells whether the cluster's definitions of the Gateway API are of a version that is known; these are read by
name when a class is looked at, and remembered for a while.

Source: Gateway API, GatewayClass: "gateway-exists-finalizer.gateway.networking.k8s.io".
"""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from controller import logs
from controller.api.keys import ObjectKey
from controller.api.meta import Object
from controller.api.resources import GATEWAY_CLASSES
from controller.kube.client import KubeClient
from controller.kube.conditions import merge_status
from controller.kube.errors import Forbidden, NotFound
from controller.kube.times import rfc3339
from controller.kube.writes import patch_status, update_finalizers
from controller.reconcile.environment import Environment
from controller.translate.annotations import GATEWAY_CLASS_FINALIZER
from controller.translate.gateway_class import BUNDLE_VERSION, Versions, gateway_class_status
from workqueue import Result

log = logging.getLogger("controller.reconcile")

DEFINITIONS: Final = tuple(
    f"{plural}.gateway.networking.k8s.io"
    for plural in ("gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants", "tlsroutes")
)
"""Of the kinds that this controller acts on."""

PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

REMEMBERED: Final = 600.0
"""Seconds after which the definitions are read again when a class is looked at."""

_definition = msgspec.json.Decoder(Object)


class GatewayClassReconciler:
    """Remembers the versions of the definitions."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._versions: Versions | None = None
        self._read_at = float("-inf")

    async def reconcile(self, env: Environment, key: ObjectKey) -> Result | None:
        """One pass. Raises `UnknownError` and `ApiError`."""
        found = env.view.gateway_class(key.name)
        if found is None or found.spec.controller_name != env.ctx.controller_name:
            return None
        with logs.key(key, object=str(key), generation=found.metadata.generation):
            used = bool(env.view.gateways_of_class(key.name))
            held = GATEWAY_CLASS_FINALIZER in found.metadata.finalizers
            if used and not held and not found.deleting:
                answer = await update_finalizers(env.kube, GATEWAY_CLASSES, found, add=[GATEWAY_CLASS_FINALIZER])
                env.observe(GATEWAY_CLASSES, answer)
            elif held and not used:
                answer = await update_finalizers(env.kube, GATEWAY_CLASSES, found, remove=[GATEWAY_CLASS_FINALIZER])
                env.observe(GATEWAY_CLASSES, answer)
            versions = await self._definitions(env.kube)
            found = env.view.gateway_class(key.name)
            status = None if found is None else gateway_class_status(found, versions, env.ctx)
            if found is None or status is None or found.deleting:
                return None
            conditions, now = status.conditions, rfc3339(env.now())
            fields = {"supportedFeatures": list(status.supported_features)}
            answer = await patch_status(
                env.kube, GATEWAY_CLASSES, found, lambda raw: merge_status(raw, conditions, now, fields)
            )
            env.observe(GATEWAY_CLASSES, answer)
        return None

    async def _definitions(self, kube: KubeClient) -> Versions | None:
        """The versions of the definitions that there are; None where they may not be read. Raises ApiError."""
        if self._monotonic() - self._read_at >= REMEMBERED:
            self._versions = await _read(kube)
            self._read_at = self._monotonic()
        return self._versions


async def _read(kube: KubeClient) -> Versions | None:
    versions: dict[str, str] = {}
    for name in DEFINITIONS:
        try:
            definition = _definition.decode(await kube.request("GET", f"{PATH}/{name}"))
        except NotFound:
            continue
        except Forbidden as error:
            log.warning("the versions of Gateway API's definitions may not be read: %s", error)
            return None
        versions[name] = definition.annotation(BUNDLE_VERSION) or ""
    return versions
