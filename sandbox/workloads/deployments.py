"""The Deployment controller: makes, scales and removes ReplicaSets, one planned step after the other."""

from sandbox.workloads.names import template_hash
from sandbox.workloads.objects import Json, Key, controller_of, is_terminating, key_of, owned_by, says, uid_of
from sandbox.workloads.objects import with_condition as condition
from sandbox.workloads.queue import KeyQueue
from sandbox.workloads.rollout import (
    HASH_LABEL,
    REVISION,
    bounds,
    current_replica_set,
    next_step,
    replicas_of,
    revision_of,
)
from sandbox.workloads.world import World


class DeploymentController:
    """Keys are those of Deployments."""

    def __init__(self, world: World) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._world = world
        world.deployments.listen_for_keys(self.queue.add)
        world.replica_sets.listen(self._on_replica_set)

    async def reconcile(self, key: Key) -> None:
        world = self._world
        deployment = world.deployments.get(key)
        if deployment is None:
            return
        if not is_terminating(deployment):
            owned = world.replica_sets.controlled_by(uid_of(deployment))
            step = next_step(deployment, owned)
            if step.create is not None:
                revision = max(map(revision_of, owned), default=0) + 1
                await world.create(world.replica_sets, replica_set(deployment, step.create, revision))
            for one in owned:
                name = one["metadata"]["name"]
                if name in step.scale:
                    scaled = {**one, "spec": {**one["spec"], "replicas": step.scale[name]}}
                    await world.replace(world.replica_sets, scaled)
                if name in step.remove:
                    await world.delete(world.replica_sets, one)
            deployment = await self._mark_revision(deployment)
        await self._report(deployment)

    async def _mark_revision(self, deployment: Json) -> Json:
        """Give the current ReplicaSet the highest revision, also after a rollback, and tell it on the Deployment."""
        world = self._world
        owned = world.replica_sets.controlled_by(uid_of(deployment))
        current = current_replica_set(deployment, owned)
        if current is None:
            return deployment
        newest = max(map(revision_of, owned))
        if revision_of(current) < newest:
            newest += 1
            current = await world.replace(world.replica_sets, _annotated(current, newest))
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) == str(newest):
            return deployment
        return await world.replace(world.deployments, _annotated(deployment, newest))

    async def _report(self, deployment: Json) -> None:
        world = self._world
        owned = world.replica_sets.controlled_by(uid_of(deployment))
        current = current_replica_set(deployment, owned)
        desired = replicas_of(deployment)
        total, updated = _sum(owned, "replicas"), 0 if current is None else _sum([current], "replicas")
        available = _sum(owned, "availableReplicas")
        enough = available >= desired - bounds(deployment)[1]
        complete = updated == total == available == desired
        now = world.clock()
        status = {
            "observedGeneration": deployment["metadata"].get("generation", 0),
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": _sum(owned, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(desired - available, 0),
            "conditions": [
                condition(
                    deployment,
                    "Available",
                    true=enough,
                    now=now,
                    reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
                    message=f"{available} of {desired} pods are available.",
                ),
                condition(
                    deployment,
                    "Progressing",
                    true=True,
                    now=now,
                    reason="NewReplicaSetAvailable" if complete else "ReplicaSetUpdated",
                    message="The rollout is complete." if complete else "The rollout is under way.",
                ),
            ],
        }
        if not says(deployment.get("status") or {}, status):
            await world.replace(world.deployments, {**deployment, "status": status}, subresource="status")

    def _on_replica_set(self, before: Json | None, after: Json | None) -> None:
        owner = controller_of(after or before or {"metadata": {}})
        if owner and (deployment := self._world.deployments.by_uid(owner["uid"])):
            self.queue.add(key_of(deployment))


def replica_set(deployment: Json, replicas: int, revision: int) -> Json:
    """The ReplicaSet of the Deployment's present template."""
    meta, spec = deployment["metadata"], deployment["spec"]
    template = spec["template"]
    mark = {HASH_LABEL: template_hash(template)}
    labels = {**((template.get("metadata") or {}).get("labels") or {}), **mark}
    selector = spec["selector"]
    return {
        "metadata": {
            "namespace": meta["namespace"],
            "name": f"{meta['name']}-{mark[HASH_LABEL]}",
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": owned_by(deployment, "apps/v1", "Deployment"),
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **mark}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }


def _annotated(obj: Json, revision: int) -> Json:
    annotations = {**(obj["metadata"].get("annotations") or {}), REVISION: str(revision)}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def _sum(replica_sets: list[Json], field: str) -> int:
    return sum((one.get("status") or {}).get(field, 0) for one in replica_sets)
