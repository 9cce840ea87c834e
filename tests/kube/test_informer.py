"""List, watch, resume, relist; and what may be concluded when one of them fails."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web

from controller.api.gateway import HTTPRoute
from controller.api.meta import Undecodable
from controller.api.resources import HTTP_ROUTES, Resource
from controller.kube.client import KubeClient
from controller.kube.informer import Informer, State
from controller.kube.informers import InformerSet
from controller.kube.reflector import PATIENT, Timing
from controller.kube.store import Store
from tests.kube.scripted import ScriptedServer, answer, failure, listing, route

pytestmark = pytest.mark.anyio

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
        with anyio.fail_after(5):
            while not condition():
                self._told = anyio.Event()
                await self._told.wait()


def _version(obj: HTTPRoute | None) -> str | None:
    return None if obj is None else f"{obj.name}@{obj.metadata.resource_version}"


class Running:
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


@pytest.fixture
def start(client: KubeClient, server: ScriptedServer) -> Start:
    @asynccontextmanager
    async def begin(
        resource: Resource[HTTPRoute] = HTTP_ROUTES,
        *,
        streams: bool = False,
        timing: Timing = PATIENT,
    ) -> AsyncIterator[Running]:
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

    return begin


def _namespaces(obj: HTTPRoute) -> Iterable[str]:
    return (obj.namespace,)


async def test_before_the_first_list_nothing_may_be_concluded(client: KubeClient) -> None:
    informer = Informer(client, HTTP_ROUTES, Store())
    assert informer.state == State("unknown", "not listed yet")


async def test_a_list_fills_the_store_and_the_watch_goes_on_from_its_version(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(route("a", 3), route("b", 4), version="7"))
    watch = server.watch()
    async with start() as running:
        await running.synced()
        assert running.names == ["a", "b"]
        assert running.heard.changes == [(None, "a@3"), (None, "b@4")]
        await watch.opened.wait()
        (asked,) = server.asked("watch")
        assert asked.path == "/apis/gateway.networking.k8s.io/v1/httproutes"
        assert (asked.query["resourceVersion"], asked.query["allowWatchBookmarks"]) == ("7", "true")
        assert 300 <= int(asked.query["timeoutSeconds"]) <= 600
        watch.event("MODIFIED", route("a", 8))
        watch.event("DELETED", route("b", 9))
        watch.event("ADDED", route("c", 10))
        await running.heard.until(lambda: len(running.heard.changes) == 5)
        assert running.heard.changes[2:] == [("a@3", "a@8"), ("b@4", None), (None, "c@10")]
        assert running.names == ["a", "c"]


async def test_a_list_comes_in_pages(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(route("a", 3), version="7", continue_token="next=+/"))
    server.on("list", listing(route("b", 4), version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        assert running.names == ["a", "b"]
    first, second = server.asked("list")
    assert first.query == {"limit": "500"}
    assert second.query == {"limit": "500", "continue": "next=+/"}


async def test_a_list_whose_pages_expire_is_asked_for_in_one_piece(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(route("stale", 3), version="7", continue_token="next"))
    server.on("list", failure(410, "Expired"), listing(route("a", 8), version="9"))
    server.watch()
    async with start() as running:
        await running.synced()
        assert running.names == ["a"]
    assert server.asked("list")[2].query == {}


async def test_a_list_is_streamed_where_the_server_can(start: Start, server: ScriptedServer) -> None:
    stream, watch = server.watch("stream"), server.watch()
    stream.event("ADDED", route("a", 3))
    stream.event("ADDED", route("b", 4))
    stream.event("DELETED", route("b", 5))
    async with start(streams=True) as running:
        await stream.opened.wait()
        assert running.informer.state.phase == "unknown"
        stream.bookmark("7", initial_events_end=True)
        await running.synced()
        await watch.opened.wait()
        assert running.names == ["a"]
    (asked,) = server.asked("stream")
    assert asked.query["sendInitialEvents"] == "true"
    assert asked.query["resourceVersionMatch"] == "NotOlderThan"
    assert asked.query["resourceVersion"] == ""
    assert server.asked("watch")[0].query["resourceVersion"] == "7"
    assert server.asked("list") == []


@pytest.mark.parametrize("ends", [True, False])
async def test_a_server_that_ignores_streaming_is_asked_for_pages(
    start: Start, server: ScriptedServer, ends: bool
) -> None:
    stream = server.watch("stream")
    stream.event("ADDED", route("a", 3))
    if ends:
        stream.end()
    server.on("list", listing(route("b", 4), version="7"))
    server.watch()
    async with start(streams=True, timing=Timing(first_events=0.05)) as running:
        await running.synced()
        assert running.names == ["b"]


async def test_a_connection_that_breaks_in_a_streamed_list_does_not_end_streaming(
    start: Start, server: ScriptedServer
) -> None:
    stream = server.watch("stream")
    stream.event("ADDED", route("a", 3))
    server.on("list", listing(route("b", 4), version="7"))
    server.on("watch", failure(410, "Expired"))
    again = server.watch("stream")
    async with start(streams=True) as running:
        await stream.opened.wait()
        stream.cut()
        await running.synced()
        assert running.names == ["b"]
        await again.opened.wait()


async def test_what_goes_wrong_in_the_same_way_is_logged_once(
    start: Start, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("list", *[failure(404)] * 3, *[failure(403)] * 2, listing(version="7"))
    server.watch()
    async with start(OPTIONAL) as running:
        await running.synced()
    warnings = [each for each in caplog.records if each.getMessage() == "list or watch failed" and each.levelno > 20]
    codes = [code for each in warnings for code in ("404", "403") if f" {code} " in each.__dict__["error"]]
    assert codes == ["403"], "that an optional kind is not installed is no warning"


async def test_a_watch_that_ends_is_resumed_from_the_last_version_seen(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(version="7"))
    first, second, third, fourth = (server.watch() for _ in range(4))
    async with start() as running:
        first.event("ADDED", route("a", 9))
        first.end()
        await second.opened.wait()
        second.bookmark("20")
        second.end()
        await third.opened.wait()
        third.event("MODIFIED", route("a", 21))
        third.cut()
        await fourth.opened.wait()
        assert running.heard.changes == [(None, "a@9"), ("a@9", "a@21")]
        assert running.informer.state.phase == "synced"
    assert [asked.query["resourceVersion"] for asked in server.asked("watch")] == ["7", "9", "20", "21"]
    assert len(server.asked("list")) == 1
    assert len(running.heard.pauses) == 1, "only the broken connection is followed by a pause"


async def test_a_watch_that_ends_at_once_and_brings_nothing_is_not_repeated_at_once(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(version="7"))
    for _ in range(4):
        server.watch().end()
    last = server.watch()
    async with start() as running:
        await last.opened.wait()
    pauses = running.heard.pauses
    assert len(pauses) == 4
    assert all(0.4 * 2**n <= pause <= 0.8 * 2**n for n, pause in enumerate(pauses))


async def test_a_silent_watch_is_given_up_and_resumed(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(version="7"))
    silent, second = server.watch(), server.watch()
    async with start(timing=Timing(stall=0.05)) as running:
        await silent.opened.wait()
        await second.opened.wait()
        assert running.informer.state.phase == "synced"
    assert len(server.asked("list")) == 1


@pytest.mark.parametrize("in_watch", [True, False])
async def test_an_expired_version_lists_again_and_hands_on_only_what_differs(
    start: Start, server: ScriptedServer, in_watch: bool
) -> None:
    server.on("list", listing(route("same", 1), route("changed", 2), route("gone", 3), version="7"))
    server.on("list", listing(route("same", 1), route("changed", 11), route("new", 12), version="20"))
    if in_watch:
        server.watch().error(410, "Expired", "too old resource version")
    else:
        server.on("watch", failure(410, "Gone"))
    second = server.watch()
    async with start() as running:
        await second.opened.wait()
        assert sorted(running.heard.changes[3:], key=str) == sorted(
            [("changed@2", "changed@11"), (None, "new@12"), ("gone@3", None)], key=str
        )
        assert running.heard.states == [State("synced")]
        assert running.heard.pauses == []
    assert server.asked("watch")[1].query["resourceVersion"] == "20"


async def test_versions_that_expire_again_and_again_are_not_chased(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(version="7"))
    server.on("watch", *[failure(410, "Expired")] * 4)
    last = server.watch()
    async with start() as running:
        await last.opened.wait()
    assert len(running.heard.pauses) == 3


async def test_a_busy_server_is_asked_again_when_it_said(start: Start, server: ScriptedServer) -> None:
    server.on("list", failure(429, headers={"Retry-After": "17"}), listing(version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        assert running.heard.pauses == [17.0]


async def test_failures_are_repeated_with_growing_pauses(start: Start, server: ScriptedServer) -> None:
    server.on("list", *[failure(503, "ServiceUnavailable", "starting")] * 12, listing(version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        pauses = running.heard.pauses
        assert "starting" in running.heard.reasons[0]
    assert len(pauses) == 12
    assert all(pause <= 30 for pause in pauses)
    assert all(pause >= 15 for pause in pauses[-3:])


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_makes_a_kind_unknown_and_keeps_what_is_held(
    start: Start, server: ScriptedServer, code: int
) -> None:
    server.on("list", listing(route("a", 3), version="7"))
    # A 401 is tried twice, and the list after a refused watch may be refused as well.
    server.on("list", *[failure(code, message="not for you")] * 2, listing(route("a", 3), version="9"))
    server.on("watch", *[failure(code, message="not for you")] * (2 if code == 401 else 1))
    server.watch()
    async with start() as running:
        await running.heard.until(lambda: len(running.heard.states) == 3)
        synced, unknown, again = running.heard.states
        assert (synced.phase, unknown.phase, again.phase) == ("synced", "unknown", "synced")
        assert "not for you" in unknown.reason
        assert running.heard.changes == [(None, "a@3")]
        assert all(pause < 5 for pause in running.heard.pauses), "a server that has just started refuses as well"


@pytest.mark.parametrize("code", [403, 404])
async def test_what_only_an_operator_can_mend_is_tried_soon_and_then_ever_more_slowly(
    start: Start, server: ScriptedServer, code: int
) -> None:
    server.on("list", *[failure(code)] * 10, listing(version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        pauses = running.heard.pauses
    assert pauses[0] < 1
    assert all(15 <= pause <= 30 for pause in pauses[-3:])


async def test_an_optional_kind_that_is_not_installed_is_absent_until_it_is(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", failure(404), failure(404), listing(route("a", 3), version="7"))
    server.watch()
    async with start(OPTIONAL) as running:
        await running.synced()
        assert [state.phase for state in running.heard.states] == ["absent", "synced"]
        assert running.names == ["a"]


async def test_a_required_kind_that_is_not_installed_is_unknown(start: Start, server: ScriptedServer) -> None:
    server.on("list", failure(404), listing(version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        assert running.heard.states == [State("synced")]
        assert "not installed" in running.heard.reasons[0]


async def test_a_kind_that_vanishes_is_unknown_and_keeps_what_is_held(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(route("a", 3), version="7"), failure(404))
    server.on("watch", failure(404))
    async with start(OPTIONAL) as running:
        await running.heard.until(lambda: len(running.heard.pauses) >= 3)
        assert running.informer.state.phase == "unknown"
        assert running.names == ["a"]
        assert running.heard.changes == [(None, "a@3")]


async def test_an_optional_kind_that_vanishes_with_the_last_of_its_objects_is_absent(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(version="7"), failure(404), failure(404), listing(route("a", 9), version="9"))
    server.on("watch", failure(404))
    async with start(OPTIONAL) as running:
        await running.heard.until(lambda: len(running.heard.states) >= 3)
        assert [state.phase for state in running.heard.states] == ["synced", "absent", "synced"]


async def test_a_server_that_cannot_be_reached_leaves_a_synced_kind_synced(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(route("a", 3), version="7"))
    server.on("watch", failure(500, "InternalError"))
    async with start() as running:
        await running.heard.until(lambda: len(running.heard.pauses) >= 3)
        assert running.heard.states == [State("synced")]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"metadata":{},"items":5}'])
async def test_an_answer_that_is_no_list_is_a_failure(start: Start, server: ScriptedServer, body: bytes) -> None:
    server.on("list", answer(body), listing(version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        assert "no list of HTTPRoute" in running.heard.reasons[0]


async def test_an_undecodable_object_is_held_told_once_and_heals(start: Start, server: ScriptedServer) -> None:
    bad = route("bad", 4, spec={"hostnames": 5})
    server.on("list", listing(route("a", 3), bad, version="7"))
    first = server.watch()
    first.event("MODIFIED", route("a", 8, spec="odd"))
    async with start() as running:
        heard = running.heard
        await heard.until(lambda: len(heard.undecodable) == 2)
        assert [name for name, _ in heard.undecodable] == ["bad", "a"]
        assert isinstance(running.informer.store.get("shop", "bad"), Undecodable)
        assert running.informer.state.phase == "synced"
        assert heard.changes == [(None, "a@3"), ("a@3", None)]
        first.event("MODIFIED", route("bad", 9))
        await heard.until(lambda: len(heard.changes) == 3)
        assert heard.changes[-1] == (None, "bad@9")


async def test_objects_that_cannot_be_identified_make_the_kind_unknown_and_nothing_is_let_go(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(route("a", 3), version="7"), listing({"metadata": {"name": 5}}, version="9"))
    server.on("list", listing(version="11"))
    first, second = server.watch(), server.watch()
    async with start() as running:
        first.raw(b'{"type":"MODIFIED","object":{"metadata":{"name":5}}}\n')
        await second.opened.wait()
        assert running.informer.state == State("unknown", "1 objects of the list have no readable metadata")
        assert running.names == ["a"]
        second.error(410)
        await running.heard.until(lambda: running.heard.changes[-1] == ("a@3", None))


async def test_the_answer_of_our_own_patch_enters_at_once_and_the_watch_repeats_nothing(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(route("a", 3), version="7"))
    watch = server.watch()
    async with start() as running:
        await running.synced()
        running.informer.observe(orjson.dumps(route("a", 9)))
        running.informer.observe(None)
        assert running.heard.changes[1:] == [("a@3", "a@9")]
        watch.event("MODIFIED", route("a", 8))
        watch.event("MODIFIED", route("a", 9))
        watch.event("MODIFIED", route("a", 10))
        await running.heard.until(lambda: len(running.heard.changes) == 3)
        assert running.heard.changes[2:] == [("a@9", "a@10")]
        running.informer.observe(orjson.dumps(route("a", 9)))
        assert len(running.heard.changes) == 3


async def test_the_answer_of_a_patch_does_not_bring_back_what_the_watch_saw_deleted(
    start: Start, server: ScriptedServer
) -> None:
    server.on("list", listing(route("a", 3), version="7"))
    watch = server.watch()
    async with start() as running:
        watch.event("DELETED", route("a", 12))
        await running.heard.until(lambda: len(running.heard.changes) == 2)
        running.informer.observe(orjson.dumps(route("a", 11)))
        assert running.names == []
        running.informer.observe(orjson.dumps(route("a", 13)))
        assert running.names == ["a"], "a newer one is another object of that name"


async def test_the_answer_that_took_the_last_finalizer_does_not_count(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(route("a", 3), version="7"))
    server.watch()
    async with start() as running:
        await running.synced()
        running.informer.observe(orjson.dumps(route("a", 9, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})))
        assert running.heard.changes == [(None, "a@3")]


async def test_an_old_deletion_does_not_remove_a_newer_object(start: Start, server: ScriptedServer) -> None:
    server.on("list", listing(route("a", 3), version="7"))
    watch = server.watch()
    async with start() as running:
        await running.synced()
        running.informer.observe(orjson.dumps(route("a", 12)))
        watch.event("DELETED", route("a", 11))
        watch.event("ADDED", route("b", 13))
        await running.heard.until(lambda: running.heard.changes[-1] == (None, "b@13"))
        assert running.names == ["a", "b"]


async def test_a_set_waits_until_each_kind_is_synced_or_absent(client: KubeClient, server: ScriptedServer) -> None:
    installed = anyio.Event()

    async def list_or_not(request: web.Request) -> web.StreamResponse:
        return await (failure(404) if "grpc" in request.path else listing(version="7"))(request)

    async def not_yet(request: web.Request) -> web.StreamResponse:
        await installed.wait()
        return await failure(422)(request)

    server.on("stream", not_yet)
    server.on("list", list_or_not)
    server.watch()
    optional = replace(OPTIONAL, kind="GRPCRoute", plural="grpcroutes")
    informers = InformerSet([Informer(client, HTTP_ROUTES, Store()), Informer(client, optional, Store())])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informers.run)
        assert {state.phase for state in informers.states.values()} == {"unknown"}
        installed.set()
        with anyio.fail_after(5):
            await informers.wait_synced()
        phases = {kind: state.phase for kind, state in informers.states.items()}
        assert phases == {"HTTPRoute": "synced", "GRPCRoute": "absent"}
        tasks.cancel_scope.cancel()
