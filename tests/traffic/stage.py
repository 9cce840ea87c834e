"""What the changes under traffic happen on: a sandbox with workloads and a data plane; the controller is a process."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import orjson
import pytest

from sandbox.demo.process import Controller, controller
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.state import Call
from sandbox.lattice.timings import Timings
from sandbox.sandbox import Sandbox, start
from tests.e2e.harness import PREFIX, path_of
from tests.e2e.objects import gateway, gateway_class
from tests.support.checked import checked
from tests.traffic.steady import Caller, Traffic

PATIENCE = 120.0
"""Seconds that only a defect exceeds."""

PODS = 2
"""Of each workload."""

Json = dict[str, Any]


class Stage:
    """The user's hands: applies objects, looks at them, and waits."""

    def __init__(self, sandbox: Sandbox, traffic: Traffic, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.traffic = traffic
        self._http = http

    async def apply(self, *objects: Mapping[str, Any]) -> None:
        for obj in objects:
            meta = obj["metadata"]
            path = path_of(obj["kind"], meta.get("namespace", ""), meta["name"])
            await self._send("PATCH", f"{path}?fieldManager=user&force=true", obj, "application/apply-patch+yaml")

    async def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        await self._send("DELETE", path_of(kind, namespace, name), {}, "application/json")

    async def _send(self, method: str, path: str, body: Any, media: str) -> Json:
        url = f"{self.sandbox.cluster.url}{path}"
        headers = {"Content-Type": media}
        async with self._http.request(method, url, data=orjson.dumps(body), headers=headers) as response:
            text = await response.text()
            assert response.status < 300, f"{method} {path}: {response.status} {text}"
            return orjson.loads(text)

    async def patch(
        self, kind: str, name: str, change: Json, *, namespace: str = "default", subresource: str = ""
    ) -> None:
        """A merge patch, of a subresource if one is named."""
        path = path_of(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        await self._send("PATCH", path, change, "application/merge-patch+json")

    async def annotate(self, kind: str, name: str, namespace: str = "", **annotations: str) -> None:
        """Set annotations of our prefix."""
        named = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in annotations.items()}
        await self.patch(kind, name, {"metadata": {"annotations": named}}, namespace=namespace)

    async def get(self, kind: str, name: str, namespace: str = "default") -> Json:
        async with self._http.get(f"{self.sandbox.cluster.url}{path_of(kind, namespace, name)}") as response:
            return orjson.loads(await response.text())

    async def programmed(self, name: str, namespace: str = "default") -> str:
        """The domain of a route's service, once its status tells of the route as it is."""
        domain = f"{PREFIX}lattice-assigned-domain-name"

        def told(route: Json) -> bool:
            parents = route.get("status", {}).get("parents", [])
            conditions = [each for parent in parents for each in parent["conditions"] if each["type"] == "Accepted"]
            return domain in route["metadata"].get("annotations", {}) and any(
                each["status"] == "True"
                and each["observedGeneration"] == route["metadata"]["generation"]
                and "DNS Name" in each["message"]
                for each in conditions
            )

        deadline = time.monotonic() + PATIENCE
        while True:
            route = await self.get("HTTPRoute", name, namespace)
            if told(route):
                return str(route["metadata"]["annotations"][domain])
            assert time.monotonic() < deadline, f"{namespace}/{name} is not programmed: {route.get('status')}"
            await anyio.sleep(0.05)

    async def endpoints(self, service: str, port: int, namespace: str = "default") -> list[tuple[str, int]]:
        """Address and port of the endpoints behind a Service's port, once all pods are there."""
        path = path_of("EndpointSlice", namespace, "")
        selected = f"{path}?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
        deadline = time.monotonic() + PATIENCE
        while True:
            async with self._http.get(f"{self.sandbox.cluster.url}{selected}") as response:
                slices = orjson.loads(await response.text())["items"]
            found = [
                (address, at["port"])
                for one in slices
                for at in one["ports"] or ()  # A slice of no pods has no ports either.
                if at["name"] == f"p{port}"
                for endpoint in one["endpoints"] or ()
                if endpoint["conditions"]["ready"]
                for address in endpoint["addresses"]
            ]
            if len(found) == PODS:
                return found
            assert time.monotonic() < deadline, f"{namespace}/{service} has the endpoints {found}"
            await anyio.sleep(0.05)

    async def roll(self, workload: str, namespace: str = "default") -> None:
        """Have each of a workload's pods replaced, one after the other, as far as its target groups have it.

        The sandbox's API server knows no grace period. So a pod does not end, but it leaves its ReplicaSet, which makes
        another one, and its Service, and goes on to answer whoever still asks it: as a pod does that drains.
        """
        path = f"/api/v1/namespaces/{namespace}/pods"
        async with self._http.get(f"{self.sandbox.cluster.url}{path}?labelSelector=app%3D{workload}") as response:
            pods = orjson.loads(await response.text())["items"]
        leave = {"metadata": {"labels": {"app": "none"}, "ownerReferences": None}}
        for pod in pods:
            await self._send("PATCH", f"{path}/{pod['metadata']['name']}", leave, "application/merge-patch+json")
            await self._replaced(workload, namespace, pod["status"]["podIP"])

    async def _replaced(self, service: str, namespace: str, address: str) -> None:
        """Return when no target group of the Service sends anything to the address, and each has all pods."""
        backend = {(f"{PREFIX}ServiceName", service), (f"{PREFIX}ServiceNamespace", namespace)}
        deadline = time.monotonic() + PATIENCE
        while True:
            groups = [
                {target.id for target in group.targets.values() if target.healthy and not target.draining}
                for group in self.sandbox.lattice.state.target_groups
                if backend <= group.tags.items()
            ]
            if all(address not in serving and len(serving) == PODS for serving in groups):
                return
            assert time.monotonic() < deadline, f"{address} of {namespace}/{service} is not replaced: {groups}"
            await anyio.sleep(0.05)

    async def answers(self, url: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Return when a caller of this URL is answered with this text: traffic starts on what works."""
        caller = Caller(url, frozenset({text}), dict(headers or {}))
        deadline = time.monotonic() + PATIENCE
        while True:
            status, body = await self.traffic.ask(caller)
            if status == 200 and text in body:
                return
            assert time.monotonic() < deadline, f"{url} is answered with {status} {body}"
            await anyio.sleep(0.05)

    async def settled(self) -> None:
        """Return when nothing has been written to Lattice for a while: the last change is done."""
        mark, rested = -1, 0
        with anyio.fail_after(PATIENCE):
            while rested < 20:
                now = self.sandbox.lattice.calls.mark()
                rested = rested + 1 if now == mark else 0
                mark = now
                await anyio.sleep(0.05)

    async def change(self, act: Callable[[], Any], *callers: tuple[Caller, str]) -> None:
        """A change under way: each caller may also be answered in this new way, and once it is settled only so."""
        for caller, new in callers:
            caller.right |= {new}
        await anyio.sleep(0.2)
        await act()
        for caller, new in callers:
            await caller.is_answered(new)
        await self.settled()
        for caller, new in callers:
            caller.right = frozenset({new})
        await anyio.sleep(0.3)


def workload(
    name: str,
    *,
    namespace: str = "default",
    ports: Mapping[int, int] | None = None,
    says: str = "",
    pods: int = PODS,
) -> list[Json]:
    """A Deployment of pods that answer with its name, or with what it `says`, and its Service; `ports` have their
    targetPorts."""
    ports = ports or {80: 8090}
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": "public.ecr.aws/x2j8p8w7/http-server:latest",
                            "env": [{"name": "PodName", "value": f"<{says or name}>"}],
                            "ports": [{"containerPort": port} for port in sorted(set(ports.values()))],
                        }
                    ]
                },
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": labels,
            "ports": [
                {"name": f"p{port}", "protocol": "TCP", "port": port, "targetPort": target}
                for port, target in ports.items()
            ],
        },
    }
    return [deployment, service]


@asynccontextmanager
async def stage(directory: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    """A sandbox with a service network, our GatewayClass and a Gateway of the network's name, open to all namespaces.

    No controller yet. The traffic ends before the sandbox does; what became of its requests is told at the end of the
    run, for the test that `request` is of.
    """
    row = request.node.originalname.removeprefix("test_").replace("_", " ")
    async with (
        start(directory, timings=Timings.instant(), health_speed=60) as sandbox,
        aiohttp.ClientSession() as http,
        Traffic(sandbox.dataplane.url, partial(_counted, request, row)).running() as traffic,
    ):
        create_service_network(sandbox.lattice.state, Call("CreateServiceNetwork", {"name": "my-hotel"}))
        made = Stage(sandbox, traffic, http)
        open_to_all = gateway()
        for listener in open_to_all["spec"]["listeners"]:
            listener["allowedRoutes"] = {"namespaces": {"from": "All"}}
        await made.apply(gateway_class(), open_to_all)
        yield made


def _counted(request: pytest.FixtureRequest, row: str, what: str, number: int) -> None:
    checked(request, "Changes under steady traffic, by request", row=row, column=what, count=number)


@asynccontextmanager
async def working(one: Stage, directory: Path, **settings: str) -> AsyncGenerator[Controller]:
    """The controller runs for as long as the context lasts, with these settings; it has begun to look at Lattice."""
    mark = one.sandbox.lattice.calls.mark()
    async with controller({**one.sandbox.environment, **settings}, directory / "controller.log") as running:
        with anyio.fail_after(PATIENCE):
            while one.sandbox.lattice.calls.mark() == mark:  # noqa: ASYNC110 -- the log tells nobody
                await anyio.sleep(0.05)
        yield running
        await running.stop()
