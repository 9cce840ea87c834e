"""The wire protocols of the emulated services: how a request names its operation, how answers and errors are written.

VPC Lattice speaks REST JSON (the address is the operation), the tagging API and ACM speak JSON 1.1 (a header names
it), STS speaks the query protocol (a form field names it, the answer is XML). Each `Endpoint` is one service on the
one HTTP endpoint; the server tells them apart by the service in the credential scope of the signature.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import orjson

from sandbox.lattice.errors import ApiError, invalid_fields, not_emulated, unknown_operation
from sandbox.lattice.model import Operation, Params, from_text, read_json_object, service_model
from sandbox.lattice.state import Handler


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came; `path` is still percent-encoded, `headers` finds names in any case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """What becomes of a request; with another fate than `answer`, the status and the body are never sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    fate: Literal["answer", "reset", "hang"] = "answer"
    delay: float = 0.0
    """Seconds to wait before the fate is fulfilled."""


XML_SERVICES = frozenset({"s3", "s3-object-lambda", "route53", "cloudfront"})
"""Signing names of services that speak REST XML."""


class Endpoint(Protocol):
    """One service."""

    service: str
    """botocore's name for it."""
    handlers: Mapping[str, Handler]
    regional: bool
    """Whether requests must be signed for the server's region."""

    def identify(self, request: Incoming) -> tuple[Operation, Params]:
        """The operation and its parameters, not checked yet; raises `ApiError`."""

    def check(self, operation: Operation, params: Params) -> None:
        """Raise `ApiError` for parameters that the model refuses."""

    def answer(self, operation: Operation, answer: dict[str, Any], request_id: str) -> Reply: ...

    def refusal(self, error: ApiError, request_id: str) -> Reply: ...


class RestJson:
    """The AWS REST JSON protocol."""

    regional = True

    def __init__(self, service: str, handlers: Mapping[str, Handler]) -> None:
        self.service = service
        self._model = service_model(service)
        self.handlers = handlers

    def identify(self, request: Incoming) -> tuple[Operation, Params]:
        found = self._model.route(request.method, request.path)
        if found is None:
            raise unknown_operation(f"{self.service} has no operation {request.method} {request.path}")
        operation, labels = found
        return operation, operation.read(labels, request.query, request.body)

    def check(self, operation: Operation, params: Params) -> None:
        if problems := operation.problems(params):
            raise invalid_fields(problems)

    def answer(self, operation: Operation, answer: dict[str, Any], request_id: str) -> Reply:
        headers = {"x-amzn-RequestId": request_id}
        if operation.status == 204:
            return Reply(204, b"", headers)
        headers["Content-Type"] = "application/json"
        return Reply(operation.status, orjson.dumps(answer), headers)

    def refusal(self, error: ApiError, request_id: str) -> Reply:
        headers = {
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": error.code,
            "Content-Type": "application/json",
            **error.headers,
        }
        return Reply(error.status, orjson.dumps({"message": error.message, **error.members}), headers)


class Json11:
    """The AWS JSON 1.1 protocol. `invalid_code` is the service's name for a request that the model refuses."""

    regional = True

    def __init__(
        self, service: str, handlers: Mapping[str, Handler], *, invalid_code: str, throttled_code: str
    ) -> None:
        self.service = service
        self._model = service_model(service)
        self._invalid_code = invalid_code
        self._throttled_code = throttled_code
        self.handlers = handlers

    def identify(self, request: Incoming) -> tuple[Operation, Params]:
        name = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        operation = self._model.operations.get(name)
        if operation is None:
            raise ApiError("UnknownOperationException", 400, f"{self.service} has no operation {name!r}")
        return operation, read_json_object(request.body)

    def check(self, operation: Operation, params: Params) -> None:
        if operation.name in self.handlers and (problems := operation.problems(params)):
            raise ApiError(self._invalid_code, 400, invalid_fields(problems).message)

    def answer(self, operation: Operation, answer: dict[str, Any], request_id: str) -> Reply:
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/x-amz-json-1.1"}
        return Reply(operation.status, orjson.dumps(answer), headers)

    def refusal(self, error: ApiError, request_id: str) -> Reply:
        code, status = error.code, error.status
        if code == "ThrottlingException":
            code, status = self._throttled_code, 400
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/x-amz-json-1.1", **error.headers}
        return Reply(status, orjson.dumps({"__type": code, "message": error.message}), headers)


QUERY_CODES = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "IncompleteSignatureException": "IncompleteSignature",
    "ThrottlingException": "Throttling",
}
"""Codes that the query protocol has other names for (STS API reference, "Common errors")."""


class Query:
    """The AWS query protocol, for parameters and answers without lists."""

    regional = False

    def __init__(self, service: str, namespace: str, handlers: Mapping[str, Handler]) -> None:
        self.service = service
        self._model = service_model(service)
        self._namespace = namespace
        self.handlers = handlers

    def identify(self, request: Incoming) -> tuple[Operation, Params]:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace") or request.query, keep_blank_values=True))
        name = form.pop("Action", "")
        form.pop("Version", None)
        operation = self._model.operations.get(name)
        if operation is None:
            raise ApiError("InvalidAction", 400, f"{self.service} has no operation {name!r}")
        if name not in self.handlers:
            raise not_emulated(self.service, name)
        members = {} if operation.input_shape is None else operation.input_shape.members
        return operation, {
            name: from_text(value, members[name]) if name in members else value for name, value in form.items()
        }

    def check(self, operation: Operation, params: Params) -> None:
        if problems := operation.problems(params):
            raise ApiError("ValidationError", 400, invalid_fields(problems).message)

    def answer(self, operation: Operation, answer: dict[str, Any], request_id: str) -> Reply:
        name = operation.name
        body = (
            f'<{name}Response xmlns="{self._namespace}"><{name}Result>{_elements(answer)}</{name}Result>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
        )
        return Reply(200, body.encode(), {"x-amzn-RequestId": request_id, "Content-Type": "text/xml"})

    def refusal(self, error: ApiError, request_id: str) -> Reply:
        side = "Sender" if error.status < 500 else "Receiver"
        code = escape(QUERY_CODES.get(error.code, error.code))
        body = (
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{side}</Type><Code>{code}</Code>'
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "text/xml", **error.headers}
        return Reply(error.status, body.encode(), headers)


def _elements(members: Mapping[str, Any]) -> str:
    return "".join(
        f"<{name}>{_elements(value) if isinstance(value, Mapping) else escape(str(value))}</{name}>"
        for name, value in members.items()
    )


def foreign_refusal(request: Incoming, error: ApiError, request_id: str) -> Reply:
    """An error for a request to a service that is not here, in the protocol that it came in.

    A client can only tell its user of an error that it can parse: XML for the query protocol, for EC2's and for REST
    XML, JSON for all others.
    """
    form = request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    service = request.headers.get("Authorization", "").partition("Credential=")[2].split(",")[0].split("/")[-2:-1]
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    if not form and not XML_SERVICES.intersection(service):
        body = orjson.dumps({"__type": error.code, "message": error.message})
        return Reply(error.status, body, headers | {"Content-Type": "application/json"})
    detail = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if form:
        detail = f"<ErrorResponse><Error>{detail}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    else:
        detail = f"<Error>{detail}<RequestId>{request_id}</RequestId></Error>"
    return Reply(error.status, detail.encode(), headers | {"Content-Type": "text/xml"})
