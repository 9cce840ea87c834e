"""List, then watch, for ever: how one kind is kept up to date.

A list says what there is; the watch from the list's version on says what changes. When a watch ends, as all do after
some minutes, the next starts from the last version seen, bookmarks included. Only when the server no longer keeps that
version (410) is everything listed again, and the store then passes on what differs.

A list is streamed (a watch that begins with what there is, KEP-3157) where the server can, for that spares the server
from holding pages of it in memory; otherwise it comes in pages of 500.

A connection may die without a word. So a watch asks for bookmarks, which come every minute or so, and one that is
silent for `stall` seconds is given up and resumed.

What is learned goes to one function, the sink, as data; what it means for the store and its state is the informer's
matter.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Generic, NamedTuple, TypeVar

import anyio

from controller.api.meta import Object, Undecodable
from controller.api.resources import Resource
from controller.kube.backoff import Backoff
from controller.kube.client import KubeClient
from controller.kube.decode import Bookmark, Decoder, Deleted, Failed, Put, UnreadableError
from controller.kube.errors import ApiError, Forbidden, Gone, Invalid, NotFound, Silent, Unauthorized, Unreachable

log = logging.getLogger("controller.kube.reflector")

T = TypeVar("T", bound=Object)

PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a reflector is; all in seconds."""

    watch: float = 300.0
    """The least a watch is asked to last; the most is twice that. Drawn anew each time, so that watches spread out."""
    stall: float = 150.0
    """A watch that is silent for longer is given up. Bookmarks come about once a minute."""
    first_events: float = 15.0
    """A streamed list that is silent for longer is given up, and the list asked for in pages."""
    request: float = 60.0
    """For one page of a list."""
    brief: float = 1.0
    """A watch that ends sooner and brought nothing is followed by a pause, as a failure would be."""


PATIENT = Timing()


class Replaced(NamedTuple, Generic[T]):
    """The whole collection, as of `resource_version`. `unreadable` items are missing from `objects`."""

    objects: list[T | Undecodable]
    resource_version: str
    unreadable: int


class Trouble(NamedTuple):
    """List or watch failed; it will be tried again."""

    error: ApiError | UnreadableError


Learned = Replaced[T] | Put[T] | Deleted[T] | Bookmark | Trouble


class Reflector(Generic[T]):
    """Lists and watches one kind. Time, randomness and sleep are passed in."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource[T],
        decoder: Decoder[T],
        sink: Callable[[Learned[T]], None],
        *,
        random: Random,
        timing: Timing = PATIENT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._client = client
        self._resource = resource
        self._path = resource.path()
        self._selected = {"fieldSelector": resource.field_selector} if resource.field_selector else {}
        self._decoder = decoder
        self._sink = sink
        self._random = random
        self._timing = timing
        self._clock = clock
        self._sleep = sleep
        self._backoff = Backoff(random)
        self._version: str | None = None
        self._streams = True
        self._told = ""
        self._expired_in_a_row = 0

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                pause = await self._watch(self._version or "")
            except (ApiError, UnreadableError) as error:
                pause = self._after(error)
                self._tell(error, pause)
                self._sink(Trouble(error))
            if pause > 0:
                await self._sleep(pause)

    def _tell(self, error: ApiError | UnreadableError, pause: float) -> None:
        """Warn of what is wrong when it begins, or becomes something else: an optional kind may be absent for ever."""
        text = str(error)
        again, self._told = text == self._told, text
        usual = isinstance(error, Gone) or (isinstance(error, NotFound) and not self._resource.required)
        log.log(
            logging.DEBUG if again else logging.INFO if usual else logging.WARNING,
            "list or watch failed",
            extra={"kind": self._resource.kind, "error": text, "retry_seconds": round(pause, 1)},
        )

    def _after(self, error: ApiError | UnreadableError) -> float:
        """Seconds to pause; also decides whether the next attempt resumes or lists anew."""
        if isinstance(error, Gone):
            self._version = None
            self._expired_in_a_row += 1
            return 0.0 if self._expired_in_a_row == 1 else self._backoff.next()
        if isinstance(error, Unauthorized | Forbidden | NotFound):
            # What happened meanwhile is not known, and a CRD that comes back has other objects: begin anew. Often only
            # an operator can help; but an API server that has just started refuses too, until it knows its own rules.
            self._version = None
            return self._backoff.next()
        if isinstance(error, ApiError):
            if 400 <= error.status < 429:
                # The server does not accept the request as it is; only a new list may have another.
                self._version = None
            return self._backoff.next(at_least=error.retry_after or 0.0)
        # After a line that cannot be read, an event is missing: the watch cannot be resumed behind it.
        self._version = None
        return self._backoff.next()

    async def _list(self) -> None:
        listed = None
        if self._streams:
            listed = await self._list_streamed()
        if listed is None:
            listed = await self._list_paged()
        self._version = listed.resource_version
        self._sink(listed)

    async def _list_streamed(self) -> Replaced[T] | None:
        """None if it does not come to its end; a server that does not stream lists is not asked again."""
        query = {
            **self._selected,
            "watch": "true",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "resourceVersion": "",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": self._watch_seconds(),
        }
        found: dict[tuple[str, str], T | Undecodable] = {}
        unreadable = 0
        opened = False
        try:
            async with self._client.stream(self._path, query, stall=self._timing.first_events) as lines:
                opened = True
                async for line in lines:
                    try:
                        event = self._decoder.event(line)
                    except UnreadableError as error:
                        log.warning("unreadable object", extra={"kind": self._resource.kind, "error": str(error)})
                        unreadable += 1
                        continue
                    match event:
                        case Put(obj):
                            found[obj.namespace, obj.name] = obj
                        case Deleted(obj):
                            found.pop((obj.namespace, obj.name), None)
                        case Bookmark(version, initial_events_end=True):
                            return Replaced(list(found.values()), version, unreadable)
                        case Failed(failure):
                            raise failure
        except (Invalid, Unreachable) as error:
            if isinstance(error, Unreachable) and not opened:
                raise
            log.info("the list is asked for in pages", extra={"kind": self._resource.kind, "error": str(error)})
            # Older servers refuse the parameters (422), or ignore them and never say that the first part is over. A
            # connection that broke says nothing about the server.
            self._streams = not isinstance(error, Invalid | Silent)
        return None

    async def _list_paged(self) -> Replaced[T]:
        objects: list[T | Undecodable] = []
        unreadable = 0
        query = {**self._selected, "limit": str(PAGE_SIZE)}
        while True:
            try:
                body = await self._client.request("GET", self._path, query=query, timeout=self._timing.request)
            except Gone:
                if "continue" not in query:
                    raise
                # The list took longer than the server keeps its version; in one piece it cannot.
                objects, unreadable, query = [], 0, dict(self._selected)
                continue
            page = self._decoder.page(body)
            objects += page.objects
            unreadable += page.unreadable
            if not page.continue_token:
                return Replaced(objects, page.resource_version, unreadable)
            query = {**self._selected, "limit": str(PAGE_SIZE), "continue": page.continue_token}

    async def _watch(self, version: str) -> float:
        """Watch from this version until the server ends it; returns how long to pause before the next, in seconds."""
        query = {
            **self._selected,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": self._watch_seconds(),
        }
        brought = False
        async with self._client.stream(self._path, query, stall=self._timing.stall) as lines:
            began = self._clock()
            try:
                async for line in lines:
                    event = self._decoder.event(line)
                    match event:
                        case Failed(failure):
                            raise failure
                        case Bookmark(version):
                            self._version = version or self._version
                        case Put(obj) | Deleted(obj):
                            self._version = obj.metadata.resource_version or self._version
                    brought = True
                    self._all_is_well()
                    self._sink(event)
            except Unreachable:
                # A quiet kind's watch brings nothing for long; that it breaks then is the first failure, not one more.
                if self._clock() - began >= self._timing.brief:
                    self._all_is_well()
                raise
        if brought or self._clock() - began >= self._timing.brief:
            self._all_is_well()
            return 0.0
        return self._backoff.next()

    def _all_is_well(self) -> None:
        self._told = ""
        self._backoff.reset()
        self._expired_in_a_row = 0

    def _watch_seconds(self) -> str:
        return str(int(self._random.uniform(self._timing.watch, 2 * self._timing.watch)))
