"""What a TLS certificate and its key say of themselves, as far as it decides whether ACM and VPC Lattice take them.

Both come as PEM (RFC 7468), as a Secret of type `kubernetes.io/tls` has them: the certificate first, then those that
lead to its authority. What is inside is DER (X.690), of which this reads the few fields that are asked for: of the
certificate (RFC 5280) its names, its end and its public key; of the private key (PKCS#1, RFC 8017, or in the envelope
of PKCS#8, RFC 5958) its modulus, by which the two belong together. VPC Lattice takes RSA keys of 2,048 bits alone, so
that no other kind has to be read. A signature is not verified here: clients do that.

Nothing that is raised here has any of the key in it.
"""

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from typing import Final, NamedTuple

from controller.lattice.model import Frozen

BITS: Final = 2048
"""Of the RSA keys that VPC Lattice takes (user guide, "Bring Your Own Certificate")."""

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s*(.*?)-----END \1-----", re.DOTALL)
_KEYS: Final = frozenset({b"PRIVATE KEY", b"RSA PRIVATE KEY"})
_INTEGER, _BITS, _OCTETS, _OID, _SEQUENCE, _UTC, _TIME = 0x02, 0x03, 0x04, 0x06, 0x30, 0x17, 0x18
_VERSION, _EXTENSIONS, _DNS_NAME = 0xA0, 0xA3, 0x82
_RSA: Final = bytes.fromhex("2a864886f70d010101")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("551d11")


class PairError(Exception):
    """A certificate with its key that cannot be used; the message says why, for who made the Secret."""


class Pair(Frozen, frozen=True):
    """A certificate, those that lead to its authority, and its key, in PEM."""

    certificate: bytes
    chain: bytes
    """Empty where it is its own authority."""
    private_key: bytes
    names: tuple[str, ...]
    """The DNS names that it is for, in lower case."""
    ends: float
    """In seconds since the epoch."""
    fingerprint: str
    """The same for the same certificate and chain; tells nothing of the key."""

    def __repr__(self) -> str:
        return f"Pair({', '.join(self.names)})"


def read_pair(certificates: bytes, key: bytes) -> Pair:
    """Read the certificate and its key. Raises PairError."""
    blocks = [(body, whole) for label, body, whole in _blocks(certificates) if label == b"CERTIFICATE"]
    if not blocks:
        raise PairError("tls.crt has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    (leaf, certificate), *rest = blocks
    names, ends, modulus = _certificate(leaf)
    if modulus.bit_length() != BITS:
        raise PairError(f"the key has {modulus.bit_length()} bits; VPC Lattice takes RSA keys of {BITS} bits alone")
    private_key = _private_key(key)
    if _modulus_of_key(*private_key) != modulus:
        raise PairError("tls.key is not the key of the first certificate in tls.crt")
    return Pair(
        certificate=certificate,
        chain=b"".join(whole for _, whole in rest),
        private_key=private_key[2],
        names=names,
        ends=ends,
        fingerprint=sha256(b"".join(chain([leaf], (body for body, _ in rest)))).hexdigest(),
    )


def _blocks(text: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The label, the bytes and the whole text of each block; raises PairError for one that is no base64."""
    for found in _PEM.finditer(text):
        try:
            body = binascii.a2b_base64(found[2], strict_mode=False)
        except binascii.Error as error:
            raise PairError(f"a block {found[1].decode()} is not base64") from error
        yield found[1], body, found[0].strip() + b"\n"


def _private_key(text: bytes) -> tuple[bytes, bytes, bytes]:
    if b"ENCRYPTED" in text:
        raise PairError("tls.key is encrypted; a Secret has to hold the key as it is")
    blocks = list(_blocks(text))
    keys = [block for block in blocks if block[0] in _KEYS]
    if not keys:
        others = ", ".join(label.decode() for label, _, _ in blocks)
        found = f" but {others}" if others else ""
        raise PairError(f"tls.key has no RSA key in PEM (-----BEGIN PRIVATE KEY-----){found}")
    return keys[0]


class _Value(NamedTuple):
    tag: int
    body: bytes


class _MalformedError(Exception):
    pass


def _values(body: bytes) -> list[_Value]:
    """The values that follow each other in `body` (X.690, 8.1: tag, length, contents)."""
    found: list[_Value] = []
    at = 0
    while at < len(body):
        if at + 2 > len(body):
            raise _MalformedError
        tag, length = body[at], body[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or at + size > len(body):
                raise _MalformedError
            length = int.from_bytes(body[at : at + size], "big")
            at += size
        if at + length > len(body):
            raise _MalformedError
        found.append(_Value(tag, body[at : at + length]))
        at += length
    return found


def _body(value: _Value, tag: int) -> bytes:
    if value.tag != tag:
        raise _MalformedError
    return value.body


def _inside(value: _Value) -> list[_Value]:
    return _values(_body(value, _SEQUENCE))


def _integer(value: _Value) -> int:
    return int.from_bytes(_body(value, _INTEGER), "big", signed=True)


def _require_rsa(algorithm: _Value, whose: str) -> None:
    if _inside(algorithm)[0] != (_OID, _RSA):
        raise PairError(f"{whose} is not of RSA; VPC Lattice takes RSA keys of {BITS} bits alone")


def _certificate(der: bytes) -> tuple[tuple[str, ...], float, int]:
    """The names, the end and the modulus of a certificate (RFC 5280, 4.1)."""
    try:
        fields = _inside(_inside(_values(der)[0])[0])
        if fields[0].tag == _VERSION:
            fields = fields[1:]
        _, _, _, validity, _, key, *more = fields
        ends = _time(_inside(validity)[1])
        names = _names(more)
        algorithm, bits = _inside(key)
        _require_rsa(algorithm, "the key")
        modulus = _integer(_inside(_values(_body(bits, _BITS)[1:])[0])[0])
    except (_MalformedError, IndexError, ValueError) as error:
        raise PairError("the first certificate of tls.crt cannot be read") from error
    return names, ends, modulus


def _names(optional: list[_Value]) -> tuple[str, ...]:
    for field in optional:
        if field.tag != _EXTENSIONS:
            continue
        for extension in _inside(_values(field.body)[0]):
            identity, *_, value = _inside(extension)
            if identity == (_OID, _ALTERNATIVE_NAMES):
                names = _inside(_values(value.body)[0])
                return tuple(name.body.decode("ascii").lower() for name in names if name.tag == _DNS_NAME)
    return ()


def _time(value: _Value) -> float:
    """UTCTime has two digits of the year, from 1950 on; GeneralizedTime has four (RFC 5280, 4.1.2.5)."""
    text = value.body.decode("ascii")
    if value.tag == _UTC:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif value.tag != _TIME:
        raise _MalformedError
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _modulus_of_key(label: bytes, der: bytes, _: bytes) -> int:
    """The modulus of a private key, in PKCS#1 or PKCS#8."""
    try:
        fields = _inside(_values(der)[0])
        if label == b"PRIVATE KEY":
            _require_rsa(fields[1], "tls.key")
            fields = _inside(_values(_body(fields[2], _OCTETS))[0])
        return _integer(fields[1])
    except (_MalformedError, IndexError, ValueError) as error:
        raise PairError("tls.key cannot be read as an RSA key") from error
