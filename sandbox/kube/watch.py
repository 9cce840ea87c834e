"""One client's watch: from the collection's changes to the lines that it is sent.

A watch sees the objects that its selectors select. An object that comes to be selected is ADDED for it, and one
that no longer is, DELETED, whatever happened to the object itself. Changes are queued as references; the encoded
form of an object is shared with every other watch of the same version.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from sandbox.kube.errors import ApiError, Json
from sandbox.kube.resource import Resource
from sandbox.kube.selectors import FieldSelector, LabelSelector
from sandbox.kube.store import Event, Stored

_PREFIX = {kind: f'{{"type":"{kind}","object":'.encode() for kind in ("ADDED", "MODIFIED", "DELETED")}
Encode = Callable[[Stored], bytes]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a list, watch or deletecollection is about. `namespace` None: all."""

    resource: Resource
    namespace: str | None = None
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)

    def selects(self, stored: Stored) -> bool:
        """Whether the selectors select the object; its namespace is not looked at."""
        if self.fields.name not in {None, stored.key[1]}:
            return False
        if self.fields.terms and not self.fields.matches(stored.obj):
            return False
        return self.labels.everything or self.labels.matches(stored.labels)


class Watch:
    """The queue between the store and one connection. `limit` is the number of changes a slow client may lag behind:
    past it the watch ends, as the API server's do, and the client starts anew from its last version. Only changes
    `after` a version are told, so that a watch from the future is silent until then.
    """

    def __init__(self, scope: Scope, encode: Encode, limit: int, after: int = 0) -> None:
        self._scope = scope
        self._encode = encode
        self._limit = limit
        self._after = after
        self._lines: deque[tuple[bytes, Stored] | bytes] = deque()
        self._ready = asyncio.Event()
        self.closed = False
        self._silent = False

    @property
    def scope(self) -> Scope:
        return self._scope

    def push(self, event: Event) -> None:
        if self.closed or event.stored.version <= self._after:
            return
        namespace = self._scope.namespace
        if namespace is not None and event.stored.key[0] != namespace:
            return
        kind = self._kind(event)
        if kind is None:
            return
        if len(self._lines) >= self._limit:
            self.close()
            return
        self._lines.append((_PREFIX[kind], event.stored))
        self._ready.set()

    def _kind(self, event: Event) -> str | None:
        """What the change is for this watch."""
        scope = self._scope
        if scope.labels.everything and not scope.fields.terms:
            return event.type
        before = event.before is not None and scope.selects(event.before)
        if event.type == "DELETED":
            return "DELETED" if before else None
        now = scope.selects(event.stored)
        if now:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else None

    def initial(self, objects: Iterable[Stored]) -> None:
        """Begins with these objects, as ADDED."""
        self._lines.extend((_PREFIX["ADDED"], stored) for stored in objects)
        self._ready.set()

    def bookmark(self, version: int, annotations: dict[str, str] | None = None) -> None:
        """Tells the client that it has seen everything up to the version."""
        metadata: Json = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = annotations
        resource = self._scope.resource
        shown = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        self._send({"type": "BOOKMARK", "object": shown})

    def fail(self, error: ApiError) -> None:
        """Ends the watch with an ERROR event."""
        self._send({"type": "ERROR", "object": error.status()})
        self.close()

    def _send(self, body: Json) -> None:
        self._lines.append(orjson.dumps(body) + b"\n")
        self._ready.set()

    def silence(self) -> None:
        """Says nothing any more, not even what is queued; ended it can be as ever."""
        self._silent = True
        self._lines.clear()

    def close(self) -> None:
        """Ends the watch after what is queued."""
        self.closed = True
        self._ready.set()

    async def next(self) -> bytes:
        """What is to be sent next, all lines that wait at once; empty when the watch has ended."""
        while self._silent or not self._lines:
            if self.closed:
                return b""
            self._ready.clear()
            await self._ready.wait()
        lines, encode = self._lines, self._encode
        parts: list[bytes] = []
        for line in lines:
            if isinstance(line, bytes):
                parts.append(line)
            else:
                prefix, stored = line
                parts += (prefix, encode(stored), b"}\n")
        lines.clear()
        return b"".join(parts)
