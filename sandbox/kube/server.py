"""The HTTP server: a Kubernetes API on a real socket, for kubectl, client libraries and this project's controller.

`KubeServer` is what others use. It owns the socket, tells paths apart, authenticates, lets faults have their way,
counts requests, and streams watches; what a request means is `handling`'s business and what it does is `api`'s.
"""

import asyncio
import socket
import struct
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from types import TracebackType
from typing import Any, Self

import anyio
import orjson
from aiohttp import web

from sandbox.kube import discovery, errors, openapi
from sandbox.kube.api import Api
from sandbox.kube.bundled import bundled_crds
from sandbox.kube.errors import ApiError, Json
from sandbox.kube.faults import Fault, Faults, Request
from sandbox.kube.handling import Call, Handler
from sandbox.kube.objects import Clock
from sandbox.kube.options import flag, number
from sandbox.kube.resource import Resource
from sandbox.kube.tables import accepts_json
from sandbox.kube.watch import Watch
from sandbox.serving import Server

_CONNECTIONS = frozenset({"attach", "exec", "log", "portforward", "proxy"})
"""What a kubelet answers for its pods; the sandbox's pods are sockets and have none."""
_NO_COMMANDS = (
    "the sandbox's pods answer HTTP requests, but run no commands and keep no logs; to ask a service as a pod would, "
    "send the request to the data plane: curl --proxy $DATA_PLANE http://DOMAIN-NAME-OF-THE-ROUTE/"
)
_NO_PAGE = "404 page not found\n"
_BODY_LIMIT = 3 * 1024 * 1024
_JSON = "application/json"
_LINGER = struct.pack("ii", 1, 0)
"""A connection that is closed so ends with a TCP reset, as that of a peer that died."""
_NEGOTIATED = {"api", "apis", "version"}
"""Documents that are given to those only who take JSON; that of OpenAPI is, whatever they say."""
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Served:
    """One request to a resource, as it was answered."""

    verb: str
    resource: str
    """`httproutes.gateway.networking.k8s.io`, with `/status` for the subresource."""
    namespace: str
    name: str
    code: int
    user_agent: str


def utc_now() -> datetime:
    return datetime.now(UTC)


class KubeServer:
    """A Kubernetes API server in memory; an async context manager, or `start` and `stop`.

    Args:
        host, port: where to listen; port 0 takes a free one.
        crds: CustomResourceDefinitions to begin with; by default the ones that `bundled_crds` gives.
        clock: gives timestamps and ages.
        seed: makes uids, generated names and addresses repeatable; by default they are random.
        token: if given, requests must carry it as their bearer token.
        history: the number of changes that each kind remembers; a watch that starts before them is told 410.
        bookmark_interval: seconds between the bookmarks of a watch that allows them.
        watch_timeout: seconds until a watch ends that does not say `timeoutSeconds`.
        log_limit: the number of requests that `requests` remembers; `counts` has all.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        crds: Iterable[Mapping[str, Any]] | None = None,
        clock: Clock = utc_now,
        seed: int | None = None,
        token: str | None = None,
        history: int = 10_000,
        bookmark_interval: float = 60.0,
        watch_timeout: float = 2400.0,
        log_limit: int = 100_000,
    ) -> None:
        self._host = host
        self._port = port
        self._token = token
        self._bookmark_interval = bookmark_interval
        self._watch_timeout = watch_timeout
        self.api = Api(clock=clock, random=Random(seed), history=history)  # noqa: S311 # names, not secrets
        self.faults = Faults()
        self.requests: deque[Served] = deque(maxlen=log_limit)
        """The latest requests to resources; a watch is there from its start."""
        self.counts: Counter[tuple[str, str, int]] = Counter()
        """All requests to resources: verb, resource, status code → how many."""
        self._handler = Handler(self.api, max(history, 1000))
        self._watches: set[Watch] = set()
        self._runner: web.ServerRunner | None = None
        self._documents: dict[str, tuple[int, bytes]] = {}
        self.faults.on_cut(self._cut_watches)
        self.faults.on_silence(self._silence_watches)
        self.api.apply_all(bundled_crds() if crds is None else crds)

    @property
    def url(self) -> str:
        """The address of the running server, without a slash at its end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listens.

        Raises:
            OSError: the address cannot be had.
        """
        server = Server(self._serve, handler_cancellation=True)
        self._runner = web.ServerRunner(server, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends all watches and closes the socket; what is stored stays, and the server can be started again."""
        for watch in tuple(self._watches):
            watch.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()

    def kubeconfig(self) -> Json:
        """A configuration for clients, to be written as YAML or JSON and named in `KUBECONFIG`."""
        user: Json = {"token": self._token} if self._token is not None else {}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url}}],
            "users": [{"name": "sandbox", "user": user}],
            "contexts": [
                {"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": "default"}}
            ],
            "current-context": "sandbox",
        }

    def apply(self, *objects: Mapping[str, Any]) -> list[Json]:
        """Creates or merges objects without HTTP, status included; returns them as stored.

        Raises:
            ApiError: as a request would get.
        """
        return self.api.apply_all(objects)

    def compact(self) -> None:
        """Forgets all history: older watches and the pages of running lists are told 410 from now on."""
        self.api.store.compact()
        self.api.reader.forget_snapshots()

    def _cut_watches(self, resource: str | None) -> int:
        cut = self._watches_of(resource)
        for watch in cut:
            watch.close()
        return len(cut)

    def _silence_watches(self, resource: str | None) -> int:
        silenced = self._watches_of(resource)
        for watch in silenced:
            watch.silence()
        return len(silenced)

    def _watches_of(self, resource: str | None) -> list[Watch]:
        return [watch for watch in self._watches if resource in {None, str(watch.scope.resource.name)}]

    async def _serve(self, http: web.BaseRequest) -> web.StreamResponse:
        try:
            self._authenticate(http)
            parts = [part for part in http.rel_url.path.split("/") if part]
            found = self._find(parts, http)
            if found is None:
                return self._document(parts, http)
        except ApiError as error:
            return _failure(error)
        return await self._resource(*found, http)

    def _authenticate(self, http: web.BaseRequest) -> None:
        if self.faults.token_expired:
            raise errors.unauthorized()
        if self._token is not None and http.headers.get("Authorization") != f"Bearer {self._token}":
            raise errors.unauthorized()

    def _find(self, parts: list[str], http: web.BaseRequest) -> tuple[Request, Resource] | None:
        """The resource that a path is about, or None for another document."""
        if len(parts) >= 3 and parts[0] == "api":
            group, version, rest = "", parts[1], parts[2:]
        elif len(parts) >= 4 and parts[0] == "apis":
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = ""
        if len(rest) >= 3 and rest[0] == "namespaces" and not (group == "" and rest[2] == "status" and len(rest) == 3):
            namespace, rest = rest[1], rest[2:]
        resource = self.api.registry.find(group, version, rest[0])
        name = rest[1] if len(rest) > 1 else ""
        subresource = "/".join(rest[2:])
        if resource is None or bool(namespace) > resource.namespaced:
            if self.api.registry.is_built_in(group, version):
                raise errors.unknown_resource()
            return None
        if resource.storage == "pods" and rest[2:3] and rest[2] in _CONNECTIONS:
            raise errors.not_implemented(_NO_COMMANDS)
        verb = _verb(http, name)
        if resource.namespaced and not namespace and verb not in {"list", "watch"}:
            raise errors.method_not_allowed()
        agent = http.headers.get("User-Agent", "")
        query = http.rel_url.query
        return Request(verb, group, version, rest[0], subresource, namespace, name, agent, query), resource

    async def _resource(self, request: Request, resource: Resource, http: web.BaseRequest) -> web.StreamResponse:
        agent, warnings = request.user_agent, list[str]()
        try:
            fault = self.faults.meet(request)
            if fault is not None:
                if fault.delay:
                    await asyncio.sleep(fault.delay)
                if fault.error is not None:
                    error = fault.error(request)
                    if request.verb == "watch" and error.code == 410:
                        return await self._expired_watch(request, error, http)
                    raise error
                if not fault.after:
                    await _interrupt(fault, http)
            call = Call(
                query=http.rel_url.query,
                accept=http.headers.get("Accept", ""),
                media_type=http.content_type if "Content-Type" in http.headers else "",
                user_agent=agent,
                body=await _body(http),
                warnings=warnings,
            )
            if request.verb == "watch":
                return await self._watch(request, resource, call, http, silent=fault is not None and fault.after)
            answer = self._handler.handle(request, resource, call)
        except ApiError as error:
            self._count(request, error.code, agent)
            return _warned(_failure(error), warnings)
        self._count(request, answer.code, agent)
        if fault is not None:
            await _interrupt(fault, http)
        response = web.Response(status=answer.code, body=answer.body, headers={"Content-Type": _JSON})
        return _warned(response, warnings)

    def _count(self, request: Request, code: int, agent: str) -> None:
        path = request.path_name
        self.counts[request.verb, path, code] += 1
        self.requests.append(Served(request.verb, path, request.namespace, request.name, code, agent))

    async def _expired_watch(self, request: Request, error: ApiError, http: web.BaseRequest) -> web.StreamResponse:
        self._count(request, 200, http.headers.get("User-Agent", ""))
        response = await _stream(http)
        await response.write(orjson.dumps({"type": "ERROR", "object": error.status()}) + b"\n")
        await response.write_eof()
        return response

    async def _watch(
        self, request: Request, resource: Resource, call: Call, http: web.BaseRequest, *, silent: bool = False
    ) -> web.StreamResponse:
        timeout = float(number(call.query, "timeoutSeconds")) or self._watch_timeout
        watch = self._handler.watch(request, resource, call)
        if silent:
            watch.silence()
        self._count(request, 200, call.user_agent)
        self._watches.add(watch)
        try:
            response = await _stream(http)
            with anyio.move_on_after(timeout):
                if flag(call.query, "allowWatchBookmarks"):
                    async with anyio.create_task_group() as group:
                        group.start_soon(self._bookmark, watch)
                        await _send(watch, response)
                        group.cancel_scope.cancel()
                else:
                    await _send(watch, response)
            await response.write_eof()
        except ConnectionError:
            return response
        finally:
            watch.close()
            self._watches.discard(watch)
            self.api.store.collection(resource.storage).watchers.discard(watch)
        return response

    async def _bookmark(self, watch: Watch) -> None:
        while True:
            await anyio.sleep(self._bookmark_interval)
            watch.bookmark(self.api.store.version)

    def _document(self, parts: list[str], http: web.BaseRequest) -> web.StreamResponse:
        """Everything that is not about a resource."""
        path = "/".join(parts)
        if path in {"healthz", "readyz", "livez"} or path.startswith(("healthz/", "readyz/", "livez/")):
            return web.Response(text="ok")
        if http.method not in {"GET", "HEAD"}:
            return web.Response(status=404, text=_NO_PAGE)
        if path == "openapi/v2" and openapi.ASKED_V2 in http.headers.get("Accept", ""):
            return web.Response(body=openapi.swagger(), headers={"Content-Type": openapi.SERVED_V2})
        body = self._json_document(path, parts, http)
        if body is None:
            return web.Response(status=404, text=_NO_PAGE)
        if parts[0] in _NEGOTIATED and not accepts_json(http.headers.get("Accept", "")):
            return _failure(errors.not_acceptable([_JSON]))
        aggregated = path in {"api", "apis"} and discovery.wants_aggregated(http.headers.get("Accept", ""))
        media_type = discovery.AGGREGATED_TYPE if aggregated else _JSON
        return web.Response(body=body, headers={"Content-Type": media_type})

    def _json_document(self, path: str, parts: list[str], http: web.BaseRequest) -> bytes | None:
        aggregated = discovery.wants_aggregated(http.headers.get("Accept", ""))
        registry = self.api.registry
        cached = self._documents.get(f"{path} {aggregated}")
        if cached is not None and cached[0] == registry.generation:
            return cached[1]
        document: Json | None
        match parts:
            case ["version"]:
                document = discovery.VERSION
            case ["api"]:
                core = discovery.aggregated(registry, core=True)
                document = core if aggregated else discovery.api_versions(f"{self._host}:{self._port}")
            case ["apis"]:
                document = discovery.aggregated(registry, core=False) if aggregated else discovery.group_list(registry)
            case ["api", version]:
                document = discovery.resource_list(registry, "", version)
            case ["apis", group]:
                document = discovery.group(registry, group)
            case ["apis", group, version]:
                document = discovery.resource_list(registry, group, version)
            case ["openapi", "v3"]:
                document = openapi.index(registry)
            case ["openapi", "v3", "api", version]:
                document = openapi.document(registry, "", version)
            case ["openapi", "v3", "apis", group, version]:
                document = openapi.document(registry, group, version)
            case _:
                document = None
        if document is None:
            return None
        body = orjson.dumps(document)
        self._documents[f"{path} {aggregated}"] = (registry.generation, body)
        return body


def _verb(http: web.BaseRequest, name: str) -> str:
    verb = _VERBS.get(http.method, "")
    if verb == "get" and not name:
        return "watch" if flag(http.rel_url.query, "watch") else "list"
    if verb == "delete" and not name:
        return "deletecollection"
    if not verb or (verb == "create") is bool(name) or (verb in {"update", "patch"} and not name):
        raise errors.method_not_allowed()
    return verb


async def _body(http: web.BaseRequest) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413.
    """
    if not http.body_exists:
        return b""
    if (http.content_length or 0) > _BODY_LIMIT:
        raise errors.request_too_large(_BODY_LIMIT)
    chunks: list[bytes] = []
    size = 0
    async for chunk in http.content.iter_any():
        size += len(chunk)
        if size > _BODY_LIMIT:
            raise errors.request_too_large(_BODY_LIMIT)
        chunks.append(chunk)
    return b"".join(chunks)


async def _interrupt(fault: Fault, http: web.BaseRequest) -> None:
    """Do to the connection what the fault says; comes back only where it is kept."""
    if fault.connection == "stalled":
        await anyio.sleep_forever()
    if fault.connection == "reset" and http.transport is not None:
        http.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        http.transport.abort()
        raise ConnectionResetError("a fault on demand")


def _warned(response: web.Response, warnings: Iterable[str]) -> web.Response:
    """The answer with what the client is told beside it, be it a refusal or not."""
    for warning in warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def _failure(error: ApiError) -> web.Response:
    headers = {"Content-Type": _JSON, **error.headers}
    return web.Response(status=error.code, body=orjson.dumps(error.status()), headers=headers)


async def _stream(http: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": _JSON})
    response.enable_chunked_encoding()
    await response.prepare(http)
    return response


async def _send(watch: Watch, response: web.StreamResponse) -> None:
    """Sends what the watch has until it ends, or its client has gone."""
    with suppress(ConnectionError):
        while lines := await watch.next():
            await response.write(lines)
