"""Events on objects, as `kubectl describe` shows them, and few of them.

`record` may be called on every attempt of every reconcile: it is synchronous, never raises and costs no I/O. The same
thing told again about the same object becomes one Event with a growing count; what an object may tell in a short time
is limited, and so is what all of them may; the queue is bounded and drops its oldest. A single task writes, and an
Event that waits in the queue while it is told again is written once, with the count it has by then.

What is remembered is small, and only of what was written: who tells something else each time makes nobody forget what
others told. It is forgotten when it does not matter any more, so the bounds are for the largest fleets.

Names are given when an Event is first told, so a write that is repeated because its answer was lost finds the Event
there and only brings the count up to date.

Source: core/v1 Event; the limits follow client-go's `record.EventCorrelator`.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any, Literal, NamedTuple, Self

import anyio
import orjson

from controller.api.meta import Object
from controller.api.resources import Resource
from controller.kube.backoff import Backoff
from controller.kube.client import MERGE_PATCH, KubeClient
from controller.kube.errors import ApiError, Conflict, NotFound, ServerError, TooManyRequests, Unreachable
from controller.kube.times import rfc3339, utc_now

log = logging.getLogger("controller.kube.events")

WINDOW = timedelta(minutes=10)
"""What is told again within this time of the last time is the same Event."""
BURST = 25
"""So many writes an object may cause at once…"""
REFILL = timedelta(minutes=5)
"""…and one more each time this has passed."""
WRITES_BURST = 200
"""So many writes all objects together may cause at once…"""
WRITES_PER_SECOND = 20.0
"""…and so many more in each second; the API server has other work."""
MAX_WAITING = 10_000
MAX_REMEMBERED = 50_000
"""Events, and objects."""
MAX_MESSAGE = 1024
"""Characters; what the API server takes."""
ATTEMPTS = 4
FLUSH_SECONDS = 3.0


class ObjectRef(NamedTuple):
    """The object that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str = ""

    @classmethod
    def of(cls, resource: Resource[Any], obj: Object) -> Self:
        meta = obj.metadata
        return cls(resource.api_version, resource.kind, meta.namespace, meta.name, meta.uid, meta.resource_version)


class _Key(NamedTuple):
    kind: str
    namespace: str
    name: str
    uid: str
    type: str
    reason: str
    message: str

    @property
    def digest(self) -> bytes:
        return blake2b("\0".join(self).encode(errors="surrogatepass"), digest_size=16).digest()


@dataclass(slots=True)
class _Told:
    """One Event: what was told so far, and how much of it is written."""

    name: str
    first: datetime
    last: datetime
    count: int = 0
    written: int = 0


class _Waiting(NamedTuple):
    key: _Key
    ref: ObjectRef
    told: _Told


@dataclass(slots=True)
class _Allowance:
    tokens: float
    since: datetime


class EventRecorder:
    """Records Events in the name of `component`; `instance` is this replica's identity (the pod's name).

    Clock, sleep and randomness are passed in.
    """

    def __init__(
        self,
        client: KubeClient,
        component: str,
        *,
        instance: str = "",
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        random: Random | None = None,
    ) -> None:
        self._client = client
        self._component = component
        self._instance = instance
        self._clock = clock
        self._sleep = sleep
        self._random = random or Random()  # noqa: S311 -- spreads retries, guards nothing
        # In the order in which they were last told: what can be forgotten is in front.
        self._remembered: OrderedDict[bytes, _Told] = OrderedDict()
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._allowances: OrderedDict[tuple[str, str, str], _Allowance] = OrderedDict()
        self._wake = anyio.Event()
        self._writes = _Allowance(WRITES_BURST, clock())
        self._dropped = 0
        self._named = 0

    @property
    def waiting(self) -> int:
        """How many Events wait to be written."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """How many writes were given up: queue full, or the API server would not take them."""
        return self._dropped

    def record(self, ref: ObjectRef, type: Literal["Normal", "Warning"], reason: str, message: str) -> None:  # noqa: A002 -- the API's word
        """Tell something about an object. `reason` is a short CamelCase word, `message` a sentence for people."""
        now = self._clock()
        key = _Key(ref.kind, ref.namespace, ref.name, ref.uid, type, reason, message[:MAX_MESSAGE])
        digest = key.digest
        waiting = self._waiting.get(digest)
        told = waiting.told if waiting is not None else self._remembered.get(digest)
        if told is None or (waiting is None and now - told.last > WINDOW):
            told = _Told(self._name(ref, now), now, now)
        told.count += 1
        told.last = now
        allowed = waiting is None and self._allowed(ref, now)
        if allowed or digest in self._remembered:
            self._remember(digest, told)
        if not allowed:
            return
        self._waiting[digest] = _Waiting(key, ref, told)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
            self._dropped += 1
        self._wake.set()

    async def run(self) -> None:
        """Write what is recorded until cancelled; then try for a moment to write the rest."""
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                await self._write_waiting(attempts=ATTEMPTS)
        finally:
            with anyio.move_on_after(FLUSH_SECONDS, shield=True):
                await self._write_waiting(attempts=1)

    def _remember(self, digest: bytes, told: _Told) -> None:
        remembered = self._remembered
        remembered[digest] = told
        remembered.move_to_end(digest)
        while len(remembered) > MAX_REMEMBERED or told.last - next(iter(remembered.values())).last > WINDOW:
            remembered.popitem(last=False)

    def _allowed(self, ref: ObjectRef, now: datetime) -> bool:
        allowances = self._allowances
        key = (ref.kind, ref.namespace, ref.name)
        allowance = allowances.setdefault(key, _Allowance(BURST, now))
        allowances.move_to_end(key)
        allowance.tokens = min(BURST, allowance.tokens + max(0.0, (now - allowance.since) / REFILL))
        allowance.since = now
        while len(allowances) > MAX_REMEMBERED or now - next(iter(allowances.values())).since >= BURST * REFILL:
            allowances.popitem(last=False)
        if allowance.tokens < 1:
            return False
        allowance.tokens -= 1
        return True

    async def _turn(self) -> None:
        """Wait until one more write is within what all objects may cause."""
        now, writes = self._clock(), self._writes
        # A clock that is set back earns nothing, and must not cost hours.
        earned = max(0.0, (now - writes.since).total_seconds()) * WRITES_PER_SECOND
        writes.tokens = min(WRITES_BURST, writes.tokens + earned) - 1
        writes.since = now
        if writes.tokens < 0:
            await self._sleep(-writes.tokens / WRITES_PER_SECOND)

    def _name(self, ref: ObjectRef, now: datetime) -> str:
        self._named += 1
        # The API server allows 253 characters; the number keeps Events apart that begin in one microsecond.
        return f"{ref.name[:200]}.{int(now.timestamp() * 1_000_000):x}{self._named & 0xFFFF:04x}"

    async def _write_waiting(self, attempts: int) -> None:
        while self._waiting:
            digest, waiting = next(iter(self._waiting.items()))
            key, ref, told = waiting
            count = told.count
            written = await self._write(key, ref, told, attempts)
            self._waiting.pop(digest, None)
            if not written:
                self._dropped += 1
                continue
            told.written = count
            if told.count > count and self._allowed(ref, told.last):
                self._waiting[digest] = waiting

    async def _write(self, key: _Key, ref: ObjectRef, told: _Told, attempts: int) -> bool:
        backoff = Backoff(self._random)
        for attempt in range(1, attempts + 1):
            try:
                await self._turn()
                await self._send(key, ref, told)
            except (Unreachable, ServerError, TooManyRequests) as error:
                if attempt == attempts:
                    return _given_up(key, error)
                await self._sleep(backoff.next(at_least=error.retry_after or 0.0))
            except ApiError as error:
                return _given_up(key, error)
            else:
                return True
        raise AssertionError("the last attempt returns")

    async def _send(self, key: _Key, ref: ObjectRef, told: _Told) -> None:
        # Events about cluster-scoped objects live in the namespace "default".
        collection = f"/api/v1/namespaces/{key.namespace or 'default'}/events"
        if told.written == 0:
            try:
                await self._client.request("POST", collection, body=orjson.dumps(self._event(key, ref, told)))
            except Conflict:
                await self._send_count(collection, told)
            return
        try:
            await self._send_count(collection, told)
        except NotFound:
            # Events expire at the server, after an hour by default.
            await self._client.request("POST", collection, body=orjson.dumps(self._event(key, ref, told)))

    async def _send_count(self, collection: str, told: _Told) -> None:
        patch = {"count": told.count, "lastTimestamp": rfc3339(told.last)}
        path = f"{collection}/{told.name}"
        await self._client.request("PATCH", path, body=orjson.dumps(patch), content_type=MERGE_PATCH)

    def _event(self, key: _Key, ref: ObjectRef, told: _Told) -> dict[str, Any]:
        about = {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
            "resourceVersion": ref.resource_version,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": told.name, "namespace": key.namespace or "default"},
            "involvedObject": {field: value for field, value in about.items() if value},
            "type": key.type,
            "reason": key.reason,
            "message": key.message,
            "count": told.count,
            "firstTimestamp": rfc3339(told.first),
            "lastTimestamp": rfc3339(told.last),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }


def _given_up(key: _Key, error: ApiError) -> Literal[False]:
    log.warning(
        "event not written",
        extra={"object": f"{key.kind}/{key.namespace}/{key.name}", "reason": key.reason, "error": str(error)},
    )
    return False
