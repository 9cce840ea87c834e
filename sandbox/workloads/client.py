"""The Kubernetes API over HTTP, as far as the workloads need it: read, watch and write a few kinds.

Objects are plain JSON. Nothing here retries: callers know whether the world they acted on is still the same.
"""

import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from sandbox.hangup import hanging_up
from sandbox.workloads.objects import Json, uid_of

_PAGE = 500
_WATCH_SECONDS = 300


class KubeError(Exception):
    """The API server answered a request with failure; `code` is the HTTP status, `reason` that of its Status object."""

    def __init__(self, request: str, code: int, reason: str, message: str) -> None:
        super().__init__(f"{request}: {code} {reason}: {message}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind and where the API server keeps it."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL's path of a collection, an object or a subresource; without a namespace, across all of them."""
        root = "/api" if "/" not in self.api_version else "/apis"
        parts = [root, self.api_version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
REPLICA_SETS = Resource("apps/v1", "ReplicaSet", "replicasets")
PODS = Resource("v1", "Pod", "pods")
SERVICES = Resource("v1", "Service", "services")
ENDPOINT_SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")


class KubeClient:
    """A session with an API server; an async context manager."""

    def __init__(self, url: str, *, token: str | None, ssl_context: ssl.SSLContext | None) -> None:
        self._url = url.rstrip("/")
        self._ssl = ssl_context
        self._headers = {"User-Agent": "sandbox-workloads"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, ssl=True if self._ssl is None else self._ssl)
        timeout = aiohttp.ClientTimeout(total=30)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def list(self, resource: Resource) -> tuple[list[Json], str]:
        """All objects of a kind, read page by page, and the resourceVersion to watch from."""
        items: list[Json] = []
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._call("GET", resource.path(), query=query)
            items += page.get("items") or ()
            token = page["metadata"].get("continue")
            if not token:
                return items, page["metadata"]["resourceVersion"]
            query = {"limit": str(_PAGE), "continue": token}

    async def watch(self, resource: Resource, version: str) -> AsyncGenerator[Json]:
        """Watch events after `version`, bookmarks too, until the server ends the stream.

        Raises KubeError for an event of type ERROR too; its code is 410 where `version` is too old.
        """
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_WATCH_SECONDS + 30)
        path = resource.path()
        async with hanging_up(self._open().get(self._url + path, params=query, timeout=timeout)) as answer:
            if answer.status >= 400:
                raise _error(f"watch {path}", answer.status, await answer.read())
            buffer = bytearray()
            async for piece in answer.content.iter_any():
                buffer += piece
                *lines, rest = buffer.split(b"\n")
                buffer = rest
                for line in lines:
                    if not line.strip():
                        continue
                    event: Json = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise _error(f"watch {path}", status.get("code", 500), orjson.dumps(status))
                    yield event

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return await self._call("GET", resource.path(namespace, name))

    async def create(self, resource: Resource, obj: Json) -> Json:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return await self._call("POST", resource.path(obj["metadata"]["namespace"]), body=body)

    async def replace(self, resource: Resource, obj: Json, *, subresource: str = "") -> Json:
        """PUT an object, or its status; fails with 409 if it changed since it was read."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        return await self._call("PUT", resource.path(namespace, name, subresource), body=body)

    async def delete(self, resource: Resource, obj: Json, *, grace: int | None = None) -> Json:
        """Delete this very object and no successor of its name; dependents are left to their controllers.

        Gives what the server answers: the object as it was left, or a Status. Raises KubeError with 404 if there is no
        object of that name, and 409 if there is another one.
        """
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid_of(obj)},
        }
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        return await self._call("DELETE", resource.path(namespace, name), body=options)

    async def _call(self, method: str, path: str, *, query: dict[str, str] | None = None, body: Any = None) -> Json:
        data = None if body is None else orjson.dumps(body)
        headers = {} if data is None else {"Content-Type": "application/json"}
        async with self._open().request(method, self._url + path, params=query, data=data, headers=headers) as answer:
            content = await answer.read()
            if answer.status >= 400:
                raise _error(f"{method} {path}", answer.status, content)
            decoded: Json = orjson.loads(content)
            return decoded

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        return self._session


def _error(request: str, code: int, content: bytes) -> KubeError:
    try:
        status = orjson.loads(content)
        return KubeError(request, code, str(status.get("reason", "")), str(status.get("message", "")))
    except (ValueError, AttributeError):
        return KubeError(request, code, "", content.decode(errors="replace")[:200])
