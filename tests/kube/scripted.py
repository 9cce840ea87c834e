"""An API server that answers as it is told: real HTTP on a real socket, no behaviour of its own.

A test queues answers by verb; the last one queued for a verb is repeated. Everything asked is kept in `requests`.
"""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio
import orjson
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class Watch:
    """The answer to one watch: the test sends events and decides how it ends."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[bytes | None](1000)
        self.opened = anyio.Event()
        self.broken = False

    def event(self, kind: str, obj: Mapping[str, Any]) -> None:
        self.raw(orjson.dumps({"type": kind, "object": obj}) + b"\n")

    def bookmark(self, version: str, *, initial_events_end: bool = False) -> None:
        annotations = {"k8s.io/initial-events-end": "true"} if initial_events_end else {}
        self.event("BOOKMARK", {"metadata": {"resourceVersion": version, "annotations": annotations}})

    def error(self, code: int, reason: str = "", message: str = "") -> None:
        self.event("ERROR", {"kind": "Status", "code": code, "reason": reason, "message": message})

    def raw(self, data: bytes) -> None:
        self._send.send_nowait(data)

    def end(self) -> None:
        self._send.send_nowait(None)

    def cut(self) -> None:
        """Break the connection in the middle."""
        self.broken = True
        self.end()

    def close(self) -> None:
        """End it for whoever still reads."""
        self._send.close()

    def discard(self) -> None:
        self._receive.close()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self.opened.set()
        async for data in self._receive:
            if data is None:
                break
            await response.write(data)
        if self.broken and request.transport is not None:
            request.transport.abort()
        return response


async def until(condition: Callable[[], bool]) -> None:
    """Return once this is so; fail after five seconds."""
    with anyio.fail_after(60):
        while not condition():  # noqa: ASYNC110 -- what is waited for has no event to tell it
            await anyio.sleep(0.001)


def listing(*items: Mapping[str, Any], version: str = "1", continue_token: str = "") -> Answer:
    metadata = {"resourceVersion": version} | ({"continue": continue_token} if continue_token else {})
    return answer({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items})


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    async def respond(_: web.Request) -> web.Response:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(body=data, status=status, headers=headers, content_type="application/json")

    return respond


def failure(
    code: int, reason: str = "", message: str = "", headers: Mapping[str, str] | None = None, **details: Any
) -> Answer:
    status = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return answer(status, code, headers)


def route(name: str, version: int | str, *, namespace: str = "shop", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata | fields.pop("metadata", {}), "spec": {}} | fields


class ScriptedServer:
    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.url = ""
        self._answers: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._last: dict[str, Answer] = {}
        self._watches: list[Watch] = []

    def on(self, verb: str, *answers: Answer) -> None:
        """Queue answers to list, stream (a streamed list), watch, get, post, patch."""
        self._answers[verb].extend(answers)

    def watch(self, verb: str = "watch") -> Watch:
        """Queue a watch and return the handle on it."""
        watch = Watch()
        self._watches.append(watch)
        self.on(verb, watch)
        return watch

    def asked(self, verb: str) -> list[Asked]:
        return [request for request in self.requests if request.verb == verb]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        verb = request.method.lower()
        if verb == "get" and "sendInitialEvents" in query:
            verb = "stream"
        elif verb == "get" and "watch" in query:
            verb = "watch"
        elif verb == "get" and request.path.endswith("routes"):
            verb = "list"
        data = await request.read()
        body = orjson.loads(data) if data else None
        self.requests.append(Asked(verb, request.path, query, dict(request.headers), body))
        if self._answers[verb]:
            self._last[verb] = self._answers[verb].popleft()
        unscripted = failure(500, "Unscripted", f"no answer to {verb} {request.path}")
        return await self._last.get(verb, unscripted)(request)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedServer"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            for watch in self._watches:
                watch.close()
            await runner.cleanup()
            for watch in self._watches:
                watch.discard()


class PlainCredentials:
    """Credentials without any configuration: an address, a session, and tokens that a reload moves through."""

    def __init__(self, host: str, *tokens: str) -> None:
        self.host = host
        self.generation = 0
        self.request_options: dict[str, Any] = {}
        self._tokens = tokens
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    async def load(self, seen: int | None = None) -> None:
        if seen is not None and seen != self.generation:
            return
        if self._session is None:
            self._session = aiohttp.ClientSession()
        self.generation += 1

    async def authorization(self) -> str | None:
        return self._tokens[min(self.generation, len(self._tokens)) - 1] if self._tokens else None

    async def close(self) -> None:
        await self.session.close()
