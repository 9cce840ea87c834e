"""Lists, their pages, and the start of watches.

A list that is read in pages shows one moment: the first page keeps the list of objects (references, as stored
objects do not change) and the continue token names it. Only so many are kept; a token whose list is gone gets the
API's 410 together with a token that goes on from the current state. resourceVersion means what the API
documentation says ("Resource versions"): none is the most recent, 0 any, a number "not older than", and one of the
future is a time-out.
"""

import base64
import binascii
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from sandbox.kube import errors
from sandbox.kube.errors import ApiError
from sandbox.kube.resource import Resource
from sandbox.kube.store import Event, Key, Store, Stored
from sandbox.kube.watch import Encode, Scope, Watch

_SNAPSHOTS = 64


@dataclass(frozen=True, slots=True)
class ListOptions:
    """`metav1.ListOptions`, as far as lists heed it."""

    limit: int = 0
    continue_token: str = ""
    version: str = ""
    version_match: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: `remaining` None where nothing is known or nothing remains."""

    items: Sequence[Stored]
    version: int
    continue_token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class WatchOptions:
    version: str = ""
    version_match: str = ""
    bookmarks: bool = False
    initial_events: bool | None = None
    """`sendInitialEvents`."""


class Reader:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[tuple[str, str | None, int], list[Stored]] = OrderedDict()

    def get(self, resource: Resource, key: Key) -> Stored:
        """The object.

        Raises:
            ApiError: 404.
        """
        stored = self._store.collection(resource.storage).get(key)
        if stored is None:
            raise errors.not_found(resource.name, key[1])
        return stored

    def page(self, scope: Scope, options: ListOptions) -> Page:
        """One page of the objects in the scope.

        Raises:
            ApiError: 400, 410 (the token's list is gone) or 504 (a version of the future).
        """
        if options.continue_token:
            return self._continue(scope, options)
        self._check_version(scope, options)
        objects = self._objects(scope)
        version = self._store.version
        if options.limit <= 0 or options.version == "0":
            # A list of any version comes from the API server's cache, which knows no pages.
            return Page([stored for stored in objects if scope.selects(stored)], version)
        return self._page(scope, objects, 0, version, options.limit)

    def forget_snapshots(self) -> None:
        """Every continue token is expired from now on."""
        self._snapshots.clear()

    def _objects(self, scope: Scope) -> list[Stored]:
        collection = self._store.collection(scope.resource.storage)
        name = scope.fields.name
        if name is not None and (scope.namespace is not None or not scope.resource.namespaced):
            stored = collection.get((scope.namespace or "", name))
            return [stored] if stored is not None else []
        return collection.ordered(scope.namespace)

    def _check_version(self, scope: Scope, options: ListOptions) -> None:
        if options.version_match and not options.version:
            raise errors.bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
        if options.version_match not in {"", "Exact", "NotOlderThan"}:
            raise errors.bad_request(f"resourceVersionMatch: Unsupported value: {options.version_match!r}")
        version = parse_version(options.version)
        if version is None:
            return
        if version > self._store.version:
            raise errors.version_too_large(version, self._store.version)
        exact = options.version_match == "Exact" or (options.limit > 0 and not options.version_match and version > 0)
        if exact and version != self._store.version and self._changed_since(scope, version):
            raise errors.expired(f"The provided resourceVersion {version} is no longer available")

    def _changed_since(self, scope: Scope, version: int) -> bool:
        recent = self._store.collection(scope.resource.storage).since(version)
        return recent is None or bool(recent)

    def _page(self, scope: Scope, objects: list[Stored], start: int, version: int, limit: int) -> Page:
        items: list[Stored] = []
        for index in range(start, len(objects)):
            if not scope.selects(objects[index]):
                continue
            if len(items) == limit:
                self._keep(scope, objects, version)
                token = _encode_token(version, items[-1].key)
                selective = scope.fields.terms or not scope.labels.everything
                return Page(items, version, token, None if selective else len(objects) - index)
            items.append(objects[index])
        return Page(items, version)

    def _keep(self, scope: Scope, objects: list[Stored], version: int) -> None:
        key = (scope.resource.storage, scope.namespace, version)
        self._snapshots[key] = objects
        self._snapshots.move_to_end(key)
        while len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)

    def _continue(self, scope: Scope, options: ListOptions) -> Page:
        if options.version not in {"", "0"}:
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        version, after = _decode_token(options.continue_token)
        if version < 0:
            objects, version = self._objects(scope), self._store.version
        else:
            found = self._snapshots.get((scope.resource.storage, scope.namespace, version))
            if found is None:
                raise errors.expired(
                    "The provided continue parameter is too old to display a consistent list result",
                    _encode_token(-1, after),
                )
            objects = found
        start = bisect_right(objects, after, key=lambda stored: stored.key)
        return self._page(scope, objects, start, version, options.limit or len(objects) + 1)

    def watch(self, scope: Scope, options: WatchOptions, encode: Encode, limit: int) -> Watch:
        """Starts a watch; whoever gets it must take it out of the collection's watchers in the end.

        Raises:
            ApiError: 400 or 504. A version that is too old is no error here but the watch's first and only event.
        """
        version = parse_version(options.version)
        if version is not None and version > self._store.version:
            raise errors.version_too_large(version, self._store.version)
        _check_initial_events(options)
        collection = self._store.collection(scope.resource.storage)
        recent: list[Event] = []
        initial: list[Stored] = []
        failure: ApiError | None = None
        if options.initial_events or (options.initial_events is None and not version):
            initial = [stored for stored in self._objects(scope) if scope.selects(stored)]
        elif version:
            found = collection.since(version)
            if found is None:
                failure = errors.too_old(version, collection.oldest)
            recent = found or []
        watch = Watch(scope, encode, limit + len(initial) + len(recent))
        if failure is not None:
            watch.fail(failure)
            return watch
        watch.initial(initial)
        if options.initial_events:
            watch.bookmark(self._store.version, {"k8s.io/initial-events-end": "true"})
        for event in recent:
            watch.push(event)
        collection.watchers.add(watch)
        return watch


def _check_initial_events(options: WatchOptions) -> None:
    if options.initial_events is None:
        if options.version_match:
            raise errors.bad_request("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        return
    if options.version_match != "NotOlderThan":
        raise errors.bad_request("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if options.initial_events and not options.bookmarks:
        raise errors.bad_request("sendInitialEvents needs allowWatchBookmarks")


def parse_version(text: str) -> int | None:
    """A resourceVersion parameter.

    Raises:
        ApiError: 400 for what is no version.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise errors.bad_request(f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: invalid syntax')
    return int(text)


def _encode_token(version: int, after: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": after})).decode()


def _decode_token(token: str) -> tuple[int, Key]:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token))
        namespace, name = content["start"]
        return int(content["rv"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError) as wrong:
        raise errors.bad_request(f"continue key is not valid: {wrong}") from wrong
