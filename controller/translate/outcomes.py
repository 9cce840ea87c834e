"""What became of what was desired, and the report that a route's author gets.

The keys that write Lattice (services, networks) hand their outcome over as one of these; nothing here knows how it came
about. A route's report is made of its translation and the outcomes of its services, and is written only when it says
something final: every service has an outcome, or one of them failed.
"""

from collections.abc import Mapping
from typing import Any

from controller.api.keys import ServiceKey
from controller.lattice.model import Frozen
from controller.translate.route import RouteTranslation


class Found(Frozen, frozen=True):
    """The service network for which a Gateway stands."""

    id: str
    arn: str


class Missing(Frozen, frozen=True):
    """No service network of that name or id is visible."""


class Ambiguous(Frozen, frozen=True):
    """Several service networks bear the name."""

    ids: tuple[str, ...]


class Unavailable(Frozen, frozen=True):
    """It could not be found out; `message` says why. It is tried again."""

    message: str


NetworkState = Found | Missing | Ambiguous | Unavailable


class Pending(Frozen, frozen=True):
    """Not yet decided; also what a service without an entry is."""


class Programmed(Frozen, frozen=True):
    """The service is as desired, and clients reach it at `domain`, the name that Lattice assigned."""

    domain: str
    arn: str


class Failed(Frozen, frozen=True):
    """The service could not be made as desired.

    `reason` is a condition's reason (CamelCase), `message` tells the route's author what to change. A transient failure is
    tried again without a change by the author.
    """

    reason: str
    message: str
    transient: bool


ServiceOutcome = Pending | Programmed | Failed


class RouteReport(Frozen, frozen=True):
    parents: tuple[Mapping[str, Any], ...]
    """RouteParentStatus objects as JSON, in the order of `spec.parentRefs`; no `lastTransitionTime` is set yet. These are
    all our entries: what else bears our controllerName goes."""
    annotations: Mapping[str, str | None]
    """To be set on the route; None removes. Annotations that are not named stay as they are."""
    ready: bool
    """Whether to write it now: every service has an outcome, or something failed."""


def route_report(translation: RouteTranslation, outcomes: Mapping[ServiceKey, ServiceOutcome]) -> RouteReport:
    """The report of a route; `outcomes` of services that the route does not feed are ignored."""
    raise NotImplementedError
