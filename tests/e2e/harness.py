"""A whole world for a test: the sandbox's Kubernetes API and VPC Lattice on real sockets, and the controller between.

The controller runs in this process, wired as the manager wires it, with nothing replaced: its clients talk HTTP to the
sandbox. It can be started, stopped as by SIGTERM, and crashed, which is to be cancelled wherever it happens to be; the
world stays. What was written to whom is told by the logs of the two servers.

Tests have no deadlines of their own: `eventually` waits for an assertion to hold, for a time that only a defect
exceeds, and then fails with the last difference; `quiet` waits until the controller has nothing to do.
"""

import os
from abc import ABC, abstractmethod
from argparse import Namespace
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import anyio
import orjson
import yaml
from prometheus_client import CollectorRegistry

from controller import settings
from controller.kube.client import KubeClient
from controller.kube.config import DEFAULT_NAMESPACE
from controller.kube.lease_marks import LeaseRecord, marks_of_reader
from controller.lattice.client import LatticeClient
from controller.manager import LEASE, USER_AGENT, identity_of, limits_of
from controller.metrics import Metrics
from controller.work import Work
from sandbox.kube import KubeServer
from sandbox.kube.server import Served
from sandbox.kube.store import Collection
from sandbox.lattice import LatticeServer, Quotas, Timings
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.state import Call
from tests.support.living import living

Json = dict[str, Any]

CLUSTER, VPC = "e2e", "vpc-0123456789abcdef0"
PREFIX = "application-networking.k8s.aws/"
CONTROLLER = "application-networking.k8s.aws/gateway-api-controller"
GATEWAY_API = "gateway.networking.k8s.io/v1"

PATIENCE = 90.0
"""Seconds for which `eventually` waits: on a slow machine that runs other tests too, still many times the usual."""

RESOURCES = {
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "Namespace": ("/api/v1", "namespaces", False),
    "Service": ("/api/v1", "services", True),
    "Secret": ("/api/v1", "secrets", True),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices", True),
    "GatewayClass": (f"/apis/{GATEWAY_API}", "gatewayclasses", False),
    "Gateway": (f"/apis/{GATEWAY_API}", "gateways", True),
    "HTTPRoute": (f"/apis/{GATEWAY_API}", "httproutes", True),
    "GRPCRoute": (f"/apis/{GATEWAY_API}", "grpcroutes", True),
    "TLSRoute": (f"/apis/{GATEWAY_API}", "tlsroutes", True),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "ReferenceGrant": ("/apis/gateway.networking.k8s.io/v1beta1", "referencegrants", True),
    "DNSEndpoint": ("/apis/externaldns.k8s.io/v1alpha1", "dnsendpoints", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "Event": ("/apis/events.k8s.io/v1", "events", True),
}


async def eventually(check: Callable[[], object], patience: float = PATIENCE) -> None:
    """Return once `check` holds: no assertion fails and nothing is missing; after `patience` seconds, raise why not."""
    with anyio.move_on_after(patience):
        while True:
            try:
                check()
            except (AssertionError, LookupError, ValueError):
                await anyio.sleep(0.05)
            else:
                return
    check()


def owner_of(server: LatticeServer) -> str:
    """The owner tag of what the controller of this world makes."""
    return f"{server.account}/{CLUSTER}/{VPC}"


def environment(server: LatticeServer) -> dict[str, str]:
    """The environment of a controller for this account: what an AWS SDK needs to find it, and the settings."""
    return {
        "CLUSTER_NAME": CLUSTER,
        "CLUSTER_VPC_ID": VPC,
        "AWS_ACCOUNT_ID": server.account,
        "LATTICE_API_RATES": "10000",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "e2e",
        "AWS_SECRET_ACCESS_KEY": "e2e",
        "AWS_REGION": server.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client_of_lattice(chosen: settings.Settings, metrics: Metrics, **more: Any) -> LatticeClient:
    """As the manager makes it; `more` are arguments of `LatticeClient`."""
    return LatticeClient(
        region=chosen.region,
        endpoint_url=chosen.lattice_endpoint,
        limits=limits_of(chosen),
        observer=metrics.aws,
        **more,
    )


class Controller:
    """One run of the controller in this process."""

    def __init__(
        self,
        work: Work,
        metrics: CollectorRegistry,
        scope: anyio.CancelScope,
        told: anyio.Event,
        may_lead: anyio.Event,
    ) -> None:
        self.work = work
        self.metrics = metrics
        self._may_lead = may_lead
        self._scope = scope
        self.killed = False
        """Whether it was told to end where it is."""
        self._told = told
        self._ended = anyio.Event()

    async def stop(self) -> None:
        """End it as SIGTERM does: what is in work is finished."""
        self._told.set()
        await self._ended.wait()

    async def crash(self) -> None:
        """End it where it happens to be."""
        self.kill()
        await self._ended.wait()

    def lead(self) -> None:
        """Let one that stood by lead."""
        self._may_lead.set()

    def kill(self) -> None:
        """End it where it happens to be, without waiting for that; `crash` waits."""
        self.killed = True
        self._scope.cancel()

    def ended(self) -> None:
        self._ended.set()


class AnyWorld(ABC):
    """A Kubernetes API, whichever, reached by a plain HTTP client; the emulated Lattice; the controller when it runs.

    What cannot be asked of any Kubernetes API in the same way is its subclasses' matter: what is stored, and a number
    that changes with every write.
    """

    def __init__(
        self,
        kubeconfig: Path,
        http: aiohttp.ClientSession,
        lattice: LatticeServer,
        tasks: anyio.abc.TaskGroup,
        settings: Mapping[str, str],
        client: Mapping[str, Any],
    ) -> None:
        self.lattice = lattice
        self.owner = owner_of(lattice)
        self.controller: Controller | None = None
        self.follower: Controller | None = None
        self.left = ""
        """What the Lease says is left of a take-over."""
        self._tasks = tasks
        self._settings = settings
        self._client = client
        self._kubeconfig = kubeconfig
        self._http = http

    async def close(self) -> None:
        await self._http.close()

    @abstractmethod
    def get(self, kind: str, name: str, *, namespace: str = "default") -> Json | None:
        """An object as it is stored, looked at without waiting."""

    @abstractmethod
    def all(self, kind: str) -> list[Json]:
        """All objects of a kind as they are stored."""

    @abstractmethod
    def writes_so_far(self) -> int:
        """A number that grows whenever something is written to the Kubernetes API."""

    # The controller

    async def start(self) -> None:
        """Start a controller and return when it leads."""
        assert self.controller is None
        self.controller = await self._tasks.start(self._run)

    async def stand_by(self) -> None:
        """Start another one, which keeps warm and does not lead."""
        assert self.follower is None
        self.follower = await self._tasks.start(self._run, False)

    def take_over(self) -> None:
        """Let the one that stands by lead, in the place of one that has ended."""
        assert self.controller is None
        assert self.follower is not None
        self.controller, self.follower = self.follower, None
        self.controller.lead()

    async def stop(self) -> None:
        """Stop it as SIGTERM does."""
        assert self.controller is not None
        await self.controller.stop()
        self.controller = None

    async def crash(self) -> None:
        """Kill it in the middle of whatever it does."""
        assert self.controller is not None
        await self.controller.crash()
        self.controller = None

    async def _run(self, leads: bool = True, *, task_status: anyio.abc.TaskStatus[Controller]) -> None:
        told, may_lead = anyio.Event(), anyio.Event()
        if leads:
            may_lead.set()
        with anyio.CancelScope() as scope:
            controller: Controller | None = None
            try:
                async with AsyncExitStack() as stack:
                    stack.enter_context(mock.patch.dict(os.environ, environment(self.lattice)))
                    chosen = settings.load({**environment(self.lattice), **self._settings}, Namespace())
                    registry = CollectorRegistry()
                    metrics = Metrics(registry)
                    kube = KubeClient.from_config(self._kubeconfig, user_agent=USER_AGENT)
                    await stack.enter_async_context(kube)
                    lattice = await stack.enter_async_context(client_of_lattice(chosen, metrics, **self._client))
                    identity = await identity_of(chosen, lattice)
                    work = Work(kube, lattice, identity, metrics, chosen, me="e2e", note_take_over=self.remember)
                    controller = Controller(work, registry, scope, told, may_lead)
                    tasks = await stack.enter_async_context(anyio.create_task_group())
                    tasks.start_soon(work.run)
                    await work.wait_synced()
                    task_status.started(controller)
                    await may_lead.wait()
                    await work.lead(told, grace=30.0, left=self.left)
                    tasks.cancel_scope.cancel()
            finally:
                if controller is not None:
                    controller.ended()

    def remember(self, left: str) -> None:
        """That this is left of a take-over."""
        self.left = left

    async def quiet(self, seconds: float = 0.3) -> None:
        """Return when the controller has nothing to do, or was killed, and made no call for so many seconds."""
        rested = 0.0
        mark = self._mark()
        with anyio.move_on_after(PATIENCE):
            while rested < seconds:
                await anyio.sleep(0.05)
                now = self._mark()
                alive = None if self.controller is None or self.controller.killed else self.controller
                busy = alive is not None and alive.work.pending
                rested = 0.0 if busy or now != mark else rested + 0.05
                mark = now
            return
        pending = self.controller.work.pending if self.controller is not None else 0
        raise AssertionError(f"the controller does not come to rest: {pending} keys pending")

    def _mark(self) -> tuple[int, int]:
        return self.lattice.calls.mark(), self.writes_so_far()

    # Objects

    async def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create objects or make them these, by server-side apply."""
        for obj in objects:
            meta = obj["metadata"]
            path = path_of(obj["kind"], meta.get("namespace", "default"), meta["name"])
            query = {"fieldManager": "e2e", "force": "true"}
            await self._send("PATCH", path, obj, "application/apply-patch+yaml", query)

    async def patch(self, kind: str, name: str, change: Json, *, namespace: str = "default", sub: str = "") -> None:
        """Change an object by a merge patch."""
        path = path_of(kind, namespace, name) + (f"/{sub}" if sub else "")
        await self._send("PATCH", path, change, "application/merge-patch+json")

    async def delete(self, kind: str, name: str, *, namespace: str = "default") -> None:
        """Ask for an object's deletion; its finalizers may keep it for a while."""
        await self._send("DELETE", path_of(kind, namespace, name), None, "application/json")

    async def _send(
        self, method: str, path: str, body: Any, media_type: str, query: Mapping[str, str] | None = None
    ) -> None:
        """One request, repeated as a person would where the API server has one of the faults that a test gave it."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": media_type}
        status, answer = 0, ""
        for _ in range(20):
            async with self._http.request(method, path, data=data, headers=headers, params=query) as response:
                status, answer = response.status, await response.text()
            if status not in {409, 500}:
                break
        assert status < 300, f"{method} {path}: {status} {answer}"

    # What was done

    def lattice_calls(self, since: int = 0) -> dict[str, int]:
        """Calls by operation, of all AWS services."""
        return dict(self.lattice.calls.by_operation(since))

    def make_network(self, name: str) -> str:
        """A service network of this account, as somebody made it by hand; its id."""
        return str(create_service_network(self.lattice.state, Call("CreateServiceNetwork", {"name": name}))["id"])


class World(AnyWorld):
    """The sandbox's two servers."""

    def __init__(
        self,
        kube: KubeServer,
        lattice: LatticeServer,
        directory: Path,
        tasks: anyio.abc.TaskGroup,
        settings: Mapping[str, str],
        client: Mapping[str, Any],
    ) -> None:
        self.kube = kube
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(kube.kubeconfig()))
        super().__init__(kubeconfig, aiohttp.ClientSession(base_url=kube.url), lattice, tasks, settings, client)

    async def start(self) -> None:
        self.remember(self.left)
        await super().start()

    def remember(self, left: str) -> None:
        """In a Lease too, where commands look for it."""
        super().remember(left)
        marks = {**marks_of_reader(LeaseRecord(), left)}
        metadata = {"name": LEASE, "namespace": DEFAULT_NAMESPACE, "annotations": marks}
        self.kube.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": DEFAULT_NAMESPACE}},
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {}},
        )

    def get(self, kind: str, name: str, *, namespace: str = "default") -> Json | None:
        stored = self._collection(kind).get((namespace if RESOURCES[kind][2] else "", name))
        return None if stored is None else stored.obj

    def all(self, kind: str) -> list[Json]:
        return [stored.obj for stored in self._collection(kind).ordered()]

    def _collection(self, kind: str) -> Collection:
        base, plural, _ = RESOURCES[kind]
        group, _, version = base.removeprefix("/apis/").removeprefix("/api/").rpartition("/")
        return self.kube.api.store.collection(self.kube.api.resource(group, version, plural).storage)

    def writes_so_far(self) -> int:
        return self.kube.counts.total()

    def kubernetes_writes(self, since: int = 0) -> list[Served]:
        """The controller's writes of objects, but Events, from a position (a length of `kube.requests`) on."""
        return [
            served
            for served in list(self.kube.requests)[since:]
            if served.user_agent.startswith("lattice-controller")
            and served.verb in {"create", "update", "patch", "delete"}
            and not served.resource.startswith("events")
        ]


def path_of(kind: str, namespace: str, name: str) -> str:
    """An object's path at the API server; without a name, that of the collection."""
    base, plural, namespaced = RESOURCES[kind]
    collection = f"{base}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{base}/{plural}"
    return f"{collection}/{name}" if name else collection


@asynccontextmanager
async def world(
    directory: Path,
    *,
    timings: Timings | None = None,
    quotas: Quotas | None = None,
    settings: Mapping[str, str] | None = None,
    client: Mapping[str, Any] | None = None,
    made_as: type[World] = World,
    **kube: Any,
) -> AsyncGenerator[World]:
    """A world without a controller yet. `directory` gets the kubeconfig; Lattice's states change by the next call if no
    `timings` are given. `settings` are environment variables of the controller's, `client` and `kube` arguments of
    `LatticeClient` and `KubeServer`. `made_as` is the class of the world.
    """
    async with (
        KubeServer(seed=1, **kube) as api,
        LatticeServer(timings=timings or Timings.instant(), quotas=quotas, validate_answers=True) as lattice,
        living(lambda tasks: made_as(api, lattice, directory, tasks, settings or {}, client or {})) as made,
    ):
        yield made
