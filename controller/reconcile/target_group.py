"""Keeps one target group and its targets as the endpoints of its Service are: the fast path from a pod to Lattice."""

from msgspec.structs import replace

from controller import logs
from controller.api.keys import RouteRef, TargetGroupKey
from controller.lattice.inventory.mirror import route_of_group
from controller.lattice.model import DesiredTargetGroup
from controller.lattice.observed import ObservedTargetGroup
from controller.lattice.plan import Plan, plan_target_group, plan_targets
from controller.reconcile.environment import Environment
from controller.reconcile.former import follow
from controller.reconcile.pass_on import (
    failure_of_plan,
    hold,
    part,
    pass_on,
    programmed_before,
    rests,
    settled,
    tell_failure,
    twice,
    working_for,
)
from controller.translate.outcomes import Failed
from controller.translate.service import ServiceTranslation, translate_service
from controller.translate.take_over import backend_to_follow
from controller.translate.target_group import targets_to_follow, translate_target_group
from workqueue import Result


async def reconcile(env: Environment, key: TargetGroupKey) -> Result | None:
    """One pass: create, fill, empty or delete the group.

    Raises `UnknownError`, and `LatticeError` after it was reported.
    """
    service = translate_service(env.view, key.owner, env.ctx, acknowledged=True)
    desired = translate_target_group(env.view, key, env.ctx, acknowledged=True)
    if desired is not None and not all(route.finalizer for route in service.routes):
        # Each route's own key adds the finalizer, and that event adds the keys of the groups that the route wants.
        return None
    owner = service.routes[0] if service.routes else None
    about, generation = (None, None) if owner is None else (str(owner.ref), owner.generation)
    refs = [contributor.ref for contributor in service.routes]
    with logs.key(key, object=about, generation=generation), working_for(env, key, refs):
        return await twice(
            lambda: _pass(env, key, service, desired),
            lambda failure: _report(env, key, service, failure, wanted=desired is not None),
        )


async def _pass(
    env: Environment, key: TargetGroupKey, service: ServiceTranslation, desired: DesiredTargetGroup | None
) -> Result | None:
    observed = await env.inventory.observe_target_group(key, desired, lane=env.lane)
    hold(env, key, _route_of(observed))
    refs = [contributor.ref for contributor in service.routes]
    if rests(env, key, refs, _route_of(observed), wanted=desired is not None):
        return None
    if desired is None:
        in_use, result = await follow(env, key, observed)
        if in_use:
            return result
    plan = plan_target_group(desired, observed, env.plan_context())
    holders = [*refs, *filter(None, [_route_of(observed)])]
    held = part(env, key, holders, plan, observed)
    if desired is None and observed is not None and held.operations:
        held = replace(held, plan=replace(_meanwhile(env, key, observed), problems=held.plan.problems))
    applied = await env.applier.apply(held.plan, key=key, lane=env.lane)
    env.changes.applied(key, applied)
    settled(env, key, holders, held, applied)
    hold(env, key, _route_of(env.inventory.target_group(key)))
    failure = failure_of_plan(applied.problems)
    _report(env, key, service, failure, wanted=desired is not None)
    registered = env.inventory.target_group(key)
    first = registered is not None and registered.registered and not (observed is not None and observed.registered)
    if first:
        env.add(key.owner)
    gone = applied.done and desired is None and not held.operations
    if gone:
        route = env.board.let_go(key)
        if route is not None:
            env.add(route.key)
    return pass_on(env, key, applied, failure=failure, news=first or gone)


def _meanwhile(env: Environment, key: TargetGroupKey, observed: ObservedTargetGroup) -> Plan:
    """What goes on with a group whose removal is held back: what it serves it serves from the pods that there are.

    Raises `UnknownError`.
    """
    env.board.follow(key)
    followed = backend_to_follow(env.view, key, _route_of(observed), observed.targets or {})
    if followed is None:
        return Plan()
    return plan_targets(observed, frozenset(targets_to_follow(env.view, followed, observed.targets or {})))


def _route_of(group: ObservedTargetGroup | None) -> RouteRef | None:
    """The route for which the group exists, by its tags."""
    return None if group is None else route_of_group(group.tags)


def _report(
    env: Environment, key: TargetGroupKey, service: ServiceTranslation, failure: Failed | None, *, wanted: bool
) -> None:
    """Tell the routes of the service; a group that only has to go and does not yet is no failure of theirs."""
    refs = [contributor.ref for contributor in service.routes]
    passing = failure is not None and failure.transient and programmed_before(env, refs)
    news = env.board.post_group(key, failure if wanted and not passing else None)
    if news:
        for ref in refs:
            env.add(ref.key)
    if failure is not None:
        tell_failure(env, key, refs, failure)
