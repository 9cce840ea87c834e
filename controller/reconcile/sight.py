"""What VPC Lattice has of some routes, with the plans from there, for an explanation; nothing is applied."""

from collections.abc import Iterable

import anyio

from controller.api.gateway import HTTPRoute
from controller.api.keys import ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.inventory import Inventory
from controller.lattice.limits import Lane
from controller.lattice.plan import plan_service, plan_target_group
from controller.reconcile.gateway import look_up_network
from controller.translate.context import TranslateContext
from controller.translate.facts import Seen, SeenGroup, SeenService
from controller.translate.outcomes import NetworkState
from controller.translate.route import translate_route_object
from controller.translate.service import translate_service
from controller.translate.target_group import translate_target_group

AT_ONCE = 20
"""Routes that are looked at at the same time."""


async def look(
    view: View,
    routes: Iterable[HTTPRoute],
    networks: Iterable[str],
    ctx: TranslateContext,
    inventory: Inventory,
    *,
    now: int,
) -> Seen:
    """Look up what these routes ask for, and these service networks. `now` is Unix time in seconds.

    Raises `UnknownError` and `LatticeError`, the latter but for networks, whose state tells it.
    """
    services: dict[ServiceKey, SeenService] = {}
    groups: dict[TargetGroupKey, SeenGroup] = {}
    states: dict[str, NetworkState] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def look_at(route: HTTPRoute) -> None:
        async with limit:
            translation = translate_route_object(view, route, ctx)
            for group in translation.target_groups:
                wanted = translate_target_group(view, group, ctx)
                there = await inventory.observe_target_group(group, wanted, lane=Lane.BULK)
                plan = plan_target_group(wanted, there, inventory.context(now))
                groups[group] = SeenGroup(observed=there, plan=plan)
            for key in translation.services:
                desired = translate_service(view, key, ctx).desired
                observed = await inventory.observe_service(key, desired, lane=Lane.BULK)
                plan = plan_service(desired, observed, inventory.context(now))
                services[key] = SeenService(observed=observed, plan=plan)
                await look_up(() if desired is None else desired.networks)

    async def look_up(names: Iterable[str]) -> None:
        for name in names:
            if name not in states:
                states[name] = await look_up_network(inventory, name, lane=Lane.BULK)

    await look_up(networks)
    async with anyio.create_task_group() as tasks:
        for route in routes:
            tasks.start_soon(look_at, route)
    return Seen(services=services, groups=groups, networks=states)
