"""Certificates that are found in ACM by a service's name: known as far, and as freshly, as services need it.

ACM is read when the first service asks, and not at all by a fleet that has no use for it. What was read is good for a
name for as long as it has a certificate for it; for a name that it has none for, it is read again when it is older than
a minute. Beside that, it is read every minute while a service waits for a certificate, and every hour while any service
has one from here, so that one that ends is replaced in time. A service whose answer is another one then is told.

What ACM cannot be asked takes nothing away: a service that has a certificate keeps it.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import anyio
from msgspec.structs import replace

from controller.acm.client import AcmClient, Calls
from controller.acm.model import Certificate, Choice, Issued
from controller.api.keys import CertificateKey, ServiceKey
from controller.gateway.conditions import CERTIFICATE_NOT_FOUND, PENDING
from controller.lattice.errors import LatticeError, SuspectError
from controller.lattice.inventory.once import Once
from controller.lattice.limits import Lane
from controller.lattice.model import DesiredService
from controller.lattice.observed import ObservedService
from controller.lattice.plan import Plan, PlanContext, Problem, plan_service
from controller.reconcile.imports import Imports
from controller.translate.certificates import (
    ByName,
    FromSecrets,
    Named,
    not_found_message,
    not_imported_message,
    not_yet_imported_message,
)
from controller.translate.outcomes import Failed
from controller.translate.service import ServiceTranslation

log = logging.getLogger("controller.reconcile")

FRESH: Final = 60.0
"""Seconds after which a name that has no certificate is looked for again."""

LASTING: Final = 3600.0
"""Seconds after which it is looked whether the certificates in use still are the right ones."""


class Acm(Protocol):
    """`AcmClient`, as far as it is used here."""

    async def issued(self, *, now: float, lane: Lane = ...) -> tuple[Certificate, ...]: ...


class Discovery:
    """`now` is the time of day in seconds since the epoch, `monotonic` a clock for ages; `changed` is told of the
    services whose answer has changed."""

    def __init__(
        self,
        acm: Acm,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        changed: Callable[[ServiceKey], None] = lambda _: None,
    ) -> None:
        self._acm = acm
        self._now = now
        self._monotonic = monotonic
        self._changed = changed
        self._issued: Issued | None = None
        self._read = float("-inf")
        self._doubted = False
        self._answers: dict[ServiceKey, Choice | None] = {}
        self._asked = anyio.Event()
        self._once: Once[None] = Once()

    async def find(self, key: ServiceKey, *, lane: Lane = Lane.LIVE) -> Choice | None:
        """The certificate for the hostname of this service, which from now on is told when the answer changes.

        None where ACM has none. Raises LatticeError only where what was read before does not hold, or nothing was.
        """
        self._answers.pop(key, None)
        try:
            if self._doubted or (self._answer(key) is None and self._age >= FRESH):
                await self._refresh(lane)
        except LatticeError as error:
            if self._doubted or self._issued is None:
                raise
            _tell(error)
        finally:
            self._answers[key] = self._answer(key)
            self._asked.set()
        return self._answers[key]

    def doubt(self, key: ServiceKey) -> None:
        """VPC Lattice contradicts what was planned for a service: if its certificate is from here, ACM is read again
        before the next answer."""
        self._doubted = self._doubted or self._answers.get(key) is not None

    def forget(self, key: ServiceKey) -> None:
        """The service asks no more."""
        self._answers.pop(key, None)
        if not self._answers:
            self._asked = anyio.Event()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        """Keep the answers right until cancelled."""
        while True:
            await self._asked.wait()
            rest = (FRESH if None in self._answers.values() else LASTING) - self._age
            if rest > 0:
                await sleep(min(rest, FRESH))
                continue
            try:
                await self._refresh(Lane.BULK)
            except LatticeError as error:
                _tell(error)
                await sleep(FRESH)

    @property
    def _age(self) -> float:
        return self._monotonic() - self._read

    def _answer(self, key: ServiceKey) -> Choice | None:
        return None if self._issued is None else self._issued.choose(key.hostname)

    async def _refresh(self, lane: Lane) -> None:
        await self._once.run(lambda: self._load(lane))

    async def _load(self, lane: Lane) -> None:
        self._issued = Issued(await self._acm.issued(now=self._now(), lane=lane))
        self._read = self._monotonic()
        self._doubted = False
        for key, before in list(self._answers.items()):
            answer = self._answer(key)
            if answer != before:
                self._answers[key] = answer
                self._changed(key)


class Certificates:
    """The two places in which a certificate is found that no listener names."""

    def __init__(
        self,
        calls: Calls,
        owner: str,
        *,
        use_tagging_api: bool,
        monotonic: Callable[[], float],
        now: Callable[[], float] = time.time,
        changed: Callable[[ServiceKey], None] = lambda _: None,
    ) -> None:
        """`owner` is the owner tag's value; the others as in `AcmClient` and `Discovery`."""
        acm = AcmClient(calls, use_tagging_api=use_tagging_api)
        self.discovery = Discovery(acm, now=now, monotonic=monotonic, changed=changed)
        self.imports = Imports(acm, owner, now=now)

    async def desired(
        self, translation: ServiceTranslation, observed: ObservedService | None, *, lane: Lane
    ) -> tuple[DesiredService | None, Failed | None]:
        """What is desired of a service, with its certificate, and what to tell where there is none.

        Without one, a service keeps what it has, and one that has none must not be made. Raises LatticeError.
        """
        desired, key, source = translation.desired, translation.key, translation.certificate
        if desired is None or not isinstance(source, ByName):
            self.discovery.forget(key)
        if desired is None or source is None or isinstance(source, Named):
            return desired, None
        try:
            choice = await self._choice(key, source, lane)
        except LatticeError as error:
            if not has_certificate(observed, key):
                raise
            _tell(error)
            return desired, None
        if isinstance(choice, Choice):
            return replace(desired, certificate_arn=choice.arn, certificates_as_well=choice.as_well), None
        if choice.transient and has_certificate(observed, key):
            return desired, None
        if has_certificate(observed, key):
            kept = "Until then the service keeps the certificate that it has."
            return desired, replace(choice, message=f"{choice.message} {kept}")
        return desired, choice

    def doubt(self, translation: ServiceTranslation, error: SuspectError) -> tuple[CertificateKey, ...]:
        """VPC Lattice contradicts what was planned for a service: if it may be about its certificate, that is read
        again before the next answer. Returns the Secrets whose certificates are to be seen to.
        """
        source = translation.certificate
        if not error.not_found or error.operation not in {"CreateService", "UpdateService"}:
            return ()
        self.discovery.doubt(translation.key)
        if not isinstance(source, FromSecrets):
            return ()
        self.imports.doubt(source.keys)
        return source.keys

    async def _choice(self, key: ServiceKey, source: ByName | FromSecrets, lane: Lane) -> Choice | Failed:
        if isinstance(source, ByName):
            found = await self.discovery.find(key, lane=lane)
            return found or _lacking(not_found_message(key.hostname))
        await self.imports.load(lane=lane)
        arn = self.imports.arn(source.keys)
        if arn is not None:
            return Choice(arn=arn)
        if self.imports.settled(source.keys):
            return _lacking(not_imported_message(source.keys))
        return Failed(reason=PENDING, message=not_yet_imported_message(source.keys), transient=True)


def _lacking(message: str) -> Failed:
    return Failed(reason=CERTIFICATE_NOT_FOUND, message=message, transient=False)


async def foresee(
    certificates: Certificates, translation: ServiceTranslation, observed: ObservedService | None, context: PlanContext
) -> Plan:
    """The plan of a service for those who only look, with a problem where it lacks its certificate.

    Raises LatticeError.
    """
    desired, lacking = await certificates.desired(translation, observed, lane=Lane.BULK)
    problems = () if lacking is None else (Problem(reason="CertificateNotFound", message=lacking.message),)
    if lacking is not None and not has_certificate(observed, translation.key):
        return Plan(problems=problems, whole=False)
    plan = plan_service(desired, observed, context)
    return replace(plan, problems=(*plan.problems, *problems))


def has_certificate(observed: ObservedService | None, key: ServiceKey) -> bool:
    """Whether what was observed is the service of this hostname, not of the one before, and has a certificate."""
    return (
        observed is not None and (observed.custom_domain or "") == key.hostname and observed.certificate_arn is not None
    )


def _tell(error: LatticeError) -> None:
    log.warning("certificates could not be read again: %s", error, extra={"code": error.code})
