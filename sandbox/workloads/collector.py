"""The garbage collector, for the kinds that the workloads make: what an owner leaves behind goes after it.

Kubernetes documentation, "Garbage Collection". Background: the owner is gone, its dependents follow. Foreground: the
owner waits, with the finalizer `foregroundDeletion`, until they are gone. Orphan: the owner waits, with the finalizer
`orphan`, until they no longer name it. Before a dependent is deleted the API server is asked whether the owner is
really gone: a cache that lags behind must never cost anybody a pod.
"""

from sandbox.workloads.cache import Cache
from sandbox.workloads.client import KubeError
from sandbox.workloads.objects import Json, Key, controller_of, is_terminating, key_of, uid_of
from sandbox.workloads.queue import KeyQueue
from sandbox.workloads.world import World

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"


class Collector:
    """Keys are the index of a pair of owner and dependent kinds, and the owner's key and uid."""

    def __init__(self, world: World) -> None:
        self.queue: KeyQueue[tuple[int, Key, str]] = KeyQueue()
        self._world = world
        self._pairs = (
            (world.deployments, world.replica_sets),
            (world.replica_sets, world.pods),
            (world.services, world.slices),
        )
        for index, (owners, dependents) in enumerate(self._pairs):
            self._listen(index, owners, dependents)

    def _listen(self, index: int, owners: Cache, dependents: Cache) -> None:
        def on_owner(before: Json | None, after: Json | None) -> None:
            gone = before if after is None or (before and uid_of(before) != uid_of(after)) else None
            for owner in (gone, after if after and is_terminating(after) else None):
                if owner is not None:
                    self.queue.add((index, key_of(owner), uid_of(owner)))

        def on_dependent(before: Json | None, after: Json | None) -> None:
            one = after or before or {"metadata": {}}
            reference = controller_of(one)
            if reference is None or reference["kind"] != owners.resource.kind:
                return
            owner = owners.by_uid(reference["uid"])
            if owner is None or is_terminating(owner):
                self.queue.add((index, (key_of(one)[0], reference["name"]), reference["uid"]))

        owners.listen(on_owner)
        dependents.listen(on_dependent)

    async def reconcile(self, item: tuple[int, Key, str]) -> None:
        index, key, uid = item
        owners, dependents = self._pairs[index]
        left = dependents.controlled_by(uid)
        owner = owners.by_uid(uid)
        if owner is not None:
            finalizers = owner["metadata"].get("finalizers") or []
            if is_terminating(owner) and _ORPHAN in finalizers:
                await self._orphan(dependents, left, uid)
                await self._let_go(owners, owner, _ORPHAN)
            elif is_terminating(owner) and _FOREGROUND in finalizers:
                await self._delete(dependents, left)
                if not left:
                    await self._let_go(owners, owner, _FOREGROUND)
        elif left and await self._is_gone(owners, key, uid):
            await self._delete(dependents, left)

    async def _is_gone(self, owners: Cache, key: Key, uid: str) -> bool:
        try:
            found = await self._world.client.get(owners.resource, *key)
        except KubeError as error:
            if error.code == 404:
                return True
            raise
        return uid_of(found) != uid

    async def _delete(self, dependents: Cache, left: list[Json]) -> None:
        for one in left:
            if not is_terminating(one):
                await self._world.delete(dependents, one)

    async def _orphan(self, dependents: Cache, left: list[Json], uid: str) -> None:
        for one in left:
            references = [ref for ref in one["metadata"]["ownerReferences"] if ref["uid"] != uid]
            freed = {**one, "metadata": {**one["metadata"], "ownerReferences": references}}
            await self._world.replace(dependents, freed)

    async def _let_go(self, owners: Cache, owner: Json, finalizer: str) -> None:
        kept = [one for one in owner["metadata"]["finalizers"] if one != finalizer]
        freed = {**owner, "metadata": {**owner["metadata"], "finalizers": kept}}
        try:
            await self._world.replace(owners, freed)
        except KubeError as error:
            if error.code != 404:
                raise
