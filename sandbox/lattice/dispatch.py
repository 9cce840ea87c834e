"""From a request to its reply, in one synchronous step: who is asked, what goes wrong on purpose, the handler, the log.

Order, as far as a client can tell: the signature and its scope, the operation, faults on demand, throttling, the
model's checks, the client token, the handler. Nothing here does I/O; the server (`sandbox.lattice.server`) carries the
reply out.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.lattice import (
    associations,
    certificates,
    listeners,
    networks,
    policies,
    rules,
    service_quotas,
    services,
    sts,
    tagging,
    tags,
    target_groups,
    targets,
)
from sandbox.lattice.calls import CallLog, CallRecord, Operations
from sandbox.lattice.ec2 import Ec2, describe_tags
from sandbox.lattice.errors import SERVICE_CODE, ApiError, conflict, not_emulated, throttled
from sandbox.lattice.faults import Delay, Effect, Fail, Faults, Hang, Partial, Refuse, Reset, Throttle
from sandbox.lattice.latency import Latencies
from sandbox.lattice.metadata import Metadata
from sandbox.lattice.model import Operation, Params
from sandbox.lattice.protocols import Endpoint, Incoming, Json11, Query, Reply, RestJson, foreign_refusal
from sandbox.lattice.signatures import verify
from sandbox.lattice.state import AsyncFailure, Call, Handler, State
from sandbox.lattice.throttle import Throttles

LATTICE_HANDLERS: dict[str, Handler] = {
    **services.OPERATIONS,
    **listeners.OPERATIONS,
    **rules.OPERATIONS,
    **target_groups.OPERATIONS,
    **targets.OPERATIONS,
    **networks.OPERATIONS,
    **associations.OPERATIONS,
    **tags.OPERATIONS,
    **policies.OPERATIONS,
}

EMULATED: dict[str, tuple[str, ...]] = {
    "vpc-lattice": tuple(LATTICE_HANDLERS),
    "resourcegroupstaggingapi": tuple(tagging.OPERATIONS),
    "sts": tuple(sts.OPERATIONS),
    "acm": tuple(certificates.OPERATIONS),
    "ec2": ("DescribeTags",),
    "service-quotas": tuple(service_quotas.OPERATIONS),
}
"""botocore's name of a service → the operations that the sandbox emulates."""

OPERATIONS = Operations(name for names in EMULATED.values() for name in names)

COMMON_ERRORS = frozenset(
    {"NotEmulatedException", "ThrottlingException", "InternalServerException", "AccessDenied", "ValidationError"}
)
"""What any operation may answer, beside the errors that its model lists; the last two are STS's names."""


class FidelityError(AssertionError):
    """The sandbox gave an answer that the service model does not allow: a fault of the sandbox."""


class Dispatcher:
    """Serves requests against a `State`.

    With `validate_answers`, every answer and error is held against the service model, and one that does not fit becomes
    an error 500 of the code `FidelityError`.
    """

    def __init__(
        self,
        state: State,
        *,
        throttles: Throttles,
        metadata: Metadata,
        clock: Callable[[], float],
        latencies: Latencies | None = None,
        faults: Faults | None = None,
        validate_answers: bool = False,
    ) -> None:
        self.state = state
        self.calls = CallLog(OPERATIONS)
        self.faults = faults or Faults(OPERATIONS)
        self.latencies = latencies or Latencies(OPERATIONS, 0.0, 0)
        self.throttles = throttles
        self.metadata = metadata
        self._clock = clock
        self._validate = validate_answers
        self._tokens: dict[tuple[str, str], tuple[Params, dict[str, Any]]] = {}
        self._endpoints: dict[str, Endpoint] = {
            "vpc-lattice": RestJson("vpc-lattice", LATTICE_HANDLERS),
            "tagging": Json11(
                "resourcegroupstaggingapi",
                tagging.OPERATIONS,
                invalid_code="InvalidParameterException",
                throttled_code="ThrottledException",
            ),
            "acm": Json11(
                "acm",
                certificates.OPERATIONS,
                invalid_code="ValidationException",
                throttled_code="ThrottlingException",
            ),
            "servicequotas": Json11(
                "service-quotas",
                service_quotas.OPERATIONS,
                invalid_code="IllegalArgumentException",
                throttled_code="TooManyRequestsException",
            ),
            "ec2": Ec2({"DescribeTags": describe_tags(metadata)}),
            "sts": Query("sts", "https://sts.amazonaws.com/doc/2011-06-15/", sts.OPERATIONS),
        }

    def serve(self, request: Incoming) -> Reply:
        """What becomes of this request."""
        self.state.transitions.run_due()
        request_id = self._request_id()
        service, name = "", f"{request.method} {unquote(request.path)}"
        logged: Params = {}
        endpoint: Endpoint | None = None
        try:
            authorization = request.headers.get("Authorization", "")
            unsigned = not authorization and is_unsigned(request)
            service, region = ("sts", self.state.region) if unsigned else credential_scope(authorization)
            endpoint = self._endpoints.get(service)
            if endpoint is None:
                raise not_emulated(service, name)
            if self.state.credentials.verified and not unsigned:
                verify(request, self.state.credentials, self._clock())
            self._check_region(endpoint, region)
            operation, params = endpoint.identify(request)
            name, logged = operation.name, operation.without_secrets(params)
            effect = self.faults.strike(name, params)
            call = Call(name, params, _async_failure(effect), _spoiled(effect), access_key(authorization))
            reply, error = self._suffer(endpoint, operation, call, effect, request_id)
        except ApiError as refusal:
            reply, error = self._refuse(endpoint, request, refusal, request_id), refusal.code
        except FidelityError as fault:
            told = ApiError("FidelityError", 500, str(fault))
            reply, error = self._refuse(endpoint, request, told, request_id), told.code
        reply.delay += self.latencies.draw(name)
        sent = reply.status if reply.fate == "answer" else None
        outcome = error if reply.fate == "answer" else reply.fate
        caller = access_key(request.headers.get("Authorization", ""))
        self.calls.add(CallRecord(self._clock(), service, name, logged, sent, outcome, request_id, caller))
        return reply

    def _refuse(self, endpoint: Endpoint | None, request: Incoming, error: ApiError, request_id: str) -> Reply:
        if endpoint is None:
            return foreign_refusal(request, error, request_id)
        return endpoint.refusal(error, request_id)

    def _check_region(self, endpoint: Endpoint, region: str) -> None:
        if endpoint.regional and region != self.state.region:
            message = f"Credential should be scoped to a valid region: {self.state.region}, not {region}."
            raise ApiError("InvalidSignatureException", 403, message)

    def _request_id(self) -> str:
        digits = f"{self.state.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _suffer(
        self, endpoint: Endpoint, operation: Operation, call: Call, effect: Effect | None, request_id: str
    ) -> tuple[Reply, str | None]:
        """The reply and the code of its error, under the effect of a fault if there is one; raises `ApiError`."""
        match effect:
            case Throttle():
                raise throttled(effect.retry_after, effect.quota_code)
            case Refuse(after=False):
                raise _wilful(effect, operation, call)
            case Reset(after=False):
                return Reply(0, b"", fate="reset"), None
            case Hang(after=False):
                return Reply(0, b"", fate="hang"), None
        reply, error = self._carry_out(endpoint, operation, call, request_id)
        match effect:
            case Refuse():
                raise _wilful(effect, operation, call)
            case Reset():
                reply.fate = "reset"
            case Hang():
                reply.fate = "hang"
            case Delay():
                reply.delay = effect.seconds
        return reply, error

    def _carry_out(
        self, endpoint: Endpoint, operation: Operation, call: Call, request_id: str
    ) -> tuple[Reply, str | None]:
        try:
            if (wait := self.throttles.take(operation.name)) is not None:
                raise throttled(wait)
            handler = endpoint.handlers.get(operation.name)
            if handler is None:
                raise not_emulated(endpoint.service, operation.name)
            endpoint.check(operation, call.params)
            answer = self._once(operation, handler, call)
        except ApiError as error:
            if self._validate:
                _hold_error(endpoint, operation, error)
            return endpoint.refusal(error, request_id), error.code
        return endpoint.answer(operation, answer, request_id), None

    def _once(self, operation: Operation, handler: Handler, call: Call) -> dict[str, Any]:
        """Call the handler, unless this client token has been used: then the first answer stands.

        A token with other parameters is a conflict (API: "If the parameters aren't identical, the retry fails").
        """
        member = operation.token_member
        token = call.params.get(member) if member is not None else None
        if token is not None:
            earlier = self._tokens.get((operation.name, token))
            if earlier is not None:
                if earlier[0] != call.params:
                    raise conflict("CLIENT_TOKEN", token, "the client token was used with other parameters")
                return earlier[1]
        answer: dict[str, Any] = operation.project(handler(self.state, call))
        if self._validate and (problems := operation.output_problems(answer)):
            raise FidelityError(f"the answer of {operation.name} is not as modelled: {problems}")
        if token is not None:
            self._tokens[operation.name, token] = (call.params, answer)
        return answer


def _hold_error(endpoint: Endpoint, operation: Operation, error: ApiError) -> None:
    """Raise `FidelityError` for an error that the model does not allow: its code, its status, or what its body has."""
    if operation.errors and error.code not in operation.errors | COMMON_ERRORS:
        raise FidelityError(f"{operation.name} cannot answer {error.code}: {error.message}") from error
    if isinstance(endpoint, RestJson):
        body = {"message": error.message, **error.members}
        if problems := operation.error_problems(error.code, error.status, body):
            raise FidelityError(f"the {error.code} of {operation.name} is not as modelled: {problems}") from error


def _wilful(effect: Refuse, operation: Operation, call: Call) -> ApiError:
    """The error that a fault asks for, with the members that the model requires of it."""
    named = [value for name, value in call.params.items() if name.endswith(("Identifier", "Arn", "name"))]
    members = {
        "resourceId": str(named[-1]) if named else "",
        "resourceType": "",
        "serviceCode": SERVICE_CODE,
        "quotaCode": "",
        "reason": "other",
    }
    required = operation.required_of_error(effect.code)
    given = {name: value for name, value in members.items() if name in required}
    return ApiError(effect.code, effect.status, effect.message, given)


def _async_failure(effect: Effect | None) -> AsyncFailure | None:
    return effect.outcome() if isinstance(effect, Fail) else None


def _spoiled(effect: Effect | None) -> frozenset[int]:
    return frozenset(effect.positions) if isinstance(effect, Partial) else frozenset()


def is_unsigned(request: Incoming) -> bool:
    """Whether this asks for the one operation that nobody signs."""
    return dict(parse_qsl(request.body.decode("ascii", "replace"))).get("Action") == sts.UNSIGNED


def access_key(authorization: str) -> str:
    """The id of the key that signed a request; empty if none did."""
    return authorization.partition("Credential=")[2].partition("/")[0]


def credential_scope(authorization: str) -> tuple[str, str]:
    """The service and region for which a request is signed (SigV4: `Credential=key/date/region/service/aws4_request`).

    Raises `ApiError` (`MissingAuthenticationTokenException`) for a request that is not signed.
    """
    _, found, rest = authorization.partition("Credential=")
    parts = rest.partition(",")[0].strip().split("/")
    if not found or len(parts) < 5 or parts[-1] != "aws4_request":
        raise ApiError(
            "MissingAuthenticationTokenException", 403, "the request is not signed (AWS Signature Version 4)"
        )
    return parts[-2], parts[-3]
