"""`python -m perf.changes`: what each kind of change costs on a fleet of 1,000 routes, as a table of calls.

A fleet of synthetic routes is programmed on the sandbox, and two more that the changes are made to: one with one
listener, one with two. After each change the controller comes to rest; what it called and wrote until then is the
change's cost. The promise is that none depends on the size of the fleet, and that a weight costs one write for each
listener that carries the rule, and no read.

`costs` makes the changes in any world that has a controller at work on the sandbox, a large one here and small ones in
the tests. Reads are those of VPC Lattice and of the tagging API; what is created or deleted takes some, to see when it
is done, and before the first route is let go after a start all names are read once, a hundred a page, because the
tagging API may not have shown what was young then. Kubernetes writes are those of objects, without Events and the
Lease.
"""

import argparse
import copy
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from controller.work import CONTROLLER_NAME
from perf.bench import PRINTED_WIDTH
from perf.loadtest.kubernetes import Kubernetes
from perf.loadtest.processes import NAMESPACE, Replicas
from perf.loadtest.servers import LOG_LIMIT, Addresses
from perf.loadtest.shape import CLASS, GATEWAY_API, PREFIX, Json, Route, Shape, gateway_name, gateways, namespaces
from sandbox.kube import KubeServer
from sandbox.lattice import LatticeServer, Quotas, Timings, is_write
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.state import Call

SPACE: Final = "perf-changes"
ONE, TWO = "perf-one-listener", "perf-two-listeners"
"""Gateways, and the routes that are attached to them."""

REST_SECONDS: Final = 11.0
"""The controller is at rest when it has called and written nothing for so long: more than it waits before it looks
again by itself."""

LOOK_SECONDS: Final = 0.05
PATIENCE: Final = 900.0


class World(Protocol):
    """A sandbox, and a controller at work on it."""

    @property
    def kube(self) -> KubeServer: ...

    @property
    def lattice(self) -> LatticeServer: ...

    async def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create objects, or make them these."""

    async def delete(self, kind: str, name: str, *, namespace: str) -> None: ...

    async def quiet(self) -> None:
        """Return when the controller is at rest."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one change made the controller do."""

    change: str
    writes: int
    reads: int
    kubernetes: int
    """Writes of objects."""
    calls: Mapping[str, int]
    """The AWS calls by operation."""


class Subject:
    """One of the routes that are changed, with its own Services `blue`, `green` and `red`."""

    def __init__(self, world: World, name: str, listeners: int) -> None:
        self._world = world
        self.name = name
        self.listeners: list[Json] = [
            {"name": f"http-{port}", "port": port, "protocol": "HTTP"} for port in (80, 8080)[:listeners]
        ]
        self.gateway: Json = {
            "apiVersion": GATEWAY_API,
            "kind": "Gateway",
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {"gatewayClassName": CLASS, "listeners": self.listeners},
        }
        self.route: Json = {
            "apiVersion": GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": SPACE, "annotations": {}},
            "spec": {
                "parentRefs": [{"name": name}],
                "rules": [
                    self._rule("/a", ("blue", 90), ("green", 10)),
                    self._rule("/t", ("blue", 1), header="first"),
                    self._rule("/t", ("green", 1), header="second"),
                    self._rule("/", ("blue", 1)),
                ],
            },
        }

    @property
    def rules(self) -> list[Json]:
        """The route's, to be changed."""
        rules: list[Json] = self.route["spec"]["rules"]
        return rules

    async def create(self) -> None:
        """All that it needs, and the route last."""
        create_service_network(self._world.lattice.state, Call("CreateServiceNetwork", {"name": self.name}))
        for number, color in enumerate(("blue", "green", "red")):
            await self._world.apply(self._service(color), self.endpoints(color, f"10.250.{number}.1"))
        await self._world.apply(self.gateway, self.route)

    async def change(self) -> None:
        """Apply the route as it is now."""
        await self._world.apply(self.route)

    def add(self, place: int, path: str, color: str, header: str = "") -> None:
        """One more rule."""
        self.rules.insert(place, self._rule(path, (color, 1), header=header))

    def endpoints(self, color: str, *addresses: str) -> Json:
        """The EndpointSlice of a Service; its second port has endpoints too."""
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{self.name}-{color}-1",
                "namespace": SPACE,
                "labels": {"kubernetes.io/service-name": f"{self.name}-{color}"},
            },
            "addressType": "IPv4",
            "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("web", 8090), ("new", 8091))],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        }

    def _service(self, color: str) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"{self.name}-{color}", "namespace": SPACE},
            "spec": {
                "ports": [
                    {"name": name, "port": port, "protocol": "TCP", "targetPort": target}
                    for name, port, target in (("web", 80, 8090), ("new", 81, 8091))
                ]
            },
        }

    def _rule(self, path: str, *backends: tuple[str, int], header: str = "") -> Json:
        match: Json = {"path": {"type": "PathPrefix", "value": path}}
        if header:
            match["headers"] = [{"name": f"x-{header}", "value": "1"}]
        refs = [{"name": f"{self.name}-{color}", "port": 80, "weight": weight} for color, weight in backends]
        return {"matches": [match], "backendRefs": refs}


async def costs(world: World) -> AsyncIterator[Cost]:
    """Make each kind of change, one after the other, in a world whose fleet is programmed."""
    await world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    one, two = Subject(world, ONE, 1), Subject(world, TWO, 2)
    for subject in (one, two):
        await subject.create()
    await world.quiet()
    for change, edit in _edits(one, two).items():
        yield await _cost(world, change, partial(_edited, world, edit))
    others = [_another(one, name) for name in ("perf-another", "perf-yet-another")]
    await world.apply(others[0])
    await world.quiet()
    yield await _cost(world, "a route is created", partial(world.apply, others[1]))
    for change, other in zip(("the first route is deleted since the start", "a route is deleted"), others, strict=True):
        name = other["metadata"]["name"]
        yield await _cost(world, change, partial(world.delete, "HTTPRoute", name, namespace=SPACE))


def _another(subject: Subject, name: str) -> Json:
    """A route like the subject's, without hostnames."""
    spec = {field: value for field, value in copy.deepcopy(subject.route["spec"]).items() if field != "hostnames"}
    return {**subject.route, "metadata": {"name": name, "namespace": SPACE}, "spec": spec}


Edit = Callable[[], Json]
"""Changes an object of a subject's, and gives it to be applied."""


def _edits(one: Subject, two: Subject) -> dict[str, Edit]:
    """The changes that are made by editing an object, in an order in which each finds what it changes."""

    def edit(subject: Subject, how: Callable[[Subject], object]) -> Edit:
        def edited() -> Json:
            how(subject)
            return subject.route

        return edited

    def listener(subject: Subject, **fields: Any) -> Edit:
        def edited() -> Json:
            subject.listeners[0].update(fields)
            return subject.gateway

        return edited

    def reorder(subject: Subject) -> None:
        subject.rules[1], subject.rules[2] = subject.rules[2], subject.rules[1]

    terminate = {"mode": "Terminate", "options": {f"{PREFIX}certificate-arn": "arn:aws:acm:us-west-2:1:certificate/1"}}
    return {
        "nothing but a label": edit(one, lambda it: it.route["metadata"].update(labels={"seen": "yes"})),
        "a weight": edit(one, lambda it: it.rules[0]["backendRefs"][0].update(weight=80)),
        "a weight, with two listeners": edit(two, lambda it: it.rules[0]["backendRefs"][0].update(weight=80)),
        "an endpoint comes": lambda: one.endpoints("blue", "10.250.0.1", "10.250.0.2"),
        "an endpoint goes": lambda: one.endpoints("blue", "10.250.0.1"),
        "a rule comes, for a backend in use": edit(one, lambda it: it.add(0, "/b", "green", header="canary")),
        "a rule's path changes": edit(one, lambda it: it.rules[0]["matches"][0]["path"].update(value="/c")),
        "a rule goes": edit(one, lambda it: it.rules.pop(0)),
        "two rules change places": edit(one, reorder),
        "a new backend in a rule's place": edit(
            one, lambda it: it.rules[3]["backendRefs"][0].update(name=f"{ONE}-red")
        ),
        "a backend's port": edit(one, lambda it: it.rules[3]["backendRefs"][0].update(port=81)),
        "a tag on all that a route has": edit(
            one, lambda it: it.route["metadata"]["annotations"].update({f"{PREFIX}tags": "team=hotel"})
        ),
        "a listener's port": listener(one, port=8081),
        "a listener's protocol": listener(one, protocol="HTTPS", tls=terminate),
        "back to HTTP": listener(one, protocol="HTTP", tls=None),
        "another Gateway, with another network": edit(
            one, lambda it: it.route["spec"].update(parentRefs=[{"name": TWO}])
        ),
        "a hostname": edit(one, lambda it: it.route["spec"].update(hostnames=["one.example.com"])),
        "another hostname": edit(one, lambda it: it.route["spec"].update(hostnames=["two.example.com"])),
    }


async def _edited(world: World, edit: Edit) -> None:
    await world.apply(edit())


async def _cost(world: World, change: str, make: Callable[[], Awaitable[None]]) -> Cost:
    mark, requests = world.lattice.calls.mark(), len(world.kube.requests)
    await make()
    await world.quiet()
    calls = Counter(world.lattice.calls.by_operation(mark))
    writes = sum(count for operation, count in calls.items() if is_write(operation))
    written = [
        served
        for served in islice(world.kube.requests, requests, None)
        if served.user_agent.startswith("lattice-controller")
        and served.verb in {"create", "update", "patch", "delete"}
        and not served.resource.startswith(("events", "leases"))
    ]
    return Cost(change=change, writes=writes, reads=calls.total() - writes, kubernetes=len(written), calls=dict(calls))


class Deployed:
    """A `World` with the controller as it is deployed, in a process of its own."""

    def __init__(self, kube: KubeServer, lattice: LatticeServer, client: Kubernetes, running: Replicas) -> None:
        self.kube = kube
        self.lattice = lattice
        self._client = client
        self._running = running

    async def apply(self, *objects: Mapping[str, Any]) -> None:
        self.kube.apply(*objects)

    async def delete(self, kind: str, name: str, *, namespace: str) -> None:
        assert kind == "HTTPRoute"
        await self._client.delete_route((namespace, name))

    async def quiet(self) -> None:
        """Raises TimeoutError if the controller does not come to rest."""
        with anyio.fail_after(PATIENCE):
            mark, since = self._mark(), time.monotonic()
            while time.monotonic() - since < REST_SECONDS or not await self._running.are_idle():
                await anyio.sleep(LOOK_SECONDS)
                if (now := self._mark()) != mark:
                    mark, since = now, time.monotonic()

    def _mark(self) -> tuple[int, int]:
        renewals = sum(count for (_, resource, _), count in self.kube.counts.items() if resource.startswith("leases"))
        return self.lattice.calls.mark(), self.kube.counts.total() - renewals


@asynccontextmanager
async def deployed(shape: Shape) -> AsyncGenerator[Deployed]:
    """A world with the fleet of this shape, all of it programmed."""
    with tempfile.TemporaryDirectory() as directory:
        lattice = LatticeServer(timings=Timings.instant(), quotas=Quotas.unlimited())
        async with KubeServer(log_limit=LOG_LIMIT, history=50 * shape.services + 10_000) as kube, lattice:
            for index in range(shape.gateways):
                create_service_network(lattice.state, Call("CreateServiceNetwork", {"name": gateway_name(index)}))
            kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
            kube.apply(*namespaces(shape), *gateways(shape, CONTROLLER_NAME))
            for number in range(shape.routes):
                route = Route(shape, number)
                kube.apply(*route.backends(), route.object())
            addresses = Addresses(kube.url, lattice.url, "", lattice.account, lattice.region)
            settings = {"LATTICE_API_RATES": "100000"}
            async with (
                Kubernetes(kube.url) as client,
                Replicas(1, addresses, Path(directory), settings) as running,
            ):
                await running.start()
                world = Deployed(kube, lattice, client, running)
                await world.quiet()
                yield world


def table(found: list[Cost], routes: int) -> Table:
    """The costs for people."""
    shown = Table(title=f"What a change costs on a fleet of {routes:,} routes", title_justify="left")
    shown.add_column("change")
    for column in ("writes", "reads", "Kubernetes writes"):
        shown.add_column(column, justify="right")
    shown.add_column("calls")
    for one in found:
        calls = ", ".join(
            operation if count == 1 else f"{operation} {count}" for operation, count in sorted(one.calls.items())
        )
        shown.add_row(one.change, str(one.writes), str(one.reads), str(one.kubernetes), calls)
    return shown


async def _measure(shape: Shape) -> list[Cost]:
    async with deployed(shape) as world:
        return [cost async for cost in costs(world)]


def main() -> int:
    """Exit code 1 if a weight costs anything but one write for each listener."""
    parser = argparse.ArgumentParser(prog="python -m perf.changes", description="What each kind of change costs.")
    parser.add_argument("--routes", type=int, default=1000, help="routes of the fleet (default 1000)")
    flags = parser.parse_args()
    found = uvloop.run(_measure(Shape(routes=flags.routes)))
    Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH).print(table(found, flags.routes))
    weights = {one.change: (one.writes, one.reads) for one in found}
    return 0 if (weights["a weight"], weights["a weight, with two listeners"]) == ((1, 0), (2, 0)) else 1


if __name__ == "__main__":
    sys.exit(main())
