"""Events: told often, written seldom, never in the way."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import anyio
import pytest

from controller.api.gateway import GatewayClass, HTTPRoute
from controller.api.meta import ObjectMeta
from controller.api.resources import GATEWAY_CLASSES, HTTP_ROUTES
from controller.kube.client import KubeClient
from controller.kube.events import (
    BURST,
    REFILL,
    WINDOW,
    WRITES_BURST,
    WRITES_PER_SECOND,
    EventRecorder,
    ObjectRef,
)
from tests.kube.scripted import Asked, ScriptedServer, answer, failure, until

pytestmark = pytest.mark.anyio

EVENTS = "/api/v1/namespaces/shop/events"


def ref(name: str = "rates") -> ObjectRef:
    metadata = ObjectMeta(name=name, namespace="shop", uid=f"uid-{name}", resource_version="7")
    return ObjectRef.of(HTTP_ROUTES, HTTPRoute(metadata=metadata))


class Recording:
    """A recorder with its task, a clock to set, and the pauses that it made."""

    def __init__(self, client: KubeClient, server: ScriptedServer) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.pauses: list[float] = []
        self.server = server
        self.recorder = EventRecorder(
            client,
            "lattice-controller",
            instance="pod-1",
            clock=lambda: self.now,
            sleep=self._sleep,
            random=Random(1),
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await anyio.lowlevel.checkpoint()

    def tell(self, message: str = "Deployed", *, reason: str = "DeploySucceed", name: str = "rates") -> None:
        self.recorder.record(ref(name), "Normal", reason, message)

    async def flush(self, *, while_running: Callable[[], Awaitable[None]] | None = None) -> list[Asked]:
        """Let the recorder write all that waits, and return everything the server was asked so far."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.recorder.run)
            if while_running is not None:
                await while_running()
            tasks.cancel_scope.cancel()
        return self.server.requests

    async def written(self) -> None:
        await until(lambda: self.recorder.waiting == 0)


@pytest.fixture
async def recording(client: KubeClient, server: ScriptedServer) -> Recording:
    server.on("post", answer({}))
    server.on("patch", answer({}))
    return Recording(client, server)


async def test_an_event_says_what_kubectl_describe_looks_for(recording: Recording) -> None:
    recording.tell()
    (asked,) = await recording.flush()
    assert asked.path == EVENTS
    name = asked.body["metadata"].pop("name")
    assert name.startswith("rates.")
    assert asked.body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "shop"},
        "involvedObject": {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "namespace": "shop",
            "name": "rates",
            "uid": "uid-rates",
            "resourceVersion": "7",
        },
        "type": "Normal",
        "reason": "DeploySucceed",
        "message": "Deployed",
        "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "source": {"component": "lattice-controller"},
        "reportingComponent": "lattice-controller",
        "reportingInstance": "pod-1",
    }


async def test_events_of_cluster_scoped_objects_live_in_the_default_namespace(recording: Recording) -> None:
    about = ObjectRef.of(GATEWAY_CLASSES, GatewayClass(metadata=ObjectMeta(name="lattice", uid="u")))
    recording.recorder.record(about, "Warning", "Odd", "words")
    (asked,) = await recording.flush()
    assert asked.path == "/api/v1/namespaces/default/events"
    assert "namespace" not in asked.body["involvedObject"]


async def test_the_same_told_again_before_it_is_written_is_one_write(recording: Recording) -> None:
    for _ in range(5):
        recording.tell()
    recording.tell("something else")
    first, second = await recording.flush()
    assert (first.body["count"], second.body["count"]) == (5, 1)


async def test_the_same_told_later_counts_up_the_event_that_is_there(recording: Recording) -> None:
    async def tell_again() -> None:
        await recording.written()
        recording.now += WINDOW
        recording.tell()
        await recording.written()

    recording.tell()
    first, second = await recording.flush(while_running=tell_again)
    assert (second.verb, second.path) == ("patch", f"{EVENTS}/{first.body['metadata']['name']}")
    assert second.body == {"count": 2, "lastTimestamp": "2026-01-01T00:10:00Z"}


async def test_after_the_window_it_is_another_event(recording: Recording) -> None:
    recording.tell()
    await recording.flush()
    recording.now += WINDOW + timedelta(seconds=1)
    recording.tell()
    first, second = await recording.flush()
    assert second.verb == "post"
    assert second.body["metadata"]["name"] != first.body["metadata"]["name"]
    assert second.body["count"] == 1


async def test_an_event_that_expired_at_the_server_is_created_again(client: KubeClient, server: ScriptedServer) -> None:
    recording = Recording(client, server)
    server.on("post", answer({}))
    server.on("patch", failure(404))
    recording.tell()
    await recording.flush()
    recording.tell()
    first, _, third = await recording.flush()
    assert third.verb == "post"
    assert third.body["metadata"] == first.body["metadata"]
    assert third.body["count"] == 2


async def test_a_create_whose_answer_was_lost_is_finished_by_bringing_the_count_up_to_date(
    client: KubeClient, server: ScriptedServer
) -> None:
    recording = Recording(client, server)
    server.on("post", failure(504, "Timeout"), failure(409, "AlreadyExists"))
    server.on("patch", answer({}))
    recording.tell()
    first, second, third = await recording.flush(while_running=recording.written)
    assert first.body["metadata"] == second.body["metadata"]
    assert third.path.endswith(first.body["metadata"]["name"])
    assert recording.recorder.dropped == 0


async def test_an_object_that_tells_much_is_cut_short_and_others_are_not(recording: Recording) -> None:
    for n in range(BURST + 10):
        recording.tell(f"message {n}", name="noisy")
    recording.tell(name="quiet")
    requests = await recording.flush()
    names = [asked.body["involvedObject"]["name"] for asked in requests]
    assert names == ["noisy"] * BURST + ["quiet"]
    recording.now += REFILL
    recording.tell("later", name="noisy")
    recording.tell("still too much", name="noisy")
    requests = await recording.flush()
    assert [asked.body["message"] for asked in requests[BURST + 1 :]] == ["later"]


async def test_what_was_not_written_for_its_frequency_counts_when_it_is_written_again(recording: Recording) -> None:
    for _ in range(BURST + 5):
        recording.tell()
        await recording.flush()
    assert len(recording.server.requests) == BURST
    recording.now += REFILL
    recording.tell()
    requests = await recording.flush()
    assert requests[-1].body["count"] == BURST + 6


async def test_what_is_told_while_it_is_written_is_written_once_more(
    client: KubeClient, server: ScriptedServer
) -> None:
    recording = Recording(client, server)

    async def tell_meanwhile(request: Any) -> Any:
        recording.tell()
        recording.tell()
        return await answer({})(request)

    server.on("post", tell_meanwhile)
    server.on("patch", answer({}))
    recording.tell()
    _, second = await recording.flush(while_running=recording.written)
    assert second.body["count"] == 3


async def test_who_tells_something_else_each_time_makes_nobody_forget_what_others_told(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.kube.events.MAX_REMEMBERED", BURST + 2)
    recording.tell(name="quiet")
    for n in range(1000):
        recording.tell(f"message {n}", name="noisy")
    await recording.flush()
    recording.tell(name="quiet")
    requests = await recording.flush()
    assert (requests[-1].verb, requests[-1].body["count"]) == ("patch", 2)


async def test_a_fleet_is_remembered(recording: Recording) -> None:
    for n in range(5000):
        recording.tell(name=f"r{n}")
    again = recording.recorder._remembered.copy()
    for n in range(5000):
        recording.tell(name=f"r{n}")
    assert len(again) == 5000
    assert {told.count for told in again.values()} == {2}


async def test_what_does_not_matter_any_more_is_forgotten(recording: Recording) -> None:
    recorder = recording.recorder
    recording.tell(name="old")
    recording.now += WINDOW + timedelta(seconds=1)
    recording.tell(name="new")
    assert len(recorder._remembered) == 1
    assert len(recorder._allowances) == 2
    recording.now += BURST * REFILL
    recording.tell(name="newer")
    assert len(recorder._allowances) == 1


async def test_all_objects_together_are_written_at_a_steady_rate(recording: Recording) -> None:
    for n in range(WRITES_BURST + 2):
        recording.tell(name=f"r{n}")
    await recording.flush(while_running=recording.written)
    assert recording.pauses == pytest.approx([1 / WRITES_PER_SECOND, 2 / WRITES_PER_SECOND])


async def test_a_clock_that_is_set_back_holds_nothing_up(recording: Recording) -> None:
    recording.tell("before")
    recording.now -= timedelta(days=1)
    recording.tell("after")
    await recording.flush(while_running=recording.written)
    assert recording.pauses == []


async def test_a_full_queue_drops_its_oldest(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.kube.events.MAX_WAITING", 5)
    for n in range(5 + 3):
        recording.tell(name=f"r{n}")
    assert recording.recorder.dropped == 3
    requests = await recording.flush(while_running=recording.written)
    assert requests[0].body["involvedObject"]["name"] == "r3"


async def test_a_server_in_trouble_is_asked_a_few_times_and_no_more(client: KubeClient, server: ScriptedServer) -> None:
    recording = Recording(client, server)
    server.on("post", failure(429, headers={"Retry-After": "9"}), *[failure(503)] * 3, answer({}))
    recording.tell("lost")
    recording.tell("written")
    requests = await recording.flush(while_running=recording.written)
    assert [asked.body["message"] for asked in requests] == ["lost"] * 4 + ["written"]
    assert recording.pauses[0] == 9.0
    assert recording.recorder.dropped == 1


async def test_an_event_that_is_refused_is_given_up_at_once(client: KubeClient, server: ScriptedServer) -> None:
    recording = Recording(client, server)
    server.on("post", failure(403, "Forbidden", "namespace is being terminated"), answer({}))
    recording.tell("refused")
    recording.tell("written")
    requests = await recording.flush(while_running=recording.written)
    assert [asked.body["message"] for asked in requests] == ["refused", "written"]
    assert recording.recorder.dropped == 1


async def test_what_waits_when_the_recorder_stops_is_still_written(recording: Recording) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recording.recorder.run)
        await anyio.lowlevel.checkpoint()
        recording.tell("last words")
        tasks.cancel_scope.cancel()
    assert [asked.body["message"] for asked in recording.server.requests] == ["last words"]


async def test_a_message_longer_than_the_server_takes_is_cut(recording: Recording) -> None:
    recording.tell("x" * 5000)
    (asked,) = await recording.flush()
    assert len(asked.body["message"]) == 1024
