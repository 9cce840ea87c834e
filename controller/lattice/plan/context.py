"""What a plan may ask beside desired and observed: who we are, what time it is, networks and groups by name and key."""

from collections.abc import Callable

from controller.api.keys import TargetGroupKey
from controller.lattice.model import Frozen, Identity
from controller.lattice.observed import NetworkLookup, ObservedTargetGroup


class PlanContext(Frozen, frozen=True):
    identity: Identity
    now: int
    """Unix time in seconds, which the names of new rules carry."""
    network: Callable[[str], NetworkLookup]
    """A service network by name or id."""
    target_group: Callable[[TargetGroupKey], ObservedTargetGroup | None]
    """The group of a key; None if it does not exist yet."""
    group_named: Callable[[str], bool]
    """Whether a target group of that name is known."""
    groups_per_service: int | None = None
    """How many target groups a service may use; None where it is not known."""
