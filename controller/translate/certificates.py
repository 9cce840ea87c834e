"""Where the certificate of a service comes from.

A service with a custom domain name and an HTTPS listener has one certificate, for the name alone: clients that come by
the name that VPC Lattice assigned are served with Lattice's own. A listener that serves the name names the certificate
by a TLS option; the first that does decides. Otherwise it is found in ACM by the name.

What ACM has is looked up when the service is worked on (`controller.reconcile.certificates`), so a route that asks for
a name has it, whether there is a certificate or not, and what serves it already is not taken down for want of one.

Source: VPC Lattice user guide, "Bring Your Own Certificate": one certificate a service.
"""

from collections.abc import Iterable

from controller.api.gateway import Listener
from controller.gateway import hostnames
from controller.gateway.listeners import CERTIFICATE_ARN, certificate_arn
from controller.lattice.model import Frozen


class Named(Frozen, frozen=True):
    """The certificate that a listener names."""

    arn: str


class ByName(Frozen, frozen=True):
    """The certificate that ACM has for the service's custom domain name."""


Source = Named | ByName


def certificate_source(hostname: str, listeners: Iterable[Listener]) -> Source | None:
    """Where the certificate comes from for a hostname that these listeners serve, in order; None if it needs none."""
    secure = [listener for listener in listeners if listener.protocol == "HTTPS"]
    if hostname == hostnames.NONE or not secure:
        return None
    named = next(filter(None, map(certificate_arn, secure)), None)
    return ByName() if named is None else Named(arn=named)


def not_found_message(hostname: str) -> str:
    """What to tell the author of a route for whose hostname ACM has no certificate."""
    return (
        f"AWS Certificate Manager has no certificate for {hostname} that is issued and has an RSA key of 2,048 bits, in"
        f" this account and region; request or import one, or name one by the TLS option {CERTIFICATE_ARN} of the"
        " Gateway's listener. It is looked for every minute."
    )
