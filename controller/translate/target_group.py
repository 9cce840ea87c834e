"""A target group of a service: which endpoints belong to a backend port."""

from controller.api.keys import TargetGroupKey
from controller.gateway.view import View
from controller.lattice.model import DesiredTargetGroup
from controller.translate.context import TranslateContext


def translate_target_group(view: View, key: TargetGroupKey, ctx: TranslateContext) -> DesiredTargetGroup | None:
    """The group as its service wants it; None when the service does not forward to it. Raises `UnknownError`."""
    raise NotImplementedError
