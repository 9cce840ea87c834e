"""Every refusal of the API, as the `metav1.Status` that a client reads.

Clients decide by `reason` and `code`, people read `message`, and tools such as kubectl print `details.causes`. So
each kind of refusal has one constructor here that fills all of them the way the API server does, and the rest of
the package only ever raises `ApiError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One invalid field: `metav1.StatusCause`."""

    reason: str
    message: str
    field: str


@dataclass(frozen=True, slots=True)
class ResourceName:
    """A resource as error messages name it: `pods`, `deployments.apps`."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


class ApiError(Exception):
    """A request refused; `status()` is the body of the answer.

    `headers` are added to the answer (`Retry-After` of a 429, for instance).
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        headers: dict[str, str] | None = None,
        continue_token: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.continue_token = continue_token

    def status(self) -> Json:
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def success(resource: ResourceName, name: str, uid: str | None = None) -> Json:
    """The Status with which a completed delete is answered."""
    details: Json = {"name": name}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.resource
    if uid:
        details["uid"] = uid
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _details(resource: ResourceName, name: str) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.resource
    return details


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: ResourceName, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    subject = f'{resource} "{name}"' if name else str(resource)
    details = _details(resource, name)
    if causes:
        details["causes"] = [_cause(cause) for cause in causes]
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def not_found(resource: ResourceName, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details=_details(resource, name))


def unknown_resource() -> ApiError:
    """There is no such resource or subresource in a group that is there."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def not_acceptable(offered: Sequence[str]) -> ApiError:
    message = f"only the following media types are accepted: {', '.join(offered)}"
    return ApiError(406, "NotAcceptable", message)


def already_exists(resource: ResourceName, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', details=_details(resource, name))


def conflict(resource: ResourceName, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def modified(resource: ResourceName, name: str) -> ApiError:
    """The optimistic lock failed: the object has another resourceVersion than the request."""
    return conflict(
        resource, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def apply_conflict(causes: Sequence[Cause]) -> ApiError:
    """Fields of a server-side apply that other managers own."""
    details = {"causes": [_cause(cause) for cause in causes]}
    if len(causes) == 1:
        told = f"1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        lines: list[str] = []
        by_manager = sorted(causes, key=lambda cause: cause.message)
        for message, group in groupby(by_manager, key=lambda cause: cause.message):
            lines += [f"{message.replace('conflict', 'conflicts', 1)}:", *(f"- {cause.field}" for cause in group)]
        told = f"{len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", f"Apply failed with {told}", details=details)


def expired(message: str, continue_token: str | None = None) -> ApiError:
    return ApiError(410, "Expired", message, continue_token=continue_token)


def too_old(version: int, oldest: int) -> ApiError:
    return expired(f"too old resource version: {version} ({oldest})")


def request_too_large(limit: int) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def object_too_large() -> ApiError:
    """What etcd refuses by default above 1.5 MiB; the API server passes its message on without a reason."""
    return ApiError(500, "", "etcdserver: request is too large")


def unsupported_media_type(offered: Sequence[str]) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(offered)}"
    return ApiError(415, "UnsupportedMediaType", message)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [_cause(cause) for cause in causes]
    prefix = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{prefix} "{name}" is invalid: {joined}', details=details)


def unfit_patch(why: str) -> ApiError:
    """A patch whose result is no object of its kind."""
    cause = Cause("FieldValueInvalid", f"Invalid value: {why}", "patch")
    return ApiError(422, "Invalid", f' "" is invalid: patch: {cause.message}', details={"causes": [_cause(cause)]})


def rejected_patch() -> ApiError:
    """A JSON patch with an operation that cannot be done; the API server does not say which."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def immutable_uid(group: str, kind: str, name: str, uid: object) -> ApiError:
    cause = Cause("FieldValueInvalid", f"Invalid value: {show(uid)}: field is immutable", "metadata.uid")
    return invalid(group, kind, name, [cause])


def too_many_requests(retry_after: int, message: str = "too many requests, please try again later") -> ApiError:
    """`retry_after` in seconds, told in the header and in the details."""
    return ApiError(
        429,
        "TooManyRequests",
        message,
        details={"retryAfterSeconds": retry_after},
        headers={"Retry-After": str(retry_after)},
    )


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")


def not_implemented(why: str) -> ApiError:
    return ApiError(501, "NotImplemented", why)


def version_too_large(version: int, current: int) -> ApiError:
    """A list or watch that wants to see a resourceVersion of the future."""
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return ApiError(504, "Timeout", message, details=details, headers={"Retry-After": "1"})


def _cause(cause: Cause) -> Json:
    return {"reason": cause.reason, "message": cause.message, "field": cause.field}


@dataclass(slots=True)
class Problems:
    """Collects the causes of an `Invalid` while an object is checked; paths are those of the JSON."""

    causes: list[Cause] = field(default_factory=list)

    def required(self, path: str, hint: str = "") -> None:
        self.causes.append(Cause("FieldValueRequired", f"Required value{': ' + hint if hint else ''}", path))

    def invalid(self, path: str, value: object, why: str) -> None:
        self.causes.append(Cause("FieldValueInvalid", f"Invalid value: {show(value)}: {why}", path))

    def null_invalid(self, path: str, why: str) -> None:
        """Something has to be there, and is not."""
        self.causes.append(Cause("FieldValueInvalid", f"Invalid value: null: {why}", path))

    def type_invalid(self, path: str, value: object, why: str) -> None:
        self.causes.append(Cause("FieldValueTypeInvalid", f"Invalid value: {show(value)}: {why}", path))

    def unsupported(self, path: str, value: object, supported: Sequence[object]) -> None:
        listed = ", ".join(show(choice) for choice in supported)
        message = f"Unsupported value: {show(value)}: supported values: {listed}"
        self.causes.append(Cause("FieldValueNotSupported", message, path))

    def duplicate(self, path: str, value: object) -> None:
        self.causes.append(Cause("FieldValueDuplicate", f"Duplicate value: {show(value)}", path))

    def not_found(self, path: str, value: object) -> None:
        self.causes.append(Cause("FieldValueNotFound", f"Not found: {show(value)}", path))

    def too_long(self, path: str, limit: int) -> None:
        self.causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path))

    def too_many(self, path: str, count: int, limit: int) -> None:
        self.causes.append(Cause("FieldValueTooMany", f"Too many: {count}: must have at most {limit} items", path))

    def forbidden(self, path: str, why: str) -> None:
        self.causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", path))

    def immutable(self, path: str, value: object) -> None:
        self.invalid(path, value, "field is immutable")


def show(value: object) -> str:
    """A value as the API server's messages print it: strings quoted, the rest as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return '"null"'
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)
