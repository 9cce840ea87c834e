"""Which Secrets are imported into ACM, for the HTTPS listeners that refer to them, and what is wrong with the rest.

Only where the installation has it so (`import_certificates`), for it takes the right to read Secrets. A listener's TLS
option that names a certificate goes before its references, which are then not read. A Secret is imported for as long as
a listener may refer to it, whatever becomes of the Secret: one that is gone or broken leaves in ACM what was imported
before, for that may be serving.

Source: Gateway API v1.6, `ListenerTLSConfig.certificateRefs`, `ListenerConditionReason`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from controller.acm.pem import Pair, PairError, read_pair
from controller.api.core import TLS_SECRET, Secret
from controller.api.gateway import Gateway, Listener, SecretObjectReference
from controller.api.keys import CertificateKey
from controller.gateway import conditions
from controller.gateway.attachment import Refusal, is_ours
from controller.gateway.listeners import CERTIFICATE_ARN, Verdict, certificate_arn, listener_states
from controller.gateway.memory import Memory
from controller.gateway.references import is_permitted
from controller.gateway.view import UnknownError, View
from controller.lattice.model import Frozen
from controller.translate.context import TranslateContext

_pairs: Final[Memory[Pair | str]] = Memory()


class CertificateTranslation(Frozen, frozen=True):
    """What is wanted of a Secret."""

    key: CertificateKey
    wanted: bool = False
    """Whether a listener may refer to it."""
    pair: Pair | None = None
    """What to import; None where there is nothing that could be."""
    problem: str = ""
    """Why there is not, for who made the Secret."""


def certificate_keys(gateway: Gateway) -> set[CertificateKey]:
    """The Secrets to which the Gateway's listeners refer, permitted or not, by references that are read."""
    return {
        CertificateKey(ref.namespace or gateway.namespace, ref.name)
        for listener in gateway.spec.listeners
        for ref in read_refs(listener)
        if _is_secret(ref)
    }


def read_refs(listener: Listener) -> tuple[SecretObjectReference, ...]:
    """The references of a listener that count: those of an HTTPS listener that does not name a certificate in ACM."""
    if listener.protocol != "HTTPS" or listener.tls is None or certificate_arn(listener) is not None:
        return ()
    return listener.tls.certificate_refs or ()


def resolve_refs(view: View, gateway: Gateway, listener: Listener) -> Iterator[CertificateKey | Refusal]:
    """Each reference of a listener as the Secret that it means, or what is wrong with it. Raises `UnknownError`."""
    for index, ref in enumerate(read_refs(listener)):
        field = f"tls.certificateRefs[{index}]"
        if not _is_secret(ref):
            kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
            message = f"{field}: a certificate of kind {kind} is not supported; use a Secret."
            yield Refusal(conditions.INVALID_CERTIFICATE_REF, message)
            continue
        namespace = ref.namespace or gateway.namespace
        if not is_permitted(view, "Gateway", gateway.namespace, "", "Secret", namespace, ref.name):
            message = (
                f"{field}: no ReferenceGrant in namespace {namespace} permits a Gateway of namespace"
                f" {gateway.namespace} to refer to Secret {ref.name}; create one."
            )
            yield Refusal(conditions.REF_NOT_PERMITTED, message)
            continue
        yield CertificateKey(namespace, ref.name)


def translate_certificate(view: View, key: CertificateKey, ctx: TranslateContext) -> CertificateTranslation:
    """What is wanted of a Secret. Raises `UnknownError`."""
    if not ctx.import_certificates or not _is_wanted(view, key, ctx):
        return CertificateTranslation(key=key)
    found = _read(view, key)
    if isinstance(found, str):
        return CertificateTranslation(key=key, wanted=True, problem=found)
    return CertificateTranslation(key=key, wanted=True, pair=found)


def certificates_verdict(
    view: View, gateway: Gateway, listener: Listener, ctx: TranslateContext, problems: Mapping[CertificateKey, str]
) -> Verdict | None:
    """What is wrong with a listener's references, as its condition ResolvedRefs; None where nothing is.

    `problems` tells what came of importing Secrets. Raises `UnknownError`.
    """
    if not read_refs(listener):
        return None
    if not ctx.import_certificates:
        return Verdict(
            False,
            conditions.INVALID_CERTIFICATE_REF,
            "tls.certificateRefs is not read: this controller imports no Secrets unless its setting"
            f" IMPORT_CERTIFICATES says so. The certificate is the one that the TLS option {CERTIFICATE_ARN} names, or"
            " that AWS Certificate Manager has for the hostname.",
        )
    wrong = [refusal for refusal in _refusals(view, gateway, listener, problems) if refusal is not None]
    if not wrong:
        return None
    return Verdict(False, wrong[0].reason, " ".join(refusal.message for refusal in wrong))


def lacks_certificate(
    view: View, gateway: Gateway, listener: Listener, ctx: TranslateContext, problems: Mapping[CertificateKey, str]
) -> bool:
    """Whether a listener has references that are read, and can use none of them. Raises `UnknownError`."""
    if not ctx.import_certificates or not read_refs(listener):
        return False
    return None not in list(_refusals(view, gateway, listener, problems))


def _refusals(
    view: View, gateway: Gateway, listener: Listener, problems: Mapping[CertificateKey, str]
) -> Iterator[Refusal | None]:
    """What is wrong with each reference, None for one that can be used."""
    for found in resolve_refs(view, gateway, listener):
        if isinstance(found, Refusal):
            yield found
            continue
        message = _unreadable(view, found) or problems.get(found, "")
        told = f"Secret {found.namespace}/{found.name}: {message}."
        yield Refusal(conditions.INVALID_CERTIFICATE_REF, told) if message else None


def _is_wanted(view: View, key: CertificateKey, ctx: TranslateContext) -> bool:
    return any(
        key in resolve_refs(view, gateway, state.listener)
        for gateway in view.gateways_of_secret(key.namespace, key.name)
        if not gateway.deleting and is_ours(view, gateway, ctx.controller_name)
        for state in listener_states(gateway)
        if state.usable
    )


def _is_secret(ref: SecretObjectReference) -> bool:
    return (ref.group, ref.kind) == ("", "Secret")


def _read(view: View, key: CertificateKey) -> Pair | str:
    """The certificate and key of a Secret, or what is wrong with it."""
    secret = view.secret(key.namespace, key.name)
    if secret is None:
        return f"there is no such Secret of type {TLS_SECRET}"
    return _pairs.recall(secret, None, lambda: _read_secret(secret))


def _unreadable(view: View, key: CertificateKey) -> str:
    """What is wrong with a Secret, empty if nothing is; that it cannot be read keeps no Gateway from its status."""
    try:
        found = _read(view, key)
    except UnknownError as error:
        return f"it cannot be read: {error.reason}"
    return found if isinstance(found, str) else ""


def _read_secret(secret: Secret) -> Pair | str:
    try:
        return read_pair(secret.data.certificate, secret.data.private_key)
    except PairError as error:
        return str(error)
