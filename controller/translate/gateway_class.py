"""Status of a GatewayClass: whether it is accepted, whether the cluster's definitions fit, and what it can.

This controller takes no parameters, so a class that refers to some is not accepted: nothing of what they say would come
true. Its Gateways are served all the same, as they were before somebody added the reference. Definitions of a version
that is not known are served as well as can be, and told.

Source: Gateway API v1.6, `GatewayClassStatus`, `GatewayClassConditionType`.
"""

from collections.abc import Mapping
from typing import Any, Final

from controller.api.gateway import GatewayClass
from controller.api.meta import condition_to_json
from controller.gateway import conditions, features
from controller.gateway.conditions import condition
from controller.lattice.model import Frozen
from controller.translate.context import TranslateContext

BUNDLE_VERSION: Final = "gateway.networking.k8s.io/bundle-version"
"""The annotation by which a definition tells the version of the Gateway API that it is of."""

SUPPORTED: Final = ("v1.5", "v1.6")
"""The versions against whose definitions this controller is tested."""

Versions = Mapping[str, str]
"""Names of the definitions that there are, with their versions; empty where the annotation is missing."""


class GatewayClassStatus(Frozen, frozen=True):
    """The parts of a class's status as JSON, `lastTransitionTime` being empty."""

    conditions: tuple[Mapping[str, Any], ...]
    supported_features: tuple[Mapping[str, Any], ...]


def gateway_class_status(
    gateway_class: GatewayClass, versions: Versions | None, ctx: TranslateContext
) -> GatewayClassStatus | None:
    """The status of a class; None when it is another controller's. `versions` None is that they cannot be read."""
    if gateway_class.spec.controller_name != ctx.controller_name:
        return None
    generation = gateway_class.metadata.generation
    reference = gateway_class.spec.parameters_ref
    accepted, reason, message = True, conditions.ACCEPTED, "GatewayClass is accepted."
    if reference is not None:
        accepted, reason = False, conditions.INVALID_PARAMETERS
        message = (
            f"spec.parametersRef refers to the {reference.kind} {reference.name}, and this controller takes no"
            " parameters: remove it. The Gateways of this class are served as without it."
        )
    supported, fits, told = _supported(versions)
    return GatewayClassStatus(
        conditions=(
            condition_to_json(condition(conditions.ACCEPTED, accepted, reason, message, generation)),
            condition_to_json(condition(conditions.SUPPORTED_VERSION, supported, fits, told, generation)),
        ),
        supported_features=tuple({"name": name} for name in features.SUPPORTED),
    )


def _supported(versions: Versions | None) -> tuple[bool | None, str, str]:
    if versions is None:
        return None, conditions.PENDING, "The versions of the Gateway API's definitions could not be read."
    found: dict[str, list[str]] = {}
    for name, version in sorted(versions.items()):
        if ".".join(version.split(".")[:2]) not in SUPPORTED:
            found.setdefault(version or f"without the annotation {BUNDLE_VERSION}", []).append(name)
    known = " and ".join(SUPPORTED)
    if found:
        listed = "; ".join(f"{version}: {', '.join(names)}" for version, names in found.items())
        message = f"This controller is tested with {known} of the Gateway API; other definitions are served as well as"
        return False, conditions.UNSUPPORTED_VERSION, f"{message} they can be: {listed}."
    message = f"The Gateway API's definitions are of {', '.join(sorted(set(versions.values()))) or 'no version'}."
    return True, conditions.SUPPORTED_VERSION, message
