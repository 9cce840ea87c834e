"""What may be concluded when a kind is refused, missing, gone or unreadable: unknown is not absent."""

from dataclasses import replace

import anyio
import pytest
from aiohttp import web

from controller.api.meta import Undecodable
from controller.api.resources import HTTP_ROUTES
from controller.kube.client import KubeClient
from controller.kube.informer import Informer, State
from controller.kube.informers import InformerSet
from controller.kube.store import Store
from tests.kube.informing import OPTIONAL, Start
from tests.kube.scripted import Answer, ScriptedServer, answer, failure, listing, route

pytestmark = pytest.mark.anyio


async def test_before_the_first_list_nothing_may_be_concluded(client: KubeClient) -> None:
    informer = Informer(client, HTTP_ROUTES, Store())
    assert informer.state == State("unknown", "not listed yet")


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


GRPC_ROUTES = replace(OPTIONAL, kind="GRPCRoute", plural="grpcroutes")


def listing_without_grpc_routes(code: int) -> Answer:
    """Empty lists of all else; of GRPCRoutes this failure."""

    async def respond(request: web.Request) -> web.StreamResponse:
        return await (failure(code) if "grpc" in request.path else listing(version="7"))(request)

    return respond


async def test_a_set_does_not_wait_for_what_is_dispensable_and_refused(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("stream", failure(422))
    server.on("list", listing_without_grpc_routes(403))
    server.watch()
    informers = InformerSet([Informer(client, GRPC_ROUTES, Store()), Informer(client, HTTP_ROUTES, Store())])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informers.run)
        with anyio.fail_after(60):
            await informers.wait_synced(dispensable={GRPC_ROUTES})
        assert {kind: (state.phase, state.refused) for kind, state in informers.states.items()} == {
            "GRPCRoute": ("unknown", True),
            "HTTPRoute": ("synced", False),
        }
        tasks.cancel_scope.cancel()


async def test_a_set_waits_until_each_kind_is_synced_or_absent(client: KubeClient, server: ScriptedServer) -> None:
    installed = anyio.Event()

    async def not_yet(request: web.Request) -> web.StreamResponse:
        await installed.wait()
        return await failure(422)(request)

    server.on("stream", not_yet)
    server.on("list", listing_without_grpc_routes(404))
    server.watch()
    informers = InformerSet([Informer(client, HTTP_ROUTES, Store()), Informer(client, GRPC_ROUTES, Store())])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informers.run)
        assert {state.phase for state in informers.states.values()} == {"unknown"}
        installed.set()
        with anyio.fail_after(60):
            await informers.wait_synced()
        phases = {kind: state.phase for kind, state in informers.states.items()}
        assert phases == {"HTTPRoute": "synced", "GRPCRoute": "absent"}
        tasks.cancel_scope.cancel()
