"""What of another controller's work is not taken over yet, and what has been released.

The AWS Gateway API Controller and this one find the same resources, and mean different things by the same objects. So
where the last holder of the Lease was not this controller, a plan is applied only as far as it adds
(`controller.lattice.plan.take_over`); the rest is held back and told, until somebody releases it: on the route, on the
namespace, or for all by the setting. A route's own word beats its namespace's. A route whose services and groups are as
desired, or only had to be added to, is taken over, and from then on is changed as it says.

What is held back goes on serving, so a target group whose removal is held back goes on following the endpoints of its
backend, although no route asks for it, or may: nobody else registers the pods that come.

`Left` says which routes are not taken over yet, in a form that the Lease can carry from one run to the next. A service
that several routes share is held back for all of them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, get_args

from msgspec.structs import replace

from controller.api.keys import RouteKind, RouteRef, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import TAG_PREFIX, Frozen, Target
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Held, Operation, Plan, hold_back
from controller.translate.annotations import TAKE_OVER
from controller.translate.compile import rules_of
from controller.translate.context import TranslateContext

RELEASED: Final = "released"

EVERYTHING_TEXT: Final = "*"
"""As the marks of a Lease call it (`controller.kube.lease_marks.EVERYTHING`)."""

LONGEST_TEXT: Final = 200_000
"""Characters; all annotations of an object may have 256 KiB."""

TAKEN_OVER: Final = TAG_PREFIX + "TakenOver"
"""The type of the condition, False on each parent of a route of which something is held back, and else not there."""

HELD_BACK: Final = "HeldBack"
"""Its reason, and that of the Event."""

SHOWN: Final = 5
"""Operations that a message names."""

_KINDS: Final[Sequence[RouteKind]] = get_args(RouteKind)


class Left(Frozen, frozen=True):
    """The routes that are not taken over yet."""

    routes: frozenset[RouteRef] = frozenset()
    everything: bool = False
    """It is not known yet which there are: all."""

    def __bool__(self) -> bool:
        return self.everything or bool(self.routes)

    def __contains__(self, ref: RouteRef) -> bool:
        return self.everything or ref in self.routes

    @property
    def text(self) -> str:
        """For the Lease: all routes where their list would be too long for it."""
        if self.everything:
            return EVERYTHING_TEXT
        text = ",".join(map(str, sorted(self.routes)))
        return text if len(text) <= LONGEST_TEXT else EVERYTHING_TEXT


def left_of(text: str) -> Left:
    """What the text says; everything where it cannot be read."""
    routes = [_route(part) for part in text.split(",") if part]
    known = frozenset(ref for ref in routes if ref is not None)
    return Left(everything=True) if None in routes else Left(routes=known)


def _route(text: str) -> RouteRef | None:
    name, _, rest = text.partition("/")
    namespace, _, of = rest.partition("/")
    kind = next((kind for kind in _KINDS if kind == name), None)
    return RouteRef(kind, namespace, of) if kind is not None and namespace and of else None


def is_released(view: View, ref: RouteRef, ctx: TranslateContext) -> bool:
    """Whether somebody said that what another controller left of this route may be changed. Raises `UnknownError`."""
    if ctx.take_over_released:
        return True
    route = view.route(ref)
    word = None if route is None else route.annotation(TAKE_OVER)
    if word is None:
        namespace = view.namespace(ref.namespace)
        word = None if namespace is None else namespace.annotation(TAKE_OVER)
    return (word or "").strip().lower() == RELEASED


def concerned(left: Left, refs: Iterable[RouteRef]) -> tuple[RouteRef, ...]:
    """Those of the routes that are not taken over yet."""
    return tuple(ref for ref in dict.fromkeys(refs) if ref in left)


def held_back(
    view: View,
    ctx: TranslateContext,
    left: Left,
    refs: Iterable[RouteRef],
    plan: Plan,
    observed: ObservedService | ObservedTargetGroup | None,
) -> Held:
    """The plan for what belongs to these routes, in two parts: all goes on where nobody's work is taken over, or all of
    it is released. Raises `UnknownError`.

    What exists and belongs to no route that is known can be released for all only.
    """
    routes = tuple(refs)
    waiting = concerned(left, routes)
    if routes and not waiting:
        return Held(plan=plan)
    released = all(is_released(view, ref, ctx) for ref in waiting) if waiting else ctx.take_over_released or not left
    return Held(plan=plan) if released else hold_back(plan, observed)


def backend_to_follow(
    view: View, key: TargetGroupKey, ref: RouteRef | None, present: Collection[Target]
) -> TargetGroupKey | None:
    """The key of a group whose removal is held back, with the port of its backend where that can be told; None where
    there is no such Service, and nothing to follow. Raises `UnknownError`.

    A key that was made for a group that nothing asks for knows no port. Then the targets that it has say more than the
    route, which may have been changed since; without any, it is the port by which the route, which is `ref`, refers to
    the Service, whether it may or not.
    """
    if view.service(key.namespace, key.service) is None:
        return None
    route = None if key.port is not None or present or ref is None else view.route(ref)
    route_namespace = "" if route is None else route.namespace
    rules = () if route is None else rules_of(route)
    ports = {
        backend.port
        for rule in rules
        for backend in rule.backend_refs or ()
        if (backend.kind, backend.namespace or route_namespace, backend.name) == ("Service", key.namespace, key.service)
    }
    return replace(key, port=ports.pop()) if len(ports) == 1 else key


def held_message(operations: Sequence[Operation]) -> str:
    """What to tell a route's author about what is held back."""
    shown = "; ".join(f"{one.call} of {one.resource}: {one.description}" for one in operations[:SHOWN])
    more = f"; and {len(operations) - SHOWN} more" if len(operations) > SHOWN else ""
    number = "1 operation" if len(operations) == 1 else f"{len(operations)} operations"
    return (
        "Another controller made what this route has in VPC Lattice, and nothing of that is removed or re-routed until"
        f" the route or its namespace is annotated with {TAKE_OVER}={RELEASED}. Held back: {number}: {shown}{more}."
    )
