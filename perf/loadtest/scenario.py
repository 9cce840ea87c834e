"""The load test's phases: start, load with endpoint changes, more routes while AWS throttles, restart, delete.

Throttling has a phase of its own, so that the load's calls and times are those of an account that keeps up, and so that
it comes about at all: the controller's own rates are made to stay below AWS's.

Each phase ends when what it is about is there and the controller has come to rest, or when its time is over; then the
next goes on with what there is, and the report says so.
"""

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec

from perf.loadtest import results as measured
from perf.loadtest import shape as objects
from perf.loadtest.conditions import Conditions, parse_rates
from perf.loadtest.kubernetes import AT_ONCE, Creator, Kubernetes, Name, speaks_of_throttles
from perf.loadtest.processes import NAMESPACE, Replicas, sandbox
from perf.loadtest.results import Phase, Read, Results, Summary, Throttled
from perf.loadtest.servers import Addresses, Order
from perf.loadtest.shape import Json, Route, Shape
from perf.loadtest.sight import Sight

CONTROLLER_NAME = "application-networking.k8s.aws/gateway-api-controller"

REST_SECONDS = 2.5
"""The controller is at rest when it has called and written nothing for so long."""

LOOK_SECONDS = 0.1

Show = Callable[[str, float, float], None]
"""Told of progress: of what, how many of it are done, and of how many."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. Raises ValueError for numbers that make no sense."""

    shape: Shape
    conditions: Conditions
    changes: int = 50
    """Endpoint changes during the load."""
    throttled_routes: int = 20
    """Routes that are created on top of the shape's while AWS throttles."""
    replicas: int = 2
    api_rates: str = ""
    """The controller's LATTICE_API_RATES; empty for its own."""
    phase_seconds: float = 600.0
    """After so long a phase is given up."""

    def __post_init__(self) -> None:
        if self.replicas < 1 or self.throttled_routes < 0:
            raise ValueError("there is at least one replica, and not less than no throttled route")
        self.everything()

    @property
    def throttles(self) -> bool:
        """Whether there is a phase in which AWS throttles."""
        return bool(self.throttled_routes and parse_rates(self.conditions.throttles))

    def everything(self) -> Shape:
        """The shape with the routes of that phase."""
        more = self.throttled_routes if self.throttles else 0
        return msgspec.structs.replace(self.shape, routes=self.shape.routes + more)


async def run(plan: Plan, directory: Path, show: Show) -> Results:
    """Run the load test. `directory` gets the replicas' logs and kubeconfig."""
    async with AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(sandbox(Order(plan.everything(), plan.conditions)))
        kube = await stack.enter_async_context(Kubernetes(addresses.kubernetes))
        sight = await stack.enter_async_context(Sight(addresses))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(sight.run)
        await tasks.start(kube.watch_routes)
        results = await _Scenario(plan, directory, show, addresses, kube, sight).run()
        tasks.cancel_scope.cancel()
    return results


class _Scenario:
    def __init__(
        self, plan: Plan, directory: Path, show: Show, addresses: Addresses, kube: Kubernetes, sight: Sight
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._show = show
        self._addresses = addresses
        self._kube = kube
        self._sight = sight
        self._phases: list[Phase] = []
        everything = plan.everything()
        routes = [Route(everything, number) for number in range(everything.routes)]
        self._routes = {(one.namespace, one.name): one for one in routes[: plan.shape.routes]}
        self._creator = Creator(kube, self._routes.values())
        self._late_creator = Creator(kube, routes[plan.shape.routes :])
        self._created_seconds = 0.0
        self._asked: dict[str, float] = {}
        """When the endpoint of an address was added, in seconds since the epoch."""

    async def run(self) -> Results:
        load, late = len(self._routes), self._plan.everything().routes - len(self._routes)
        await self._kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        async with self._replicas() as running:
            await self._phase("start", running, self._start, load, fresh=True)
            before = len(self._sight.requests)
            await self._phase("load", running, self._load, load)
            requests = self._sight.requests[before:]
            warnings = [event for event in await self._kube.all("Event") if event.get("type") == "Warning"]
            if self._plan.throttles:
                await self._sight.throttle(parse_rates(self._plan.conditions.throttles))
                await self._phase("throttled", running, self._throttled, late)
                await self._sight.throttle({})
            throttled = await self._of_throttled(late) if self._plan.throttles else None
        async with self._replicas() as running:
            before = len(self._sight.calls)
            await self._phase("restart", running, self._rest, load + late, fresh=True)
            read = Read.of(self._sight.calls[before:])
            await self._phase("delete", running, self._delete, load + late)
        return self._results(requests, warnings, throttled, read)

    def _replicas(self) -> Replicas:
        settings = {"LATTICE_API_RATES": self._plan.api_rates}
        return Replicas(self._plan.replicas, self._addresses, self._directory, settings)

    async def _phase(
        self,
        name: str,
        running: Replicas,
        work: Callable[[Replicas], Awaitable[None]],
        routes: int,
        *,
        fresh: bool = False,
    ) -> None:
        """Run one phase, which is about so many routes, and note what happened; a `fresh` one starts the replicas."""
        sight = self._sight
        calls, requests = len(sight.calls), len(sight.requests)
        before = [] if fresh else running.usages()
        began = time.monotonic()
        if fresh:
            await running.start()
        with anyio.move_on_after(self._plan.phase_seconds) as scope:
            await work(running)
        seconds = time.monotonic() - began - min(sight.rested, REST_SECONDS)
        await sight.look()
        self._phases.append(
            measured.phase(
                name,
                sight.calls[calls:],
                sight.requests[requests:],
                seconds=seconds,
                finished=not scope.cancelled_caught,
                routes=routes,
                usages=running.usages(),
                before=before,
            )
        )

    async def _start(self, running: Replicas) -> None:
        for obj in (*objects.namespaces(self._plan.shape), *objects.gateways(self._plan.shape, CONTROLLER_NAME)):
            await self._kube.create(obj)
        await self._rest(running)

    async def _load(self, running: Replicas) -> None:
        count = len(self._routes)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._create)
            if self._plan.changes:
                tasks.start_soon(self._change)
            while min(len(self._sight.programmed), len(self._kube.reported)) < count:
                self._show("created", len(self._creator.created), count)
                self._show("programmed", len(self._sight.programmed), count)
                self._show("reported", len(self._kube.reported), count)
                await anyio.sleep(LOOK_SECONDS)
        self._show("programmed", count, count)
        self._show("reported", count, count)
        await self._rest(running)

    async def _throttled(self, running: Replicas) -> None:
        before = len(self._routes)
        count = self._plan.everything().routes - before
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._late_creator.run)
            while (done := min(len(self._sight.programmed), len(self._kube.reported)) - before) < count:
                self._show("programmed while AWS throttles", max(0, done), count)
                await anyio.sleep(LOOK_SECONDS)
        self._show("programmed while AWS throttles", count, count)
        await self._rest(running)

    async def _create(self) -> None:
        began = time.monotonic()
        await self._creator.run()
        self._created_seconds = time.monotonic() - began
        self._show("created", len(self._routes), len(self._routes))

    async def _change(self) -> None:
        """Add endpoints to Services of programmed routes, spread over the time in which the others are programmed."""
        choose = random.Random(self._plan.conditions.seed)
        changes, count = self._plan.changes, len(self._routes)
        unchanged: dict[Name, Route] = dict(self._routes)
        for number in range(changes):
            await self._until_programmed((number + 1) * count / (changes + 1))
            candidates = [name for name in self._sight.programmed if name in unchanged]
            if not candidates:
                return
            route = unchanged.pop(choose.choice(candidates))
            address = objects.late_address(number)
            self._asked[address] = await self._kube.grow(route.grown(address))
            self._show("endpoint changes", number + 1, changes)

    async def _until_programmed(self, count: float) -> None:
        await _until(lambda: len(self._sight.programmed) >= count)

    async def _delete(self, running: Replicas) -> None:
        names = iter(list(self._kube.present))
        count = len(self._kube.present)

        async def work() -> None:
            for name in names:
                await self._kube.delete_route(name)

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(work)
        while self._kube.present or self._sight.left:
            self._show("deleted", count - len(self._kube.present), count)
            await anyio.sleep(LOOK_SECONDS)
        self._show("deleted", count, count)
        await self._rest(running)

    async def _rest(self, running: Replicas) -> None:
        """Return when nothing was called or written for a while from now on, and the queue says that it is empty."""
        began = time.monotonic()
        while True:
            await _until(lambda: min(self._sight.rested, time.monotonic() - began) >= REST_SECONDS)
            if await running.are_idle():
                return
            await anyio.sleep(LOOK_SECONDS)

    async def _of_throttled(self, count: int) -> Throttled:
        events = await self._kube.all("Event")
        return Throttled(
            routes=count,
            in_lattice=self._times(self._late_creator, self._sight.programmed),
            in_status=self._times(self._late_creator, self._kube.reported),
            objects=len(self._kube.throttled) + sum(map(speaks_of_throttles, events)),
        )

    def _results(
        self,
        requests: Iterable[measured.Request],
        warnings: Iterable[Json],
        throttled: Throttled | None,
        read: Read,
    ) -> Results:
        plan, sight = self._plan, self._sight
        route_writes = measured.writes_by_route(requests)
        return Results(
            shape=plan.shape,
            conditions=plan.conditions,
            api_rates=plan.api_rates,
            replicas=plan.replicas,
            created_seconds=self._created_seconds,
            in_lattice=self._times(self._creator, sight.programmed),
            in_status=self._times(self._creator, self._kube.reported),
            changes=plan.changes,
            change=Summary.of(measured.durations(self._asked, measured.registrations(sight.calls, self._asked))),
            change_calls=measured.calls_for(sight.calls, self._asked),
            route_writes=sum(route_writes.values()),
            most_route_writes=max(route_writes.values(), default=0),
            throttled=throttled,
            read=read,
            warnings=dict(Counter(event.get("reason", "") for event in warnings).most_common()),
            phases=self._phases,
        )

    @staticmethod
    def _times(creator: Creator, ended: Mapping[Name, float]) -> Summary:
        return Summary.of(measured.durations(creator.created, ended))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
        await anyio.sleep(LOOK_SECONDS)
