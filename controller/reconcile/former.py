"""A service that its route asks for no more goes when all that the route asks for instead is complete, not before.

A route's hostname changes: until the service of the new one is ACTIVE, associated, has its listeners and rules, and the
targets of its groups have passed a health check, the one of the old hostname stays as it is, and its groups go on
following their endpoints. If the new one cannot be made, that lasts, and the route says so. Nothing stays for a route
that is deleted, or refused as a whole.

What was complete is known to this process alone: after a restart the old service stays until the new one was seen
complete.
"""

from collections.abc import Iterable

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.inventory.mirror import route_of_service
from controller.lattice.model import DesiredService
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Unused, Warm, outlives, plan_targets
from controller.lattice.refs import ResourceRef
from controller.reconcile.environment import Environment
from controller.reconcile.pass_on import pass_on
from controller.translate.claims import candidates
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import targets_to_follow
from workqueue import Result


def stays(env: Environment, key: ServiceKey, observed: ObservedService | None) -> bool:
    """Whether a service that nobody asks for is left alone for now; its key is added again when that may be over.

    Raises `UnknownError`.
    """
    env.parked.pop(key, None)
    ref = None if observed is None else route_of_service(observed.tags)
    awaited = None if observed is None or ref is None else _awaited(env, key, ref, observed)
    if ref is None or awaited is None:
        end_stay(env, key)
        return False
    env.changes.left_alone(key)
    env.board.wait(key, ref.key)
    for cold in awaited:
        env.park(key, cold)
    if env.board.stay(key, ref):
        env.add(ref.key)
        for released in env.board.released_by(key):
            env.add(released)
    return True


def _awaited(
    env: Environment, key: ServiceKey, ref: RouteRef, observed: ObservedService
) -> tuple[ResourceRef, ...] | None:
    """What changes by itself and is waited for, perhaps nothing, where the service stays; None where it does not."""
    route = env.view.route(ref)
    if route is None or route.deleting:
        return None
    if key.hostname and candidates(env.view, key.hostname):
        return None  # Whoever asks for the hostname cannot have it before.
    wanted: list[DesiredService] = []
    cold: list[ResourceRef] = []
    for other in translate_route(env.view, ref, env.ctx).services:
        whole, desired = env.board.was_complete(other), translate_service(env.view, other, env.ctx).desired
        unchecked = _cold(env, other) if whole else ()
        cold += unchecked
        if desired is not None and (unchecked or not whole):
            wanted.append(desired)
    return tuple(cold) if outlives(observed, wanted, env.ctx.identity) else None


def _cold(env: Environment, key: ServiceKey) -> tuple[ResourceRef, ...]:
    """The targets of a service that are yet to pass a health check."""
    service = env.inventory.service(key)
    needs = (Warm(group) for group in (service.groups() if service is not None else ()))
    return tuple(ref for need in needs if (unmet := env.inventory.needs.unmet(need)) is not None for ref in unmet.waits)


def end_stay(env: Environment, key: ServiceKey) -> None:
    """A service is asked for again, or goes: it does not stay for nothing."""
    route = env.board.end_stay(key)
    if route is not None:
        env.add(route.key)
        for released in env.board.released_by(key):  # Its groups, which followed their endpoints as long as it stayed.
            env.add(released)


def make_room(env: Environment, key: ServiceKey) -> None:
    """A service is asked for: what stays under its hostname is not to be in its way."""
    end_stay(env, key)
    for other in env.board.staying(key.hostname):
        if other != key:
            env.add(other)


def complete(env: Environment, key: ServiceKey, routes: Iterable[RouteRef]) -> None:
    """A service has all that these routes ask of it: what has waited for that may go."""
    if env.board.complete(key):
        for ref in routes:
            for other in env.board.staying_for(ref):
                env.add(other)


async def follow(
    env: Environment, key: TargetGroupKey, observed: ObservedTargetGroup | None
) -> tuple[bool, Result | None]:
    """Keep the targets of a group that nobody asks for, as long as a service stays that forwards to it.

    The first of the answers tells whether one does. Raises `UnknownError` and `LatticeError`.
    """
    used = None if observed is None else env.inventory.needs.unmet(Unused(observed.id))
    user = next((one for one in (used.holds if used is not None else ()) if env.board.stays(one)), None)
    if observed is None or user is None:
        env.board.end_follow(key)
        return False, None
    env.board.follow(key)
    env.board.wait(key, user)
    plan = plan_targets(observed, frozenset(targets_to_follow(env.view, key, observed.targets or {})))
    applied = await env.applier.apply(plan, key=key, lane=env.lane)
    env.changes.applied(key, applied)
    return True, pass_on(env, key, applied, failure=None)
