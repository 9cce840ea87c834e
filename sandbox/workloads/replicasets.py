"""The ReplicaSet controller: as many pods as are asked for, a new one for each that is gone.

Pods are counted by their owner reference; stray pods that only match the selector are not adopted.
"""

from datetime import datetime, timedelta

from sandbox.workloads.names import random_suffix
from sandbox.workloads.objects import (
    Json,
    Key,
    condition,
    controller_of,
    is_terminating,
    is_true,
    key_of,
    owned_by,
    parse_timestamp,
    says,
    uid_of,
)
from sandbox.workloads.queue import KeyQueue
from sandbox.workloads.rollout import replicas_of
from sandbox.workloads.world import NODE, World


class ReplicaSetController:
    """Keys are those of ReplicaSets."""

    def __init__(self, world: World) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._world = world
        world.replica_sets.listen_for_keys(self.queue.add)
        world.pods.listen(self._on_pod)

    async def reconcile(self, key: Key) -> None:
        world = self._world
        replica_set = world.replica_sets.get(key)
        if replica_set is None:
            return
        if not is_terminating(replica_set):
            active = self._active(replica_set)
            missing = replicas_of(replica_set) - len(active)
            for _ in range(missing):
                await world.create(world.pods, pod(replica_set, random_suffix(world.random)))
            for victim in victims(active, -missing):
                await world.delete(world.pods, victim)
        await self._report(replica_set)

    async def _report(self, replica_set: Json) -> None:
        active = self._active(replica_set)
        ready = [one for one in active if is_true(one, "Ready")]
        wait = timedelta(seconds=replica_set["spec"].get("minReadySeconds", 0))
        pending = [left for one in ready if (left := _ready_since(one) + wait - self._world.clock()) > timedelta()]
        status = {
            "observedGeneration": replica_set["metadata"].get("generation", 0),
            "replicas": len(active),
            "fullyLabeledReplicas": len(active),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready) - len(pending),
        }
        if pending:
            self.queue.add_after(key_of(replica_set), min(pending).total_seconds())
        if not says(replica_set.get("status") or {}, status):
            changed = {**replica_set, "status": status}
            await self._world.replace(self._world.replica_sets, changed, subresource="status")

    def _active(self, replica_set: Json) -> list[Json]:
        pods = self._world.pods.controlled_by(uid_of(replica_set))
        return [one for one in pods if not is_terminating(one) and not _is_finished(one)]

    def _on_pod(self, before: Json | None, after: Json | None) -> None:
        for version in filter(None, (before, after)):  # A pod that was let go is missed by who had it.
            owner = controller_of(version)
            if owner and (replica_set := self._world.replica_sets.by_uid(owner["uid"])):
                self.queue.add(key_of(replica_set))


def pod(replica_set: Json, suffix: str) -> Json:
    """A pod of the ReplicaSet's template, on the one node there is."""
    name, template = replica_set["metadata"]["name"], replica_set["spec"]["template"]
    meta = template.get("metadata") or {}
    made: Json = {
        "namespace": replica_set["metadata"]["namespace"],
        "name": f"{name}-{suffix}",
        "generateName": f"{name}-",
        "labels": meta.get("labels") or {},
        "ownerReferences": owned_by(replica_set, "apps/v1", "ReplicaSet"),
    }
    if annotations := meta.get("annotations"):
        made["annotations"] = annotations
    return {"metadata": made, "spec": {**template["spec"], "nodeName": NODE}}


def victims(pods: list[Json], count: int) -> list[Json]:
    """Which pods go when there are too many: those that serve nobody first, then the youngest (none for count <= 0)."""

    youngest_first = sorted(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]), reverse=True)
    return sorted(youngest_first, key=lambda one: is_true(one, "Ready"))[: max(count, 0)]


def _ready_since(one: Json) -> datetime:
    found = condition(one, "Ready")
    assert found is not None
    return parse_timestamp(found["lastTransitionTime"])


def _is_finished(one: Json) -> bool:
    return (one.get("status") or {}).get("phase") in ("Succeeded", "Failed")
