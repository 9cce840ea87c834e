"""What becomes of a request: the one place where every request is decided, in whatever version of HTTP it came.

The service is the one that the authority names, in a connection over TLS one that also has the server name of the
handshake. The listener is that of the port which was dialled, and where one address stands for all ports that of the
authority, 80 or 443 where it gives none. Then come the rules, the weights, and the target whose turn it is.

Answers of the data plane's own have the codes that VPC Lattice's guide lists ("Access logs", troubleshoot access logs):
400 for what is malformed or too large, 404 for a service that does not exist or is in no service network, 500 where no
target can be connected to, 502 where one fails after that. A port without a listener, and a listener of another
protocol, are not in the list; they get 404 and 400. A gRPC call gets with it the status that a client would make of
the code by itself (gRPC, "HTTP to gRPC Status Code Mapping"), but UNAVAILABLE where a target is missing or fails, as
for any other server that cannot be reached. A fixed response is an HTTP response and nothing else.
"""

import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from urllib.parse import quote

import anyio

from sandbox.dataplane.balancing import Balancer
from sandbox.dataplane.headers import REQUEST_ID, end_to_end, excess, is_text, request_id, to_target
from sandbox.dataplane.log import Access, AccessLog
from sandbox.dataplane.messages import Answer, FailureReason, Fields, Request, TargetError, pieces
from sandbox.dataplane.routing import RequestHead, route, split_authority
from sandbox.dataplane.targets import Targets
from sandbox.dataplane.versions import is_grpc, obstacle
from sandbox.lattice.directory import Directory, FixedResponse, Forward, Listener, Service, Target, TargetGroup

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LISTENS = {"http": "HTTP", "https": "HTTPS"}

_UNAVAILABLE = 14
_GRPC_STATUS = {400: 13, 404: 12, 500: 2, 502: 14}


class RefusedError(Exception):
    """The data plane answers by itself: with this status, for this reason."""

    def __init__(
        self, status: int, words: str, *, reason: FailureReason | None = None, grpc_status: int | None = None
    ) -> None:
        super().__init__(words)
        self.status = status
        self.reason = reason
        self.grpc_status = _GRPC_STATUS[status] if grpc_status is None else grpc_status


class Exchange:
    """Answers requests by the rules of a directory; `random` draws target groups and request ids."""

    def __init__(
        self, directory: Directory, *, targets: Targets, balancer: Balancer, random: Random, log: AccessLog
    ) -> None:
        self._directory = directory
        self._targets = targets
        self._balancer = balancer
        self._random = random
        self._log = log

    @asynccontextmanager
    async def answer(self, request: Request) -> AsyncGenerator[Answer]:
        """The answer to a request, for as long as the context lasts; every one is logged at its end.

        Raises TargetError, from the body of the answer, if the target breaks off after the head. A ConnectionError in
        the context says that the caller has left.
        """
        made = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        access = Access(
            source=request.caller.source,
            method=request.method,
            authority=request.authority,
            path=request.path,
            protocol=request.version,
            server_name=request.caller.server_name,
            request_id=request_id(request.field(REQUEST_ID), made),
        )
        try:
            async with AsyncExitStack() as stack:
                try:
                    answer = await self._routed(stack, request, access)
                except RefusedError as refused:
                    access.reason, access.failure = refused.reason, str(refused)
                    answer = _refusal(request, refused, access)
                access.status = answer.status
                answer.fields.append((REQUEST_ID, access.request_id))
                yield answer
                access.grpc_status = _grpc_status(answer)
        except TargetError as error:
            access.reason, access.failure = error.reason, f"target {access.target}: {error}"
            raise
        except (ConnectionError, anyio.get_cancelled_exc_class()):
            access.reason, access.failure = "ClientConnectionClosed", "the caller left"
            raise
        finally:
            self._log.add(access)

    async def _routed(self, stack: AsyncExitStack, request: Request, access: Access) -> Answer:
        if not request.target.startswith("/"):
            raise _bad(f"the data plane takes no request for {request.target!r}")
        if too_much := excess(request.fields):
            raise _bad(too_much)
        if not is_text([("", request.authority), ("", request.target), *request.fields]):
            raise _bad("a header that is not UTF-8")
        service, listener = self._listener(request, access)
        decision = route(RequestHead(request.method, request.path, request.fields), listener)
        access.rule = None if decision.rule is None else decision.rule.rule_id
        if isinstance(decision.action, FixedResponse):
            return Answer(decision.action.status_code, [*_decided(access), ("Content-Length", "0")])
        group, target = self._target(decision.action, request, access)
        fields = to_target(
            request.fields,
            source=request.caller.source,
            port=listener.port,
            protocol=request.caller.scheme,
            request_id=access.request_id,
        )
        try:
            asked = self._targets.send(request, fields, group=group, target=target, idle=service.idle_timeout)
            answer = await stack.enter_async_context(asked)
        except TargetError as error:
            status = 500 if error.reason == "TargetConnectionError" else 502
            words = f"target {access.target}: {error}"
            raise RefusedError(status, words, reason=error.reason, grpc_status=_UNAVAILABLE) from error
        if not is_text(answer.fields):
            raise RefusedError(502, f"target {access.target}: a header that is not UTF-8", reason="TargetProtocolError")
        answer.fields = [field for field in end_to_end(answer.fields) if field[0].lower() != REQUEST_ID]
        return answer

    def _listener(self, request: Request, access: Access) -> tuple[Service, Listener]:
        caller = request.caller
        try:
            domain, given = split_authority(request.authority)
        except ValueError as error:
            raise _bad(str(error)) from error
        service = self._directory.service_by_domain(domain)
        if service is None:
            raise RefusedError(404, f"no service answers to {domain}")
        access.service = service.name
        if caller.server_name is not None and caller.server_name not in _names(service):
            raise RefusedError(404, f"{domain} is not of the service that the connection asked for")
        if not service.networks:
            raise RefusedError(404, f"service {service.name} has no active association with a service network")
        port = caller.port or given or _DEFAULT_PORTS[caller.scheme]
        listener = service.listeners.get(port)
        if listener is None:
            raise RefusedError(404, f"service {service.name} has no listener on port {port}")
        access.listener = port
        if listener.protocol != _LISTENS[caller.scheme]:
            raise _bad(f"the listener on port {port} of service {service.name} takes {listener.protocol}")
        return service, listener

    def _target(self, action: Forward, request: Request, access: Access) -> tuple[TargetGroup, Target]:
        """The group and the target chosen; fills the log's entry in."""
        access.group = self._balancer.group(action)
        if access.group is None:
            raise _unavailable("no target group has a weight above 0")
        group = self._directory.target_group(access.group)
        if group is None:
            raise _unavailable(f"target group {access.group} is gone")
        if unfit := obstacle(request, group):
            raise RefusedError(500, unfit, reason="InternalError")
        target = self._balancer.target(group)
        if target is None:
            raise _unavailable(f"target group {group.group_id} has no target that may have a request")
        access.target = f"{target.ip}:{target.port}"
        return group, target


def _names(service: Service) -> set[str]:
    return {service.domain.lower(), (service.custom_domain or service.domain).lower()}


def _bad(words: str) -> RefusedError:
    return RefusedError(400, words, reason="ClientProtocolError")


def _unavailable(words: str) -> RefusedError:
    return RefusedError(500, words, reason="TargetConnectionError", grpc_status=_UNAVAILABLE)


def _refusal(request: Request, refused: RefusedError, access: Access) -> Answer:
    fields = _decided(access)
    words = str(refused).encode("utf-8", "backslashreplace").decode()
    if is_grpc(request):
        access.grpc_status = refused.grpc_status
        status = [
            ("grpc-status", str(refused.grpc_status)),
            ("grpc-message", quote(words, safe=" !#$&'()*+,/:;=?@")),
        ]
        return Answer(refused.status, [*fields, ("Content-Type", "application/grpc"), *status])
    text = f"{words}\n".encode()
    fields += [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    return Answer(refused.status, fields, None if request.method == "HEAD" else pieces(text))


def _decided(access: Access) -> Fields:
    """Fields of an answer of the data plane's own: who it is, and which listener and rule led there."""
    fields = [("Server", "sandbox-data-plane")]
    if access.service is not None:
        fields.append(("X-Sandbox-Service", access.service))
    if access.listener is not None:
        fields += [("X-Sandbox-Listener", str(access.listener)), ("X-Sandbox-Rule", access.rule or "default")]
    return fields


def _grpc_status(answer: Answer) -> int | None:
    for name, value in (*answer.trailers, *answer.fields):
        if name.lower() == "grpc-status" and value.isdigit():
            return int(value)
    return None
