"""A Gateway's finalizer and status: what its service network, its listeners and its routes are.

The status is written at most once a second for each Gateway, because every route that comes or goes changes its
attachedRoutes. A deleted Gateway keeps its finalizer for as long as routes refer to it.
"""

from collections.abc import Callable

from controller import logs
from controller.api.gateway import Gateway
from controller.api.keys import ObjectKey
from controller.api.resources import GATEWAYS
from controller.gateway.attachment import is_ours
from controller.kube.conditions import merge_gateway_status, objects_of, read_object
from controller.kube.times import rfc3339
from controller.kube.writes import patch_status, update_finalizers
from controller.lattice.errors import LatticeError
from controller.lattice.inventory import Inventory
from controller.lattice.limits import Lane
from controller.lattice.observed import NetworkAmbiguous, NetworkFound, NetworkUnknown
from controller.reconcile.environment import Environment
from controller.translate.annotations import GATEWAY_FINALIZER
from controller.translate.gateway import gateway_status
from controller.translate.outcomes import Ambiguous, Found, Missing, NetworkState, Unavailable
from controller.translate.triggers import keys_for_change
from workqueue import Result

STATUS_INTERVAL = 1.0
"""Least time in seconds between two status writes of one Gateway."""

MISSING_NETWORK = 10.0
"""Seconds after which a service network that was not there is looked for again; nobody tells when it is made."""


class GatewayReconciler:
    """Remembers, for each Gateway, what it last saw of its network and when its last pass began."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._networks: dict[ObjectKey, NetworkState] = {}
        self._passed: dict[ObjectKey, float] = {}

    async def reconcile(self, env: Environment, key: ObjectKey) -> Result | None:
        """One pass. Raises `UnknownError` and `ApiError`."""
        gateway = env.view.gateway(key.namespace, key.name)
        if gateway is None:
            self._networks.pop(key, None)
            self._passed.pop(key, None)
            return None
        with logs.key(key, object=str(key), generation=gateway.metadata.generation):
            return await self._pass(env, key, gateway)

    async def _pass(self, env: Environment, key: ObjectKey, gateway: Gateway) -> Result | None:
        wait = self._passed.get(key, float("-inf")) + STATUS_INTERVAL - self._monotonic()
        if wait > 0:
            return Result(requeue_after=wait)
        self._passed[key] = self._monotonic()
        ours = is_ours(env.view, gateway, env.ctx.controller_name)
        routes = env.view.routes_of_gateway(gateway.namespace, gateway.name)
        held = GATEWAY_FINALIZER in gateway.metadata.finalizers
        if ours and not held and not gateway.deleting:
            env.observe(GATEWAYS, await update_finalizers(env.kube, GATEWAYS, gateway, add=[GATEWAY_FINALIZER]))
        elif held and (not ours or (gateway.deleting and not routes)):
            env.observe(GATEWAYS, await update_finalizers(env.kube, GATEWAYS, gateway, remove=[GATEWAY_FINALIZER]))
            return None  # Gone with that, or another controller's to report on.
        current = env.view.gateway(gateway.namespace, gateway.name)
        if current is None or not ours:
            return None
        network = await look_up_network(env.inventory, gateway.name, lane=env.lane)
        await _write(env, current, network)
        before = self._networks.get(key)
        self._networks[key] = network
        if before not in {None, network}:
            for touched in keys_for_change("Gateway", None, current, env.view, env.ctx):
                if touched != key:
                    env.add(touched)
        return None if isinstance(network, Found) else Result(requeue_after=MISSING_NETWORK)


async def _write(env: Environment, gateway: Gateway, network: NetworkState) -> None:
    status = gateway_status(env.view, gateway, network, env.ctx, env.certificates.imports.problems)
    if status is None:
        return
    if isinstance(network, Unavailable) and _programmed(gateway):
        # That Lattice cannot be asked now does not take away what it has.
        env.tell(GATEWAYS, gateway, "Retry-Reconcile", network.message, warning=True)
        return
    now = rfc3339(env.now())
    answer = await patch_status(
        env.kube,
        GATEWAYS,
        gateway,
        lambda raw: merge_gateway_status(
            raw,
            conditions=status.conditions,
            listeners=status.listeners,
            addresses=status.addresses,
            now=now,
        ),
    )
    env.observe(GATEWAYS, answer)


def _programmed(gateway: Gateway) -> bool:
    conditions = objects_of(read_object(gateway.status).get("conditions"))
    return any(each.get("type") == "Programmed" and each.get("status") == "True" for each in conditions)


async def look_up_network(inventory: Inventory, name: str, *, lane: Lane) -> NetworkState:
    """The service network for which a Gateway of this name stands, read from Lattice unless it is known."""
    try:
        await inventory.ensure_loaded()
        if not isinstance(inventory.network(name), NetworkFound):
            await inventory.refresh_networks(name, lane=lane)
    except LatticeError as error:
        return Unavailable(message=str(error))
    found = inventory.network(name)
    match found:
        case NetworkFound(network=network):
            return Found(id=network.id, arn=network.arn)
        case NetworkAmbiguous(ids=ids):
            return Ambiguous(ids=ids)
        case NetworkUnknown():
            return Unavailable(message="the service networks have not been read yet")
        case _:
            return Missing()
