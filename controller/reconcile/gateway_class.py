"""The status of a GatewayClass, and the finalizer that keeps it while Gateways use it.

Source: Gateway API, GatewayClass: "gateway-exists-finalizer.gateway.networking.k8s.io".
"""

from controller import logs
from controller.api.keys import ObjectKey
from controller.api.resources import GATEWAY_CLASSES
from controller.kube.conditions import merge_status
from controller.kube.times import rfc3339
from controller.kube.writes import patch_status, update_finalizers
from controller.reconcile.environment import Environment
from controller.translate.annotations import GATEWAY_CLASS_FINALIZER
from controller.translate.gateway import gateway_class_status
from workqueue import Result


async def reconcile(env: Environment, key: ObjectKey) -> Result | None:
    """One pass. Raises `UnknownError` and `ApiError`."""
    found = env.view.gateway_class(key.name)
    if found is None:
        return None
    with logs.key(key, object=str(key), generation=found.metadata.generation):
        conditions = gateway_class_status(found, env.ctx)
        if conditions is None:
            return None
        used = bool(env.view.gateways_of_class(key.name))
        held = GATEWAY_CLASS_FINALIZER in found.metadata.finalizers
        if used and not held and not found.deleting:
            answer = await update_finalizers(env.kube, GATEWAY_CLASSES, found, add=[GATEWAY_CLASS_FINALIZER])
            env.observe(GATEWAY_CLASSES, answer)
        elif held and not used:
            answer = await update_finalizers(env.kube, GATEWAY_CLASSES, found, remove=[GATEWAY_CLASS_FINALIZER])
            env.observe(GATEWAY_CLASSES, answer)
        found = env.view.gateway_class(key.name)
        if found is None or found.deleting:
            return None
        now = rfc3339(env.now())
        answer = await patch_status(
            env.kube, GATEWAY_CLASSES, found, lambda status: merge_status(status, conditions, now)
        )
        env.observe(GATEWAY_CLASSES, answer)
    return None
