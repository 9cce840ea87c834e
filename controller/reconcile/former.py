"""A service that its route asks for no more goes when all that the route asks for instead is complete, not before.

A route's hostname changes: until the service of the new one is ACTIVE, associated, has its listeners and the rules of
this route, and the targets of its groups have passed a health check, the one of the old hostname stays as it is, and
its groups go on following their endpoints. If the new one cannot be made, that lasts, and the route says so. Nothing
stays for a route that is deleted, or refused as a whole.

It is whole services that stay, of which nobody asks for anything any more. Where other routes go on sharing the old
hostname, the rules of the one that leaves it go at once: there, a changed hostname has a gap.

What was complete is known to this process alone: after a restart the old service stays until the new one was seen
complete, and of the routes that left it together only the one that it is named for is waited for.
"""

from collections.abc import Iterable, Mapping

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import UnknownError
from controller.lattice.inventory.mirror import route_of_service
from controller.lattice.model import DesiredService
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Unused, Warm, outlives, plan_targets
from controller.lattice.refs import ResourceRef
from controller.reconcile.environment import Environment
from controller.reconcile.pass_on import pass_on
from controller.translate.claims import contend, services_of_hostname
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.target_group import targets_to_follow
from workqueue import Result


def stays(env: Environment, key: ServiceKey, observed: ObservedService | None) -> bool:
    """Whether a service that nobody asks for is left alone for now; its key is added again when that may be over.

    Raises `UnknownError`.
    """
    env.parked.pop(key, None)
    awaited = {} if observed is None else _awaited(env, key, observed)
    if not any(waiting is not None for waiting in awaited.values()):
        end_stay(env, key)
        return False
    env.changes.left_alone(key)
    for ref, waiting in awaited.items():
        env.board.wait(key, ref.key)
        for cold in waiting or ():
            env.park(key, cold)
    news = env.board.stay(key, tuple(ref for ref, waiting in awaited.items() if waiting is not None))
    for ref in news:
        env.add(ref.key)
    if news:
        for released in env.board.released_by(key):
            env.add(released)
    return True


def _awaited(
    env: Environment, key: ServiceKey, observed: ObservedService
) -> Mapping[RouteRef, tuple[ResourceRef, ...] | None]:
    """What changes by itself and is waited for, perhaps nothing, for each of the routes that the service was of; None
    for those that lack nothing. Empty where the service does not stay."""
    owner = route_of_service(observed.tags)
    surplus = key.hostname == observed.id
    if owner is None or surplus or not _lives(env, owner) or _is_in_the_way(env, key):
        return {}
    wanted: list[DesiredService] = []
    awaited: dict[RouteRef, tuple[ResourceRef, ...] | None] = {}
    for ref in dict.fromkeys((owner, *env.board.fed(key))):
        lacks, cold = _lacks(env, ref) if _lives(env, ref) else ((), ())
        wanted += lacks
        awaited[ref] = cold if lacks else None
    return awaited if outlives(observed, wanted, env.ctx.identity, env.inventory.target_group) else {}


def _lives(env: Environment, ref: RouteRef) -> bool:
    route = env.view.route(ref)
    return route is not None and not route.deleting


def _is_in_the_way(env: Environment, key: ServiceKey) -> bool:
    """Whether a service is asked for that cannot be beside this one: who gets the hostname cannot have it before."""
    try:
        others = services_of_hostname(env.view, key.hostname, env.ctx) if key.hostname else ()
    except UnknownError:
        return False  # Whoever gets it once that is known makes room.
    return any(contend(other, key) for other in others)


def _lacks(env: Environment, ref: RouteRef) -> tuple[list[DesiredService], tuple[ResourceRef, ...]]:
    """The services of a route that are not complete, with the targets that are yet to pass a health check."""
    lacks: list[DesiredService] = []
    cold: list[ResourceRef] = []
    for other in translate_route(env.view, ref, env.ctx).services:
        whole, desired = env.board.was_complete(other, ref), translate_service(env.view, other, env.ctx).desired
        unchecked = _cold(env, other) if whole else ()
        cold += unchecked
        if desired is not None and (unchecked or not whole):
            lacks.append(desired)
    return lacks, tuple(cold)


def _cold(env: Environment, key: ServiceKey) -> tuple[ResourceRef, ...]:
    """The targets of a service that are yet to pass a health check."""
    service = env.inventory.service(key)
    needs = (Warm(group) for group in (service.groups() if service is not None else ()))
    return tuple(ref for need in needs if (unmet := env.inventory.needs.unmet(need)) is not None for ref in unmet.waits)


def end_stay(env: Environment, key: ServiceKey) -> None:
    """A service is asked for again, or goes: it does not stay for nothing."""
    routes = env.board.end_stay(key)
    for ref in routes:
        env.add(ref.key)
    if routes:
        for released in env.board.released_by(key):  # Its groups, which followed their endpoints as long as it stayed.
            env.add(released)


def make_room(env: Environment, key: ServiceKey) -> None:
    """A service is asked for: what stays under its hostname is not to be in its way."""
    end_stay(env, key)
    for other in env.board.staying(key.hostname):
        if contend(other, key):
            env.add(other)


def complete(env: Environment, key: ServiceKey, routes: Iterable[RouteRef]) -> None:
    """A service has all that these routes ask of it: what has waited for that may go, DNS records too."""
    for ref in env.board.complete(key, tuple(routes)):
        env.add(ref.key)
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
