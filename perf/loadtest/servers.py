"""The sandbox's process: a Kubernetes API, VPC Lattice, and an address at which the load test looks at both.

It ends when its standard input does, so it never outlives the process that started it. What Lattice keeps to itself,
when a route began to be served in full, is judged here from the emulated account's state, several times a second.
"""

import asyncio
import sys
import time
from itertools import islice

import anyio
import msgspec
import uvloop
from aiohttp import web

from perf.loadtest.conditions import Conditions
from perf.loadtest.shape import PREFIX, Expected, Route, Shape, gateway_name
from sandbox.kube import KubeServer
from sandbox.lattice import LatticeServer, Quotas
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.resources import Service
from sandbox.lattice.state import Call, State

LOOK_SECONDS = 0.05
"""How often the state is looked at, so how exact the times of `programmed` are; more rarely where a look takes long."""

LOOK_SHARE = 0.1
"""Of the process's time, for looking."""

LOG_LIMIT = 4_000_000
"""Requests to the Kubernetes API that are remembered."""


class Order(msgspec.Struct, frozen=True):
    """What the process is started with, as JSON in its one argument."""

    shape: Shape
    conditions: Conditions


class Addresses(msgspec.Struct, frozen=True):
    """What it answers on its standard output, in one line, once it listens."""

    kubernetes: str
    lattice: str
    sight: str
    account: str
    region: str


class Seen(msgspec.Struct, frozen=True):
    """What is new since the marks that were given, and what there is."""

    requests: list[tuple[str, str, str, str, int, str]]
    """Verb, resource, namespace, name, status code, user agent."""
    programmed: list[tuple[str, str, float]]
    """Namespace and name of a route, and when Lattice had all of it, in seconds since the epoch."""
    left: int
    """How many services, target groups and service associations there are."""


def serves(service: Service, expected: Expected) -> bool:
    """Whether the service has all that the route asks for: association, listener, rules, groups filled with targets."""
    associations = list(service.associations.values())
    if service.status != "ACTIVE" or [one.network.name for one in associations] != [expected.network]:
        return False
    if associations[0].status != "ACTIVE" or len(service.listeners) != 1:
        return False
    groups = {}
    for listener in service.listeners.values():
        rules = [rule for rule in listener.rules.values() if not rule.is_default]
        if len(rules) != expected.rules:
            return False
        groups = {group.id: group for rule in rules for group, _ in rule.action.forward}
    return len(groups) == expected.groups and all(
        sum(not target.draining for target in group.targets.values()) >= expected.targets for group in groups.values()
    )


class Sight:
    """Looks at both servers for the load test."""

    def __init__(self, kube: KubeServer, state: State, expected: list[Expected]) -> None:
        self._kube = kube
        self._state = state
        self._pending = {(one.namespace, one.name): one for one in expected}
        self._programmed: list[tuple[str, str, float]] = []

    async def watch(self) -> None:
        """Note when routes come to be served, until all are."""
        took = 0.0
        while self._pending:
            await anyio.sleep(max(LOOK_SECONDS, took / LOOK_SHARE))
            self._state.transitions.run_due()
            now = time.time()
            for service in self._state.services:
                route = (service.tags.get(PREFIX + "RouteNamespace", ""), service.tags.get(PREFIX + "RouteName", ""))
                expected = self._pending.get(route)
                if expected is not None and serves(service, expected):
                    del self._pending[route]
                    self._programmed.append((*route, now))
            took = time.time() - now

    async def answer(self, request: web.Request) -> web.Response:
        """`Seen` since the marks `requests` and `programmed`."""
        requests, programmed = (int(request.query[name]) for name in ("requests", "programmed"))
        state = self._state
        seen = Seen(
            [
                (one.verb, one.resource, one.namespace, one.name, one.code, one.user_agent)
                for one in islice(self._kube.requests, requests, None)
            ],
            self._programmed[programmed:],
            len(state.services) + len(state.target_groups) + len(state.service_associations),
        )
        return web.Response(body=msgspec.json.encode(seen), content_type="application/json")


async def serve(order: Order) -> None:
    """Run both servers until standard input ends."""
    shape, conditions = order.shape, order.conditions
    lattice = LatticeServer(
        seed=conditions.seed,
        timings=conditions.timings(),
        quotas=Quotas.unlimited(),
        latency=conditions.latency,
    )
    history = max(10_000, 20 * shape.services)
    async with KubeServer(seed=conditions.seed, log_limit=LOG_LIMIT, history=history) as kube, lattice:
        for index in range(shape.gateways):
            create_service_network(lattice.state, Call("CreateServiceNetwork", {"name": gateway_name(index)}))
        sight = Sight(kube, lattice.state, [Route(shape, number).expected for number in range(shape.routes)])
        app = web.Application()
        app.router.add_get("/seen", sight.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sight.watch)
            addresses = Addresses(kube.url, lattice.url, url, lattice.account, lattice.region)
            sys.stdout.buffer.write(msgspec.json.encode(addresses) + b"\n")
            sys.stdout.buffer.flush()
            await anyio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
        await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(msgspec.json.decode(sys.argv[1], type=Order)))
