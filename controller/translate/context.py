"""What every translation may ask beside the view: who the controller is."""

from controller.lattice.model import Frozen, Identity


class TranslateContext(Frozen, frozen=True):
    controller_name: str
    """`spec.controllerName` of the GatewayClasses that are ours."""
    identity: Identity
