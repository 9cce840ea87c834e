"""AWS Certificate Manager, as far as a client of VPC Lattice finds certificates, and brings its own.

Certificates of Amazon's are put there by `State.add_certificate` or through the control address; nobody can request one
here. Source: ACM API reference, the page of each operation; user guide, "Prerequisites for importing certificates" and
"Reimporting a certificate". VPC Lattice takes RSA keys of 2,048 bits only (its user guide, "Bring your own
certificate"), which Amazon's certificates here have; others can be imported, and VPC Lattice refuses them.
"""

from base64 import b64decode
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from sandbox.lattice.errors import ApiError, not_emulated, not_found
from sandbox.lattice.resources import Certificate, Described
from sandbox.lattice.state import MAX_TAGS, Call, Handler, State, check_tags, make_token, token_position

KEY_ALGORITHM: Final = "RSA_2048"
"""What VPC Lattice takes."""

LISTED_UNASKED: Final = ("RSA_1024", "RSA_2048")
"""The keys of the certificates that a list shows where it is not told which to show (API: `Filters`)."""

PAGE_SIZE: Final = 1000
MOST_NAMES: Final = 100
"""Alternative names that a list shows of a certificate."""


def require_certificate(state: State, arn: str | None) -> None:
    """Raise `ResourceNotFoundException` unless VPC Lattice can use the certificate, if one is named."""
    if arn is None:
        return
    certificate = state.certificates.get(arn)
    if certificate is None or _status(state, certificate) != "ISSUED" or certificate.key_algorithm != KEY_ALGORITHM:
        raise not_found("CERTIFICATE", arn)


VALIDATION = {"PENDING_VALIDATION": "PENDING_VALIDATION", "FAILED": "FAILED", "VALIDATION_TIMED_OUT": "FAILED"}
"""Status of a certificate → that of its domains' validation, where it is not SUCCESS."""


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", 400, message)


def _find(state: State, arn: str) -> Certificate:
    certificate = state.certificates.get(arn)
    if certificate is None:
        raise ApiError("ResourceNotFoundException", 400, f"Could not find certificate {arn}.")
    return certificate


def _status(state: State, certificate: Certificate) -> str:
    """What is issued expires by itself."""
    expired = certificate.status == "ISSUED" and certificate.not_after < state.time()
    return "EXPIRED" if expired else certificate.status


def _users(state: State, certificate: Certificate) -> list[str]:
    """ARNs of the services that have the certificate."""
    return [service.arn for service in state.services if service.certificate_arn == certificate.arn]


def _detail(state: State, certificate: Certificate) -> Described:
    status = _status(state, certificate)
    detail: Described = {
        "CertificateArn": certificate.arn,
        "DomainName": certificate.domain,
        "Status": status,
        "Type": certificate.origin,
        "KeyAlgorithm": certificate.key_algorithm,
        "CreatedAt": certificate.made,
    }
    if status in {"ISSUED", "EXPIRED"}:
        detail |= {"NotBefore": certificate.not_before, "NotAfter": certificate.not_after}
        if certificate.imported is None:
            detail["IssuedAt"] = certificate.made
    if certificate.imported is not None:
        detail["ImportedAt"] = certificate.imported
    return detail


def list_certificates(state: State, call: Call) -> Described:
    params = call.params
    for name in ("SortBy", "SortOrder", "CertificateKeyPairOrigins"):
        if name in params:
            raise not_emulated("acm", f"{name} of ListCertificates")
    includes = params.get("Includes", {})
    if others := includes.keys() - {"keyTypes"}:
        raise not_emulated("acm", f"Includes.{', '.join(sorted(others))} of ListCertificates")
    key_types = includes.get("keyTypes", LISTED_UNASKED)
    statuses = params.get("CertificateStatuses")
    position = 0
    if "NextToken" in params:
        found = token_position(call.operation, params["NextToken"])
        if found is None:
            raise _invalid("NextToken is not a token of this list")
        position = found
    certificates = [
        certificate
        for certificate in state.visibility.shown(
            state.certificates.values(), Certificate, lambda gone: gone.arn not in state.certificates
        )
        if certificate.number > position
        and certificate.key_algorithm in key_types
        and (statuses is None or _status(state, certificate) in statuses)
    ]
    size = params.get("MaxItems", PAGE_SIZE)
    used = {service.certificate_arn for service in state.services}
    summaries = [_summary(state, one) | {"InUse": one.arn in used} for one in certificates[:size]]
    answer: Described = {"CertificateSummaryList": summaries}
    if len(certificates) > size:
        answer["NextToken"] = make_token(call.operation, certificates[size - 1].number)
    return answer


def _summary(state: State, certificate: Certificate) -> Described:
    names = certificate.alternative_names
    return _detail(state, certificate) | {
        "SubjectAlternativeNameSummaries": list(names[:MOST_NAMES]),
        "HasAdditionalSubjectAlternativeNames": len(names) > MOST_NAMES,
    }


def describe_certificate(state: State, call: Call) -> Described:
    certificate = _find(state, call.params["CertificateArn"])
    detail = _detail(state, certificate) | {
        "SubjectAlternativeNames": list(certificate.alternative_names),
        "InUseBy": _users(state, certificate),
    }
    if certificate.origin != "IMPORTED":
        status = VALIDATION.get(certificate.status, "SUCCESS")
        detail["DomainValidationOptions"] = [
            {"DomainName": name, "ValidationStatus": status, "ValidationMethod": "DNS"}
            for name in certificate.alternative_names
        ]
    return {"Certificate": detail}


def import_certificate(state: State, call: Call) -> Described:
    params = call.params
    body, key = b64decode(params["Certificate"]), b64decode(params["PrivateKey"])
    chain = b64decode(params.get("CertificateChain", ""))
    facts = _read(state, body, key, chain)
    now = state.time()
    if "CertificateArn" not in params:
        tags = _tags(params.get("Tags", ()))
        made = state.new_certificate(
            tags, status="ISSUED", origin="IMPORTED", imported=now, body=body, chain=chain, private_key=key, **facts
        )
        return {"CertificateArn": made.arn}
    if params.get("Tags"):
        raise _invalid("Tagging is not permitted on re-import.")
    certificate = _find(state, params["CertificateArn"])
    if certificate.origin != "IMPORTED":
        raise _invalid(f"The certificate {certificate.arn} was not imported, and cannot be imported anew.")
    if facts["key_algorithm"] != certificate.key_algorithm:
        raise _invalid("The key type and size of a certificate cannot be changed when it is imported anew.")
    certificate.body, certificate.chain, certificate.private_key, certificate.imported = body, chain, key, now
    for name, value in facts.items():
        setattr(certificate, name, value)
    return {"CertificateArn": certificate.arn}


def _read(state: State, body: bytes, key: bytes, chain: bytes) -> dict[str, Any]:
    """What a certificate says of itself; raises `ValidationException` for one that cannot be imported."""
    try:
        certificate = x509.load_pem_x509_certificate(body)
    except ValueError as error:
        raise _invalid("The certificate field contains more than one certificate, or is not PEM-encoded.") from error
    if body.count(b"-----BEGIN CERTIFICATE-----") != 1:
        raise _invalid("The certificate field contains more than one certificate; the others go into the chain.")
    try:
        private = load_pem_private_key(key, password=None)
    except (TypeError, ValueError) as error:
        raise _invalid("The private key is not PEM-encoded, not valid, or encrypted.") from error
    public = certificate.public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != public.public_bytes(*form):
        raise _invalid("The private key does not match the certificate.")
    try:
        x509.load_pem_x509_certificates(chain) if chain else ()
    except ValueError as error:
        raise _invalid("The certificate chain is not PEM-encoded.") from error
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    if not begins <= state.time() <= ends:
        raise _invalid("The certificate is not valid now: it has expired, or is not in effect yet.")
    names = _names(certificate)
    return {
        "domain": names[0],
        "alternative_names": names,
        "key_algorithm": _algorithm(public),
        "not_before": begins,
        "not_after": ends,
    }


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    common = [str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        names: list[str] = []
    else:
        names = extension.value.get_values_for_type(x509.DNSName)
    return tuple(dict.fromkeys(names or common)) or ("",)


def _algorithm(public: Any) -> str:
    if isinstance(public, rsa.RSAPublicKey):
        return f"RSA_{public.key_size}"
    if isinstance(public, ec.EllipticCurvePublicKey):
        return {"secp256r1": "EC_prime256v1"}.get(public.curve.name, f"EC_{public.curve.name}")
    raise _invalid("The algorithm of the certificate's key is not supported.")


def _tags(tags: Any) -> dict[str, str]:
    given = {tag["Key"]: tag.get("Value", "") for tag in tags}
    try:
        check_tags(given)
    except ApiError as error:
        raise ApiError("InvalidTagException", 400, error.message) from error
    return given


def delete_certificate(state: State, call: Call) -> Described:
    certificate = _find(state, call.params["CertificateArn"])
    if users := _users(state, certificate):
        message = f"Certificate {certificate.arn} is in use by {', '.join(users)}."
        raise ApiError("ResourceInUseException", 400, message)
    del state.certificates[certificate.arn]
    state.unregister(certificate)
    return {}


def add_tags(state: State, call: Call) -> Described:
    certificate = _find(state, call.params["CertificateArn"])
    tags = _tags(call.params["Tags"])
    if len(certificate.tags | tags) > MAX_TAGS:
        raise ApiError("TooManyTagsException", 400, f"a certificate has at most {MAX_TAGS} tags")
    state.set_tags(certificate, tags)
    return {}


def list_tags(state: State, call: Call) -> Described:
    certificate = _find(state, call.params["CertificateArn"])
    return {"Tags": [{"Key": key, "Value": value} for key, value in certificate.tags.items()]}


OPERATIONS: dict[str, Handler] = {
    "ListCertificates": list_certificates,
    "DescribeCertificate": describe_certificate,
    "ImportCertificate": import_certificate,
    "DeleteCertificate": delete_certificate,
    "AddTagsToCertificate": add_tags,
    "ListTagsForCertificate": list_tags,
}
