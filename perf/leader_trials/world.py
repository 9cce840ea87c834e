"""The world of the trials: the sandbox's two servers, endpoints that keep changing, and the replicas."""

import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp
import anyio
import orjson
import trustme
import yaml

from controller.work import CONTROLLER_NAME
from perf.leader_replica import WITHOUT_DEADMAN
from perf.leader_trials.judgement import Renewal, Write
from perf.leader_trials.options import Options
from perf.leader_trials.replica import Replica
from perf.loadtest.shape import Route, Shape, gateway_name, gateways, namespaces
from perf.ports import free_port
from sandbox.kube import KubeServer
from sandbox.lattice import LatticeServer, Timings
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.state import Call

NAMESPACE = "leader-trials"
CLUSTER, VPC = "trials", "vpc-0123456789abcdef0"

PATIENCE: Final = 120.0
"""Seconds for anything to happen that must."""

_AUTHORITY: Final = "authority.pem"


class World:
    """The sandbox, the traffic and the replicas."""

    def __init__(self, options: Options, directory: Path, kube: KubeServer, lattice: LatticeServer) -> None:
        self.options = options
        self.random = Random(options.seed)
        self.replicas: list[Replica] = []
        self.renewals: list[Renewal] = []
        self._directory = directory
        self._kube = kube
        self._lattice = lattice
        self._http = aiohttp.ClientSession()
        self._count = 0
        self._routes = [Route(Shape(routes=10), number) for number in range(10)]
        (directory / "kubeconfig").write_text(yaml.safe_dump(kube.kubeconfig()))

    async def close(self) -> None:
        for replica in self.replicas:
            replica.kill()
        await self._http.close()

    def prepare(self) -> None:
        """Create what there is to program."""
        shape = self._routes[0].shape
        create_service_network(self._lattice.state, Call("CreateServiceNetwork", {"name": gateway_name(0)}))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._kube.apply(namespace, *namespaces(shape), *gateways(shape, CONTROLLER_NAME))
        for route in self._routes:
            self._kube.apply(*route.backends(), route.object())

    async def remember_renewals(self) -> None:
        """Follow the Lease for as long as the world lasts."""
        url = f"{self._kube.url}/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases?watch=1"
        async with self._http.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
            async for line in response.content:
                spec = orjson.loads(line)["object"].get("spec", {})
                if holder := spec.get("holderIdentity"):
                    at = datetime.fromisoformat(spec["renewTime"]).timestamp()
                    self.renewals.append(Renewal(holder.rpartition("_")[0], at))

    async def change_endpoints(self) -> None:
        """Give the leader something to write, for as long as the world lasts."""
        slices = [part for route in self._routes for part in route.backends() if part["kind"] == "EndpointSlice"]
        number = 0
        while True:
            number += 1
            one = self.random.choice(slices)
            address = f"10.1.{number // 250 % 250}.{1 + number % 250}"
            ready = {"addresses": [address], "conditions": {"ready": True}}
            self._kube.apply({**one, "endpoints": [*one["endpoints"][:1], ready]})
            await anyio.sleep(self.random.expovariate(self.options.changes))

    def start(self) -> Replica:
        """Start one more replica, with a name and a key of its own."""
        self._count += 1
        name = f"replica-{self._count}"
        options = self.options
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._directory / "kubeconfig"),
            "POD_NAME": name,
            "POD_NAMESPACE": NAMESPACE,
            "CLUSTER_NAME": CLUSTER,
            "CLUSTER_VPC_ID": VPC,
            "AWS_ACCOUNT_ID": self._lattice.account,
            "AWS_ENDPOINT_URL": self._lattice.url,
            "AWS_ACCESS_KEY_ID": name,
            "AWS_SECRET_ACCESS_KEY": "trials",
            "AWS_REGION": self._lattice.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LATTICE_API_RATES": "1000",
            "LOG_FORMAT": "json",
            **({"AWS_CA_BUNDLE": str(self._directory / _AUTHORITY)} if options.tls else {}),
            **({} if options.deadman else {WITHOUT_DEADMAN: "1"}),
        }
        arguments = ["--leader-elect", "--metrics-bind-address=0"]
        arguments += [f"--leader-elect-lease-duration={options.duration}s"]
        arguments += [f"--leader-elect-renew-deadline={options.deadline}s"]
        arguments += [f"--leader-elect-retry-period={options.period}s"]
        replica = Replica.start(name, free_port(), arguments, environment, self._directory / f"{name}.log")
        self.replicas.append(replica)
        return replica

    @property
    def leader(self) -> str:
        """Whose the Lease is."""
        return self.renewals[-1].holder if self.renewals else ""

    def writes(self, since: int = 0) -> list[Write]:
        """To VPC Lattice, from a position in its log on."""
        return [Write(one.access_key, one.time, one.operation) for one in self._lattice.calls.writes(since)]

    def operations(self, by: str, since: int = 0) -> list[str]:
        """What a replica has called of AWS, in order."""
        return [one.operation for one in self._lattice.calls.since(since) if one.access_key == by]

    def mark(self) -> int:
        return self._lattice.calls.mark()

    async def readiness(self, replica: Replica) -> str:
        """What the replica answers to a probe of readiness; empty while it does not."""
        try:
            async with self._http.get(replica.health) as response:
                return await response.text()
        except aiohttp.ClientError:
            return ""

    async def programmed(self) -> None:
        """Return when all routes have been."""
        groups = self._lattice.state.target_groups
        await until(lambda: sum(bool(group.targets) for group in groups) == len(self._routes))

    async def whole(self) -> None:
        """Have two replicas, one that leads and one that follows it.

        On a machine that is too busy a replica may lose its lease by itself and end; another takes its place.
        """
        with anyio.fail_after(PATIENCE):
            while True:
                if await self._both_ready():
                    return
                await anyio.sleep(0.05)

    async def _both_ready(self) -> bool:
        self.replicas = [replica for replica in self.replicas if not replica.has_ended()]
        while len(self.replicas) < 2:
            self.start()
        told = [await self.readiness(replica) for replica in self.replicas]
        leads = self.leader in {replica.name for replica in self.replicas}
        return leads and all("ok" in one and ("leads" in one or "follows replica" in one) for one in told)


@asynccontextmanager
async def world(options: Options) -> AsyncGenerator[World]:
    """Both servers with everything programmed, and one replica of two."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leader-trials-")))
        kube = await stack.enter_async_context(KubeServer(seed=options.seed))
        tls = _tls(directory) if options.tls else None
        lattice = await stack.enter_async_context(LatticeServer(seed=options.seed, timings=Timings.instant(), tls=tls))
        made = World(options, directory, kube, lattice)
        made.prepare()
        stack.push_async_callback(made.close)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(made.remember_renewals)
        made.start()
        await made.programmed()
        tasks.start_soon(made.change_endpoints)
        yield made


async def until(condition: Callable[[], Any]) -> None:
    """Return when it holds; raises TimeoutError when that takes longer than PATIENCE."""
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 -- of other processes, which set no events here
            await anyio.sleep(0.005)


def _tls(directory: Path) -> ssl.SSLContext:
    """What the server needs for 127.0.0.1; the authority to trust is left in the directory."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / _AUTHORITY)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
