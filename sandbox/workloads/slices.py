"""The EndpointSlice controller: writes what `endpoints.plan` says."""

from sandbox.workloads.endpoints import MANAGED_BY, MANAGER, SERVICE_NAME, is_managed, plan
from sandbox.workloads.names import random_suffix
from sandbox.workloads.objects import Json, Key, key_of, labels_of, selects
from sandbox.workloads.queue import KeyQueue
from sandbox.workloads.world import World


class EndpointSliceController:
    """Keys are those of Services."""

    def __init__(self, world: World) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._world = world
        world.services.listen_for_keys(self.queue.add)
        world.pods.listen(self._on_pod)
        world.slices.listen(self._on_slice)

    async def reconcile(self, key: Key) -> None:
        world = self._world
        service = world.services.get(key)
        if service is None:
            return
        held = [one for one in world.slices.in_namespace(key[0]) if _is_ours(one, key[1])]
        changes = plan(service, sorted(world.pods.in_namespace(key[0]), key=_age), held)
        for one in changes.create:
            name = f"{key[1]}-{random_suffix(world.random)}"
            meta = {**one["metadata"], "name": name, "generateName": f"{key[1]}-"}
            await world.create(world.slices, {**one, "metadata": meta})
        for one in changes.replace:
            await world.replace(world.slices, one)
        for one in changes.delete:
            await world.delete(world.slices, one)

    def _on_pod(self, before: Json | None, after: Json | None) -> None:
        for service in self._world.services.in_namespace(key_of(after or before or {})[0]):
            selector = service["spec"].get("selector") or {}
            if is_managed(service) and any(pod and selects(selector, labels_of(pod)) for pod in (before, after)):
                self.queue.add(key_of(service))

    def _on_slice(self, before: Json | None, after: Json | None) -> None:
        """Somebody else's hand on our slices is put right."""
        for one in (before, after):
            if one is not None and (name := labels_of(one).get(SERVICE_NAME)):
                self.queue.add((key_of(one)[0], name))


def _is_ours(one: Json, service: str) -> bool:
    labels = labels_of(one)
    return labels.get(SERVICE_NAME) == service and labels.get(MANAGED_BY) == MANAGER


def _age(pod: Json) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]
