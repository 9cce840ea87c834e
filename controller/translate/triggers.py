"""Which keys an event touches."""

from controller.api.keys import Key
from controller.api.meta import Object
from controller.gateway.view import View
from controller.translate.context import TranslateContext


def keys_for_change(
    kind: str, old: Object | None, new: Object | None, view: View, ctx: TranslateContext
) -> frozenset[Key]:
    """The keys that the change of one object touches, for its old and its new version.

    `kind` is the Kubernetes kind; `old` is None when the object is new, `new` when it is gone; `view` already shows
    `new`. Raises `UnknownError`.
    """
    raise NotImplementedError
