"""Certificates with their keys, in PEM, made on the spot: self-signed, or signed by an authority of their own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, what follows it in its chain, and its key, unencrypted in PKCS#8."""

    certificate: bytes
    key: bytes
    chain: bytes = b""


@cache
def rsa_key(number: int = 0, size: int = 2048) -> rsa.RSAPrivateKey:
    """One of several keys; making one takes a tenth of a second, so tests share them."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> bytes:
    """The private key in PEM."""
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, form, encryption))


def issue(
    *names: str,
    key: Any = None,
    begins: datetime | None = None,
    ends: datetime | None = None,
    common_name: str | None = None,
    authority: bool = False,
) -> Pair:
    """A certificate for these names, good from an hour ago for 90 days unless told otherwise."""
    key = key or rsa_key()
    signer = rsa_key(number=99) if authority else key
    subject = _name(common_name if common_name is not None else (names or ("nobody",))[0])
    issuer = _name("authority") if authority else subject
    now = datetime.now(UTC)
    begins, ends = begins or now - timedelta(hours=1), ends or now + timedelta(days=90)
    builder = _builder(subject, issuer, key, begins, ends)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    chain = b""
    if authority:
        root = _builder(issuer, issuer, signer, begins, ends)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        chain = root.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)
    return Pair(certificate.public_bytes(Encoding.PEM), pem(key), chain)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Any, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
