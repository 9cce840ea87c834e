"""For which routes nothing is written to Lattice although there may be something to do, and why.

An operator pauses a route, or a Gateway and by that its routes, by an annotation; the route's own word beats its
Gateways'. What a paused route has in Lattice stays as it is, whatever is said of the route meanwhile: neither changed
nor deleted, not even for another route that would inherit it.

Where the installation protects from deletion, what a deleted route has stays until the route allows that it goes. Only
deletions are kept back by that, and only those that follow from the route's own deletion: a changed route loses what it
does not ask for any more, and another route may inherit a hostname.
"""

from collections.abc import Iterable

from controller.api.gateway import Route
from controller.api.keys import RouteRef
from controller.gateway.attachment import parent_gateways
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.annotations import ALLOW_DELETION, PAUSED, is_set
from controller.translate.context import TranslateContext

PAUSED_MESSAGE = (
    f"Paused by the annotation {PAUSED}, here or on a Gateway: nothing is written to VPC Lattice for this route."
)

PROTECTED_MESSAGE = (
    "Protected from deletion: what the route has in VPC Lattice stays, and the route with it, until it is annotated"
    f" with {ALLOW_DELETION}=true."
)


class Withheld(Frozen, frozen=True):
    """Why nothing is written for a route; reason and message are those of an Event on it."""

    route: RouteRef
    reason: str
    message: str

    @property
    def to_others(self) -> str:
        """What to tell a route that wants what this one holds."""
        return f"waits for what {self.route} has in VPC Lattice, which is left alone: {self.message}"


def is_paused(view: View, route: Route) -> bool:
    """Whether the route or, where it does not say, one of its Gateways is paused. Raises `UnknownError`."""
    own = route.annotation(PAUSED)
    if own is not None:
        return is_set(own)
    gateways = (view.gateway(namespace, name) for namespace, name in sorted(parent_gateways(route)))
    return any(gateway is not None and is_set(gateway.annotation(PAUSED)) for gateway in gateways)


def withheld(view: View, refs: Iterable[RouteRef], ctx: TranslateContext, *, wanted: bool) -> Withheld | None:
    """Why nothing may be written to what belongs to these routes together: the first one's reason, if any has one.

    `wanted` tells that some route asks for it, so that it will not be deleted. Raises `UnknownError`.
    """
    for ref in refs:
        route = view.route(ref)
        if route is None:
            continue
        if is_paused(view, route):
            message = PAUSED_MESSAGE
            if route.deleting:
                message += " What it has there stays, and the route with it, until the annotation is removed."
            return Withheld(route=ref, reason="Paused", message=message)
        protected = ctx.protect_from_deletion and not is_set(route.annotation(ALLOW_DELETION))
        if protected and route.deleting and not wanted:
            return Withheld(route=ref, reason="DeletionProtected", message=PROTECTED_MESSAGE)
    return None
