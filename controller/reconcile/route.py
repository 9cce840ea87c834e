"""A route's own finalizer, annotations, status and DNSEndpoint.

In this order: the finalizer is acknowledged before anything is written to Lattice for the route; annotations tell what
Lattice assigned; the status comes when there is something final to say, and then the DNS records. A deleted route keeps
its finalizer until every service and target group that bears its name has been seen gone; it says so where something
keeps them there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller import logs
from controller.api.gateway import Route
from controller.api.keys import RouteRef
from controller.api.resources import ROUTES, Resource
from controller.gateway.parents import tells_of
from controller.gateway.view import UnknownError
from controller.kube.errors import ApiError
from controller.kube.route_status import merge_route_parents
from controller.kube.times import rfc3339
from controller.kube.writes import patch_annotations, patch_status, update_finalizers
from controller.reconcile.environment import Environment
from controller.reconcile.leftovers import add_leftovers, what_there_is
from controller.reconcile.records import keeps, publish
from controller.translate.annotations import ROUTE_FINALIZERS
from controller.translate.claims import claims_of
from controller.translate.draft import draft_route
from controller.translate.outcomes import route_report
from controller.translate.route import RouteTranslation, translate_route
from controller.translate.take_over import HELD_BACK, TAKEN_OVER, held_message
from controller.translate.withheld import withheld
from workqueue import Result


async def reconcile(env: Environment, ref: RouteRef) -> Result | None:
    """One pass. Raises `UnknownError`, `ApiError` and, when it has to learn what the route holds, `LatticeError`."""
    key, resource, finalizer = ref.key, ROUTES[ref.kind], ROUTE_FINALIZERS[ref.kind]
    route = env.view.route(ref)
    why = withheld(env.view, [ref], env.ctx, wanted=False)
    if why is None:
        for rested in env.board.released_by(key):
            env.add(rested)
    if route is None:
        env.unpublished.discard(ref)
        await _take_over(env, ref)
        return None
    with logs.key(key, object=str(ref), generation=route.metadata.generation):
        translation = translate_route(env.view, ref, env.ctx)
        if translation.services:
            with _told(env, resource, route, "FailedAddFinalizer", f"cannot add the finalizer {finalizer}"):
                await _hold(env, resource, route)
        else:
            with _told(env, resource, route, "Retry-Reconcile", f"cannot remove the finalizer {finalizer}"):
                await _release(env, resource, route, ref)
        route = env.view.route(ref)
        if why is not None and route is not None and finalizer in route.metadata.finalizers:
            env.tell(resource, route, why.reason, why.message)
        if route is not None and not route.deleting:
            with _told(env, resource, route, "Retry-Reconcile", "cannot write annotations and status"):
                await _report(env, resource, route, translation, paused=why is not None)
        elif route is not None and (held := env.take_over.held_for(ref)):
            env.tell(resource, route, HELD_BACK, held_message(held), warning=True)
        await _take_over(env, ref)
        if route is not None and why is None:
            return await publish(env, route, translation)
    return None


async def _take_over(env: Environment, ref: RouteRef) -> None:
    """Note that a route is taken over from another controller, once all that there is of it is ours."""
    left = env.take_over.left
    if left.everything or ref not in left or env.take_over.held_for(ref):
        return
    asked_for, left_over = await what_there_is(env, ref)
    translation = translate_route(env.view, ref, env.ctx)
    keys = {*asked_for, *translation.services, *translation.target_groups}
    if not left_over and all(env.take_over.is_ours(key) for key in keys):
        env.take_over.taken(ref)


@contextmanager
def _told(env: Environment, resource: Resource[Any], route: Route, reason: str, failed: str) -> Iterator[None]:
    """Tell what the Kubernetes API refuses as an event: where it takes no status, nothing else tells the author."""
    try:
        yield
    except ApiError as error:
        env.tell(resource, route, reason, f"{failed}: {error}", warning=True)
        raise


async def _hold(env: Environment, resource: Resource[Any], route: Route) -> None:
    finalizer = ROUTE_FINALIZERS[route.kind]
    if finalizer in route.metadata.finalizers:
        return
    answer = await update_finalizers(env.kube, resource, route, add=[finalizer])
    env.observe(resource, answer)


async def _release(env: Environment, resource: Resource[Any], route: Route, ref: RouteRef) -> None:
    """Let go of a route that asks for nothing, once nothing in Lattice bears its name."""
    finalizer = ROUTE_FINALIZERS[route.kind]
    if finalizer not in route.metadata.finalizers:
        return
    if _shares(env, route, ref):
        return
    if env.board.holds_up(ref):
        return  # What is being created bears the route's name before we know of it.
    # Their own keys delete what is left, and add this one again when it is gone.
    left = await add_leftovers(env, ref, again=True)
    if not left and await env.inventory.find_missed(ref, lane=env.lane):
        left = await add_leftovers(env, ref, again=True)
    if not left:
        env.looked_over.discard(ref)
    if not left and not env.board.holds_up(ref) and not keeps(env, route):
        answer = await update_finalizers(env.kube, resource, route, remove=[finalizer])
        env.observe(resource, answer)


def _shares(env: Environment, route: Route, ref: RouteRef) -> bool:
    """Whether a service that others keep may still have rules of a deleted route; its key then adds this one again."""
    if not route.deleting:
        return False
    try:
        keys = [share.key for share in draft_route(env.view, route, env.ctx).shares]
        kept = [key for key in keys if env.board.may_feed(key, ref) and claims_of(env.view, key, env.ctx)]
    except UnknownError:
        return False  # The service's own key takes the rules out once it is known.
    for key in kept:
        env.board.wait(ref.key, key)
        env.add(key)
    return bool(kept)


async def _report(
    env: Environment, resource: Resource[Any], route: Route, translation: RouteTranslation, *, paused: bool
) -> None:
    """Write what there is to say. Of a paused route it is not found out what it has, but what is thought of it as it is
    now."""
    held = env.take_over.held_for(translation.ref)
    former = env.board.staying_for(translation.ref)
    report = route_report(translation, env.board.outcomes(translation.services), held, former)
    news = paused and not tells_of(route.metadata.generation, route.status, env.ctx.controller_name)
    if not report.ready and not news:
        return
    present = route.metadata.annotations or {}
    if any(present.get(name) != value for name, value in report.annotations.items()):
        answer = await patch_annotations(env.kube, resource, route, report.annotations)
        env.observe(resource, answer)
        route = env.view.route(translation.ref) or route
    now = rfc3339(env.now())
    parents: list[Any] = list(report.parents)
    answer = await patch_status(
        env.kube,
        resource,
        route,
        lambda status: merge_route_parents(status, env.ctx.controller_name, parents, now=now),
    )
    env.observe(resource, answer)
    if answer is not None:
        _tell_refusals(env, resource, route, report.parents)


def _tell_refusals(env: Environment, resource: Resource[Any], route: Route, parents: Any) -> None:
    """What the author has to change, as an event too, each time it became news in the status."""
    for parent in parents:
        for condition in parent["conditions"]:
            if condition["type"] in {"Accepted", "ResolvedRefs"} and condition["status"] == "False":
                message = f"{condition['reason']}: {condition['message']}"
                env.tell(resource, route, "FailedBuildModel", message, warning=True)
            elif condition["type"] == TAKEN_OVER:
                env.tell(resource, route, condition["reason"], condition["message"], warning=True)
