"""What VPC Lattice has of some routes, with the plans from there, for an explanation; nothing is applied."""

from collections.abc import Iterable

import anyio

from controller.api.gateway import Route
from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.inventory import Inventory
from controller.lattice.inventory.mirror import route_of_group, route_of_service
from controller.lattice.limits import Lane
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Held, Plan, Unused, plan_target_group
from controller.reconcile.certificates import Certificates, foresee
from controller.reconcile.gateway import look_up_network
from controller.translate.context import TranslateContext
from controller.translate.facts import Left, LeftGroup, LeftService, Seen, SeenGroup, SeenService
from controller.translate.outcomes import NetworkState
from controller.translate.route import RouteTranslation, translate_route_object
from controller.translate.service import translate_service
from controller.translate.take_over import Left as NotTakenOver
from controller.translate.take_over import held_back
from controller.translate.target_group import translate_target_group

AT_ONCE = 20
"""Routes that are looked at at the same time."""


async def look(
    view: View,
    routes: Iterable[Route],
    networks: Iterable[str],
    ctx: TranslateContext,
    inventory: Inventory,
    certificates: Certificates,
    *,
    now: int,
    not_taken_over: NotTakenOver | None = None,
) -> Seen:
    """Look up what these routes ask for and what is left of them, and these networks. `now` is Unix time in seconds,
    `not_taken_over` the routes of another controller that are left.

    Raises `UnknownError` and `LatticeError`, the latter but for networks, whose state tells it.
    """
    looker = _Looker(view, ctx, inventory, certificates, now, not_taken_over or NotTakenOver())
    await looker.networks(networks)
    async with anyio.create_task_group() as tasks:
        for route in routes:
            tasks.start_soon(looker.route, route)
    return Seen(services=looker.services, groups=looker.groups, networks=looker.states, left=looker.left)


class _Looker:
    def __init__(
        self,
        view: View,
        ctx: TranslateContext,
        inventory: Inventory,
        certificates: Certificates,
        now: int,
        not_taken_over: NotTakenOver,
    ) -> None:
        self._view = view
        self._ctx = ctx
        self._inventory = inventory
        self._certificates = certificates
        self._now = now
        self._not_taken_over = not_taken_over
        self._limit = anyio.CapacityLimiter(AT_ONCE)
        self.services: dict[ServiceKey, SeenService] = {}
        self.groups: dict[TargetGroupKey, SeenGroup] = {}
        self.states: dict[str, NetworkState] = {}
        self.left: dict[RouteRef, Left] = {}

    async def networks(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.states:
                self.states[name] = await look_up_network(self._inventory, name, lane=Lane.BULK)

    async def route(self, route: Route) -> None:
        async with self._limit:
            translation = translate_route_object(self._view, route, self._ctx)
            for group in translation.target_groups:
                self.groups[group] = await self._group(group)
            for key in translation.services:
                self.services[key] = await self._service(key)
            self.left[translation.ref] = await self._left(route, translation)

    async def _group(self, key: TargetGroupKey) -> SeenGroup:
        desired = translate_target_group(self._view, key, self._ctx)
        observed = await self._inventory.observe_target_group(key, desired, lane=Lane.BULK)
        plan = plan_target_group(desired, observed, self._inventory.context(self._now))
        held = self._held(key.owner, plan, observed, None if observed is None else route_of_group(observed.tags))
        return SeenGroup(observed=observed, plan=held.plan, held=held.operations)

    async def _service(self, key: ServiceKey) -> SeenService:
        translation = translate_service(self._view, key, self._ctx)
        desired = translation.desired
        observed = await self._inventory.observe_service(key, desired, lane=Lane.BULK)
        await self.networks(() if desired is None else desired.networks)
        plan = await foresee(self._certificates, translation, observed, self._inventory.context(self._now))
        held = self._held(key, plan, observed, None if observed is None else route_of_service(observed.tags))
        return SeenService(observed=observed, plan=held.plan, held=held.operations)

    def _held(
        self,
        service: ServiceKey,
        plan: Plan,
        observed: ObservedService | ObservedTargetGroup | None,
        holder: RouteRef | None,
    ) -> Held:
        contributors = [one.ref for one in translate_service(self._view, service, self._ctx).routes]
        refs = [*contributors, *filter(None, [holder])]
        return held_back(self._view, self._ctx, self._not_taken_over, refs, plan, observed)

    async def _left(self, route: Route, translation: RouteTranslation) -> Left:
        """After all that the route asks for was observed, which is not left over then."""
        left = await self._there(translation)
        if route.deleting and not left and await self._inventory.find_missed(translation.ref, lane=Lane.BULK):
            left = await self._there(translation)
        return left

    async def _there(self, translation: RouteTranslation) -> Left:
        inventory, ref = self._inventory, translation.ref
        services = await inventory.services_of(ref, lane=Lane.BULK)
        desired = [translate_target_group(self._view, key, self._ctx) for key in translation.target_groups]
        groups = inventory.target_groups_of(ref, [group for group in desired if group is not None])
        left_services: list[LeftService] = []
        for key in services:
            if key not in translation.services:
                service = await self._service(key)
                if service.observed is not None:
                    heir = self._heir(key)
                    left_services.append(
                        LeftService(observed=service.observed, plan=service.plan, held=service.held, heir=heir)
                    )
        left_groups: list[LeftGroup] = []
        for group_key in groups:
            if group_key not in translation.target_groups:
                group = await self._group(group_key)
                if group.observed is not None:
                    left_groups.append(self._left_group(group_key, group.observed, group))
        return Left(services=tuple(left_services), groups=tuple(left_groups))

    def _left_group(self, key: TargetGroupKey, observed: ObservedTargetGroup, seen: SeenGroup) -> LeftGroup:
        used = self._inventory.needs.unmet(Unused(observed.id))
        users = () if used is None else tuple(holder for holder in used.holds if isinstance(holder, ServiceKey))
        return LeftGroup(
            key=key,
            observed=observed,
            plan=seen.plan,
            held=seen.held,
            heir=self._heir(key.owner),
            users=tuple(self._name(user) for user in users),
            strangers=observed.service_arns if used is not None and not users else (),
        )

    def _name(self, key: ServiceKey) -> str:
        found = self._inventory.service(key)
        return str(key) if found is None else found.name

    def _heir(self, key: ServiceKey) -> RouteRef | None:
        """The route that asks for the service now."""
        routes = translate_service(self._view, key, self._ctx).routes
        return routes[0].ref if routes else None
