"""The answers of our own patches in the store, beside what the watch brings."""

import orjson
import pytest

from tests.kube.informing import Start
from tests.kube.scripted import ScriptedServer, Watch, listing, route

pytestmark = pytest.mark.anyio


@pytest.fixture
def watch(server: ScriptedServer) -> Watch:
    """After a list that has the route `a`."""
    server.on("list", listing(route("a", 3), version="7"))
    return server.watch()


async def test_the_answer_of_our_own_patch_enters_at_once_and_the_watch_repeats_nothing(
    start: Start, watch: Watch
) -> None:
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


async def test_the_answer_of_a_patch_does_not_bring_back_what_the_watch_saw_deleted(start: Start, watch: Watch) -> None:
    async with start() as running:
        watch.event("DELETED", route("a", 12))
        await running.heard.until(lambda: len(running.heard.changes) == 2)
        running.informer.observe(orjson.dumps(route("a", 11)))
        assert running.names == []
        running.informer.observe(orjson.dumps(route("a", 13)))
        assert running.names == ["a"], "a newer one is another object of that name"


@pytest.mark.usefixtures("watch")
async def test_the_answer_that_took_the_last_finalizer_does_not_count(start: Start) -> None:
    async with start() as running:
        await running.synced()
        running.informer.observe(orjson.dumps(route("a", 9, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})))
        assert running.heard.changes == [(None, "a@3")]


async def test_an_old_deletion_does_not_remove_a_newer_object(start: Start, watch: Watch) -> None:
    async with start() as running:
        await running.synced()
        running.informer.observe(orjson.dumps(route("a", 12)))
        watch.event("DELETED", route("a", 11))
        watch.event("ADDED", route("b", 13))
        await running.heard.until(lambda: running.heard.changes[-1] == (None, "b@13"))
        assert running.names == ["a", "b"]
