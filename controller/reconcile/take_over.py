"""The take-over from another controller as it goes on: which routes are left, what is held back, what is ours.

Nothing here is lost by a restart: what is left is handed to `note`, which writes it into the Lease, and whoever leads
next begins with it. It shrinks only by routes of which every service and target group was seen as desired, or was
brought there by additions or after a release. So a restart in the middle may hold back again what had already been
judged harmless, and releases nothing.

It begins as everything. Which routes that is can be told once all kinds of routes are known and VPC Lattice was read:
those that bear the finalizer that both controllers set before they make anything, and those that the tags of resources
name, for one of them may be created again and would inherit these. Any other route has nobody's work.
"""

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from controller.api.keys import Key, RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.observed import ObservedService, ObservedTargetGroup
from controller.lattice.plan import Held, Operation, Plan
from controller.translate.context import TranslateContext
from controller.translate.take_over import Left, concerned, held_back, left_of

log = logging.getLogger("controller.reconcile.take_over")

LatticeKey = ServiceKey | TargetGroupKey


class _HeldBack(NamedTuple):
    routes: tuple[RouteRef, ...]
    """Whose release is waited for."""
    operations: tuple[Operation, ...]

    @property
    def told(self) -> object:
        """What people are told of it; arguments differ from plan to plan, by the time in the names of rules."""
        return self.routes, [(one.call, one.resource, one.description) for one in self.operations]


class TakeOver:
    """`note` is called with what is left, as text, whenever that changes. Until `begin`, nothing is left."""

    def __init__(self, note: Callable[[str], None] = lambda _: None) -> None:
        self._note = note
        self._left = Left()
        self._ours: set[LatticeKey] = set()
        self._held: dict[LatticeKey, _HeldBack] = {}

    @property
    def left(self) -> Left:
        """The routes that are not taken over yet."""
        return self._left

    @property
    def plans_held(self) -> int:
        """How many services and target groups have something held back."""
        return len(self._held)

    def __str__(self) -> str:
        """How far it is; empty when it is over."""
        routes = "all" if self._left.everything else str(len(self._left.routes))
        return f"routes left: {routes}, plans held back: {self.plans_held}" if self._left else ""

    def begin(self, left: str) -> None:
        """Lead from here on, with what the Lease says is left."""
        self._left = left_of(left)
        if self._left:
            log.warning(
                "follows another controller: what removes or re-routes what that one made waits to be released",
                extra={"left": self._left.text},
            )
        self._note(self._left.text)

    def narrow(self, routes: Iterable[RouteRef]) -> None:
        """These are all the routes that the other controller can have worked for."""
        if self._left.everything:
            self._set(Left(routes=frozenset(routes)))

    def judge(
        self,
        view: View,
        ctx: TranslateContext,
        key: LatticeKey,
        refs: Iterable[RouteRef],
        plan: Plan,
        observed: ObservedService | ObservedTargetGroup | None,
    ) -> tuple[Held, bool]:
        """What of the plan of a key, for these routes, goes on and what is held back; and whether that is news.

        Raises `UnknownError`.
        """
        if not self._left or key in self._ours:
            return Held(plan=plan), False
        routes = tuple(dict.fromkeys(refs))
        held = held_back(view, ctx, self._left, routes, plan, observed)
        before = self._held.pop(key, None)
        if not held.operations:
            return held, before is not None
        now = self._held[key] = _HeldBack(concerned(self._left, routes), held.operations)
        return held, before is None or before.told != now.told

    def waits_for(self, key: LatticeKey) -> tuple[RouteRef, ...]:
        """The routes whose release the plan of a key waits for."""
        held = self._held.get(key)
        return () if held is None else held.routes

    def settled(self, key: LatticeKey) -> bool:
        """All of the key's plan was applied, and nothing is held: it is ours. Returns whether that is news."""
        if not self._left or key in self._ours:
            return False
        self._ours.add(key)
        return True

    def is_ours(self, key: Key) -> bool:
        return key in self._ours

    def held_for(self, ref: RouteRef) -> tuple[Operation, ...]:
        """What is held back of what belongs to a route."""
        return tuple(one for held in self._held.values() if ref in held.routes for one in held.operations)

    def taken(self, ref: RouteRef) -> None:
        """Everything that the route has is ours."""
        if not self._left.everything and ref in self._left:
            self._set(Left(routes=self._left.routes - {ref}))

    def _set(self, left: Left) -> None:
        self._left = left
        self._note(left.text)
        if not left:
            self._ours.clear()
            self._held.clear()
            log.info("everything is taken over from the other controller")
