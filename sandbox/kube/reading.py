"""Lists, their pages, and the start of watches.

A list that is read in pages shows one moment: the first page keeps the list of objects (references, as stored
objects do not change) and the continue token names it. Only so many are kept; what is not is made anew from the
history, and where that does not reach back far enough, a token gets the API's 410 together with one that goes on from
the current state. resourceVersion means what the API documentation says ("Resource versions"): none is the most
recent, 0 any, a number "not older than" or just that one, and a list of the future is a time-out.
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
_TOO_OLD_LIST = "The resourceVersion for the provided list is too old."
_TOO_OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class VersionError(ApiError):
    """A resourceVersion that is none."""

    def __init__(self, text: str) -> None:
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        super().__init__(400, "BadRequest", f"invalid resource version: resourceVersion: {why}")


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
        version, current = parse_version(options.version), self._store.version
        self.check_not_future(version)
        if version and (options.version_match == "Exact" or (options.limit and not options.version_match)):
            objects = self._objects_at(scope, version)
            if objects is None:
                raise errors.expired(_TOO_OLD_LIST)
            return self._page(scope, objects, 0, version, options.limit or len(objects) + 1)
        objects = self._objects(scope)
        if not options.limit or version == 0:
            # A list of any version comes from the API server's cache, which knows no pages.
            return Page([stored for stored in objects if scope.selects(stored)], current)
        return self._page(scope, objects, 0, current, options.limit)

    def check_not_future(self, version: int | None) -> None:
        """Raises ApiError (504) for a version that is not yet."""
        if version is not None and version > self._store.version:
            raise errors.version_too_large(version, self._store.version)

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

    def _objects_at(self, scope: Scope, version: int) -> list[Stored] | None:
        """The objects as they were at a version that is not of the future; None where that is forgotten."""
        kept = self._snapshots.get((scope.resource.storage, scope.namespace, version))
        return kept or self._store.collection(scope.resource.storage).ordered_at(version, scope.namespace)

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
            found = self._objects_at(scope, version)
            if found is None:
                raise errors.expired(_TOO_OLD_PAGE, _encode_token(-1, after))
            objects = found
        start = bisect_right(objects, after, key=lambda stored: stored.key)
        return self._page(scope, objects, start, version, options.limit or len(objects) + 1)

    def watch(self, scope: Scope, options: WatchOptions, encode: Encode, limit: int) -> Watch:
        """Starts a watch; whoever gets it must take it out of the collection's watchers in the end.

        Raises:
            VersionError: the version is none.
            ApiError: 504, a list that is to be streamed from the future; a mere watch waits for it. A version that is
                too old is no error here but the watch's first and only event.
        """
        version = parse_version(options.version)
        if options.initial_events:
            self.check_not_future(version)
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
        watch = Watch(scope, encode, limit + len(initial) + len(recent), after=version or 0)
        if failure is not None:
            watch.fail(failure)
            return watch
        watch.initial(initial)
        if options.initial_events and options.bookmarks:
            watch.bookmark(self._store.version, {"k8s.io/initial-events-end": "true"})
        for event in recent:
            watch.push(event)
        collection.watchers.add(watch)
        return watch


def parse_version(text: str) -> int | None:
    """A resourceVersion parameter.

    Raises:
        VersionError: it is none.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise VersionError(text)
    return int(text)


def _encode_token(version: int, after: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": after})).decode()


def _decode_token(token: str) -> tuple[int, Key]:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token))
        namespace, name = content["start"]
        return int(content["rv"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError) as wrong:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {wrong}") from wrong
