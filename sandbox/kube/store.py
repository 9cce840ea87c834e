"""The objects, their versions and their recent history: what etcd and the watch cache are to the API server.

One counter numbers every change of any object; an object's `resourceVersion` is the number of its last change. Each
kind of object lives in a `Collection`, which knows its objects by name and namespace, keeps the last changes for
watches that start in the past, and hands every new one to those that watch. A stored object is never changed again,
so it can be shared by lists, history and watchers, and is encoded once for all of them.

Everything is synchronous and on one event loop: a change is visible to the next statement, and nothing needs a
lock. A write costs the same however many objects there are; only a list sorts, and only after names came or went.
"""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import orjson

from sandbox.kube.errors import Json

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name: the order in which lists come."""

Convert = Callable[[Json], Json]
"""Gives an object as a version of its API shows it; must not change its argument."""


_NOBODY: frozenset[str] = frozenset()


class Stored:
    """An object as it was after one change.

    What is kept is its JSON, as etcd keeps it: nobody can change it by mistake, it is sent as it is, and many thousands
    of them are no burden for the garbage collector, which never looks into them. What the store and selectors ask for
    all the time is kept beside it.
    """

    __slots__ = ("_converted", "api_version", "key", "labels", "owners", "raw", "uid", "version")

    def __init__(self, obj: Json, key: Key, version: int) -> None:
        meta = obj["metadata"]
        owners = meta.get("ownerReferences")
        self.raw: bytes = orjson.dumps(obj)
        self.key = key
        self.version = version
        self.api_version = sys.intern(obj["apiVersion"])
        self.uid: str = meta["uid"]
        self.labels: Mapping[str, str] = meta.get("labels") or {}
        self.owners: frozenset[str] = frozenset(owner["uid"] for owner in owners) if owners else _NOBODY
        self._converted: dict[str, bytes] | None = None

    @property
    def obj(self) -> Json:
        """The object, decoded anew each time: whoever asks for it has a copy of their own."""
        decoded: Json = orjson.loads(self.raw)
        return decoded

    def encoded(self, api_version: str, convert: Convert) -> bytes:
        """The JSON of the object in that version of its API."""
        if api_version == self.api_version:
            return self.raw
        if self._converted is None:
            self._converted = {}
        raw = self._converted.get(api_version)
        if raw is None:
            raw = self._converted[api_version] = orjson.dumps(convert(self.obj))
        return raw


class Event:
    """One change: ADDED, MODIFIED or DELETED, what the object is after it and what it was before."""

    __slots__ = ("before", "stored", "type")

    def __init__(self, type_: str, stored: Stored, before: Stored | None) -> None:
        self.type = type_
        self.stored = stored
        self.before = before


class Watcher(Protocol):
    """Whoever wants to hear of changes; `push` must be quick and must not write to the store."""

    def push(self, event: Event) -> None: ...

    def close(self) -> None:
        """The collection is no longer served."""


class Collection:
    """All objects of one kind (of one group and plural, whatever the version).

    What was up to the version `forgotten` is not known to it.
    """

    def __init__(self, name: str, history: int, forgotten: int) -> None:
        self.name = name
        self.watchers: set[Watcher] = set()
        self._objects: dict[Key, Stored] = {}
        self._namespaces: dict[str, dict[str, Stored]] = {}
        self._sorted: list[Key] | None = []
        self._history: deque[Event] = deque()
        self._limit = history
        self._forgotten = forgotten

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Key) -> Stored | None:
        return self._objects.get(key)

    def ordered(self, namespace: str | None = None) -> list[Stored]:
        """The objects of a namespace, or all of them, by namespace and name."""
        if namespace is not None:
            found = self._namespaces.get(namespace, {})
            return [found[name] for name in sorted(found)]
        if self._sorted is None:
            self._sorted = sorted(self._objects)
        return [self._objects[key] for key in self._sorted]

    def ordered_at(self, version: int, namespace: str | None = None) -> list[Stored] | None:
        """The same as it was at that version, or None if that is no longer known."""
        later = self.since(version)
        if later is None:
            return None
        if not later:
            return self.ordered(namespace)
        then = dict(self._objects)
        for event in reversed(later):
            if event.before is None:
                del then[event.stored.key]
            else:
                then[event.stored.key] = event.before
        return [then[key] for key in sorted(then) if namespace in {None, key[0]}]

    def __iter__(self) -> Iterator[Stored]:
        return iter(list(self._objects.values()))

    def record(self, event: Event) -> None:
        stored, (namespace, name) = event.stored, event.stored.key
        if event.type == "DELETED":
            del self._objects[stored.key]
            remaining = self._namespaces[namespace]
            del remaining[name]
            if not remaining:
                del self._namespaces[namespace]
        else:
            self._objects[stored.key] = stored
            self._namespaces.setdefault(namespace, {})[name] = stored
        if event.type != "MODIFIED":
            self._sorted = None
        self._history.append(event)
        if len(self._history) > self._limit:
            self._forgotten = self._history.popleft().stored.version
        for watcher in tuple(self.watchers):
            watcher.push(event)

    def since(self, version: int) -> list[Event] | None:
        """The changes after that version, or None if some of them are no longer known."""
        if version < self._forgotten:
            return None
        recent: list[Event] = []
        for event in reversed(self._history):
            if event.stored.version <= version:
                break
            recent.append(event)
        recent.reverse()
        return recent

    @property
    def oldest(self) -> int:
        """The oldest version from which a watch can start."""
        return self._forgotten

    def forget(self, version: int) -> None:
        """Drops the history up to that version, as a compaction does."""
        while self._history and self._history[0].stored.version <= version:
            self._history.popleft()
        self._forgotten = max(self._forgotten, version)

    def close(self) -> None:
        for watcher in tuple(self.watchers):
            watcher.close()


class Store:
    """The collections under one version counter, and the owners' index that garbage collection needs.

    `history` is the number of changes that each collection remembers.
    """

    def __init__(self, history: int) -> None:
        self.version = 0
        self._history = history
        self._collections: dict[str, Collection] = {}
        self._dropped: dict[str, int] = {}
        self._dependents: dict[str, set[tuple[str, Key]]] = {}
        self._places: dict[str, tuple[str, Key]] = {}
        self._sizes: Counter[str] = Counter()

    def collection(self, name: str) -> Collection:
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection(name, self._history, self._dropped.get(name, 0))
        return found

    def compact(self) -> None:
        """Forgets all history, as etcd's compaction does."""
        for collection in self._collections.values():
            collection.forget(self.version)

    def drop(self, name: str) -> None:
        found = self._collections.pop(name, None)
        if found is not None:
            self._dropped[name] = self.version
            found.close()

    def draft(self, key: Key, obj: Json) -> Stored:
        """The object as the next change would store it; nothing is stored yet."""
        obj["metadata"]["resourceVersion"] = str(self.version + 1)
        return Stored(obj, key, self.version + 1)

    def create(self, collection: Collection, draft: Stored) -> Stored:
        """Stores a new object."""
        return self._commit("ADDED", collection, draft, None)

    def replace(self, collection: Collection, before: Stored, draft: Stored) -> Stored:
        """Stores the draft in the place of what was before."""
        return self._commit("MODIFIED", collection, draft, before)

    def remove(self, collection: Collection, before: Stored, last: Stored) -> Stored:
        """Removes an object, of which the draft is the last state, under the version of its removal."""
        return self._commit("DELETED", collection, last, before)

    def dependents(self, uid: str) -> list[tuple[str, Key]]:
        """The objects (collection's name and key) that name this uid as an owner."""
        return sorted(self._dependents.get(uid, ()))

    def place(self, uid: str) -> tuple[str, Key] | None:
        """Where the object of that uid is (collection's name and key)."""
        return self._places.get(uid)

    def exists(self, uid: str) -> bool:
        return uid in self._places

    def size(self, namespace: str) -> int:
        """The number of objects in a namespace."""
        return self._sizes[namespace]

    def content(self, namespace: str) -> list[tuple[str, Key]]:
        """All objects in a namespace (collection's name and key)."""
        return [(name, stored.key) for name, held in self._collections.items() for stored in held.ordered(namespace)]

    def _commit(self, type_: str, collection: Collection, draft: Stored, before: Stored | None) -> Stored:
        assert draft.version == self.version + 1, "something was stored since the draft was made"
        self.version = draft.version
        if type_ == "ADDED":
            self._places[draft.uid] = (collection.name, draft.key)
            self._sizes[draft.key[0]] += 1
        elif type_ == "DELETED":
            self._places.pop(draft.uid, None)
            self._sizes[draft.key[0]] -= 1
        self._index_owners(collection.name, draft, before, gone=type_ == "DELETED")
        collection.record(Event(type_, draft, before))
        return draft

    def _index_owners(self, name: str, stored: Stored, before: Stored | None, *, gone: bool) -> None:
        old = _NOBODY if before is None else before.owners
        new = _NOBODY if gone else stored.owners
        for uid in new - old:
            self._dependents.setdefault(uid, set()).add((name, stored.key))
        for uid in old - new:
            held = self._dependents[uid]
            held.discard((name, stored.key))
            if not held:
                del self._dependents[uid]
