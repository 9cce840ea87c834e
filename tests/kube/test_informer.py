"""List, watch, resume, relist, and how soon after a failure."""

import pytest

from controller.kube.informer import State
from controller.kube.reflector import Timing
from tests.kube.informing import OPTIONAL, Start
from tests.kube.scripted import ScriptedServer, failure, listing, route

pytestmark = pytest.mark.anyio


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
