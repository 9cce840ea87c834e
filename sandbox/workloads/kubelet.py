"""The kubelet of the one node: gives pods an address and a server, reports their status, ends them.

All pods are run, whoever made them. A deleted pod serves on for the grace period, as a well-behaved one does while load
balancers forget it; then its sockets close and its object goes. `kill` is the opposite: the pod is gone from one moment
to the next, as if its machine had burnt.
"""

from dataclasses import dataclass

import anyio

from sandbox.network import Network
from sandbox.workloads.objects import Json, Key, is_terminating, key_of, says, uid_of
from sandbox.workloads.podserver import PodServer
from sandbox.workloads.podstatus import running_status
from sandbox.workloads.programs import ContainerError, PodProcesses, Programs
from sandbox.workloads.queue import KeyQueue
from sandbox.workloads.world import NODE, World

_RETRY = 1.0


@dataclass(slots=True)
class _Pod:
    """What this node holds for a pod."""

    key: Key
    address: str
    server: PodServer | PodProcesses | None = None
    ends: float | None = None
    """When its grace is over, in the event loop's time; None while nobody has deleted it."""


class Kubelet:
    """Keys are those of pods. `grace` is the longest time, in seconds, for which a deleted pod serves on. A pod for
    whose images there are `programs` runs those; any other has a server of ours.
    """

    def __init__(self, world: World, *, network: Network, grace: float, programs: Programs | None = None) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._world = world
        self._network = network
        self._grace = grace
        self._programs = programs
        self._pods: dict[str, _Pod] = {}
        self._killed: set[str] = set()
        world.pods.listen(self._on_pod)

    def reclaim(self) -> None:
        """Take the addresses that pods have from an earlier run, before a new pod gets one of them."""
        for pod in self._world.pods:
            address = (pod.get("status") or {}).get("podIP")
            if address and not _is_finished(pod) and self._network.claim(address):
                self._pods[uid_of(pod)] = _Pod(key_of(pod), address)

    async def reconcile(self, key: Key) -> None:
        pod = self._world.pods.get(key)
        for uid in [uid for uid, held in self._pods.items() if held.key == key]:
            if pod is None or uid_of(pod) != uid or _is_finished(pod):
                await self._stop(uid)
        if pod is None:
            return
        if is_terminating(pod):
            await self._end(pod)
        elif pod["spec"].get("nodeName", NODE) == NODE and uid_of(pod) not in self._killed and not _is_finished(pod):
            await self._run(pod)

    async def kill(self, key: Key) -> None:
        """End a pod without warning: sockets first, then the object. Raises LookupError if there is no such pod."""
        pod = self._world.pods.get(key)
        if pod is None:
            raise LookupError(f"there is no pod {key[0]}/{key[1]}")
        self._killed.add(uid_of(pod))
        await self._stop(uid_of(pod))
        await self._world.delete(self._world.pods, pod, grace=0)

    async def close(self) -> None:
        """Close all sockets; the objects stay."""
        for uid in list(self._pods):
            await self._stop(uid)

    async def _run(self, pod: Json) -> None:
        uid = uid_of(pod)
        held = self._pods.get(uid)
        if held is None:
            held = self._pods[uid] = _Pod(key_of(pod), self._network.allocate())
        problem = None
        if held.server is None:
            try:
                server = await self._start(pod, self._network.socket_address(held.address))
            except ContainerError as error:
                problem = str(error)
                self.queue.add_after(held.key, _RETRY)
            else:
                if self._pods.get(uid) is not held:
                    await server.stop()
                    return
                held.server = server
        status = running_status(pod, held.address, problem=problem, now=self._world.clock())
        if not says(pod.get("status") or {}, status):
            await self._world.replace(self._world.pods, {**pod, "status": status}, subresource="status")

    async def _start(self, pod: Json, address: str) -> PodServer | PodProcesses:
        """Raises ContainerError."""
        if self._programs is not None and self._programs.have(pod):
            return await PodProcesses.start(pod, address, self._programs, self._world.client.get)
        try:
            return await PodServer.start(pod, address)
        except OSError as error:
            raise ContainerError(f"cannot listen: {error.strerror}") from error

    async def _end(self, pod: Json) -> None:
        uid, now = uid_of(pod), anyio.current_time()
        held = self._pods.get(uid)
        if held is not None:
            if held.ends is None:
                asked = pod["metadata"].get("deletionGracePeriodSeconds")
                held.ends = now + (self._grace if asked is None else min(self._grace, asked))
            if now < held.ends:
                self.queue.add_after(held.key, held.ends - now)
                return
            await self._stop(uid)
        await self._world.delete(self._world.pods, pod, grace=0)

    async def _stop(self, uid: str) -> None:
        held = self._pods.pop(uid, None)
        if held is not None:
            if held.server is not None:
                await held.server.stop()
            self._network.release(held.address)

    def _on_pod(self, before: Json | None, after: Json | None) -> None:
        if before is not None and (after is None or uid_of(after) != uid_of(before)):
            self._killed.discard(uid_of(before))
        self.queue.add(key_of(after or before or {}))


def _is_finished(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
