"""The vocabulary of status: condition types, reasons, and the one way to build a condition.

A condition made here has no `lastTransitionTime`: what time it is, and whether the status really changed, only the
writer of the status knows.

Source: Gateway API v1.6, `GatewayClassConditionType`, `GatewayConditionType`, `ListenerConditionType`,
`RouteConditionType` and their reasons.
"""

from typing import Final

from controller.api.meta import Condition

ACCEPTED: Final = "Accepted"
PROGRAMMED: Final = "Programmed"
RESOLVED_REFS: Final = "ResolvedRefs"
CONFLICTED: Final = "Conflicted"
PARTIALLY_INVALID: Final = "PartiallyInvalid"

SUPPORTED_VERSION: Final = "SupportedVersion"

PENDING: Final = "Pending"
INVALID: Final = "Invalid"
UNSUPPORTED_VALUE: Final = "UnsupportedValue"

NO_MATCHING_PARENT: Final = "NoMatchingParent"
NOT_ALLOWED_BY_LISTENERS: Final = "NotAllowedByListeners"
NO_MATCHING_LISTENER_HOSTNAME: Final = "NoMatchingListenerHostname"
CERTIFICATE_NOT_FOUND: Final = "CertificateNotFound"
QUOTA_EXCEEDED: Final = "QuotaExceeded"

INVALID_KIND: Final = "InvalidKind"
BACKEND_NOT_FOUND: Final = "BackendNotFound"
REF_NOT_PERMITTED: Final = "RefNotPermitted"

INVALID_PARAMETERS: Final = "InvalidParameters"
UNSUPPORTED_VERSION: Final = "UnsupportedVersion"
UNSUPPORTED_ADDRESS: Final = "UnsupportedAddress"
ADDRESS_NOT_USABLE: Final = "AddressNotUsable"

LISTENERS_NOT_VALID: Final = "ListenersNotValid"
UNSUPPORTED_PROTOCOL: Final = "UnsupportedProtocol"
INVALID_ROUTE_KINDS: Final = "InvalidRouteKinds"
INVALID_CERTIFICATE_REF: Final = "InvalidCertificateRef"
NO_CONFLICTS: Final = "NoConflicts"
PROTOCOL_CONFLICT: Final = "ProtocolConflict"
HOSTNAME_CONFLICT: Final = "HostnameConflict"

MAX_MESSAGE: Final = 32768
"""Characters that the schema of a condition's message admits."""


def condition(type_: str, status: bool | None, reason: str, message: str, generation: int) -> Condition:
    """A condition for this generation of the object; `status` None is "Unknown". Overlong messages are cut."""
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    return Condition(
        type=type_,
        status="Unknown" if status is None else str(status),
        reason=reason,
        message=message,
        observed_generation=generation,
    )
