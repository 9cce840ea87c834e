"""All controllers together, against one API server."""

import ssl as tls
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import aiohttp
import anyio
from anyio.abc import TaskStatus

from sandbox.network import Network
from sandbox.workloads.client import KubeClient
from sandbox.workloads.collector import Collector
from sandbox.workloads.deployments import DeploymentController
from sandbox.workloads.kubelet import Kubelet
from sandbox.workloads.programs import Programs
from sandbox.workloads.queue import work
from sandbox.workloads.replicasets import ReplicaSetController
from sandbox.workloads.slices import EndpointSliceController
from sandbox.workloads.world import World


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request from a pod was answered with."""

    status: int
    headers: Mapping[str, str]
    text: str


class Workloads:
    """Deployments, ReplicaSets, pods and EndpointSlices that live, on the API server at `kube_url`.

    `token` is a bearer token, `ssl` the context for an https URL. `seed` makes names and choices repeatable; `grace` is
    the longest time, in seconds, for which a deleted pod serves on. `clock` tells the time that goes into objects.
    `programs` are what images run; without, and for all others, a pod answers as the public walk-through's does.
    """

    def __init__(
        self,
        kube_url: str,
        *,
        token: str | None = None,
        ssl: tls.SSLContext | None = None,
        network: Network,
        seed: int = 0,
        grace: float = 1.0,
        clock: Callable[[], datetime] = _utc_now,
        programs: Programs | None = None,
    ) -> None:
        self._network = network
        self._client = KubeClient(kube_url, token=token, ssl_context=ssl)
        self._world = World.of(self._client, random=Random(seed), clock=clock)  # noqa: S311 - names, not secrets
        self._kubelet = Kubelet(self._world, network=network, grace=grace, programs=programs)
        self._deployments = DeploymentController(self._world)
        self._replica_sets = ReplicaSetController(self._world)
        self._slices = EndpointSliceController(self._world)
        self._collector = Collector(self._world)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled; started when everything that the API server holds is known.

        What was there before is taken up: pods keep their names and addresses. Raises NetworkUnavailableError where
        there can be no pods, and KubeError if the API server refuses the lists for good (in an ExceptionGroup).
        """
        self._network.check()
        async with self._client, anyio.create_task_group() as tasks:
            try:
                for cache in self._world.caches:
                    await tasks.start(cache.run)
                self._kubelet.reclaim()
                tasks.start_soon(work, "deployment", self._deployments.queue, self._deployments.reconcile)
                tasks.start_soon(work, "replicaset", self._replica_sets.queue, self._replica_sets.reconcile)
                tasks.start_soon(work, "pod", self._kubelet.queue, self._kubelet.reconcile)
                tasks.start_soon(work, "service", self._slices.queue, self._slices.reconcile)
                tasks.start_soon(work, "garbage", self._collector.queue, self._collector.reconcile)
                task_status.started()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._kubelet.close()

    async def kill(self, namespace: str, pod: str) -> None:
        """Let a pod die without warning: its sockets close at once and its object goes; its ReplicaSet makes another.

        Raises LookupError if there is no such pod.
        """
        await self._kubelet.kill((namespace, pod))

    async def request(
        self,
        pod_namespace: str,
        pod_name: str,
        url: str,
        *,
        via: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Make a request as a pod: from the pod's address, to `url`, through the data plane at `via`.

        The name in `url` is not resolved; as in a VPC, every service is behind the data plane's address. Raises
        LookupError if there is no such pod or it has no address yet, and aiohttp.ClientError if the request fails.
        """
        pod = self._world.pods.get((pod_namespace, pod_name))
        address = None if pod is None else (pod.get("status") or {}).get("podIP")
        if address is None:
            raise LookupError(f"there is no running pod {pod_namespace}/{pod_name}")
        source = aiohttp.TCPConnector(local_addr=(self._network.socket_address(address), 0))
        async with (
            aiohttp.ClientSession(connector=source) as session,
            session.request(method, url, headers=headers, data=body, proxy=via, allow_redirects=False) as answer,
        ):
            return Answer(answer.status, dict(answer.headers), await answer.text())
