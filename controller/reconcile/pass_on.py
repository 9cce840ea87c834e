"""How a key that writes Lattice makes its passes, and what it does at the end of one: park, wait, release.

Also here: how a Lattice error reads as an outcome for a route's author, and how long a key rests after one.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from controller.api.keys import Key, RouteRef, ServiceKey, TargetGroupKey
from controller.api.resources import ROUTES
from controller.gateway.conditions import QUOTA_EXCEEDED
from controller.gateway.parents import tells_of
from controller.lattice.apply import Applied
from controller.lattice.errors import FencedError, LatticeError, SuspectError, TerminalError
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Held, Plan, Problem
from controller.reconcile.environment import Environment
from controller.translate.annotations import SERVICE_ARN
from controller.translate.outcomes import Failed
from controller.translate.withheld import Withheld, withheld
from workqueue import Result

T = TypeVar("T")

log = logging.getLogger("controller.reconcile")

HELD = 10.0
"""Seconds after which a key that waits for another key's work looks again by itself, should nobody release it."""

SLOWLY = 300.0
"""Seconds after which what was refused for good is tried once more, in case permissions or quotas were changed."""


async def twice(once: Callable[[], Awaitable[T]], report: Callable[[Failed], None]) -> T:
    """Make a pass, and another one if the first found that what we believed of Lattice is wrong.

    Raises LatticeError after it was reported.
    """
    try:
        try:
            return await once()
        except SuspectError as error:
            log.info("reads Lattice again: %s", error, extra={"code": error.code, "request_id": error.request_id})
        return await once()
    except LatticeError as error:
        if not isinstance(error, FencedError):
            report(failure_of(error))
        raise


def pass_on(
    env: Environment, key: Key, applied: Applied, *, failure: Failed | None, news: bool = False
) -> Result | None:
    """Park the key for what its plan waits for, and add the keys that waited for this one, if it did anything.

    `news` tells that this pass changed something that others wait for without a call to Lattice.
    """
    if applied.calls or news:
        for released in env.board.released_by(key):
            env.add(released)
    env.parked.pop(key, None)
    for ref in applied.waits:
        env.park(key, ref)
    trying = [holder for holder in applied.holds if not env.board.failed(holder)]
    for holder in applied.holds:
        env.board.wait(key, holder)
    for holder in trying:
        env.add(holder)
    if failure is not None:
        return Result(requeue=True) if failure.transient else Result(requeue_after=SLOWLY)
    if applied.holds:
        return Result(requeue_after=HELD if trying else SLOWLY)
    return None if applied.done or applied.waits else Result(requeue=True)


@contextmanager
def working_for(env: Environment, key: ServiceKey | TargetGroupKey, routes: Sequence[RouteRef]) -> Iterator[None]:
    """A pass for these routes: until it ends none of them is let go, because what it creates is not known before, and
    no other key takes over what this one uses."""
    env.board.begin(key, routes)
    try:
        with env.inventory.pass_of(key), env.changes.pass_of(key):
            yield
    finally:
        for route in env.board.end(key, routes):
            env.add(route.key)


def hold(env: Environment, key: ServiceKey | TargetGroupKey, route: RouteRef | None) -> None:
    """Note for which route a key's resource exists; the route that it left may be free to go now."""
    former = env.board.hold(key, route)
    if former is not None:
        env.add(former.key)


def rests(
    env: Environment,
    key: ServiceKey | TargetGroupKey,
    routes: Iterable[RouteRef],
    holder: RouteRef | None,
    *,
    wanted: bool,
) -> Withheld | None:
    """Why nothing may be written for a key now, because of a route that it works for or of the one for which its
    resource exists; the key is then added again when that is over. `wanted`: it is not to be
    deleted. Raises `UnknownError`.
    """
    refs = list(routes)
    why = withheld(env.view, dict.fromkeys(filter(None, (holder, *refs))), env.ctx, wanted=wanted)
    if why is None:
        return None
    env.changes.left_alone(key)
    env.parked.pop(key, None)
    env.board.wait(key, why.route.key)
    for ref in refs:
        route = env.view.route(ref)
        if ref != why.route and route is not None:
            env.tell(ROUTES[ref.kind], route, why.reason, why.to_others)
    return why


def part(
    env: Environment,
    key: ServiceKey | TargetGroupKey,
    routes: Sequence[RouteRef],
    plan: Plan,
    observed: ObservedService | ObservedTargetGroup | None,
) -> Held:
    """The plan for what belongs to these routes, in two parts where it is not taken over yet.

    Of what is held back the routes tell; the key is added again whenever one of them was looked at, and so when it is
    released. Raises `UnknownError`.
    """
    held, news = env.take_over.judge(env.view, env.ctx, key, routes, plan, observed)
    for ref in env.take_over.waits_for(key):
        env.board.wait(key, ref.key)
        if news:
            env.add(ref.key)
    return held


def settled(
    env: Environment, key: ServiceKey | TargetGroupKey, routes: Iterable[RouteRef], held: Held, applied: Applied
) -> None:
    """Note that what a key has is ours, if all of its plan was applied; its routes may be taken over now."""
    if applied.done and not held.operations and env.take_over.settled(key):
        for ref in routes:
            env.add(ref.key)


def tell_failure(
    env: Environment, key: ServiceKey | TargetGroupKey, routes: Iterable[RouteRef], failure: Failed
) -> None:
    """Record a failure as an event on the routes that a key works for, or, when it deletes, on the one it did."""
    reason = "Retry-Reconcile" if failure.transient else "FailedDeployModel"
    for ref in list(routes) or filter(None, [env.board.holder(key)]):
        route = env.view.route(ref)
        if route is not None:
            env.tell(ROUTES[ref.kind], route, reason, failure.message, warning=True)


def programmed_before(env: Environment, routes: Iterable[RouteRef]) -> bool:
    """Whether an annotation tells that one of these routes was programmed once, perhaps by an earlier run.

    While this run cannot say more than that it tries again, such a route keeps its status: it may well be served. Not
    where the status is of a former generation: what the route asks for now was never served.
    """
    return any(
        (route := env.view.route(ref)) is not None
        and route.annotation(SERVICE_ARN) is not None
        and tells_of(route.metadata.generation, route.status, env.ctx.controller_name)
        for ref in routes
    )


def failure_of(error: LatticeError) -> Failed:
    """The outcome that tells a route's author about an error."""
    if isinstance(error, TerminalError) and not error.code.startswith("AccessDenied"):
        reason = QUOTA_EXCEEDED if error.quota_code is not None else "Invalid"
        return Failed(reason=reason, message=f"VPC Lattice refuses: {error}", transient=False)
    # A missing permission is the operator's to mend, and says nothing about the route.
    return Failed(reason="Pending", message=f"VPC Lattice: {error}; it is tried again", transient=True)


def failure_of_plan(problems: Sequence[Problem]) -> Failed | None:
    """The outcome that tells a route's author what a plan could not bring about; None if there is nothing."""
    if not problems:
        return None
    problem = problems[0]
    if problem.reason == "Conflicted":
        return Failed(reason="Conflicted", message=problem.message, transient=False)
    return Failed(reason="Pending", message=problem.message, transient=True)
