"""The Kubernetes API in memory, on a core of its own: writes a second, with many objects and with watchers.

In it are HTTPRoutes and EndpointSlices of ten endpoints, a route to four slices, as in a cluster of many pods. What is
written is what this controller and its surroundings write, of ten writes

- four EndpointSlices, of which one endpoint is ready or no longer: whole objects, as Kubernetes' own controller sends
  them;
- two patches of the endpoints of a slice, as those of the load test;
- two patches of a route's status with its uid and version as preconditions, as this controller sends them;
- one patch that gives a route its finalizer;
- one new route, without the fields that have defaults.

Every watcher follows both kinds, in two streams, and is told of every write; it reads what it is sent, and throws it
away.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson

from perf.samples import NAMESPACES, endpoint_slice, route
from perf.surroundings.processes import Server, kubernetes
from perf.surroundings.raw import request, send_all
from perf.surroundings.result import Result

ROUTES = 10_000
SLICES = 40_000
WRITES = 20_000
WATCHERS = 5
CONNECTIONS = 16

GOAL_WRITES = 2_000
"""A second."""

Json = dict[str, Any]

_ROUTES, _SLICES = "gateway.networking.k8s.io/v1", "discovery.k8s.io/v1"
_PLURALS = {_ROUTES: "httproutes", _SLICES: "endpointslices"}
_JSON, _MERGE_PATCH = "application/json", "application/merge-patch+json"


async def measure() -> list[Result]:
    """Run it, for about a minute."""
    async with kubernetes() as server:
        bodies: list[bytes] = []
        await _send(server, _namespaces())
        began = time.perf_counter()
        await _send(server, _create(_SLICES, map(_sliced, range(SLICES))))
        await _send(server, _create(_ROUTES, map(_routed, range(ROUTES))), bodies)
        created = (SLICES + ROUTES) / (time.perf_counter() - began)
        writes = list(_writes([orjson.loads(body)["metadata"] for body in bodies]))
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(read_bufsize=2**20))
            of_routes = [await _watch(stack, session, server, _ROUTES) for _ in range(WATCHERS)]
            of_slices = [await _watch(stack, session, server, _SLICES) for _ in range(WATCHERS)]
            await _told(of_routes, ROUTES, of_slices, SLICES)
            before, began = server.usage().cpu, time.perf_counter()
            told_all = asyncio.ensure_future(_told(of_routes, WRITES * 4 // 10, of_slices, WRITES * 6 // 10))
            await _send(server, writes)
            written = time.perf_counter() - began
            await told_all
            told = time.perf_counter() - began
            usage = server.usage()
    rate = WRITES / told
    name = f"Kubernetes API: writes a second, {SLICES + ROUTES:,} objects, {WATCHERS} watchers, until all are told"
    worked, memory = usage.cpu - before, usage.rss / 2**20
    detail = (
        f"{WRITES / written:,.0f} answered, {created:,.0f} created; the server had {worked / told:.0%} of its core, "
        f"{worked / WRITES * 1e6:,.0f} µs a write, and {memory:,.0f} MiB"
    )
    return [Result(name, f"{rate:,.0f}", f"≥ {GOAL_WRITES:,}", rate >= GOAL_WRITES, detail)]


async def _send(server: Server, requests: Iterable[bytes], bodies: list[bytes] | None = None) -> None:
    await send_all(server.host, server.port, iter(requests), CONNECTIONS, bodies)


async def _watch(
    stack: AsyncExitStack, session: aiohttp.ClientSession, server: Server, group: str
) -> aiohttp.StreamReader:
    url, endless = f"{server.url}/apis/{group}/{_PLURALS[group]}?watch=true", aiohttp.ClientTimeout(total=None)
    return (await stack.enter_async_context(session.get(url, timeout=endless))).content


async def _told(
    of_routes: list[aiohttp.StreamReader], routes: int, of_slices: list[aiohttp.StreamReader], slices: int
) -> None:
    """Read as many events of each stream."""
    await asyncio.gather(
        *(_events(stream, routes) for stream in of_routes), *(_events(stream, slices) for stream in of_slices)
    )


async def _events(stream: aiohttp.StreamReader, count: int) -> None:
    """Read so many events of a watch, each of which is a line."""
    while count > 0:
        count -= (await stream.readany()).count(b"\n")


def _writes(routes: list[Json]) -> Iterator[bytes]:
    """The writes, of which each finds its object as it was made; `routes` is the metadata of the routes."""
    waiting = iter(routes)
    for turn in range(WRITES):
        match turn % 10:
            case 0 | 2 | 4 | 6:
                yield _replaced_slice(turn)
            case 1 | 5:
                yield _patched_slice(turn)
            case 3 | 7:
                yield _reported(next(waiting), turn)
            case 8:
                yield _held(next(waiting))
            case _:
                yield from _create(_ROUTES, [_routed(ROUTES + turn)])


def _replaced_slice(turn: int) -> bytes:
    obj = _sliced(turn * 7919 % SLICES)
    _flip(obj, turn)
    return request("PUT", _path(_SLICES, obj["metadata"]), orjson.dumps(obj), content_type=_JSON)


def _patched_slice(turn: int) -> bytes:
    obj = _sliced(turn * 7919 % SLICES)
    _flip(obj, turn)
    body = orjson.dumps({"endpoints": obj["endpoints"]})
    return request("PATCH", _path(_SLICES, obj["metadata"]), body, content_type=_MERGE_PATCH)


def _flip(piece: Json, turn: int) -> None:
    endpoints = piece["endpoints"]
    endpoints[turn % len(endpoints)]["conditions"] = {"ready": False, "serving": False, "terminating": True}


def _reported(meta: Json, turn: int) -> bytes:
    """A status for the route, which had none."""
    conditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    body = orjson.dumps({"metadata": conditions, "status": route(turn)["status"]})
    return request("PATCH", f"{_path(_ROUTES, meta)}/status", body, content_type=_MERGE_PATCH)


def _held(meta: Json) -> bytes:
    conditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    body = orjson.dumps({"metadata": {**conditions, "finalizers": ["httproute.k8s.aws/resources"]}})
    return request("PATCH", _path(_ROUTES, meta), body, content_type=_MERGE_PATCH)


def _path(group: str, meta: Json, *, named: bool = True) -> str:
    collection = f"/apis/{group}/namespaces/{meta['namespace']}/{_PLURALS[group]}"
    return f"{collection}/{meta['name']}" if named else collection


def _create(group: str, objects: Iterable[Json]) -> Iterator[bytes]:
    for obj in objects:
        path = _path(group, obj["metadata"], named=False)
        yield request("POST", path, orjson.dumps(obj), content_type=_JSON)


def _sliced(number: int) -> Json:
    return _new(endpoint_slice(number), _SLICES, "EndpointSlice")


def _routed(number: int) -> Json:
    """As people write one: without its status, and without what has defaults."""
    obj = _new(route(number), _ROUTES, "HTTPRoute")
    del obj["status"]
    for parent in obj["spec"]["parentRefs"]:
        del parent["group"], parent["kind"]
    for rule in obj["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            del backend["group"], backend["kind"]
    return obj


def _new(sample: Json, group: str, kind: str) -> Json:
    meta = sample["metadata"]
    kept = {"name": meta["name"], "namespace": meta["namespace"], "labels": meta["labels"]}
    return {**sample, "apiVersion": group, "kind": kind, "metadata": kept}


def _namespaces() -> Iterator[bytes]:
    for number in range(NAMESPACES):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"namespace-{number}"}}
        yield request("POST", "/api/v1/namespaces", orjson.dumps(body), content_type=_JSON)
