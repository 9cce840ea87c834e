"""Where the certificate of a service comes from.

A service with a custom domain name and an HTTPS listener has one certificate, for the name alone: clients that come by
the name that VPC Lattice assigned are served with Lattice's own. A listener that serves the name names the certificate
by a TLS option; the first that does decides. Where Secrets are imported, those to which the listeners refer are next.
Otherwise the certificate is found in ACM by the name.

What ACM has is looked up when the service is worked on (`controller.reconcile.certificates`), so a route that asks for
a name has it, whether there is a certificate or not, and what serves it already is not taken down for want of one.

Source: VPC Lattice user guide, "Bring Your Own Certificate": one certificate a service.
"""

from collections.abc import Iterable

from controller.api.gateway import Listener
from controller.api.keys import CertificateKey
from controller.gateway import hostnames
from controller.gateway.listeners import CERTIFICATE_ARN, certificate_arn
from controller.lattice.model import Frozen


class Named(Frozen, frozen=True):
    """The certificate that a listener names."""

    arn: str


class ByName(Frozen, frozen=True):
    """The certificate that ACM has for the service's custom domain name."""


class FromSecrets(Frozen, frozen=True):
    """The certificate that is imported from the first of these Secrets from which there is one."""

    keys: tuple[CertificateKey, ...]


Source = Named | ByName | FromSecrets


class Serving(Frozen, frozen=True):
    """A listener that serves a hostname, with the Secrets to which it refers and may."""

    listener: Listener
    secrets: tuple[CertificateKey, ...] = ()


def certificate_source(hostname: str, serving: Iterable[Serving]) -> Source | None:
    """Where the certificate comes from for a hostname that these listeners serve, in order; None if it needs none."""
    secure = [each for each in serving if each.listener.protocol == "HTTPS"]
    if hostname == hostnames.NONE or not secure:
        return None
    named = next(filter(None, (certificate_arn(each.listener) for each in secure)), None)
    if named is not None:
        return Named(arn=named)
    keys = tuple(dict.fromkeys(key for each in secure for key in each.secrets))
    return FromSecrets(keys=keys) if keys else ByName()


def not_found_message(hostname: str) -> str:
    """What to tell the author of a route for whose hostname ACM has no certificate."""
    return (
        f"AWS Certificate Manager has no certificate for {hostname} that is issued and has an RSA key of 2,048 bits, in"
        f" this account and region; request or import one, or name one by the TLS option {CERTIFICATE_ARN} of the"
        " Gateway's listener. It is looked for every minute."
    )


def not_imported_message(keys: Iterable[CertificateKey]) -> str:
    """What to tell the author of a route for whose hostname no Secret could be imported."""
    secrets = ", ".join(f"{key.namespace}/{key.name}" for key in keys)
    return f"No certificate could be imported from Secret {secrets}; the Gateway's listener says why (ResolvedRefs)."


def not_yet_imported_message(keys: Iterable[CertificateKey]) -> str:
    """What to tell him while it is not known yet."""
    secrets = " or ".join(f"{key.namespace}/{key.name}" for key in keys)
    return f"Waits for the certificate of Secret {secrets} to be imported into AWS Certificate Manager."
