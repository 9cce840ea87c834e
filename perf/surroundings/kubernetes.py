"""The Kubernetes API in memory, on a core of its own: writes a second, with many objects and with watchers.

The objects are EndpointSlices, the kind of which a cluster has most and which changes most. Each write is a server-side
change of one of them that every watcher is told of; watchers read their streams, and throw away what they read.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson

from perf.samples import NAMESPACES, endpoint_slice
from perf.surroundings.processes import kubernetes
from perf.surroundings.raw import request, send_all
from perf.surroundings.result import Result

OBJECTS = 50_000
WRITES = 20_000
WATCHERS = 5
CONNECTIONS = 16

_ALL = "/apis/discovery.k8s.io/v1/endpointslices?watch=true"

GOAL_WRITES = 2_000
"""A second."""


async def measure() -> list[Result]:
    """Run it, for about half a minute."""
    async with kubernetes() as server:
        began = time.perf_counter()
        await send_all(server.host, server.port, _creates(), CONNECTIONS)
        created = OBJECTS / (time.perf_counter() - began)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(read_bufsize=2**20))
            url, endless = server.url + _ALL, aiohttp.ClientTimeout(total=None)
            streams = [
                (await stack.enter_async_context(session.get(url, timeout=endless))).content for _ in range(WATCHERS)
            ]
            await asyncio.gather(*(_events(stream, OBJECTS) for stream in streams))
            before, began = server.usage().cpu, time.perf_counter()
            told_all = asyncio.gather(*(_events(stream, WRITES) for stream in streams))
            await send_all(server.host, server.port, _updates(), CONNECTIONS)
            written = time.perf_counter() - began
            await told_all
            told = time.perf_counter() - began
            usage = server.usage()
    rate = WRITES / told
    name = f"Kubernetes API: writes a second, {OBJECTS:,} objects, {WATCHERS} watchers, until all are told"
    busy, memory = (usage.cpu - before) / told, usage.rss / 2**20
    detail = f"{WRITES / written:,.0f} answered, {created:,.0f} created; {busy:.0%} of a core, {memory:,.0f} MiB"
    return [Result(name, f"{rate:,.0f}", f"≥ {GOAL_WRITES:,}", rate >= GOAL_WRITES, detail)]


async def _events(stream: aiohttp.StreamReader, count: int) -> None:
    """Read so many events of a watch, each of which is a line."""
    while count > 0:
        count -= (await stream.readany()).count(b"\n")


def _path(number: int) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/namespace-{number % NAMESPACES}/endpointslices"


def _creates() -> Iterator[bytes]:
    yield from _namespaces()
    for number in range(OBJECTS):
        yield request("POST", _path(number), orjson.dumps(_sliced(number)), content_type="application/json")


def _sliced(number: int) -> dict[str, Any]:
    raw = endpoint_slice(number)
    meta = raw["metadata"]
    kept = {"name": meta["name"], "namespace": f"namespace-{number % NAMESPACES}", "labels": meta["labels"]}
    return {**raw, "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": kept}


def _namespaces() -> Iterator[bytes]:
    for number in range(NAMESPACES):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"namespace-{number}"}}
        yield request("POST", "/api/v1/namespaces", orjson.dumps(body), content_type="application/json")


def _updates() -> Iterator[bytes]:
    for turn in range(WRITES):
        number = turn * 7919 % OBJECTS
        name = _sliced(number)["metadata"]["name"]
        body = orjson.dumps({"metadata": {"annotations": {"changed": str(turn)}}})
        yield request("PATCH", f"{_path(number)}/{name}", body, content_type="application/merge-patch+json")
