"""Status of GatewayClasses and Gateways."""

from collections.abc import Mapping
from typing import Any

from controller.api.gateway import Gateway, GatewayClass
from controller.gateway.view import View
from controller.lattice.model import Frozen
from controller.translate.context import TranslateContext
from controller.translate.outcomes import NetworkState


class GatewayStatus(Frozen, frozen=True):
    """The parts of a Gateway's status as JSON, without `lastTransitionTime`."""

    conditions: tuple[Mapping[str, Any], ...]
    listeners: tuple[Mapping[str, Any], ...]
    addresses: tuple[Mapping[str, Any], ...]


def gateway_class_status(gateway_class: GatewayClass, ctx: TranslateContext) -> tuple[Mapping[str, Any], ...] | None:
    """The conditions of a class as JSON; None when it is another controller's."""
    raise NotImplementedError


def gateway_status(view: View, gateway: Gateway, network: NetworkState, ctx: TranslateContext) -> GatewayStatus | None:
    """The status of a Gateway; None when its class is not ours. Raises `UnknownError`."""
    raise NotImplementedError
