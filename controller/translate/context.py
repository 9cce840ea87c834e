"""What every translation may ask beside the view: who the controller is, and what it worked out before."""

from typing import Any

import msgspec

from controller.gateway.memory import Memory
from controller.lattice.model import Frozen, Identity
from controller.lattice.quotas import KnownQuotas


class TranslateContext(Frozen, frozen=True):
    controller_name: str
    """`spec.controllerName` of the GatewayClasses that are ours."""
    identity: Identity
    protect_from_deletion: bool = False
    """Whether what a deleted route has in Lattice stays until the route allows its deletion; see `withheld`."""
    take_over_released: bool = False
    """Whether what another controller left may be changed everywhere; see `take_over`."""
    quotas: KnownQuotas = msgspec.field(default_factory=KnownQuotas)
    """What a service of this account has room for."""
    import_certificates: bool = False
    """Whether the Secrets to which HTTPS listeners refer are imported into ACM; otherwise no Secret is read."""
    drafts: Memory[Any] = msgspec.field(default_factory=Memory)
    """Drafts of routes; see `draft`."""
    claims: Memory[Any] = msgspec.field(default_factory=Memory)
    """Who gets a hostname; see `claims`."""
    merged: Memory[Any] = msgspec.field(default_factory=Memory)
    """What routes make of the services that they share; see `merge`."""
