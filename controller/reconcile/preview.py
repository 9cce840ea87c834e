"""What a run would do, without doing it: the same translations, observations and plans, and no apply.

A plan is made for every service and target group that a route asks for, for the Secrets whose certificates they are to
have, and for what is left over of the routes and of what was imported. What would follow from the changes themselves (a
plan that is not `whole`) is not shown. Such is the end of a service that a route asks for no more, as long as something
is to be done for what the route asks for instead (`controller.reconcile.former`): a remark tells it. What a run would
hold back, because another controller was before, is shown as such. DNS records are in Kubernetes, and no part of this.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import anyio

from controller.api.gateway import Route
from controller.api.keys import CertificateKey, RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import UnknownError, View
from controller.lattice.inventory import Inventory
from controller.lattice.inventory.mirror import route_of_group, route_of_service
from controller.lattice.limits import Lane
from controller.lattice.model import DesiredService, DesiredTargetGroup, Frozen
from controller.lattice.observed import NetworkFound, ObservedService, ObservedTargetGroup
from controller.lattice.plan import Plan, Unused, outlives, plan_target_group
from controller.reconcile.certificates import Certificates, foresee
from controller.reconcile.imports import foresee_import
from controller.translate.certificates import FromSecrets
from controller.translate.claims import contend, services_of_hostname
from controller.translate.context import TranslateContext
from controller.translate.route import RouteTranslation, translate_route
from controller.translate.service import translate_service
from controller.translate.take_over import Left, held_back
from controller.translate.target_group import translate_target_group
from controller.translate.withheld import withheld

AT_ONCE = 20
"""Keys that are observed at the same time."""


class Step(Frozen, frozen=True):
    """The plan of one key, for the route that it serves."""

    route: RouteRef | None
    """None for what no route asks for any more: a certificate that was imported from a Secret."""
    key: ServiceKey | TargetGroupKey | CertificateKey
    plan: Plan
    held: frozenset[int] = frozenset()
    """The places in the plan of what is held back until somebody releases it."""


class Remark(Frozen, frozen=True):
    """Why something that a route asks for is not planned, or not all of it."""

    route: RouteRef
    reason: str
    message: str


class Preview(Frozen, frozen=True):
    steps: tuple[Step, ...]
    """Only those with operations, in the order of the routes; target groups first."""
    remarks: tuple[Remark, ...]

    @property
    def operations(self) -> int:
        """Those that are held back too."""
        return sum(len(step.plan.operations) for step in self.steps)

    @property
    def held(self) -> int:
        """How many of the operations are held back."""
        return sum(len(step.held) for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        return {
            "operations": [
                {
                    "route": None if step.route is None else str(step.route),
                    "key": str(step.key),
                    **operation.to_json(),
                    "held": place in step.held,
                }
                for step in self.steps
                for place, operation in enumerate(step.plan.operations)
            ],
            "remarks": [
                {"route": str(remark.route), "reason": remark.reason, "message": remark.message}
                for remark in self.remarks
            ],
        }


async def preview(
    view: View,
    routes: Iterable[Route],
    ctx: TranslateContext,
    inventory: Inventory,
    certificates: Certificates,
    *,
    now: int,
    left: Left | None = None,
) -> Preview:
    """Plan for these routes. `now` is Unix time in seconds, `left` what is left of a take-over.

    Raises `LatticeError`; what is unknown becomes a remark.
    """
    await inventory.ensure_loaded()
    planner = _Planner(view, ctx, inventory, certificates, now, left or Left())
    refs = sorted(route.ref for route in routes)
    async with anyio.create_task_group() as tasks:
        for ref in refs:
            tasks.start_soon(planner.route, ref)
    await planner.surplus_imports()
    order: dict[RouteRef | None, int] = {ref: place for place, ref in enumerate(refs)}
    order[None] = len(refs)
    return Preview(
        steps=tuple(sorted(planner.steps, key=lambda step: (order[step.route], isinstance(step.key, ServiceKey)))),
        remarks=tuple(sorted(planner.remarks, key=lambda remark: order[remark.route])),
    )


class _Planner:
    def __init__(
        self, view: View, ctx: TranslateContext, inventory: Inventory, certificates: Certificates, now: int, left: Left
    ) -> None:
        self._view = view
        self._ctx = ctx
        self._inventory = inventory
        self._certificates = certificates
        self._now = now
        self._left = left
        self._limit = anyio.CapacityLimiter(AT_ONCE)
        self._imported: set[CertificateKey] = set()
        self.steps: list[Step] = []
        self.remarks: list[Remark] = []

    async def route(self, ref: RouteRef) -> None:
        async with self._limit:
            try:
                translation = translate_route(self._view, ref, self._ctx)
                self._refusals(translation)
                groups = await self._groups(translation)
                staying = await self._services(translation)
                await self._surplus_groups(translation, groups, staying)
            except UnknownError as error:
                self.remarks.append(Remark(route=ref, reason="Unknown", message=str(error)))

    def _refusals(self, translation: RouteTranslation) -> None:
        for parent in translation.parents:
            for condition in parent.conditions:
                good = "False" if condition.type == "PartiallyInvalid" else "True"
                if condition.status != good:
                    self.remarks.append(
                        Remark(route=translation.ref, reason=condition.reason, message=condition.message)
                    )

    async def _groups(self, translation: RouteTranslation) -> Sequence[DesiredTargetGroup]:
        """Plan the groups that the route asks for, and return those that are desired."""
        desired = {key: translate_target_group(self._view, key, self._ctx) for key in translation.target_groups}
        for key, group in desired.items():
            await self._group(translation.ref, key, group)
        return [group for group in desired.values() if group is not None]

    async def _surplus_groups(
        self, translation: RouteTranslation, wanted: Sequence[DesiredTargetGroup], staying: Collection[ServiceKey]
    ) -> None:
        """Plan the groups that are left over, but for those of services that stay for now."""
        for key, group in self._inventory.target_groups_of(translation.ref, wanted).items():
            used = self._inventory.needs.unmet(Unused(group.id))
            stays = used is not None and any(one in staying for one in used.holds)
            if key not in translation.target_groups and not stays:
                await self._group(translation.ref, key, None)

    async def _group(self, ref: RouteRef, key: TargetGroupKey, desired: DesiredTargetGroup | None) -> None:
        observed = await self._inventory.observe_target_group(key, desired, lane=Lane.BULK)
        plan = plan_target_group(desired, observed, self._inventory.context(self._now))
        holder = None if observed is None else route_of_group(observed.tags)
        if not self._rests(ref, holder, wanted=desired is not None):
            self._add(ref, key, plan, observed, holder)

    async def _services(self, translation: RouteTranslation) -> Collection[ServiceKey]:
        """Plan the services that the route asks for, then those that are left over; return those that stay for now."""
        held = await self._inventory.services_of(translation.ref, lane=Lane.BULK)
        awaited: list[DesiredService] = []
        staying: set[ServiceKey] = set()
        for key in dict.fromkeys((*translation.services, *held)):
            wanted = translate_service(self._view, key, self._ctx)
            desired = wanted.desired
            if desired is not None:
                await self._look_for(desired.networks)
            observed = await self._inventory.observe_service(key, desired, lane=Lane.BULK)
            if isinstance(wanted.certificate, FromSecrets):
                await self._imports(translation.ref, wanted.certificate)
            plan = await foresee(self._certificates, wanted, observed, self._inventory.context(self._now))
            holder = None if observed is None else route_of_service(observed.tags)
            rests = self._rests(translation.ref, holder, wanted=desired is not None)
            if desired is None and not rests and self._stays(translation.ref, key, observed, holder, awaited):
                staying.add(key)
                continue
            to_do = bool(plan.operations) if rests else self._add(translation.ref, key, plan, observed, holder)
            if desired is not None and (to_do or self._lacks(plan)):
                awaited.append(desired)
        return staying

    def _lacks(self, plan: Plan) -> bool:
        """Whether more is wanted than the operations of a plan."""
        unmet = (self._inventory.needs.unmet(need) for need in plan.needs)
        return bool(plan.problems) or not plan.whole or any(each is not None for each in unmet)

    def _stays(
        self,
        ref: RouteRef,
        key: ServiceKey,
        observed: ObservedService | None,
        holder: RouteRef | None,
        awaited: Sequence[DesiredService],
    ) -> bool:
        """Whether a service that is left over goes later, when what the route awaits is complete; a remark tells so."""
        if observed is None or holder != ref:
            return False
        if not outlives(observed, awaited, self._ctx.identity, self._inventory.target_group):
            return False
        others = services_of_hostname(self._view, key.hostname, self._ctx) if key.hostname else ()
        if any(contend(other, key) for other in others):
            return False
        instead = ", ".join(sorted(desired.custom_domain or desired.name for desired in awaited))
        message = f"the service {observed.name} and its target groups stay until {instead} is complete, and go then"
        self.remarks.append(Remark(route=ref, reason="Later", message=message))
        return True

    async def _imports(self, route: RouteRef, source: FromSecrets) -> None:
        """What is to be imported for a service of the route, once."""
        for key in source.keys:
            if key not in self._imported:
                self._imported.add(key)
                plan = await foresee_import(self._certificates.imports, self._view, key, self._ctx)
                if plan.operations:
                    self.steps.append(Step(route=route, key=key, plan=plan))

    async def surplus_imports(self) -> None:
        """What was imported from Secrets to which no service of a route refers, for most of that is to go."""
        if not self._ctx.import_certificates:
            return
        for key in sorted(await self._certificates.imports.load(lane=Lane.BULK)):
            if key not in self._imported:
                try:
                    plan = await foresee_import(self._certificates.imports, self._view, key, self._ctx)
                except UnknownError:
                    continue  # What is not known to be unused stays.
                if plan.operations:
                    self.steps.append(Step(route=None, key=key, plan=plan))

    async def _look_for(self, networks: Iterable[str]) -> None:
        """As a run does, look for networks that are not in the list among those of this VPC's associations."""
        missing = [name for name in networks if not isinstance(self._inventory.network(name), NetworkFound)]
        if missing:
            await self._inventory.refresh_networks(*missing, lane=Lane.BULK)

    def _rests(self, route: RouteRef, holder: RouteRef | None, *, wanted: bool) -> bool:
        """Whether nothing is to be done for a key whose resource exists for the route `holder`; a remark tells why.

        Raises `UnknownError`.
        """
        why = withheld(self._view, filter(None, (holder, route)), self._ctx, wanted=wanted)
        if why is None:
            return False
        message = why.message if why.route == route else why.to_others
        remark = Remark(route=route, reason=why.reason, message=message)
        if remark not in self.remarks:
            self.remarks.append(remark)
        return True

    def _add(
        self,
        route: RouteRef,
        key: ServiceKey | TargetGroupKey,
        plan: Plan,
        observed: ObservedService | ObservedTargetGroup | None,
        holder: RouteRef | None,
    ) -> bool:
        """Note the plan of a key, whose resource exists for the route `holder`; tells whether any of it would be done.

        Raises `UnknownError`.
        """
        for problem in plan.problems:
            self.remarks.append(Remark(route=route, reason=problem.reason, message=problem.message))
        if not plan.operations:
            return False
        service = key if isinstance(key, ServiceKey) else key.owner
        contributors = [one.ref for one in translate_service(self._view, service, self._ctx).routes]
        refs = [*contributors, *filter(None, [holder])]
        held = held_back(self._view, self._ctx, self._left, refs, plan, observed)
        self.steps.append(Step(route=route, key=key, plan=plan, held=held.places))
        return len(held.places) < len(plan.operations)
