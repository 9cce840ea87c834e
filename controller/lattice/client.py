"""Calls to VPC Lattice, and to the few other AWS APIs that finding our resources takes.

One aiobotocore session, its SDK retries off. Every call goes the same way: its turn from `Limits`, one attempt under a
hard time-out, the outcome classified (`controller.lattice.aws`) and, where that helps, tried again (`retry`). A create
carries one random client token through all its attempts, so that a repeated one makes nothing twice; a token derived
from the content would make create, delete, create again a silent nothing. What a call raises is its last attempt's
error, and tells of all attempts whether one may have had an effect (`LatticeError.undecided`).

**The fence.** A write asks it where its bytes leave, after its turn, credentials, signature and connection
(`controller.lattice.session` says how that is the last moment), and goes on only if the lease is valid for longer than
the whole time-out of an attempt. So the bytes leave with at least that much left, are acknowledged by then or thrown
away, and the attempt is over before anybody else may lead. Raising there ends the attempt, and nothing (more) is sent.
The question learns which attempt it is about from a context variable, because aiohttp tells it only the request.

What is left is the time between the question and the system call: no task can get between them, but the process may be
stopped there. `controller.kube.lease_deadman` sees to that.

**The audit.** A write that passed the fence leaves one line when its call ends, however it ends, cancellation included.
"""

import math
import random
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final, Protocol, Self

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from controller import logs
from controller.lattice.aws import check, classify, misconfigured
from controller.lattice.errors import FencedError, LatticeError, RetryError
from controller.lattice.limits import Lane, Limits, Ticket
from controller.lattice.pause import pause
from controller.lattice.retry import Policy, Retries
from controller.lattice.session import session_class, socket_factory
from controller.lattice.times import timestamp
from workqueue import Clock, MonotonicClock

PAGE: Final = 100
"""Items a page: the most that Lattice's lists and the tagging API give."""

LATTICE: Final = "vpc-lattice"
TAGGING: Final = "resourcegroupstaggingapi"
STS: Final = "sts"
ACM: Final = "acm"
SERVICE_QUOTAS: Final = "service-quotas"

_READS: Final = ("Get", "List", "Describe")
_IDENTIFIER: Final = re.compile("(^name|^id|^arn|Identifier|Arn|Id)$")


class CallObserver(Protocol):
    """Where calls are counted. `service` is AWS's service id (`VPC Lattice`); times are in seconds.

    `status` is the HTTP status, 0 where no answer came; `code` is the error's code, empty for a success.
    """

    def waited(self, service: str, operation: str, lane: Lane, seconds: float) -> None:
        """An attempt got its turn after this long."""

    def request(self, service: str, operation: str, status: int, code: str, seconds: float) -> None:
        """An attempt that was sent has ended."""

    def call(self, service: str, operation: str, status: int, code: str, seconds: float, retries: int) -> None:
        """A call has ended, after that many attempts beyond the first."""


class NoObserver:
    """Counts nothing."""

    def waited(self, service: str, operation: str, lane: Lane, seconds: float) -> None: ...

    def request(self, service: str, operation: str, status: int, code: str, seconds: float) -> None: ...

    def call(self, service: str, operation: str, status: int, code: str, seconds: float, retries: int) -> None: ...


@dataclass(slots=True)
class _Attempt:
    """What the handlers of `before-send` and of leaving bytes are told, and what they tell back."""

    operation: str
    write: bool
    body: bool = False
    """Whether the request has one."""
    handed_over: bool = False
    """Signed, and given to the HTTP session."""
    sent: bool = False
    """Left, or at least about to."""
    resent: bool = False
    """By aiohttp, after it had left once and had no answer."""
    fenced: bool = False


_attempt: ContextVar[_Attempt] = ContextVar("lattice_controller_attempt")


class LatticeClient:
    """The API as this controller uses it: an async context manager, for one event loop.

    `region` None and `endpoint_url` None leave them to AWS's own variables and configuration files. `endpoint_url` is
    that of VPC Lattice only; the other APIs follow `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`. `fence` is
    asked with a number of seconds whether this replica may write for that long from now. `timeout` bounds one attempt,
    in seconds; it has to be shorter than the lease's validity. `connections` is the most that are open to one API.
    """

    def __init__(
        self,
        *,
        region: str | None,
        endpoint_url: str | None,
        limits: Limits,
        fence: Callable[[float], bool] = lambda _: True,
        observer: CallObserver | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        timeout: float = 10.0,
        policy: Policy | None = None,
        connections: int = 50,
    ) -> None:
        self._region = region
        self._endpoints = {LATTICE: endpoint_url}
        self._limits = limits
        self._fence = fence
        self._observer: CallObserver = observer or NoObserver()
        self._clock = clock or MonotonicClock()
        self._rng = rng or random.SystemRandom()
        self._timeout = timeout
        self._policy = policy or Policy()
        self._config = AioConfig(
            connect_timeout=min(3.0, timeout),
            read_timeout=timeout,
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra=f"lattice-controller/{version('lattice-controller')}",
            http_session_cls=session_class(self._before_bytes),
            connector_args={"socket_factory": socket_factory(timeout)},
        )
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._unsettled_until = -math.inf

    async def __aenter__(self) -> Self:
        """Load the service models and resolve endpoints; connects to nothing yet.

        Raises TerminalError when AWS's configuration is not usable.
        """
        session = get_session()
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=timestamp)
        async with AsyncExitStack() as stack:
            for service in (LATTICE, TAGGING, STS, ACM, SERVICE_QUOTAS):
                made = session.create_client(
                    service,
                    region_name=self._region,
                    endpoint_url=self._endpoints.get(service),
                    config=self._config,
                )
                try:
                    client = await stack.enter_async_context(made)
                except (BotoCoreError, ValueError) as error:
                    raise misconfigured(service, error) from error
                client.meta.events.register("before-send", self._before_send)
                self._clients[service] = client
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._stack.aclose()
        self._clients.clear()

    @property
    def region(self) -> str:
        """The region that calls go to."""
        return str(self._clients[LATTICE].meta.region_name)

    @property
    def endpoint(self) -> str:
        """The URL that calls to VPC Lattice go to."""
        return str(self._clients[LATTICE].meta.endpoint_url)

    @property
    def unsettled(self) -> bool:
        """Whether a write that had no answer, for it timed out or was cancelled, may still be on its way."""
        return self._clock.time() < self._unsettled_until

    async def call(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        lane: Lane = Lane.LIVE,
        token: str | None = None,
        service: str = LATTICE,
    ) -> dict[str, Any]:
        """Call an operation by the API's name, such as `CreateService`, and return its answer.

        `token` is the client token of a create; without one, a random one is made for this call. `service` is VPC
        Lattice, or another of the services named in this module. Raises RetryError, TerminalError, SuspectError or, for
        writes, FencedError.
        """
        return await self._call(service, operation, params, lane, token)

    async def pages(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = Lane.LIVE
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Call a list operation page by page, 100 items each; raises what `call` raises."""
        page: dict[str, Any] = {}
        while not page or page.get("nextToken"):
            more = {"nextToken": page["nextToken"]} if page else {}
            page = await self._call(LATTICE, operation, {**params, "maxResults": PAGE, **more}, lane)
            yield page

    async def tagged(
        self, tags: Mapping[str, str], resource_types: Sequence[str], *, lane: Lane = Lane.LIVE
    ) -> list[tuple[str, dict[str, str]]]:
        """Find resources that bear all of `tags`, as (ARN, all their tags).

        `resource_types` are of the tagging API, such as `vpc-lattice:service`; none means every type. Resource Groups
        Tagging API, GetResources; it follows changes after some seconds. Raises what `call` raises.
        """
        params = {
            "TagFilters": [{"Key": name, "Values": [value]} for name, value in tags.items()],
            "ResourceTypeFilters": list(resource_types),
            "ResourcesPerPage": PAGE,
        }
        found: list[tuple[str, dict[str, str]]] = []
        more: dict[str, Any] = {}
        while True:
            page = await self._call(TAGGING, "GetResources", {**params, **more}, lane)
            found.extend(
                (item["ResourceARN"], {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())})
                for item in page.get("ResourceTagMappingList", ())
            )
            if not page.get("PaginationToken"):
                return found
            more = {"PaginationToken": page["PaginationToken"]}

    async def account(self) -> str:
        """Ask STS, GetCallerIdentity, for the account whose credentials these are; raises what `call` raises."""
        answer = await self._call(STS, "GetCallerIdentity", {}, Lane.LIVE)
        return str(answer["Account"])

    async def _call(
        self, service: str, operation: str, params: Mapping[str, Any], lane: Lane, token: str | None = None
    ) -> dict[str, Any]:
        """One call with all its attempts."""
        call = _Call(self._clients[service], operation, dict(params), lane)
        if call.takes_token:
            call.params.setdefault("clientToken", token or f"{self._rng.getrandbits(128):032x}")
        retries = Retries(self._policy, self._clock.time, self._rng)
        with self._reported(call):
            return await retries.retrying(lambda seconds: pause(self._clock, seconds))(self._try, call)

    async def _try(self, call: "_Call") -> dict[str, Any]:
        """One attempt, from waiting for its turn to its answer."""
        asked = self._clock.time()
        call.ticket = await self._limits.acquire(call.operation, call.lane, again=call.ticket)
        started = self._clock.time()
        self._observer.waited(call.service_id, call.operation, call.lane, started - asked)
        attempt = _Attempt(call.operation, call.write)
        _attempt.set(attempt)
        call.attempts += 1
        call.status, call.code, call.request_id = 0, "unknown", None
        try:
            with anyio.fail_after(self._timeout):
                answer: dict[str, Any] = await call.send()
        except (BotoCoreError, ClientError, ResponseParserError, LatticeError, TimeoutError) as raised:
            error = FencedError(call.operation) if attempt.fenced else classify(raised, call.operation)
            call.failed(error, raised, attempt)
            if isinstance(error, RetryError) and error.throttled:
                self._limits.throttled(call.operation, call.ticket, error.after, error.quota_code)
            elif call.status:
                self._limits.succeeded(call.operation, call.ticket)
            raise error from (None if raised is error else raised)
        else:
            call.succeeded(answer)
            self._limits.succeeded(call.operation, call.ticket)
            return answer
        finally:
            call.sent = call.sent or attempt.sent
            if call.write and attempt.sent and (attempt.resent or not call.status):
                self._unsettled_until = self._clock.time() + self._timeout
            if attempt.handed_over and not attempt.fenced:
                seconds = self._clock.time() - started
                self._observer.request(call.service_id, call.operation, call.status, call.code, seconds)

    @contextmanager
    def _reported(self, call: "_Call") -> Iterator[None]:
        """Count the call, and leave a write's audit line, when it has ended in whatever way."""
        started = self._clock.time()
        try:
            yield
        finally:
            seconds = self._clock.time() - started
            retries = max(0, call.attempts - 1)
            self._observer.call(call.service_id, call.operation, call.status, call.code, seconds, retries)
            if call.write and call.sent:
                logs.audit(
                    call.operation,
                    outcome=call.code or "ok",
                    identifiers=call.identifiers,
                    request_id=call.request_id,
                    attempts=call.attempts,
                    seconds=seconds,
                )

    def _before_send(self, request: Any, **_: Any) -> None:
        """Botocore's last word: what comes now is the HTTP session's."""
        attempt = _attempt.get()
        attempt.body = bool(request.body)
        attempt.handed_over = True

    def _before_bytes(self, of_body: bool) -> None:
        """Ask the fence: the last thing that runs before bytes are written to the connection."""
        attempt = _attempt.get(None)
        if attempt is None:
            return
        if attempt.write and not self._fence(self._timeout):
            attempt.fenced = True
            raise FencedError(attempt.operation)
        attempt.resent = attempt.resent or (attempt.sent and not of_body)
        attempt.sent = attempt.sent or of_body or not attempt.body


class _Call:
    """One call's facts, gathered over its attempts."""

    def __init__(self, client: Any, operation: str, params: dict[str, Any], lane: Lane) -> None:
        model = client.meta.service_model
        self._model = model.operation_model(operation)
        self.operation = operation
        self.params = params
        self.lane = lane
        self.service_id: str = model.service_id
        self.write = not operation.startswith(_READS)
        self.takes_token = "clientToken" in self._model.idempotent_members
        self.ticket: Ticket | None = None
        self.attempts = 0
        self.sent = False
        self.undecided = False
        self.status = 0
        self.code = "unknown"
        self.request_id: str | None = None
        self.identifiers = _identifiers(params)
        self._client = client

    async def send(self) -> dict[str, Any]:
        """Have botocore validate, sign and send the request, and parse the answer."""
        answer: dict[str, Any] = await self._client._make_api_call(self.operation, self.params)  # noqa: SLF001 - by name
        check(answer, self._model)
        return answer

    def succeeded(self, answer: Mapping[str, Any]) -> None:
        """Note the outcome of an attempt that did what it should."""
        metadata = answer.get("ResponseMetadata", {})
        self.status = metadata.get("HTTPStatusCode", 0)
        self.code = ""
        self.request_id = metadata.get("RequestId")
        self.identifiers |= _identifiers(answer)

    def failed(self, error: LatticeError, raised: Exception, attempt: _Attempt) -> None:
        """Note the outcome of an attempt that failed, and tell by the error whether any so far may have had effect."""
        if isinstance(raised, ClientError):
            self.status = raised.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        self.code = error.code
        self.request_id = error.request_id
        refused = 400 <= self.status < 500
        self.undecided = self.undecided or attempt.resent or (attempt.sent and not refused)
        error.undecided = self.undecided


def _identifiers(fields: Mapping[str, Any]) -> dict[str, str]:
    """The names, ids and ARNs at the top of a request or an answer."""
    return {name: value for name, value in fields.items() if isinstance(value, str) and _IDENTIFIER.search(name)}
