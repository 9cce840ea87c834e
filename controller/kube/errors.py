"""What can go wrong between us and the API server, as types that say what to do next.

The API server answers an error with a `Status` object: an HTTP code, a machine-readable reason, a message for people
and details. Code and reason choose the class here, so that callers catch what they can treat and let the rest pass.
What never got an answer (refused, reset, timed out, TLS) is `Unreachable`.

Source: Kubernetes API conventions, "Error codes" and "Response Status Kind".
"""

# ruff: noqa: N818 -- the classes bear the names of the API's reasons, which is how people look them up

from collections.abc import Mapping
from typing import Any


class ConfigError(Exception):
    """No usable way to the API server was found: no kubeconfig, a broken one, or credentials that cannot be had."""


class ApiError(Exception):
    """A request that did not succeed. Base of everything that a request raises.

    `status` is the HTTP code (0 when no answer came), `reason` the API's word for the cause, `message` the server's own
    text, `details` the Status object's details, `retry_after` the seconds after which the server asks to be asked again
    (None where it does not say). `str()` also names the verb, the resource and the server's host, never a credential.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        retry_after: float | None = None,
        request: str = "",
    ) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after
        self.request = request

    def __str__(self) -> str:
        answer = f"{self.status} {self.reason}" if self.status else self.reason
        told = f"{answer}: {self.message}" if self.message else answer
        return f"{self.request}: {told}" if self.request else told


class Unauthorized(ApiError):
    """401: the credentials were not accepted, also not after they had been loaded again."""


class Forbidden(ApiError):
    """403: these credentials may not do this; RBAC has to grant it."""


class NotFound(ApiError):
    """404: no such object, or no such kind when a whole collection was asked for."""


class Conflict(ApiError):
    """409: the object changed since it was read, or the name is taken (reason AlreadyExists)."""


class Gone(ApiError):
    """410, or the reason Expired: the version to go on from is no longer kept; list again."""


class Invalid(ApiError):
    """422: the server refuses the content; sending it again cannot help."""


class TooManyRequests(ApiError):
    """429: the server is busy; `retry_after` is always set."""


class ServerError(ApiError):
    """5xx: the server failed; trying again may help."""


class Unreachable(ApiError):
    """No answer, or one that broke off. Whether a write took effect is not known."""

    def __init__(self, message: str, *, request: str = "") -> None:
        super().__init__(0, "Unreachable", message, request=request)


class ReadOnly(ApiError):
    """Not sent, for the client is one that only reads."""

    def __init__(self, *, request: str = "") -> None:
        super().__init__(0, "ReadOnly", "this run writes nothing", request=request)


class Silent(Unreachable):
    """Nothing arrived in the time given."""


_BY_REASON: dict[str, type[ApiError]] = {"Expired": Gone, "Gone": Gone}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    422: "Invalid",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def error_of_status(
    code: int,
    reason: str = "",
    message: str = "",
    details: Mapping[str, Any] | None = None,
    *,
    retry_after: float | None = None,
    request: str = "",
) -> ApiError:
    """The error that a `Status` with this code and reason stands for.

    `retry_after` is the Retry-After header in seconds; without one `details.retryAfterSeconds` counts, and for 429 one
    second is assumed in the end.
    """
    if retry_after is None:
        told = (details or {}).get("retryAfterSeconds")
        retry_after = float(told) if isinstance(told, int | float) and told > 0 else None
    if retry_after is None and code == 429:
        retry_after = 1.0
    reason = reason or _REASONS.get(code, "InternalError" if code >= 500 else "Unknown")
    kind = _BY_REASON.get(reason) or _BY_STATUS.get(code) or (ServerError if code >= 500 else ApiError)
    return kind(code, reason, message, details, retry_after=retry_after, request=request)
