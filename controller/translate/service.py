"""A Lattice service as the routes that feed it want it."""

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredService, Frozen
from controller.translate.context import TranslateContext


class Contributor(Frozen, frozen=True):
    """A route that feeds a service."""

    ref: RouteRef
    generation: int
    finalizer: bool
    """Whether it carries our finalizer, without which nothing may be written to Lattice for it."""


class ServiceTranslation(Frozen, frozen=True):
    key: ServiceKey
    desired: DesiredService | None = None
    """None when no route asks for it."""
    routes: tuple[Contributor, ...] = ()
    """Oldest first: the first owns name, tags and service-wide annotations."""
    target_groups: tuple[TargetGroupKey, ...] = ()
    """The groups to which its rules forward."""


def translate_service(view: View, key: ServiceKey, ctx: TranslateContext) -> ServiceTranslation:
    """Translate the service. Raises `UnknownError`."""
    raise NotImplementedError
