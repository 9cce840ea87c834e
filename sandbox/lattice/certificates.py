"""AWS Certificate Manager, as far as a client of VPC Lattice looks for certificates.

The certificates are put there by `State.add_certificate` or through the control address; nothing here issues any.
Source: ACM API reference `ListCertificates` and `DescribeCertificate`. All have RSA keys of 2,048 bits, the only ones
that VPC Lattice takes (user guide, "Bring your own certificate").
"""

from sandbox.lattice.errors import ApiError, not_emulated, not_found
from sandbox.lattice.resources import Certificate, Described
from sandbox.lattice.state import Call, Handler, State, make_token, token_position

KEY_ALGORITHM = "RSA_2048"
PAGE_SIZE = 1000


def require_certificate(state: State, arn: str | None) -> None:
    """Raise `ResourceNotFoundException` unless the certificate is in this account and region, issued."""
    if arn is None:
        return
    certificate = state.certificates.get(arn)
    if certificate is None or certificate.status != "ISSUED":
        raise not_found("CERTIFICATE", arn)


VALIDATION = {"PENDING_VALIDATION": "PENDING_VALIDATION", "FAILED": "FAILED", "VALIDATION_TIMED_OUT": "FAILED"}
"""Status of a certificate → that of its domains' validation, where it is not SUCCESS."""


def _detail(certificate: Certificate) -> Described:
    detail: Described = {
        "CertificateArn": certificate.arn,
        "DomainName": certificate.domain,
        "SubjectAlternativeNames": list(certificate.alternative_names),
        "Status": certificate.status,
        "Type": "AMAZON_ISSUED",
        "KeyAlgorithm": KEY_ALGORITHM,
        "CreatedAt": certificate.created_at,
    }
    if certificate.status == "ISSUED":
        detail["IssuedAt"] = certificate.created_at
    return detail


def list_certificates(state: State, call: Call) -> Described:
    params = call.params
    for name in ("SortBy", "SortOrder", "CertificateKeyPairOrigins"):
        if name in params:
            raise not_emulated("acm", f"{name} of ListCertificates")
    includes = params.get("Includes", {})
    if others := includes.keys() - {"keyTypes"}:
        raise not_emulated("acm", f"Includes.{', '.join(sorted(others))} of ListCertificates")
    key_types = includes.get("keyTypes", [KEY_ALGORITHM])
    statuses = params.get("CertificateStatuses")
    position = 0
    if "NextToken" in params:
        found = token_position(call.operation, params["NextToken"])
        if found is None:
            raise ApiError("ValidationException", 400, "NextToken is not a token of this list")
        position = found
    certificates = [
        certificate
        for certificate in state.certificates.values()
        if certificate.number > position
        and KEY_ALGORITHM in key_types
        and (statuses is None or certificate.status in statuses)
    ]
    size = params.get("MaxItems", PAGE_SIZE)
    summaries = []
    for certificate in certificates[:size]:
        summary = _detail(certificate)
        summary["SubjectAlternativeNameSummaries"] = summary.pop("SubjectAlternativeNames")
        summary["HasAdditionalSubjectAlternativeNames"] = False
        summaries.append(summary)
    answer: Described = {"CertificateSummaryList": summaries}
    if len(certificates) > size:
        answer["NextToken"] = make_token(call.operation, certificates[size - 1].number)
    return answer


def describe_certificate(state: State, call: Call) -> Described:
    arn = call.params["CertificateArn"]
    certificate = state.certificates.get(arn)
    if certificate is None:
        raise ApiError("ResourceNotFoundException", 400, f"Could not find certificate {arn}.")
    status = VALIDATION.get(certificate.status, "SUCCESS")
    validation = [
        {"DomainName": name, "ValidationStatus": status, "ValidationMethod": "DNS"}
        for name in certificate.alternative_names
    ]
    return {"Certificate": _detail(certificate) | {"DomainValidationOptions": validation}}


OPERATIONS: dict[str, Handler] = {
    "ListCertificates": list_certificates,
    "DescribeCertificate": describe_certificate,
}
