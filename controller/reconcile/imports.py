"""Certificates of Secrets in ACM: imported, imported anew when the Secret changes, removed when nobody refers to it.

What this controller imported is found in ACM by its tags, once, and written through from then on; so a start finds
what an earlier run imported, and imports nothing twice. The key of a Secret is the only one that writes its
certificate. What comes of it is told to the Gateways that refer to the Secret, for their status, and to the services
that are to have the certificate.

A certificate that a service still has cannot be deleted; it is tried again until the service has let go of it.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from controller import logs
from controller.acm.client import AcmClient
from controller.acm.model import Held, ImportAnew, ImportAsNew, Remove, Step, plan_import
from controller.acm.pem import Pair
from controller.api.keys import CertificateKey, Key, ObjectKey
from controller.gateway.view import UnknownError, View
from controller.lattice.errors import FencedError, LatticeError, SuspectError, TerminalError
from controller.lattice.inventory.once import Once
from controller.lattice.limits import Lane
from controller.lattice.plan import Operation, Plan
from controller.translate.context import TranslateContext
from controller.translate.imports import CertificateTranslation, translate_certificate
from controller.translate.triggers import services_of_secret
from workqueue import Result

log = logging.getLogger("controller.reconcile")

IN_USE: Final = 30.0
"""Seconds after which a certificate that was in use is tried to be deleted again."""


class Imports:
    """What is imported, and what is wrong with what is not. `now` is the time of day in seconds since the epoch."""

    def __init__(self, acm: AcmClient, owner: str, *, now: Callable[[], float]) -> None:
        self._acm = acm
        self._owner = owner
        self._now = now
        self._held: dict[CertificateKey, list[Held]] | None = None
        self._once: Once[None] = Once()
        self.problems: dict[CertificateKey, str] = {}
        """Why a Secret is not in ACM as it is, for who made it; only those of which that is known."""
        self._settled: set[CertificateKey] = set()
        self._doubted: set[CertificateKey] = set()

    async def load(self, *, lane: Lane = Lane.LIVE) -> tuple[CertificateKey, ...]:
        """Read what this controller imported, unless it is known; the Secrets of all of it. Raises LatticeError."""
        if self._held is None:
            await self._once.run(lambda: self._read(lane))
        assert self._held is not None
        return tuple(self._held)

    def doubt(self, keys: Iterable[CertificateKey]) -> None:
        """What was imported from these Secrets may be another than was believed: their passes look again."""
        self._doubted.update(keys)
        self._settled.difference_update(keys)

    async def look_again(self, key: CertificateKey, *, lane: Lane) -> None:
        """Find out what is there of a Secret that is in doubt: by tags, which may be late, and one by one."""
        if key not in self._doubted:
            return
        held = self.held(key)
        tagged = (await self._acm.owned(self._owner, lane=lane)).get(key, [])
        known = {one.arn: one for one in (*tagged, *held)}
        there = [one for one in known.values() if await self._acm.exists(one.arn, lane=lane)]
        self._certificates(key)[:] = there
        self._doubted.discard(key)

    def held(self, key: CertificateKey) -> tuple[Held, ...]:
        """What is imported from a Secret, after `load`."""
        return tuple((self._held or {}).get(key, ()))

    def arn(self, keys: Iterable[CertificateKey]) -> str | None:
        """The certificate of the first of these Secrets that has one, after `load`."""
        sure = (key for key in keys if key not in self._doubted)
        return next((min(held).arn for key in sure if (held := self.held(key))), None)

    def settled(self, keys: Iterable[CertificateKey]) -> bool:
        """Whether it is known of all of these Secrets what comes of them."""
        return all(key in self._settled for key in keys)

    def steps(self, translation: CertificateTranslation) -> tuple[Step, ...]:
        """What is to be done for a Secret, after `load`."""
        pair = translation.pair
        fingerprint = pair.fingerprint if pair is not None and not self.problem(translation) else None
        return plan_import(self.held(translation.key), fingerprint, wanted=translation.wanted)

    def problem(self, translation: CertificateTranslation) -> str:
        """Why the Secret cannot be imported as it is now; empty if it can, or is not to be."""
        pair = translation.pair
        if pair is not None and pair.ends <= self._now():
            return f"its certificate ended on {datetime.fromtimestamp(pair.ends, UTC):%Y-%m-%d %H:%M} UTC"
        return translation.problem

    async def run(self, key: CertificateKey, step: Step, pair: Pair | None, *, lane: Lane) -> bool:
        """Do one of the steps; False where a certificate is still in use. Raises LatticeError."""
        held = self._certificates(key)
        match step:
            case ImportAsNew():
                assert pair is not None
                arn = await self._acm.import_as_new(key, pair, self._owner, lane=lane)
                held.append(Held(arn=arn, fingerprint=pair.fingerprint))
            case ImportAnew(arn=arn):
                assert pair is not None
                await self._acm.import_anew(arn, pair, lane=lane)
                held[:] = [replace(one, fingerprint=pair.fingerprint) if one.arn == arn else one for one in held]
            case Remove(arn=arn):
                if not await self._acm.delete(arn, lane=lane):
                    return False
                held[:] = [one for one in held if one.arn != arn]
        return True

    def settle(self, translation: CertificateTranslation) -> None:
        """A Secret's certificate is as it can be."""
        key = translation.key
        problem = self.problem(translation)
        self._note(key, problem)
        if problem:
            log.info("a Secret is not imported: %s", problem, extra={"secret": f"{key.namespace}/{key.name}"})
        if translation.wanted:
            self._settled.add(key)
        else:
            self._settled.discard(key)
            if self._held is not None and not self._held.get(key):
                self._held.pop(key, None)

    def failed(self, translation: CertificateTranslation, error: LatticeError) -> None:
        """ACM did not do what was to be done."""
        lasting = isinstance(error, TerminalError)
        self._note(translation.key, f"AWS Certificate Manager: {error}" + ("" if lasting else "; it is tried again"))
        if lasting:
            self._settled.add(translation.key)
        if isinstance(error, SuspectError) or error.undecided:
            # It may be gone, or may have been imported without an answer.
            self.doubt([translation.key])

    def _certificates(self, key: CertificateKey) -> list[Held]:
        assert self._held is not None
        return self._held.setdefault(key, [])

    def _note(self, key: CertificateKey, problem: str) -> None:
        self.problems.pop(key, None)
        if problem:
            self.problems[key] = problem

    def told(self, key: CertificateKey) -> tuple[str | None, str, bool]:
        """All that others are told of a Secret, to see whether it is news."""
        return self.arn([key]), self.problems.get(key, ""), key in self._settled

    async def _read(self, lane: Lane) -> None:
        self._held = await self._acm.owned(self._owner, lane=lane)


async def reconcile(
    imports: Imports, view: View, key: CertificateKey, ctx: TranslateContext, add: Callable[[Key], None], *, lane: Lane
) -> Result | None:
    """One pass for a Secret; `add` is told who has to hear of it. Raises `UnknownError` and `LatticeError`."""
    translation = translate_certificate(view, key, ctx)
    with logs.key(key, object=f"Secret/{key.namespace}/{key.name}"):
        before = imports.told(key)
        try:
            await imports.load(lane=lane)
            await imports.look_again(key, lane=lane)
            done = [await imports.run(key, step, translation.pair, lane=lane) for step in imports.steps(translation)]
        except FencedError:
            raise
        except LatticeError as error:
            imports.failed(translation, error)
            raise
        else:
            imports.settle(translation)
        finally:
            if imports.told(key) != before:
                _tell(view, key, ctx, add)
    return None if all(done) else Result(requeue_after=IN_USE)


def _tell(view: View, key: CertificateKey, ctx: TranslateContext, add: Callable[[Key], None]) -> None:
    try:
        for gateway in view.gateways_of_secret(key.namespace, key.name):
            add(ObjectKey("Gateway", gateway.namespace, gateway.name))
        for service in services_of_secret(view, key, ctx):
            add(service)
    except UnknownError as error:
        log.info("who is to hear of a certificate is not known: %s", error)


async def foresee_import(imports: Imports, view: View, key: CertificateKey, ctx: TranslateContext) -> Plan:
    """What a pass for a Secret would do, for those who only look. Raises `UnknownError` and `LatticeError`."""
    translation = translate_certificate(view, key, ctx)
    await imports.load(lane=Lane.BULK)
    wanted = translation.wanted
    return Plan(operations=tuple(_operation(key, step, wanted=wanted) for step in imports.steps(translation)))


def _operation(key: CertificateKey, step: Step, *, wanted: bool) -> Operation:
    """A step as an operation, without what is imported."""
    resource = f"certificate of Secret {key.namespace}/{key.name}"
    match step:
        case ImportAsNew():
            return Operation(
                call="ImportCertificate", arguments={}, resource=resource, description="import it into ACM"
            )
        case ImportAnew(arn=arn):
            arguments = {"CertificateArn": arn}
            return Operation(
                call="ImportCertificate", arguments=arguments, resource=resource, description="import what has changed"
            )
        case Remove(arn=arn):
            arguments = {"CertificateArn": arn}
            description = "delete one too many" if wanted else "delete it from ACM, for no listener refers to it"
            return Operation(call="DeleteCertificate", arguments=arguments, resource=resource, description=description)
