"""Keeps one Lattice service, its associations, listeners and rules as its routes want them."""

from collections.abc import Sequence
from contextlib import suppress

import anyio.lowlevel

from controller import logs
from controller.api.keys import ObjectKey, RouteRef, ServiceKey
from controller.api.resources import ROUTES
from controller.gateway.view import UnknownError
from controller.lattice.apply import Applied
from controller.lattice.errors import SuspectError
from controller.lattice.inventory.mirror import route_of_service
from controller.lattice.observed import NetworkFound, ObservedService
from controller.lattice.plan import plan_service
from controller.reconcile.certificates import has_certificate
from controller.reconcile.environment import Environment
from controller.reconcile.former import complete, end_stay, make_room, stays
from controller.reconcile.leftovers import add_leftovers
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
from controller.translate.outcomes import Failed, Pending, Programmed, ServiceOutcome
from controller.translate.service import ServiceTranslation, translate_service
from workqueue import Result


async def reconcile(env: Environment, key: ServiceKey) -> Result | None:
    """One pass: bring the service nearer to what is desired, and say what became of it.

    Raises `UnknownError`, and `LatticeError` after it was reported.
    """
    translation = translate_service(env.view, key, env.ctx, acknowledged=True)
    if not all(route.finalizer for route in translation.routes):
        return None  # Each route's own key adds the finalizer, and that event adds this key again.
    owner = translation.routes[0] if translation.routes else None
    about, generation = (None, None) if owner is None else (str(owner.ref), owner.generation)
    refs = [contributor.ref for contributor in translation.routes]
    with logs.key(key, object=about, generation=generation), working_for(env, key, refs):
        return await twice(
            lambda: _pass(env, key, translation),
            lambda failure: _report(env, key, translation, failure),
        )


async def _pass(env: Environment, key: ServiceKey, translation: ServiceTranslation) -> Result | None:
    desired = translation.desired
    await env.inventory.ensure_loaded()
    missing = [name for name in desired.networks if not _found(env, name)] if desired is not None else []
    if missing:
        await env.inventory.refresh_networks(*missing, lane=env.lane)
        _tell_gateways(env, translation, [name for name in missing if not _found(env, name)])
    observed = await env.inventory.observe_service(key, desired, lane=env.lane)
    if desired is None and observed is not None and (heirs := _heirs(env, key, observed)):
        for heir in heirs:
            env.add(heir)
            env.board.wait(key, heir)
        env.board.post_service(key, None)
        env.board.let_go(key)
        end_stay(env, key)
        env.board.rested(key)
        env.changes.left_alone(key)
        env.certificates.discovery.forget(key)
        return None
    hold(env, key, _route_of(observed))
    refs = [contributor.ref for contributor in translation.routes]
    why = rests(env, key, refs, _route_of(observed), wanted=desired is not None)
    if why is not None:
        _feed(env, key, refs)  # Whose rules it has is no matter before it goes on, which is with its own routes alone.
        # What the key's former route was told of the service does not hold for one that waits for it.
        waits = Failed(reason="Pending", message=why.to_others, transient=True)
        if any(ref != why.route for ref in refs) and env.board.post_service(key, waits):
            for ref in refs:
                env.add(ref.key)
        return None
    if desired is None and stays(env, key, observed):
        return None
    if desired is not None:
        make_room(env, key)
    return await _change(env, key, translation, observed)


async def _change(
    env: Environment, key: ServiceKey, translation: ServiceTranslation, observed: ObservedService | None
) -> Result | None:
    desired, lacking = await env.certificates.desired(translation, observed, lane=env.lane)
    if lacking is not None and not has_certificate(observed, key):
        env.changes.left_alone(key)
        _report(env, key, translation, lacking)
        await add_leftovers(env, translation.routes[0].ref, again=False)
        return pass_on(env, key, Applied(done=True), failure=None)
    plan = plan_service(desired, observed, env.plan_context())
    holders = [*(contributor.ref for contributor in translation.routes), *filter(None, [_route_of(observed)])]
    held = part(env, key, holders, plan, observed)
    try:
        applied = await env.applier.apply(held.plan, key=key, lane=env.lane)
    except SuspectError as error:
        for certificate in env.certificates.doubt(translation, error):
            env.add(certificate)
        raise
    env.changes.applied(key, applied)
    if applied.done and desired is not None and not applied.problems and not held.operations:
        complete(env, key, [contributor.ref for contributor in translation.routes])
    settled(env, key, holders, held, applied)
    hold(env, key, _route_of(env.inventory.service(key)))
    if applied.calls:
        env.board.worked(key)
    failure = failure_of_plan(applied.problems)
    outcome = failure or lacking or _outcome(env, translation, applied)
    _report(env, key, translation, outcome, whole=not held.operations)
    gone = applied.done and desired is None and not held.operations
    if applied.done and desired is not None and not held.operations:
        _feed(env, key, [contributor.ref for contributor in translation.routes])
    if gone:
        route = env.board.let_go(key)
        if route is not None:
            env.add(route.key)
    result = pass_on(env, key, applied, failure=failure, news=gone)
    if not gone and translation.routes:
        await _add_leftovers(env, key, [contributor.ref for contributor in translation.routes], again=applied.calls > 0)
    return result


async def _add_leftovers(env: Environment, key: ServiceKey, refs: Sequence[RouteRef], *, again: bool) -> None:
    """Have done away with what a crash has left of these routes, oldest first, and of the key itself.

    What is not known of one that shares the service is looked for when it is: the others do not wait for that.
    """
    for surplus in await env.inventory.surplus_of(key, lane=env.lane):
        env.changes.seen(surplus)
        env.add(surplus)
    owner, *others = refs
    await add_leftovers(env, owner, again=again)
    for other in others:
        with suppress(UnknownError):
            await add_leftovers(env, other, again=False)
        await anyio.lowlevel.checkpoint()


def _feed(env: Environment, key: ServiceKey, refs: Sequence[RouteRef]) -> None:
    """Note whose rules the service has; a route that has left it may be free to go now."""
    if env.board.feed(key, tuple(refs)):
        for released in env.board.released_by(key):
            env.add(released)


def _found(env: Environment, network: str) -> bool:
    return isinstance(env.inventory.network(network), NetworkFound)


def _tell_gateways(env: Environment, translation: ServiceTranslation, missing: Sequence[str]) -> None:
    """A network that is not there is the Gateway's news too: it may still believe in one that has gone."""
    for contributor in translation.routes:
        route = env.view.route(contributor.ref)
        for ref in (route.spec.parent_refs if route is not None else None) or ():
            if ref.name in missing:
                env.add(ObjectKey("Gateway", ref.namespace or contributor.ref.namespace, ref.name))


def _outcome(env: Environment, translation: ServiceTranslation, applied: Applied) -> ServiceOutcome | None:
    if not applied.done:
        return Pending()
    if translation.desired is None:
        return None
    service = env.inventory.service(translation.key)
    if service is None or service.domain is None:
        return Pending()
    return Programmed(domain=service.domain, arn=service.arn)


def _heirs(env: Environment, key: ServiceKey, observed: ObservedService) -> tuple[ServiceKey, ...]:
    """The keys that may want the service now, so that it must not be deleted for this one: they have none yet.

    The key of a hostname changes when the networks change through which it is offered; the service stays.
    """
    route = route_of_service(observed.tags)
    if route is None:
        return ()
    claims = env.services_with(route, observed.custom_domain or "")
    return tuple(claim for claim in claims if claim != key and env.inventory.service(claim) is None)


def _route_of(service: ObservedService | None) -> RouteRef | None:
    """The route for which the service exists, by its tags."""
    return None if service is None else route_of_service(service.tags)


def _lasting(
    env: Environment, key: ServiceKey, refs: Sequence[RouteRef], outcome: ServiceOutcome | None
) -> ServiceOutcome | None:
    """What to leave of an outcome: what was programmed goes on serving while a change is on its way or tried again.

    An annotation tells what an earlier run programmed; while this run cannot say more, the routes keep their status.
    """
    if not (isinstance(outcome, Pending) or (isinstance(outcome, Failed) and outcome.transient)):
        return outcome
    before = env.board.programmed(key)
    if before is not None:
        return before
    return Pending() if programmed_before(env, refs) else outcome


def _report(
    env: Environment,
    key: ServiceKey,
    translation: ServiceTranslation,
    outcome: ServiceOutcome | None,
    *,
    whole: bool = True,
) -> None:
    """Tell the routes what became of the service; `whole` is false while something of it is held back."""
    refs = [contributor.ref for contributor in translation.routes]
    news = env.board.post_service(key, _lasting(env, key, refs, outcome))
    finished = whole and isinstance(outcome, Programmed) and env.board.rested(key)
    if news:
        for ref in refs:
            env.add(ref.key)
    if isinstance(outcome, Failed):
        tell_failure(env, key, refs, outcome)
    elif isinstance(outcome, Programmed) and finished:
        for ref in refs:
            if (route := env.view.route(ref)) is not None:
                message = f"programmed in VPC Lattice, reached at {outcome.domain}"
                env.tell(ROUTES[ref.kind], route, "DeploySucceed", message)
