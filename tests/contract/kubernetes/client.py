"""A plain client of a Kubernetes API: what it sends and what it hears is what the tests say, and nothing else."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from sandbox.hangup import hanging_up

PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
"""The media types of the patch languages."""


@dataclass(frozen=True)
class Reply:
    code: int
    body: Any
    headers: Mapping[str, str]

    @property
    def reason(self) -> str:
        return self.body["reason"]

    @property
    def message(self) -> str:
        return self.body["message"]

    @property
    def causes(self) -> list[dict[str, str]]:
        return self.body["details"]["causes"]

    @property
    def fields(self) -> set[str]:
        """The fields of an Invalid answer's causes."""
        return {cause["field"] for cause in self.causes}

    @property
    def version(self) -> str:
        """The resourceVersion of the object or list."""
        return self.body["metadata"]["resourceVersion"]

    @property
    def names(self) -> list[str]:
        """The names of a list's objects."""
        return [item["metadata"]["name"] for item in self.body["items"]]


class Stream:
    """A running watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        """The next event; raises EOFError after the last."""
        line = await asyncio.wait_for(self._response.content.readline(), 10)
        if not line:
            raise EOFError
        return orjson.loads(line)

    async def all(self) -> list[dict[str, Any]]:
        """The events until the watch ends."""
        events = []
        with suppress(EOFError):
            while True:
                events.append(await self.next())
        return events

    async def take(self, count: int) -> list[tuple[str, str]]:
        """The types and names of the next events."""
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


class Cluster:
    """A client of the API at a URL."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def send(
        self, method: str, path: str, body: Any = None, *, media: str = "application/json", **query: Any
    ) -> Reply:
        headers = {"Accept": query.pop("accept", "application/json")}
        if body is not None:
            headers["Content-Type"] = media
        raw = body if isinstance(body, bytes | None) else orjson.dumps(body)
        data = None if raw is None else io.BytesIO(raw)
        async with self._session.request(method, self.url + path, data=data, params=query, headers=headers) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json"
            return Reply(response.status, orjson.loads(raw) if is_json else raw.decode(), response.headers)

    async def get(self, path: str, **query: Any) -> Reply:
        return await self.send("GET", path, **query)

    async def post(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.send("POST", path, body, **query)

    async def put(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.send("PUT", path, body, **query)

    async def patch(self, path: str, body: Any, kind: str = "merge", **query: Any) -> Reply:
        return await self.send("PATCH", path, body, media=PATCHES[kind], **query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Reply:
        return await self.send("DELETE", path, body, **query)

    @asynccontextmanager
    async def watch(self, path: str, accept: str = "application/json", **query: Any) -> AsyncIterator[Stream]:
        query = {"watch": "true", "timeoutSeconds": "30", **query}
        request = self._session.get(self.url + path, params=query, headers={"Accept": accept})
        async with hanging_up(request) as response:
            assert response.status == 200, await response.text()
            yield Stream(response)
