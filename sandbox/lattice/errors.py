"""The errors of the emulated APIs, as the service models define them.

Every refusal is one `ApiError`: the code and the HTTP status of a modelled exception, and the members that the
exception's shape has beside `message`. The constructors below are the only places that know those members, so that no
answer lacks a required one. An error says what was wrong with the request, never what went on inside; the exception is
`not_emulated`, which speaks of the sandbox itself, because answering anything else would be a wrong success.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICE_CODE = "vpc-lattice"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one member of a request (API: `ValidationExceptionField`)."""

    name: str
    message: str


class ApiError(Exception):
    """A refusal that goes to the client.

    `code` is the name of the modelled exception, `status` its HTTP status, `members` the members of its shape beside
    `message`, `headers` those members that its shape binds to headers.
    """

    def __init__(
        self,
        code: str,
        status: int,
        message: str,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.members = dict(members or {})
        self.headers = dict(headers or {})


def not_found(resource_type: str, resource_id: str) -> ApiError:
    """API: `ResourceNotFoundException`."""
    return ApiError(
        "ResourceNotFoundException",
        404,
        f"{resource_type} {resource_id} not found",
        {"resourceId": resource_id, "resourceType": resource_type},
    )


def conflict(resource_type: str, resource_id: str, message: str) -> ApiError:
    """API: `ConflictException`; the resource named is the one that stands in the way."""
    return ApiError("ConflictException", 409, message, {"resourceId": resource_id, "resourceType": resource_type})


def access_denied(message: str) -> ApiError:
    """API: `AccessDeniedException`."""
    return ApiError("AccessDeniedException", 403, message)


def quota_exceeded(resource_type: str, resource_id: str | None, quota_code: str, message: str) -> ApiError:
    """API: `ServiceQuotaExceededException`; `resource_id` is the resource whose quota it is, if it is not the
    account's.
    """
    members = {"resourceType": resource_type, "serviceCode": SERVICE_CODE, "quotaCode": quota_code}
    if resource_id is not None:
        members["resourceId"] = resource_id
    return ApiError("ServiceQuotaExceededException", 402, message, members)


def throttled(retry_after: int | None, quota_code: str | None = None) -> ApiError:
    """API: `ThrottlingException`; `retry_after` in whole seconds goes into the `Retry-After` header, as modelled."""
    members: dict[str, Any] = {"serviceCode": SERVICE_CODE}
    headers: dict[str, str] = {}
    if quota_code is not None:
        members["quotaCode"] = quota_code
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return ApiError("ThrottlingException", 429, "Rate exceeded", members, headers)


def invalid_fields(problems: Sequence[FieldProblem]) -> ApiError:
    """API: `ValidationException` with reason `fieldValidationFailed`."""
    listed = "; ".join(f"{problem.name}: {problem.message}" for problem in problems)
    return ApiError(
        "ValidationException",
        400,
        f"{len(problems)} validation error{'s' if len(problems) != 1 else ''}: {listed}",
        {
            "reason": "fieldValidationFailed",
            "fieldList": [{"name": problem.name, "message": problem.message} for problem in problems],
        },
    )


def invalid(name: str, message: str) -> ApiError:
    """One member of the request is not acceptable for a reason that its shape does not state."""
    return invalid_fields([FieldProblem(name, message)])


def unparsable(message: str) -> ApiError:
    """API: `ValidationException` with reason `cannotParse`."""
    return ApiError("ValidationException", 400, message, {"reason": "cannotParse"})


def unknown_operation(message: str) -> ApiError:
    """API: `ValidationException` with reason `unknownOperation`: no operation of the service has this address."""
    return ApiError("ValidationException", 404, message, {"reason": "unknownOperation"})


def not_emulated(service: str, operation: str) -> ApiError:
    """The real service has this; the sandbox does not. Status 501, which SDKs do not retry."""
    return ApiError("NotEmulatedException", 501, f"the sandbox does not emulate {operation} of the service {service!r}")
