"""The sandbox's certificate authority: what stands behind the certificates that the data plane shows.

VPC Lattice provisions a certificate for the domain that it generates, and takes one of ACM for a custom domain (User
Guide, "HTTPS listeners", "Bring your own certificate"). Here an authority that lives as long as the sandbox signs the
first, and those of ACM that were not imported; clients trust its certificate, which the sandbox writes beside its other
files. The keys of all leaves are one RSA key of 2,048 bits, the only kind that VPC Lattice supports: what separates the
services of a real account separates nothing in one process, and thousands of services would wait minutes for keys.

The protocols, ciphers and their order are those of the security policy (User Guide, "HTTPS listeners", security policy,
ALPN policy), but that Python leaves the order of the ciphers of TLS 1.3 to OpenSSL.
"""

import ssl
import tempfile
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
from anyio import to_thread
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.lattice.directory import Certificate

_CIPHERS = (
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-SHA:"
    "AES128-GCM-SHA256:AES128-SHA:AES256-GCM-SHA384:AES256-SHA"
)
_PROTOCOLS = ["h2", "http/1.1"]
_VALID = timedelta(days=90)
_KEY_BITS = 2048
_CONTEXTS = 1024
"""How many certificates are kept ready at once; others are made anew when they are asked for."""

_Identity = tuple[tuple[str, ...], str | None]


class Authority:
    """An authority of its own, made with a new key; not for use outside of one sandbox."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign_own()
        self._leaf_key: rsa.RSAPrivateKey | None = None
        self._contexts: OrderedDict[_Identity, ssl.SSLContext] = OrderedDict()
        self._making = anyio.Lock()
        self._thread = anyio.CapacityLimiter(1)
        """Of its own, so that nobody who waits for a certificate can take the thread that makes it."""

    @property
    def pem(self) -> str:
        """The authority's certificate, for clients to trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    async def for_domain(self, domain: str) -> ssl.SSLContext:
        """What a server of this domain needs, with a certificate that this authority signs."""
        return await self._context((domain,), None)

    async def for_certificate(self, certificate: Certificate) -> ssl.SSLContext:
        """What a server with this certificate of ACM needs. Raises ValueError if an imported one does not work."""
        imported = None if certificate.imported is None else "\n".join(certificate.imported)
        return await self._context(certificate.names, imported)

    async def _context(self, names: tuple[str, ...], imported: str | None) -> ssl.SSLContext:
        identity = (names, imported)
        async with self._making:
            if (context := self._contexts.get(identity)) is None:
                context = await to_thread.run_sync(self._make_context, names, imported, limiter=self._thread)
                self._contexts[identity] = context
            self._contexts.move_to_end(identity)
            while len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return context

    def _make_context(self, names: tuple[str, ...], imported: str | None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(_PROTOCOLS)
        with tempfile.TemporaryDirectory() as directory:  # Python's ssl reads a chain from files only
            file = Path(directory) / "chain.pem"
            file.write_text(imported or self._issue(names))
            try:
                context.load_cert_chain(file)
            except ssl.SSLError as error:
                raise ValueError(f"the certificate and key for {', '.join(names)} do not work: {error}") from error
        return context

    def _issue(self, names: tuple[str, ...]) -> str:
        """A certificate for these names, the authority's after it, and the key, as PEM."""
        if self._leaf_key is None:
            self._leaf_key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        builder = _builder("VPC Lattice sandbox", self._leaf_key.public_key(), self._certificate.subject)
        builder = (
            builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True, key_encipherment=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        leaf = builder.sign(self._key, hashes.SHA256())
        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return leaf.public_bytes(serialization.Encoding.PEM).decode() + self.pem + key.decode()

    def _sign_own(self) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "VPC Lattice sandbox authority")])
        return (
            _builder("VPC Lattice sandbox authority", self._key.public_key(), subject)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _builder(
    name: str, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
    )


def _key_usage(**allowed: bool) -> x509.KeyUsage:
    usages = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: allowed.get(usage, False) for usage in usages})


def covers(names: tuple[str, ...], domain: str) -> bool:
    """Whether a certificate of these names is one for a domain: an exact name, or a wildcard one level deep.

    User Guide, "Bring your own certificate": `*.example.com` is for parking.example.com and not for
    parking.different.example.com.
    """
    domain = domain.lower()
    _, _, parent = domain.partition(".")
    return any(name.lower() in (domain, f"*.{parent}") for name in names)
