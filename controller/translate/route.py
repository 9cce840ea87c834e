"""What a route asks for: which parents accept it, which Lattice services and target groups it feeds, and the conditions."""

from controller.api.gateway import HTTPRoute, ParentReference
from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Condition
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.context import TranslateContext


class ParentTranslation(Frozen, frozen=True):
    """What becomes of one parentRef for which this controller answers."""

    parent_ref: ParentReference
    conditions: tuple[Condition, ...]
    """Accepted, ResolvedRefs and, where it applies, PartiallyInvalid."""
    services: tuple[ServiceKey, ...] = ()
    """The services by which this parent serves the route; none where it is not accepted."""

    @property
    def accepted(self) -> bool:
        return bool(self.services)


class RouteTranslation(Frozen, frozen=True):
    ref: RouteRef
    route: HTTPRoute | None
    """None when there is no such route; a deleting one is here, and feeds nothing."""
    controller_name: str
    parents: tuple[ParentTranslation, ...] = ()
    """In the order of `spec.parentRefs`, without those for which another controller answers."""
    services: tuple[ServiceKey, ...] = ()
    """In the order of the route's hostnames; the first one's domain is the one that the route's annotation shows."""
    target_groups: tuple[TargetGroupKey, ...] = ()


def translate_route(view: View, ref: RouteRef, ctx: TranslateContext) -> RouteTranslation:
    """Translate the route. Raises `UnknownError`."""
    raise NotImplementedError
