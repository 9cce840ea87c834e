"""Decoded objects in memory, found by identity or through indexes.

This is client-go's Indexer: an index is a function from an object to the values it is found under ("routes by gateway",
"EndpointSlices by Service"), evaluated once when an object comes and once when it goes. So every change costs what the
object itself holds and every question what it returns, whatever the size of the fleet.

A store does no I/O and knows no time. It refuses to go back: an object older than the one held (by resourceVersion,
where versions can be compared) changes nothing, so that the answer of our own patch and the watch may arrive in either
order. Objects that could not be decoded are held as `Undecodable` under their identity and stand in indexes of their
own, under what can be read of them and under what they were when they last could be decoded: whoever asks an index for
a certain answer must ask `undecodable_by_index` too.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from controller.api.meta import Object, Undecodable
from controller.kube.versions import newer

T = TypeVar("T", bound=Object)
V = TypeVar("V")

Indexer = Callable[[T], Iterable[Hashable]]
Identity = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""


class Change(NamedTuple, Generic[T]):
    """What one object became: `old` is None for a new object, `new` is None for one that went."""

    old: T | Undecodable | None
    new: T | Undecodable | None


def identity(obj: Object) -> Identity:
    return obj.metadata.namespace, obj.metadata.name


class Store(Generic[T]):
    """Objects of one kind. Answers are snapshots, in no particular order."""

    def __init__(self, indexers: Mapping[str, Indexer[T]] | None = None) -> None:
        self._indexers = dict(indexers or {})
        self._objects: dict[Identity, T] = {}
        self._undecodable: dict[Identity, Undecodable] = {}
        self._last: dict[Identity, T] = {}
        # Dictionaries stand in for sets: they keep insertion order, so a run can be repeated exactly.
        self._indexes: dict[str, dict[Hashable, dict[Identity, T]]] = {name: {} for name in self._indexers}
        self._doubtful: dict[str, dict[Hashable, dict[Identity, Undecodable]]] = {name: {} for name in self._indexers}
        self.revision = 0
        """Grows with every change: as long as it is the same, so are all answers."""

    def __len__(self) -> int:
        """How many objects are held, undecodable ones too."""
        return len(self._objects) + len(self._undecodable)

    def get(self, namespace: str, name: str) -> T | Undecodable | None:
        """The object of this identity; the namespace of cluster-scoped kinds is empty."""
        key = (namespace, name)
        return self._objects.get(key) or self._undecodable.get(key)

    def list(self) -> Sequence[T]:
        """All objects that could be decoded."""
        return tuple(self._objects.values())

    def by_index(self, index: str, value: Hashable) -> Sequence[T]:
        """The objects for which the indexer of this name gave this value. KeyError: there is no such index."""
        return tuple(self._indexes[index].get(value, {}).values())

    def undecodable_by_index(self, index: str, value: Hashable) -> Sequence[Undecodable]:
        """The objects that could not be decoded and would, or did when they last could be, stand under this value."""
        return tuple(self._doubtful[index].get(value, {}).values())

    @property
    def undecodable(self) -> Mapping[Identity, Undecodable]:
        """The objects that could not be decoded, as a live, read-only mapping."""
        return MappingProxyType(self._undecodable)

    def put(self, obj: T | Undecodable) -> Change[T]:
        """Hold this object, whatever was held under its identity before."""
        key = identity(obj)
        last = self._objects.get(key) or self._last.get(key)
        old = self._remove(key)
        self.revision += 1
        if isinstance(obj, Undecodable):
            self._undecodable[key] = obj
            if last is not None and last.metadata.uid == obj.metadata.uid:
                self._last[key] = last
            for name, value in self._values(self._forms(key, obj)):
                self._doubtful[name].setdefault(value, {})[key] = obj
        else:
            self._objects[key] = obj
            for name, value in self._values((obj,)):
                self._indexes[name].setdefault(value, {})[key] = obj
        return Change(old, obj)

    def apply(self, obj: T | Undecodable) -> Change[T] | None:
        """Hold this object unless it is the version already held or an older one; None says that nothing changed."""
        held = self.get(*identity(obj))
        if held is not None:
            version, than = obj.metadata.resource_version, held.metadata.resource_version
            if version == than or newer(version, than) is False:
                return None
        return self.put(obj)

    def delete(self, namespace: str, name: str) -> Change[T] | None:
        """Let go of the object of this identity; None if there is none."""
        old = self._remove((namespace, name))
        return None if old is None else Change(old, None)

    def replace(self, objects: Iterable[T | Undecodable], resource_version: str = "") -> Sequence[Change[T]]:
        """Hold exactly what a list of the whole collection returned; answers what differs from before.

        `resource_version` is that of the list. What is held in a version newer than that was learned meanwhile from an
        answer to our own write: the list cannot know of it, so it stays.
        """
        changes: list[Change[T]] = []
        listed: set[Identity] = set()
        for obj in objects:
            listed.add(identity(obj))
            change = self.apply(obj)
            if change is not None:
                changes.append(change)
        for key in [key for key in (*self._objects, *self._undecodable) if key not in listed]:
            held = self.get(*key)
            if held is not None and newer(held.metadata.resource_version, resource_version):
                continue
            change = self.delete(*key)
            if change is not None:
                changes.append(change)
        return changes

    def _remove(self, key: Identity) -> T | Undecodable | None:
        old = self._objects.pop(key, None)
        if old is not None:
            self.revision += 1
            for name, value in self._values((old,)):
                _take(self._indexes[name], value, key)
            return old
        undecodable = self._undecodable.pop(key, None)
        if undecodable is not None:
            self.revision += 1
            for name, value in self._values(self._forms(key, undecodable)):
                _take(self._doubtful[name], value, key)
            self._last.pop(key, None)
        return undecodable

    def _values(self, forms: Iterable[Any]) -> Iterator[tuple[str, Hashable]]:
        """Under what an object of these forms stands, as (index, value)."""
        for form in forms:
            for name, indexer in self._indexers.items():
                for value in indexer(form):
                    yield name, value

    def _forms(self, key: Identity, obj: Undecodable) -> Iterator[Object]:
        """What can be read of it, and what it was when it last could be decoded."""
        if obj.fragment is not None:
            yield obj.fragment
        if key in self._last:
            yield self._last[key]


def _take(index: dict[Hashable, dict[Identity, V]], value: Hashable, key: Identity) -> None:
    found = index.get(value)
    if found is None:
        return
    found.pop(key, None)
    if not found:
        del index[value]
