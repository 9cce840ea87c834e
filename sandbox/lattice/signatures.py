"""AWS Signature Version 4, verified: whether a request was signed with the secret of the key that it names.

Source: IAM User Guide, "Create a signed AWS API request" (`reference_sigv-create-signed-request.html`) for the
canonical request, the string to sign and the key; "Troubleshoot Signature Version 4 signing" for what is refused.
The codes of the refusals are those of the services' common errors (VPC Lattice API reference, "Common errors"): an
unknown key is `UnrecognizedClientException`, everything wrong with the signature itself is one of the two below. How
old a request may be is on "AWS Signature Version 4 for API requests" (`reference_sigv.html`).

A request reaches this check as it came over the wire, so the path is still percent-encoded; the canonical request of
every service but S3 encodes it a second time.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qsl, quote

from sandbox.lattice.credentials import Credentials
from sandbox.lattice.errors import ApiError

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = 5 * 60
"""Seconds that the time of a request may be off ("in most cases … within five minutes")."""

_TIME = "%Y%m%dT%H%M%SZ"


class Signed(Protocol):
    """What of a request is signed."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Authorization:
    key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def verify(request: Signed, credentials: Credentials, now: float) -> None:
    """Raise `ApiError` (403) unless the request is signed with one of the keys; `now` is in seconds since the epoch."""
    authorization = _parse(request.headers.get("Authorization", ""))
    secret = credentials.secret(authorization.key, request.headers.get("X-Amz-Security-Token"), now)
    sent = request.headers.get("X-Amz-Date", "")
    _check_time(sent, authorization, now)
    if "host" not in authorization.headers or "x-amz-date" not in authorization.headers:
        raise _incomplete("'Host' and 'X-Amz-Date' must be signed headers")
    expected = sign(request, authorization.headers, authorization.scope, sent, secret)
    if not hmac.compare_digest(expected, authorization.signature):
        message = "The request signature we calculated does not match the signature you provided."
        raise ApiError("InvalidSignatureException", 403, message)


def sign(request: Signed, headers: tuple[str, ...], scope: str, time: str, secret: str) -> str:
    """The signature, in hexadecimal digits; `headers` are the names of those that are signed, in lower case."""
    digest = hashlib.sha256(_canonical(request, headers).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, f"{ALGORITHM}\n{time}\n{scope}\n{digest}".encode(), "sha256").hex()


def _canonical(request: Signed, headers: tuple[str, ...]) -> str:
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in parse_qsl(request.query, True))
    lines = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in headers]
    return "\n".join(
        (
            request.method,
            quote(request.path or "/", safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(lines),
            ";".join(headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _incomplete(message: str) -> ApiError:
    return ApiError("IncompleteSignatureException", 403, message)


def _parse(header: str) -> _Authorization:
    algorithm, _, rest = header.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    credential = fields.get("Credential", "").split("/")
    if algorithm != ALGORITHM or len(credential) < 5 or not fields.get("Signature") or not fields.get("SignedHeaders"):
        raise _incomplete(f"Authorization must be {ALGORITHM} with Credential, SignedHeaders and Signature")
    key, date, region, service, _ = ("/".join(credential[:-4]), *credential[-4:])
    return _Authorization(key, date, region, service, tuple(fields["SignedHeaders"].split(";")), fields["Signature"])


def _check_time(sent: str, authorization: _Authorization, now: float) -> None:
    try:
        time = datetime.strptime(sent, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise _incomplete("X-Amz-Date must be a time such as 20260131T235959Z") from error
    if not sent.startswith(authorization.date):
        message = f"Date in Credential scope does not match YYYYMMDD from {sent}"
        raise ApiError("InvalidSignatureException", 403, message)
    if abs(time - now) > SKEW:
        side = "Signature expired" if time < now else "Signature not yet current"
        moment = datetime.fromtimestamp(now, UTC).strftime(_TIME)
        raise ApiError("InvalidSignatureException", 403, f"{side}: {sent} is more than 5 min. from {moment}")
