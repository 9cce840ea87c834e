"""The data plane's HTTP/1.1 server: takes requests, asks the pure parts what to do, moves the bytes.

One address serves all services, as the link-local address of VPC Lattice does for a VPC: the Host header names the
service, and its port (80 where it gives none) the listener. So each of these works:

    curl -H "Host: $FQDN" http://127.0.0.1:PORT/path
    curl --connect-to ::127.0.0.1:PORT http://$FQDN/path
    curl --proxy http://127.0.0.1:PORT http://$FQDN/path

Callers are outside pods or pods; both are in the VPC. Bodies are streamed both ways and never held.

Answers of the data plane's own: 404 where no service that is associated with a service network answers to the host, or
the service has no listener on that port; 503 where no target may take the request, or the target refuses or drops it
before answering; 504 where it stays silent for a minute (API Reference, `CreateService`, idleTimeoutSeconds: a
connection idles for 60 seconds by default and lasts for at most ten minutes). Lattice documents none of these codes;
503 for targets that cannot be reached is what its users report. An answer that breaks off half way breaks the caller's
connection too: an end that looks regular would be a lie.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import aiohttp
import anyio
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from sandbox.dataplane.balancing import choose_group, choose_target
from sandbox.dataplane.failures import describe
from sandbox.dataplane.headers import end_to_end, to_target
from sandbox.dataplane.log import Access, AccessLog
from sandbox.dataplane.routing import RequestHead, route, split_authority
from sandbox.lattice.directory import Directory, FixedResponse, Forward, Service
from sandbox.network import Network

_CONNECT_SECONDS = 5
_LONGEST_SECONDS = 600
_ADDED_BY_CLIENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class _RefusedError(Exception):
    """The data plane answers by itself: with this status, for this reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class DataPlane:
    """A server that routes requests by the rules of a `Directory` to the targets on a `Network`.

    `port` 0 takes any free one; `url` says which, once it is `serving`. `random` spreads requests over
    groups and targets. The last `log_size` requests are in `log`. A target that is silent for `idle_timeout` seconds
    has failed; the default is that of VPC Lattice.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        network: Network,
        random: Random,
        host: str = "127.0.0.1",
        port: int = 0,
        log_size: int = 1000,
        idle_timeout: float = 60.0,
    ) -> None:
        self.log = AccessLog(log_size)
        self._directory = directory
        self._network = network
        self._random = random
        self._host = host
        self._port = port
        self._timeout = aiohttp.ClientTimeout(
            total=_LONGEST_SECONDS, sock_connect=_CONNECT_SECONDS, sock_read=idle_timeout
        )

    @property
    def url(self) -> str:
        """Where the data plane listens, such as `http://127.0.0.1:8080`; no slash at its end."""
        return f"http://{self._host}:{self._port}"

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Serve for as long as the context lasts; the socket listens when it is entered.

        Raises OSError if the address is taken, and NetworkUnavailableError where there can be no pods to serve from.
        """
        self._network.check()
        connector = aiohttp.TCPConnector(limit=0)
        cookies = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=cookies, timeout=self._timeout, auto_decompress=False
        ) as session:
            server = web.Server(partial(self._serve, session), access_log=None, handler_cancellation=True)
            runner = web.ServerRunner(server, shutdown_timeout=0.1)
            await runner.setup()
            try:
                with anyio.CancelScope(shield=True):  # asyncio leaks a socket whose start is cancelled
                    await web.TCPSite(runner, self._host, self._port).start()
                self._port = runner.addresses[0][1]
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    await runner.cleanup()

    async def _serve(self, session: aiohttp.ClientSession, request: web.BaseRequest) -> web.StreamResponse:
        authority, target = _split_target(request)
        peer = request.remote or ""
        source = self._network.address(peer) or peer
        path, _, _ = target.partition("?")
        access = Access(source=source, method=request.method, authority=authority, path=path)
        try:
            return await self._answer(session, request, target, access)
        except _RefusedError as refused:
            access.status, access.failure = refused.status, str(refused)
            return web.Response(status=refused.status, text=f"{refused}\n", headers=_decided(access))
        finally:
            self.log.add(access)

    async def _answer(
        self, session: aiohttp.ClientSession, request: web.BaseRequest, target: str, access: Access
    ) -> web.StreamResponse:
        if not target.startswith("/"):
            raise _RefusedError(400, f"the data plane takes no request for {target!r}")
        try:
            domain, given = split_authority(access.authority)
        except ValueError as error:
            raise _RefusedError(400, str(error)) from error
        port = given or 80
        service = self._service(domain)
        access.service = service.name
        listener = service.listeners.get(port)
        if listener is None:
            raise _RefusedError(404, f"service {service.name} has no listener on port {port}")
        access.listener = port
        if listener.protocol != "HTTP":
            raise _RefusedError(400, f"the listener on port {port} of service {service.name} takes {listener.protocol}")
        decision = route(RequestHead(request.method, access.path, list(request.headers.items())), listener)
        access.rule = None if decision.rule is None else decision.rule.rule_id
        if isinstance(decision.action, FixedResponse):
            access.status = decision.action.status_code
            return web.Response(status=access.status, headers=_decided(access))
        url = self._target_url(decision.action, access) + target
        fields = to_target(
            request.headers.items(), authority=access.authority, source=access.source, port=port, protocol="http"
        )
        return await _forward(session, request, URL(url, encoded=True), fields, access)

    def _service(self, domain: str) -> Service:
        service = self._directory.service_by_domain(domain)
        if service is None:
            raise _RefusedError(404, f"no service answers to {domain}")
        if not service.networks:
            raise _RefusedError(404, f"service {service.name} has no active association with a service network")
        return service

    def _target_url(self, action: Forward, access: Access) -> str:
        """Scheme, address and port of the target chosen; fills the log's entry in."""
        access.group = choose_group(action, self._random)
        if access.group is None:
            raise _RefusedError(503, "no target group has a weight above 0")
        group = self._directory.target_group(access.group)
        if group is None:
            raise _RefusedError(503, f"target group {access.group} is gone")
        target = choose_target(group, self._random)
        if target is None:
            raise _RefusedError(503, f"target group {group.group_id} has no healthy target")
        access.target = f"{target.ip}:{target.port}"
        if group.protocol != "HTTP" or group.protocol_version not in (None, "HTTP1"):
            spoken = f"{group.protocol} {group.protocol_version or ''}".strip()
            raise _RefusedError(503, f"target group {group.group_id} speaks {spoken}, which the sandbox's pods do not")
        try:
            return f"http://{self._network.socket_address(target.ip)}:{target.port}"
        except ValueError as error:
            raise _RefusedError(503, f"target {access.target} cannot be reached: {error}") from error


def _decided(access: Access) -> dict[str, str]:
    """Headers of an answer of the data plane's own: who it is, and which listener and rule led there."""
    headers = {"Server": "sandbox-data-plane"}
    if access.service is not None:
        headers["X-Sandbox-Service"] = access.service
    if access.listener is not None:
        headers["X-Sandbox-Listener"] = str(access.listener)
        headers["X-Sandbox-Rule"] = access.rule or "default"
    return headers


async def _forward(
    session: aiohttp.ClientSession, request: web.BaseRequest, url: URL, fields: list[tuple[str, str]], access: Access
) -> web.StreamResponse:
    """Send the request to the target and its answer to the caller, piece by piece."""
    response: web.StreamResponse | None = None
    try:
        async with session.request(
            request.method,
            url,
            headers=CIMultiDict(fields),
            data=_body(request) if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=_ADDED_BY_CLIENT,
        ) as upstream:
            fields = [(name, value) for name, value in end_to_end(upstream.headers.items())]
            response = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=CIMultiDict(fields))
            access.status = upstream.status
            await response.prepare(request)
            async for piece in upstream.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response
    except (aiohttp.ClientError, TimeoutError) as error:
        left = request.transport is None or request.transport.is_closing()
        access.failure = "the caller left" if left else f"target {access.target}: {describe(error)}"
        if response is None:
            silent = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
            raise _RefusedError(504 if silent else 503, access.failure) from error
        if request.transport is not None:
            request.transport.abort()
        return response


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The caller's body, asked for where the caller waits to be asked (RFC 9110, section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for piece in request.content.iter_any():
        yield piece


def _split_target(request: web.BaseRequest) -> tuple[str, str]:
    """Authority, and path with query, of the request's target in origin or absolute form (RFC 9112, section 3.2)."""
    raw = request.raw_path
    if raw[:7].lower() == "http://":
        end = min((at for at in (raw.find("/", 7), raw.find("?", 7)) if at >= 0), default=len(raw))
        rest = raw[end:]
        return raw[7:end], rest if rest.startswith("/") else f"/{rest}"
    return request.headers.get("Host", ""), raw
