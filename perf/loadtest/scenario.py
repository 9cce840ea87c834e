"""The load test's phases: start, load with endpoint changes, restart, delete.

Each phase ends when what it is about is there and the controller has come to rest, or when its time is over; then the
next goes on with what there is, and the report says so.
"""

import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from perf.loadtest import results as measured
from perf.loadtest import shape as objects
from perf.loadtest.conditions import Conditions
from perf.loadtest.kubernetes import AT_ONCE, Creator, Kubernetes, Name, speaks_of_throttles
from perf.loadtest.processes import Controller, controller, sandbox
from perf.loadtest.results import Phase, Results, Summary
from perf.loadtest.servers import Addresses, Order
from perf.loadtest.shape import Route, Shape
from perf.loadtest.sight import Sight

CONTROLLER_NAME = "application-networking.k8s.aws/gateway-api-controller"

REST_SECONDS = 2.5
"""The controller is at rest when it has called and written nothing for so long."""

LOOK_SECONDS = 0.1

Show = Callable[[str, float, float], None]
"""Told of progress: of what, how many of it are done, and of how many."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    shape: Shape
    conditions: Conditions
    changes: int = 50
    """Endpoint changes during the load."""
    api_rates: str = ""
    """The controller's LATTICE_API_RATES; empty for its own."""
    phase_seconds: float = 600.0
    """After so long a phase is given up."""


async def run(plan: Plan, directory: Path, show: Show) -> Results:
    """Run the load test. `directory` gets the controller's log and kubeconfig."""
    async with AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(sandbox(Order(plan.shape, plan.conditions)))
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
        self._log = directory / "controller.log"
        self._show = show
        self._addresses = addresses
        self._kube = kube
        self._sight = sight
        self._phases: list[Phase] = []
        shape = plan.shape
        self._routes = {(one.namespace, one.name): one for one in (Route(shape, n) for n in range(shape.routes))}
        self._creator = Creator(kube, self._routes.values())
        self._created_seconds = 0.0
        self._asked: dict[str, float] = {}
        """When the endpoint of an address was added, in seconds since the epoch."""

    async def run(self) -> Results:
        async with self._controller() as running:
            await self._phase("start", running, self._start)
            before = len(self._sight.requests)
            await self._phase("load", running, self._load)
            requests = self._sight.requests[before:]
        results = await self._results(requests)
        async with self._controller() as running:
            await self._phase("restart", running, self._restart, fresh=True)
            await self._phase("delete", running, self._delete)
        return msgspec.structs.replace(results, phases=self._phases)

    @asynccontextmanager
    async def _controller(self) -> AsyncGenerator[Controller]:
        settings = {"AWS_ACCOUNT_ID": self._addresses.account, "LATTICE_API_RATES": self._plan.api_rates}
        async with controller(self._addresses, self._log, settings) as running:
            yield running

    async def _phase(
        self, name: str, running: Controller, work: Callable[[], Awaitable[None]], *, fresh: bool = False
    ) -> None:
        """Run one phase and note what happened; `fresh` says that the process has just begun."""
        sight = self._sight
        calls, requests = len(sight.calls), len(sight.requests)
        before = None if fresh else running.usage()
        began = time.monotonic()
        with anyio.move_on_after(self._plan.phase_seconds) as scope:
            await work()
        seconds = time.monotonic() - began - min(sight.rested, REST_SECONDS)
        await sight.look()
        self._phases.append(
            measured.phase(
                name,
                sight.calls[calls:],
                sight.requests[requests:],
                seconds=seconds,
                finished=not scope.cancelled_caught,
                usage=running.usage(),
                before=before,
            )
        )

    async def _start(self) -> None:
        for obj in (*objects.namespaces(self._plan.shape), *objects.gateways(self._plan.shape, CONTROLLER_NAME)):
            await self._kube.create(obj)
        await self._rest()

    async def _load(self) -> None:
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
        await self._rest()

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

    async def _restart(self) -> None:
        before = len(self._sight.requests)
        await _until(lambda: any(one.by_controller for one in self._sight.requests[before:]))
        await self._rest()

    async def _delete(self) -> None:
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
        await self._rest()

    async def _rest(self) -> None:
        """Return when the controller has been at rest for a while from now on."""
        began = time.monotonic()
        await _until(lambda: min(self._sight.rested, time.monotonic() - began) >= REST_SECONDS)

    async def _results(self, requests: Iterable[measured.Request]) -> Results:
        plan, sight, kube = self._plan, self._sight, self._kube
        events = await kube.all("Event")
        warnings = [event for event in events if event.get("type") == "Warning"]
        route_writes = measured.writes_by_route(requests)
        return Results(
            shape=plan.shape,
            conditions=plan.conditions,
            api_rates=plan.api_rates,
            created_seconds=self._created_seconds,
            in_lattice=self._times(sight.programmed),
            in_status=self._times(kube.reported),
            changes=plan.changes,
            change=Summary.of(measured.durations(self._asked, measured.registrations(sight.calls, self._asked))),
            change_calls=measured.calls_for(sight.calls, self._asked),
            route_writes=sum(route_writes.values()),
            most_route_writes=max(route_writes.values(), default=0),
            throttled_objects=len(kube.throttled) + sum(map(speaks_of_throttles, events)),
            warnings=dict(Counter(event.get("reason", "") for event in warnings).most_common()),
            phases=[],
        )

    def _times(self, ended: Mapping[Name, float]) -> Summary:
        return Summary.of(measured.durations(self._creator.created, ended))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
        await anyio.sleep(LOOK_SECONDS)
