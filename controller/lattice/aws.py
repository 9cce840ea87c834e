"""What went wrong, from botocore's exceptions to the four outcomes of `controller.lattice.errors`.

The one place that knows AWS's error codes. Error shapes are those of the service model (VPC Lattice API reference,
"Common errors" and the errors of each operation); the Resource Groups Tagging API, STS and ACM use the same conventions
with a few codes of their own.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from controller.lattice.errors import LatticeError, RetryError, SuspectError, TerminalError

CREDENTIALS_AFTER: Final = 30.0
"""Seconds before a call is worth repeating that failed for want of credentials: they are renewed by somebody else."""

_THROTTLES: Final = frozenset(
    {
        "ThrottlingException",
        "ThrottledException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
    }
)
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"})
_CREDENTIALS: Final = {
    "ExpiredTokenException": "the AWS credentials have expired and were not renewed",
    "ExpiredToken": "the AWS credentials have expired and were not renewed",
    "UnrecognizedClientException": "AWS does not know the credentials, or their session token is not valid",
    "InvalidClientTokenId": "AWS does not know the credentials, or their session token is not valid",
    "InvalidSignatureException": "AWS refuses the signature: check the secret key, and this machine's clock",
    "SignatureDoesNotMatch": "AWS refuses the signature: check the secret key, and this machine's clock",
    "RequestExpired": "AWS refuses the request as too old: check this machine's clock",
    "MissingAuthenticationTokenException": "the request reached AWS without credentials",
}
_IAM_PREFIX: Final = {
    "GetResources": "tag",
    "GetCallerIdentity": "sts",
    "ListCertificates": "acm",
    "DescribeCertificate": "acm",
    "ImportCertificate": "acm",
    "DeleteCertificate": "acm",
    "AddTagsToCertificate": "acm",
    "ListTagsForCertificate": "acm",
    "ListServiceQuotas": "servicequotas",
}
_IAM_ACTION: Final = {"BatchUpdateRule": "UpdateRule"}
_PERFORM: Final = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")


def classify(error: Exception, operation: str) -> LatticeError:
    """Tell what `error`, raised by a call of `operation`, means for the caller.

    Takes what botocore and aiobotocore raise, and TimeoutError; a LatticeError is returned as it is.
    """
    match error:
        case LatticeError():
            return error
        case boto.ClientError():
            return _answered(error.response, operation)
        case boto.ParamValidationError():
            return TerminalError(operation, "ParamValidation", f"the request is not valid: {_line(error)}")
        case (
            boto.NoCredentialsError()
            | boto.PartialCredentialsError()
            | boto.CredentialRetrievalError()
            | boto.TokenRetrievalError()
        ):
            message = (
                f"no AWS credentials ({_line(error)}): give the service account an IAM role, by IAM roles for service "
                "accounts or EKS Pod Identity, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
            return RetryError(operation, "NoCredentials", message, after=CREDENTIALS_AFTER)
        case TimeoutError() | boto.ReadTimeoutError():
            return RetryError(operation, "Timeout", "AWS did not answer in time; whether it acted is not known")
        case ResponseParserError():
            return _not_aws(operation, _line(error))
        case boto.ConnectionError() | boto.HTTPClientError():
            host = _host(error)
            message = (
                f"cannot reach {host} ({_cause(error)}): check its name, the network path and the endpoint settings"
            )
            return RetryError(operation, "Unreachable", message)
        case _:
            return RetryError(operation, type(error).__name__, _line(error))


def check(answer: Mapping[str, Any], operation: Any) -> None:
    """Raise RetryError if what was answered with a success cannot be the API's answer to `operation`, a botocore model.

    A proxy's page or a captive portal also answers 200; botocore makes an empty answer of it, which would read as an
    empty list, and absence is what deletions follow from.
    """
    members = operation.output_shape.members if operation.output_shape is not None else {}
    kind = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-type", "none")
    if members and "json" in operation.service_model.resolved_protocol and "json" not in kind:
        raise _not_aws(operation.name, f"content type {kind}")
    if "id" in members and "id" not in answer:
        raise _not_aws(operation.name, "no id in it")


def misconfigured(service: str, error: Exception) -> TerminalError:
    """Tell why no client of `service` could be made."""
    if isinstance(error, boto.NoRegionError):
        return TerminalError(service, "NoRegion", "no AWS region is known: set REGION, or AWS_REGION")
    return TerminalError(service, type(error).__name__, f"the AWS configuration is not usable: {_line(error)}")


def iam_action(operation: str) -> str:
    """Name the IAM action that permits `operation` (Service Authorization Reference, "Amazon VPC Lattice")."""
    return f"{_IAM_PREFIX.get(operation, 'vpc-lattice')}:{_IAM_ACTION.get(operation, operation)}"


def _answered(response: Mapping[str, Any], operation: str) -> LatticeError:
    """Classify an error that AWS answered with, by its code and then by its HTTP status."""
    metadata = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    request_id = metadata.get("RequestId")
    code = str(response.get("Error", {}).get("Code") or f"HTTP{status}")
    message = str(response.get("Error", {}).get("Message") or response.get("message") or f"HTTP status {status}")

    if code in _THROTTLES or status == 429:
        text = "AWS throttles this operation, of which too many calls come from this account"
        quota = response.get("quotaCode")
        after = _after(response)
        return RetryError(operation, code, text, request_id, after=after, throttled=True, quota_code=quota)
    if code in _CREDENTIALS:
        return RetryError(operation, code, f"{_CREDENTIALS[code]} ({message})", request_id, after=CREDENTIALS_AFTER)
    if code in _DENIED:
        found = _PERFORM.search(message)
        action = found.group(1) if found else iam_action(operation)
        text = f"the controller's IAM role may not do {action}: allow it in the role's policy ({message})"
        return TerminalError(operation, code, text, request_id)
    if code in {"ServiceQuotaExceededException", "LimitExceededException"} or status == 402:
        quota = response.get("quotaCode")
        name = f"service quota {quota}" if quota else "a service quota"
        text = f"{name} is used up: free some of it, or ask AWS for a higher one in Service Quotas ({message})"
        return TerminalError(operation, code, text, request_id, quota_code=quota)
    if code in {"ResourceNotFoundException", "ConflictException", "ResourceInUseException"}:
        kind, ident = response.get("resourceType"), response.get("resourceId")
        return SuspectError(operation, code, message, request_id, resource_type=kind, resource_id=ident)
    if status >= 500 or code in {"InternalServerException", "PaginationTokenExpiredException"}:
        return RetryError(operation, code, f"AWS failed: {message}", request_id, after=_after(response))
    return TerminalError(operation, code, f"AWS refuses the request: {message}{_fields(response)}", request_id)


def _not_aws(operation: str, why: str) -> RetryError:
    message = f"the answer is not one of AWS's ({why}): check the endpoint settings, and proxies on the network path"
    return RetryError(operation, "NotAnAnswer", message)


def _after(response: Mapping[str, Any]) -> float | None:
    """How long AWS asks to wait: `retryAfterSeconds` of the error, or the Retry-After header, in seconds."""
    value = response.get("retryAfterSeconds")
    if value is None:
        value = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after")
    try:
        return None if value is None else max(0.0, float(value))
    except ValueError:
        return None


def _fields(response: Mapping[str, Any]) -> str:
    """The fields that a ValidationException complains about."""
    fields = [f"{field.get('name')}: {field.get('message')}" for field in response.get("fieldList") or ()]
    return f" ({'; '.join(fields)})" if fields else ""


def _host(error: boto.BotoCoreError) -> str:
    """Where the call was meant to go."""
    url = str(error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url") or "")
    return urlsplit(url).netloc or url or "the AWS endpoint"


def _cause(error: boto.BotoCoreError) -> str:
    cause = error.kwargs.get("error")
    return _line(cause) or type(cause).__name__ if isinstance(cause, Exception) else type(error).__name__


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
