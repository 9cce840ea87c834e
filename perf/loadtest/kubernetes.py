"""The load generator: plain requests to the Kubernetes API, and a watch on the routes for what their status says."""

import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import anyio
import orjson

from perf.loadtest.shape import PREFIX, Json, Route

USER_AGENT: Final = "perf-loadtest"

AT_ONCE: Final = 16
"""Requests under way at the same time."""

_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "Namespace": ("/api/v1", "namespaces"),
    "Service": ("/api/v1", "services"),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices"),
    "GatewayClass": ("/apis/gateway.networking.k8s.io/v1", "gatewayclasses"),
    "Gateway": ("/apis/gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes"),
    "Event": ("/apis/events.k8s.io/v1", "events"),
}

Name = tuple[str, str]
"""Namespace and name of a route."""


def path_of(kind: str, namespace: str = "", name: str = "") -> str:
    """The URL path of an object, or of a collection."""
    base, plural = _PATHS[kind]
    parts = [base, *(("namespaces", namespace) if namespace else ()), plural, *((name,) if name else ())]
    return "/".join(parts)


def reported(route: Json) -> bool:
    """Whether a route's annotations and status say that it is programmed, as it is now."""
    meta = route["metadata"]
    parents = route.get("status", {}).get("parents", [])
    conditions = [
        (condition["type"], condition["status"], condition.get("observedGeneration"))
        for parent in parents
        for condition in parent.get("conditions", ())
    ]
    return (
        PREFIX + "lattice-assigned-domain-name" in meta.get("annotations", {})
        and bool(parents)
        and {kind for kind, _, _ in conditions} >= {"Accepted", "ResolvedRefs"}
        and all(status == "True" and seen == meta["generation"] for _, status, seen in conditions)
    )


def speaks_of_throttles(obj: Json) -> bool:
    """Whether an object's status, or an Event, tells its reader about AWS throttling."""
    told = orjson.dumps([obj.get("status"), obj.get("note"), obj.get("message")]).lower()
    return any(word in told for word in (b"throttl", b"too many requests", b"rate exceeded"))


class Kubernetes:
    """A client of the API server at `url`; an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stack = AsyncExitStack()
        self._http: aiohttp.ClientSession
        self.reported: dict[Name, float] = {}
        """When a route's own status first said that it is programmed, in seconds since the epoch."""
        self.present: set[Name] = set()
        """The routes that there are."""
        self.throttled: set[Name] = set()
        """Routes whose status ever told of throttling."""

    async def __aenter__(self) -> Self:
        self._http = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                base_url=self._url,
                headers={"User-Agent": USER_AGENT},
                connector=aiohttp.TCPConnector(limit=AT_ONCE + 1),
                read_bufsize=2**20,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def create(self, obj: Json) -> None:
        """Raises ClientResponseError if the API refuses."""
        meta = obj["metadata"]
        await self._send("POST", path_of(obj["kind"], meta.get("namespace", "")), obj)

    async def grow(self, piece: Json) -> float:
        """Replace the endpoints of an EndpointSlice; returns when that was asked for, in seconds since the epoch."""
        meta = piece["metadata"]
        began = time.time()
        change = {"endpoints": piece["endpoints"]}
        await self._send("PATCH", path_of("EndpointSlice", meta["namespace"], meta["name"]), change)
        return began

    async def delete_route(self, name: Name) -> None:
        await self._send("DELETE", path_of("HTTPRoute", *name), None)

    async def all(self, kind: str) -> list[Json]:
        """All objects of a kind."""
        items: list[Json] = (await self._send("GET", path_of(kind), None))["items"]
        return items

    async def watch_routes(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Keep `reported`, `present` and `throttled` up to date, until cancelled."""
        version = (await self._send("GET", path_of("HTTPRoute") + "?limit=1", None))["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "86400"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._http.get(path_of("HTTPRoute"), params=query, timeout=timeout) as response:
            response.raise_for_status()
            task_status.started()
            async for line in response.content:
                event = orjson.loads(line)
                self._learn(event["type"], event["object"])

    def _learn(self, kind: str, route: Json) -> None:
        if kind == "ERROR":
            raise RuntimeError(f"the watch on routes has ended: {route.get('message')}")
        name = (route["metadata"]["namespace"], route["metadata"]["name"])
        if kind == "DELETED":
            self.present.discard(name)
            return
        self.present.add(name)
        if name not in self.reported and reported(route):
            self.reported[name] = time.time()
        if speaks_of_throttles(route):
            self.throttled.add(name)

    async def _send(self, method: str, path: str, body: Any) -> Json:
        data = None if body is None else orjson.dumps(body)
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with self._http.request(method, path, data=data, headers={"Content-Type": media_type}) as response:
            response.raise_for_status()
            answer: Json = orjson.loads(await response.read())
            return answer


class Creator:
    """Creates routes with what they need, several at a time, and remembers when each was asked for."""

    def __init__(self, kube: Kubernetes, routes: Iterable[Route]) -> None:
        self._kube = kube
        self._routes = iter(routes)
        self.created: dict[Name, float] = {}
        """When the HTTPRoute was asked for, in seconds since the epoch; its Services were there before."""

    async def run(self) -> None:
        """Return when all are created."""
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(self._work)

    async def _work(self) -> None:
        for route in self._routes:
            for obj in route.backends():
                await self._kube.create(obj)
            self.created[route.namespace, route.name] = time.time()
            await self._kube.create(route.object())
