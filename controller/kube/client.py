"""Requests to the Kubernetes API: bytes out, bytes in.

kubernetes-asyncio's generated models are not used (decoding into them is some fifty times slower than msgspec, see
`decode`); what is used of it is configuration, authentication, TLS and the pooled session, through `credentials`. This
module adds the rest that a request needs: typed errors, time-outs, one reload of credentials after a 401, counting, and
watches as lines of any length.

A request is tried once (twice after a 401). Retrying belongs to callers, who know whether it makes sense.
"""

import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from controller.kube.errors import ApiError, ConfigError, ReadOnly, Silent, Unreachable, error_of_status

OnRequest = Callable[[str, str, str, float], None]
"""Called after each request: verb (get, list, watch, create, update, patch, delete), resource (its plural), HTTP code
("<error>" when there was no answer), and seconds until the answer was read (for a watch: until it began)."""

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"

_CONNECT_SECONDS = 10.0
_TOLD_BYTES = 200
"""How much of an answer that is no `Status` is quoted in the error."""


class RequestInfo(NamedTuple):
    """What a method and a path mean to the API server."""

    verb: str
    resource: str
    namespace: str
    name: str


class _Credentials(Protocol):
    generation: int

    @property
    def host(self) -> str: ...

    @property
    def session(self) -> aiohttp.ClientSession: ...

    @property
    def request_options(self) -> dict[str, Any]: ...

    async def load(self, seen: int | None = None) -> None: ...

    async def authorization(self) -> str | None: ...

    async def close(self) -> None: ...


class KubeClient:
    """A client of one API server; open it with `async with`.

    `on_request` may be set by its owner to count requests.
    """

    def __init__(
        self,
        credentials: _Credentials,
        *,
        user_agent: str,
        on_request: OnRequest | None = None,
        read_only: bool = False,
    ) -> None:
        """A client that is `read_only` sends nothing but GET, and raises `ReadOnly` for everything else."""
        self._credentials = credentials
        self._user_agent = user_agent
        self._read_only = read_only
        self.on_request = on_request

    @classmethod
    def from_config(
        cls,
        kubeconfig: str | os.PathLike[str] | None = None,
        context: str | None = None,
        *,
        user_agent: str,
        on_request: OnRequest | None = None,
        environ: Mapping[str, str] = os.environ,
        read_only: bool = False,
    ) -> Self:
        """A client configured as `credentials` says: this kubeconfig, else $KUBECONFIG, the pod, ~/.kube/config.

        Raises ConfigError if there is none. Files are read, and plugins run, when the client is entered.
        """
        # Importing kubernetes-asyncio loads its thousand models, half a second that only a real start should pay.
        from controller.kube.credentials import Credentials, kubeconfig_path

        path = kubeconfig_path(kubeconfig, context, environ)
        return cls(Credentials(path, context), user_agent=user_agent, on_request=on_request, read_only=read_only)

    async def __aenter__(self) -> Self:
        """Raises ConfigError if the configuration cannot be read."""
        await self._credentials.load()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._credentials.close()

    @property
    def host(self) -> str:
        """The API server's URL."""
        return self._credentials.host

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        timeout: float = 30.0,  # noqa: ASYNC109 -- the session's own time-out tells connecting from waiting
    ) -> bytes:
        """Send one request and return the answer's body. `timeout` is for the whole of it, in seconds.

        Raises ApiError, in the class that fits.
        """
        call = _Call(method, path, query or {}, body, content_type)
        limits = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, _CONNECT_SECONDS))
        started = time.monotonic()
        try:
            async with await self._send(call, limits) as response:
                with _told_as_unreachable(self._describe(call)):
                    answer = await response.read()
        except ApiError as error:
            self._count(call, str(error.status or "<error>"), started)
            raise
        self._count(call, str(response.status), started)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, stall: float | None = None
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """A GET whose answer is read line by line, as `async with client.stream(…) as lines`.

        Lines may be of any length and come without their end; empty ones are skipped. The iterator ends when the server
        ends the answer, and raises Unreachable if the connection breaks or nothing at all arrives for `stall` seconds.
        Opening raises ApiError.
        """
        call = _Call("GET", path, query or {}, None, JSON)
        limits = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=stall)
        started = time.monotonic()
        try:
            response = await self._send(call, limits)
        except ApiError as error:
            self._count(call, str(error.status or "<error>"), started)
            raise
        self._count(call, str(response.status), started)
        async with _hanging_up(response), aclosing(_lines(response, self._describe(call))) as lines:
            yield lines

    async def _send(self, call: "_Call", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """An answer of success, its body unread; a 401 loads the credentials again, once."""
        if self._read_only and call.method != "GET":
            raise ReadOnly(request=self._describe(call))
        generation = self._credentials.generation
        response = await self._attempt(call, limits)
        if response.status == HTTPStatus.UNAUTHORIZED:
            refused = await self._error(call, response)
            try:
                await self._credentials.load(seen=generation)
            except ConfigError as error:
                refused.message = f"{refused.message} ({error})"
                raise refused from error
            response = await self._attempt(call, limits)
        if not 200 <= response.status < 300:
            raise await self._error(call, response)
        return response

    async def _attempt(self, call: "_Call", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        credentials = self._credentials
        headers = {"User-Agent": self._user_agent, "Accept": JSON}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        authorization = await credentials.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        with _told_as_unreachable(self._describe(call)):
            return await credentials.session.request(
                call.method,
                credentials.host + call.path,
                params=call.query,
                data=call.body,
                headers=headers,
                timeout=limits,
                # The API server does not redirect; following anybody else would show them our token.
                allow_redirects=False,
                **credentials.request_options,
            )

    async def _error(self, call: "_Call", response: aiohttp.ClientResponse) -> ApiError:
        described = self._describe(call)
        async with response:
            with _told_as_unreachable(described):
                body = await response.read()
        told = response.headers.get("Retry-After", "")
        try:
            status = msgspec.json.decode(body, type=_Status)
        except msgspec.DecodeError:
            status = _Status(message=body[:_TOLD_BYTES].decode(errors="replace").strip())
        return error_of_status(
            response.status,
            status.reason,
            status.message,
            status.details,
            retry_after=float(told) if told.isdecimal() else None,
            request=described,
        )

    def _describe(self, call: "_Call") -> str:
        verb, resource, namespace, name = call.info
        address = urlsplit(self._credentials.host)
        where = address.hostname if address.port is None else f"{address.hostname}:{address.port}"
        which = "/".join(part for part in (namespace, name) if part)
        return f"{verb} {resource}{' ' + which if which else ''} at {where}"

    def _count(self, call: "_Call", code: str, started: float) -> None:
        if self.on_request is not None:
            info = call.info
            self.on_request(info.verb, info.resource, code, time.monotonic() - started)


def request_info(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """Verb, resource, namespace and name of a request, as the API server's own metrics and RBAC name them.

    A subresource is part of the resource ("httproutes/status"). Paths that are no resource's, such as `/version`, have
    the path itself as resource.
    """
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if not rest:
        return RequestInfo(method.lower(), path, "", "")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    if subresource:
        resource = f"{resource}/{subresource}"
    if method == "GET":
        verb = "get" if name else "watch" if query.get("watch") in {"1", "true"} else "list"
    else:
        verb = {"POST": "create", "PUT": "update"}.get(method, method.lower())
    return RequestInfo(verb, resource, namespace, name)


class _Call(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    content_type: str

    @property
    def info(self) -> RequestInfo:
        return request_info(self.method, self.path, self.query)


class _Status(msgspec.Struct, frozen=True):
    """The API's `Status`, as far as it says what went wrong."""

    message: str = ""
    reason: str = ""
    details: dict[str, Any] | None = None


@contextmanager
def _told_as_unreachable(described: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise Silent("no answer in time", request=described) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(str(error) or type(error).__name__, request=described) from error


@asynccontextmanager
async def _hanging_up(response: aiohttp.ClientResponse) -> AsyncGenerator[None]:
    """Drop the connection at the end of the block, unless the answer has ended.

    Closing it would be to say TLS's farewell, and to keep the socket until the peer says it too: for half a minute
    where a watch is left because its server is gone, and beyond the end of the session, which has let go of it by then.
    """
    async with response:
        try:
            yield
        finally:
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()


async def _lines(response: aiohttp.ClientResponse, described: str) -> AsyncGenerator[bytes]:
    # The session's readline() refuses lines longer than its buffer; objects may have a MiB and more.
    begun: list[bytes] = []
    with _told_as_unreachable(described):
        async for chunk in response.content.iter_any():
            first, *others = chunk.split(b"\n")
            begun.append(first)
            for other in others:
                line = b"".join(begun)
                begun = [other]
                if line:
                    yield line
    line = b"".join(begun)
    if line:
        yield line
