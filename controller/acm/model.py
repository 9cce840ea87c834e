"""Certificates in AWS Certificate Manager (ACM), as far as VPC Lattice uses them, and which of them serves a name.

A Lattice service has one certificate. Where no listener names it, it is found by the service's custom domain name:
among the certificates that are issued and cover the name, one that has the name itself goes before one that covers it
by a wildcard, and the newest before older ones.

**Keep what works.** A service that has a certificate keeps it for as long as it does as well: it is issued, covers the
name no less exactly than the best, and does not end within `EXPIRES_SOON`. A second certificate for a name therefore
changes nothing by itself, and takes over in time before the first one ends. ACM renews its own certificates in place,
earlier than that.

Source: ACM API reference, `CertificateSummary`; VPC Lattice user guide, "Bring Your Own Certificate": names are matched
against the subject alternative names, wildcards one label deep; RSA keys of 2,048 bits only.
"""

from collections.abc import Iterable
from typing import Final

from controller.lattice.model import TAG_PREFIX, Frozen

DAY: Final = 86_400.0

EXPIRES_SOON: Final = 30 * DAY
"""Seconds before its end from which on a certificate is given up for one that lasts longer."""


class Certificate(Frozen, frozen=True):
    """A certificate that is issued, with the names that it covers."""

    arn: str
    names: tuple[str, ...]
    """Subject alternative names, in lower case; a wildcard begins with `*.`."""
    made: float
    """When it was requested or last imported, in seconds since the epoch."""
    ends_soon: bool = False
    """Whether it ends within `EXPIRES_SOON`, as of when it was read."""


class Choice(Frozen, frozen=True):
    """The certificate for a name, and those that do as well: a service that has one of these keeps it."""

    arn: str
    as_well: frozenset[str] = frozenset()


class Issued:
    """The certificates that are issued, found by the names that they cover."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._by_name: dict[str, list[Certificate]] = {}
        for certificate in certificates:
            for name in certificate.names:
                self._by_name.setdefault(name, []).append(certificate)

    def choose(self, hostname: str) -> Choice | None:
        """The certificate to use for this name, which is no wildcard; None where none covers it."""
        name = hostname.lower()
        fitting = self._by_name.get(name) or self._by_name.get(f"*.{name.partition('.')[2]}")
        if not fitting:
            return None
        best = max(fitting, key=lambda one: (not one.ends_soon, one.made, one.arn))
        return Choice(arn=best.arn, as_well=frozenset(one.arn for one in fitting if not one.ends_soon) - {best.arn})


SECRET_NAMESPACE: Final = TAG_PREFIX + "SecretNamespace"
SECRET_NAME: Final = TAG_PREFIX + "SecretName"
FINGERPRINT: Final = TAG_PREFIX + "CertificateFingerprint"
"""The tags of a certificate that was imported: from which Secret, and which one it is; see `pem.Pair`."""


class Held(Frozen, frozen=True, order=True):
    """A certificate that this controller imported from a Secret."""

    arn: str
    fingerprint: str = ""
    """Of what was last known to be imported; empty if it is not known."""


class ImportAsNew(Frozen, frozen=True):
    """Import the pair as a new certificate."""


class ImportAnew(Frozen, frozen=True):
    """Import the pair in the place of what the certificate has."""

    arn: str


class Remove(Frozen, frozen=True):
    """Delete the certificate, once nothing uses it."""

    arn: str


Step = ImportAsNew | ImportAnew | Remove


def plan_import(held: Iterable[Held], fingerprint: str | None, *, wanted: bool) -> tuple[Step, ...]:
    """What to do for a Secret whose certificates are these, in this order; `fingerprint` is that of its pair, None
    where it has none that could be imported: what was imported before stays then.
    """
    certificates = sorted(held)
    if not wanted:
        return tuple(Remove(arn=one.arn) for one in certificates)
    steps: list[Step] = []
    if fingerprint is not None and not certificates:
        steps.append(ImportAsNew())
    elif fingerprint is not None and certificates[0].fingerprint != fingerprint:
        steps.append(ImportAnew(arn=certificates[0].arn))
    return (*steps, *(Remove(arn=one.arn) for one in certificates[1:]))
