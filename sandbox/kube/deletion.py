"""How objects go: finalizers, owners, namespaces and definitions.

Deleting an object is asking for it. With finalizers it gets a deletionTimestamp and stays until the last is taken
away; without, it goes at once. What it owned goes after it (garbage collection, done here within the same request
instead of some time later), a namespace goes after its content, a definition after its objects. Grace periods are
ignored: no kubelet has to end a container.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.kube import errors
from sandbox.kube.definitions import CLEANUP
from sandbox.kube.errors import Json
from sandbox.kube.objects import timestamp
from sandbox.kube.resource import Environment, Registry, Resource
from sandbox.kube.store import Key, Store, Stored

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_IMMORTAL = {"default", "kube-public", "kube-system"}
_NAMESPACES = "namespaces"
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`metav1.DeleteOptions`, as far as it is heeded."""

    uid: str | None = None
    version: str | None = None
    propagation: str = "Background"
    dry_run: bool = False


def terminating(obj: Json) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None


class Deleter:
    def __init__(self, store: Store, registry: Registry, env: Environment) -> None:
        self._store = store
        self._registry = registry
        self._env = env

    def delete(self, resource: Resource, key: Key, options: DeleteOptions) -> tuple[Stored, bool]:
        """Asks for the object to go. Returns its last state and whether it is gone.

        Raises:
            ApiError: 403, 404, or 409 where a precondition does not hold.
        """
        collection = self._store.collection(resource.storage)
        stored = collection.get(key)
        if stored is None:
            raise errors.not_found(resource.name, key[1])
        obj = stored.obj
        self._check_preconditions(resource, key[1], obj["metadata"], options)
        if options.dry_run:
            return stored, not obj["metadata"].get("finalizers")
        if resource.storage == _NAMESPACES:
            if stored.key[1] in _IMMORTAL:
                raise errors.forbidden(resource.name, stored.key[1], "this namespace may not be deleted")
            return self._delete_namespace(resource, stored)
        if resource.storage == _DEFINITIONS:
            return self._delete_definition(resource, stored)
        if options.propagation != "Background" and not terminating(obj):
            return self._delete_first(resource, stored, options.propagation), False
        if obj["metadata"].get("finalizers"):
            return (stored if terminating(obj) else self._mark(resource, stored)), False
        return self.finish(resource, stored, obj), True

    def _delete_first(self, resource: Resource, stored: Stored, propagation: str) -> Stored:
        """Has what depends on the object deleted, or orphaned, while a finalizer holds it; returns it as it is then."""
        if propagation == "Orphan":
            held = self._mark(resource, stored, add=_ORPHAN)
            self._orphan(stored.uid)
            self._drop_finalizer(resource, held, _ORPHAN)
            return held
        held = self._mark(resource, stored, add=_FOREGROUND)
        dependents = self._store.dependents(stored.uid)
        if dependents:
            self._delete_all(dependents)
        else:
            self._drop_finalizer(resource, held, _FOREGROUND)
        return held

    def finish(self, resource: Resource, stored: Stored, last: Json) -> Stored:
        """Removes an object that nothing holds any more, and what depended on it. `last` is its last state."""
        collection = self._store.collection(resource.storage)
        gone = self._store.remove(collection, stored, self._store.draft(stored.key, last))
        resource.strategy.released(last)
        self._delete_all(self._store.dependents(stored.uid), orphan_of=stored.uid)
        self._release_owners(gone.owners)
        self._finish_namespace(stored.key[0])
        if resource.custom and not len(collection):
            self._finish_definition(resource.storage)
        return gone

    @staticmethod
    def _check_preconditions(resource: Resource, called: str, meta: Json, options: DeleteOptions) -> None:
        for label, wanted, actual, hint in (
            ("UID", options.uid, meta["uid"], "deleted and then recreated"),
            ("ResourceVersion", options.version, meta["resourceVersion"], "modified"),
        ):
            if wanted is not None and wanted != actual:
                why = f"the {label} in the precondition ({wanted}) does not match the {label} in record ({actual})"
                name = errors.ResourceName(resource.group, resource.kind)
                raise errors.conflict(name, called, f"{why}. The object might have been {hint}")

    def _mark(self, resource: Resource, stored: Stored, *, add: str = "") -> Stored:
        obj = stored.obj
        meta = obj["metadata"]
        meta["deletionTimestamp"] = timestamp(self._env.clock())
        meta["deletionGracePeriodSeconds"] = 0
        if "generation" in meta:
            meta["generation"] += 1
        if add and add not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), add]
        return self._replace(resource, stored, obj)

    def _replace(self, resource: Resource, stored: Stored, obj: Json) -> Stored:
        draft = self._store.draft(stored.key, obj)
        return self._store.replace(self._store.collection(resource.storage), stored, draft)

    def _find(self, storage: str, key: Key) -> tuple[Resource, Stored] | None:
        resource = self._registry.by_storage(storage)
        stored = self._store.collection(storage).get(key)
        return None if resource is None or stored is None else (resource, stored)

    def _delete_all(self, dependents: list[tuple[str, Key]], *, orphan_of: str = "") -> None:
        """Deletes dependents; with `orphan_of`, only those that have no other owner that still exists."""
        for storage, key in dependents:
            found = self._find(storage, key)
            if found is None:
                continue
            resource, stored = found
            obj = stored.obj
            owners = obj["metadata"].get("ownerReferences") or ()
            others = [owner for owner in owners if owner["uid"] != orphan_of and self._store.exists(owner["uid"])]
            if orphan_of and others:
                self._set_owners(resource, stored, [owner for owner in owners if owner["uid"] != orphan_of])
            elif not terminating(obj):
                self.delete(resource, key, DeleteOptions())

    def _orphan(self, uid: str) -> None:
        for storage, key in self._store.dependents(uid):
            if found := self._find(storage, key):
                resource, stored = found
                owners = stored.obj["metadata"].get("ownerReferences") or ()
                self._set_owners(resource, stored, [owner for owner in owners if owner["uid"] != uid])

    def _set_owners(self, resource: Resource, stored: Stored, owners: list[Json]) -> None:
        obj = stored.obj
        obj["metadata"]["ownerReferences"] = owners
        if not owners:
            del obj["metadata"]["ownerReferences"]
        self._replace(resource, stored, obj)

    def _release_owners(self, uids: Iterable[str]) -> None:
        """Owners that wait in the foreground for this last dependent go now."""
        for uid in sorted(uids):
            place = self._store.place(uid)
            if place is None or self._store.dependents(uid):
                continue
            found = self._find(*place)
            if found is not None and _FOREGROUND in (found[1].obj["metadata"].get("finalizers") or ()):
                self._drop_finalizer(*found, _FOREGROUND)

    def _drop_finalizer(self, resource: Resource, stored: Stored, name: str) -> None:
        obj = stored.obj
        left = [finalizer for finalizer in obj["metadata"].get("finalizers") or () if finalizer != name]
        obj["metadata"]["finalizers"] = left
        if left:
            self._replace(resource, stored, obj)
        else:
            del obj["metadata"]["finalizers"]
            self.finish(resource, stored, obj)

    def _delete_namespace(self, resource: Resource, stored: Stored) -> tuple[Stored, bool]:
        obj = stored.obj
        if not terminating(obj):
            obj["metadata"]["deletionTimestamp"] = timestamp(self._env.clock())
            obj["status"]["phase"] = "Terminating"
            stored = self._replace(resource, stored, obj)
            name = stored.key[1]
            self._delete_all(self._store.content(name))
            self._finish_namespace(name)
        return stored, False

    def _finish_namespace(self, name: str) -> None:
        if not name or self._store.size(name):
            return
        found = self._find(_NAMESPACES, ("", name))
        if found is None:
            return
        resource, stored = found
        obj = stored.obj
        if terminating(obj) and not obj["metadata"].get("finalizers"):
            obj["spec"] = {}
            self.finish(resource, stored, obj)

    def _delete_definition(self, resource: Resource, stored: Stored) -> tuple[Stored, bool]:
        if terminating(stored.obj):
            return stored, False
        storage = stored.key[1]
        objects = self._store.collection(storage)
        stored = self._mark(resource, stored, add=CLEANUP)
        self._delete_all([(storage, instance.key) for instance in objects])
        if not len(objects):
            self._finish_definition(storage)
        return stored, self._store.collection(_DEFINITIONS).get(stored.key) is None

    def _finish_definition(self, storage: str) -> None:
        found = self._find(_DEFINITIONS, ("", storage))
        if found is not None and CLEANUP in (found[1].obj["metadata"].get("finalizers") or ()):
            self._drop_finalizer(*found, CLEANUP)
