"""Informers of HTTPRoutes for tests, and what they have told."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio

from controller.api.gateway import HTTPRoute
from controller.api.resources import HTTP_ROUTES, Resource
from controller.kube.client import KubeClient
from controller.kube.informer import Informer, State
from controller.kube.reflector import PATIENT, Timing
from controller.kube.store import Store
from tests.kube.scripted import ScriptedServer, failure

OPTIONAL = Resource(
    "gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", namespaced=True, type=HTTPRoute, required=False
)


class Heard:
    """What an informer told, and a way to wait until it did."""

    def __init__(self) -> None:
        self.changes: list[tuple[str | None, str | None]] = []
        self.states: list[State] = []
        self.undecodable: list[tuple[str, str]] = []
        self.pauses: list[float] = []
        self.reasons: list[str] = []
        self._told = anyio.Event()

    def change(self, old: HTTPRoute | None, new: HTTPRoute | None) -> None:
        self.changes.append((_version(old), _version(new)))
        self._tell()

    def state(self, resource: Resource[HTTPRoute], old: State, new: State) -> None:
        assert old.phase != new.phase
        self.states.append(new)
        self._tell()

    def bad(self, resource: Resource[HTTPRoute], metadata: Any, error: str) -> None:
        self.undecodable.append((metadata.name, error))
        self._tell()

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._tell()
        await anyio.lowlevel.checkpoint()

    def _tell(self) -> None:
        self._told.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(60):
            while not condition():
                self._told = anyio.Event()
                await self._told.wait()


def _version(obj: HTTPRoute | None) -> str | None:
    return None if obj is None else f"{obj.name}@{obj.metadata.resource_version}"


class Running:
    """An informer, what it told, and the server that it asks."""

    def __init__(self, informer: Informer[HTTPRoute], heard: Heard, server: ScriptedServer) -> None:
        self.informer = informer
        self.heard = heard
        self.server = server

    @property
    def names(self) -> list[str]:
        return sorted(obj.name for obj in self.informer.store.list())

    async def synced(self) -> None:
        await self.heard.until(lambda: self.informer.state.phase == "synced")


Start = Callable[..., Any]


@asynccontextmanager
async def starting(
    client: KubeClient,
    server: ScriptedServer,
    resource: Resource[HTTPRoute] = HTTP_ROUTES,
    *,
    streams: bool = False,
    timing: Timing = PATIENT,
) -> AsyncIterator[Running]:
    """An informer that runs, whose pauses take no time; without `streams` the server knows no streamed lists."""
    if not streams:
        server.on("stream", failure(422, "Invalid", "sendInitialEvents is forbidden"))
    heard = Heard()

    async def pause(seconds: float) -> None:
        heard.reasons.append(informer.state.reason)
        await heard.pause(seconds)

    informer = Informer(
        client,
        resource,
        Store({"namespace": _namespaces}),
        handlers=[heard.change],
        on_undecodable=heard.bad,
        on_state=heard.state,
        random=Random(1),
        timing=timing,
        sleep=pause,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informer.run)
        yield Running(informer, heard, server)
        tasks.cancel_scope.cancel()


def _namespaces(obj: HTTPRoute) -> Iterable[str]:
    return (obj.namespace,)
