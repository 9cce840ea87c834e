"""The lease: who may hold it, when it is lost, and that two replicas never both pass the fence."""

from collections.abc import Coroutine, Generator
from datetime import UTC, datetime
from random import Random
from typing import Any

import anyio
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.kube.client import KubeClient
from controller.kube.errors import ApiError, Conflict, NotFound, Unreachable
from controller.kube.lease import Fence, LeaderElector, Sighting, decide, record_to_write, sighted
from controller.kube.lease_marks import EVERYTHING, HELD_BY, TAKE_OVER, LeaseRecord
from controller.kube.lease_times import LeaseTimes
from tests.kube.scripted import ScriptedServer, answer, failure

pytestmark = pytest.mark.anyio

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases/amazon-vpc-lattice.io"


def held_by(holder: str, *, duration: int = 15, transitions: int = 3, at: float = 0.0) -> Sighting:
    record = LeaseRecord(holder_identity=holder, lease_duration_seconds=duration, lease_transitions=transitions)
    return Sighting(record, "7", at)


def test_a_lease_that_is_not_there_is_created() -> None:
    assert decide(None, "me", 0.0, 15) == "create"


def test_our_own_lease_is_renewed_however_old() -> None:
    assert decide(held_by("me"), "me", 1000.0, 15) == "renew"


def test_a_lease_given_back_is_taken_at_once() -> None:
    assert decide(held_by(""), "me", 0.0, 15) == "take"


@pytest.mark.parametrize(("age", "decision"), [(0.0, "wait"), (20.0, "wait"), (20.1, "take")])
def test_anothers_lease_is_taken_only_after_its_own_duration_without_change(age: float, decision: str) -> None:
    assert decide(held_by("other", duration=20, at=100.0), "me", 100.0 + age, 15) == decision


def test_a_record_without_a_duration_counts_for_ours() -> None:
    assert decide(held_by("other", duration=0), "me", 15.0, 15) == "wait"
    assert decide(held_by("other", duration=0), "me", 15.1, 15) == "take"


def test_age_is_counted_from_when_we_first_saw_the_record_as_it_is() -> None:
    first = sighted(None, LeaseRecord(holder_identity="other", renew_time="1990"), "7", 50.0)
    again = sighted(first, LeaseRecord(holder_identity="other", renew_time="1990"), "8", 60.0)
    renewed = sighted(again, LeaseRecord(holder_identity="other", renew_time="1991"), "9", 70.0)
    assert (first.at, again.at, renewed.at) == (50.0, 50.0, 70.0)
    assert again.resource_version == "8"


def test_taking_counts_a_transition_and_renewing_keeps_what_there_was() -> None:
    taken = record_to_write(held_by("other"), "me", "take", lease_duration=14.5, moment="T1")
    assert taken == LeaseRecord(
        holder_identity="me", lease_duration_seconds=15, acquire_time="T1", renew_time="T1", lease_transitions=4
    )
    renewed = record_to_write(Sighting(taken, "8", 0.0), "me", "renew", lease_duration=15, moment="T2")
    assert (renewed.acquire_time, renewed.renew_time, renewed.lease_transitions) == ("T1", "T2", 4)
    created = record_to_write(None, "me", "create", lease_duration=15, moment="T1")
    assert created.lease_transitions == 0


class World:
    """One Lease at a server without a network, and a true time that everybody's clock is off from."""

    def __init__(self) -> None:
        self.time = 0.0
        self.version = 0
        self.spec: dict[str, Any] | None = None
        self.annotations: dict[str, str] = {}

    def candidate(self, name: str, offset: float) -> tuple[LeaderElector, Fence, "Wire"]:
        wire = Wire(self)
        fence = Fence(lambda: self.time + offset)
        elector = LeaderElector(
            wire,  # type: ignore[arg-type]
            "system",
            "amazon-vpc-lattice.io",
            name,
            fence=fence,
            times=LeaseTimes(),
            clock=lambda: self.time + offset,
            now=lambda: datetime.fromtimestamp(1_800_000_000 + self.time + offset, UTC),
            random=Random(1),
        )
        return elector, fence, wire

    def serve(self, method: str, sent: dict[str, Any]) -> bytes | ApiError:
        if method == "POST":
            if self.spec is not None:
                return Conflict(409, "AlreadyExists", "")
        elif self.spec is None:
            return NotFound(404, "NotFound", "")
        elif method == "PATCH" and sent["metadata"]["resourceVersion"] != str(self.version):
            return Conflict(409, "Conflict", "")
        if method != "GET":
            self.version += 1
            self.spec = (self.spec or {}) | sent["spec"]
            marks = self.annotations | sent["metadata"].get("annotations", {})
            self.annotations = {name: value for name, value in marks.items() if value is not None}
        metadata = {"resourceVersion": str(self.version), "annotations": self.annotations}
        return orjson.dumps({"metadata": metadata, "spec": self.spec})


class Turn:
    """Awaiting it gives the turn to whoever drives the coroutine."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Wire:
    """One candidate's way to the server; `mishap` befalls its requests.

    A request takes two turns, one before it reaches the server and one before its answer is there.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.mishap = "none"

    async def request(self, method: str, path: str, *, body: bytes | None = None, **_: Any) -> bytes:
        mishap = self.mishap
        await Turn()
        if mishap == "lost on the way":
            raise Unreachable("lost")
        answered = self.world.serve(method, orjson.loads(body) if body is not None else {})
        await Turn()
        if mishap == "answer lost":
            raise Unreachable("lost")
        if isinstance(answered, ApiError):
            raise answered
        return answered


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end with no time passing."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stopped:
            return stopped.value


moments = st.sampled_from([0.0, 0.0, 2.0, 4.0, 13.0, 15.5])
steps = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["none", "none", "none", "none", "lost on the way", "answer lost"]),
        st.sampled_from(["attempt"] * 7 + ["release"]),
        st.sampled_from([1, 2, 3, 8, 8, 8]),
        moments,
    ),
    min_size=6,
    max_size=20,
)


def turn(which: int, turns: int, pause: float) -> tuple[int, str, str, int, float]:
    return which, "none", "attempt", turns, pause


@given(steps, st.sampled_from([0, 1000, -1000]))
@example([turn(0, 8, 0), turn(1, 8, 13), turn(1, 8, 0)], 0)
@example([turn(0, 4, 0), turn(1, 8, 15.5), turn(1, 8, 0), turn(0, 8, 0)], 0)
@settings(max_examples=150, deadline=None)
def test_two_candidates_never_pass_the_fence_at_once(steps: Any, offset: int) -> None:
    world = World()
    candidates = [world.candidate("a", 0.0), world.candidate("b", float(offset))]
    running: list[Coroutine[Any, Any, Any] | None] = [None, None]
    for which, mishap, action, turns, pause in steps:
        elector, _, wire = candidates[which]
        wire.mishap = mishap
        coroutine = running[which] or (elector._attempt(10.0) if action == "attempt" else elector.release())
        try:
            for _ in range(turns):
                coroutine.send(None)
            running[which] = coroutine
        except StopIteration:
            running[which] = None
        world.time += pause
        assert [fence.valid_for(0) for _, fence, _ in candidates].count(True) <= 1
    for coroutine in filter(None, running):
        coroutine.close()


@given(st.lists(st.sampled_from(["none", "lost on the way", "answer lost"]), max_size=10))
@settings(deadline=None)
def test_when_the_trouble_is_over_somebody_leads(mishaps: list[str]) -> None:
    world = World()
    (first, its, wire), (second, others, _) = world.candidate("a", 0.0), world.candidate("b", 5.0)
    for mishap in mishaps:
        wire.mishap = mishap
        finish(first._attempt(10.0))
        finish(second._attempt(10.0))
        world.time += 2
    wire.mishap = "none"
    for _ in range(10):
        finish(first._attempt(10.0))
        finish(second._attempt(10.0))
        world.time += 2
    assert [its.valid_for(1), others.valid_for(1)].count(True) == 1


def test_validity_counts_from_before_the_request_was_sent() -> None:
    world = World()
    elector, fence, _ = world.candidate("me", 0.0)
    attempt = elector._attempt(10.0)
    for _ in range(2):
        attempt.send(None)
    world.time = 1.0
    for _ in range(2):
        attempt.send(None)
        world.time += 2.0
    finish(attempt)
    assert fence.valid_for(10.9)
    assert not fence.valid_for(11.0)
    world.time = 16.0
    assert not fence.valid_for(0)


def test_a_renewal_that_fails_does_not_extend_validity() -> None:
    world = World()
    elector, fence, wire = world.candidate("me", 0.0)
    finish(elector._attempt(10.0))
    world.time, wire.mishap = 5.0, "answer lost"
    assert not finish(elector._attempt(5.0))
    assert fence.valid_for(9)
    assert not fence.valid_for(10)
    wire.mishap = "none"
    assert finish(elector._attempt(5.0))
    assert fence.valid_for(14)


def test_who_held_it_before_is_known_also_if_the_answer_was_lost() -> None:
    world = World()
    world.version, world.spec = 1, {"holderIdentity": "old-controller", "leaseDurationSeconds": 15}
    elector, _, wire = world.candidate("me", 0.0)
    finish(elector._attempt(10.0))
    assert elector.holder == "old-controller"
    world.time, wire.mishap = 16.0, "answer lost"
    finish(elector._attempt(10.0))
    wire.mishap = "none"
    assert finish(elector._attempt(10.0))
    assert (elector.holder, elector.previous_holder, elector.transitions) == ("me", "old-controller", 1)


def test_a_lease_that_was_deleted_is_made_again() -> None:
    world = World()
    elector, _, _ = world.candidate("me", 0.0)
    finish(elector._attempt(10.0))
    world.spec = None
    assert finish(elector._attempt(10.0))
    assert world.spec is not None


def test_giving_back_after_an_answer_that_was_lost_looks_first() -> None:
    world = World()
    elector, _, wire = world.candidate("me", 0.0)
    finish(elector._attempt(10.0))
    wire.mishap = "answer lost"
    assert not finish(elector._attempt(10.0))
    wire.mishap = "none"
    finish(elector.release())
    assert world.spec is not None
    assert world.spec["holderIdentity"] == ""


def test_whoever_follows_another_holder_writes_so_with_the_lease() -> None:
    world = World()
    world.version, world.spec = 1, {"holderIdentity": "", "leaseTransitions": 4}
    elector, _, wire = world.candidate("me", 0.0)
    attempt = elector._attempt(10.0)
    for _ in range(2):
        attempt.send(None)
    wire.mishap = "answer lost"
    assert not finish(attempt)
    assert (world.annotations[HELD_BY], world.annotations[TAKE_OVER]) == ("me@5", EVERYTHING)
    wire.mishap = "none"
    assert finish(elector._attempt(10.0))
    assert elector.take_over == EVERYTHING


def test_what_is_left_of_a_take_over_is_written_with_the_next_renewal_and_found_by_the_next_replica() -> None:
    world = World()
    first, _, _ = world.candidate("one", 0.0)
    assert finish(first._attempt(10.0))
    first.note_take_over("something")
    assert world.annotations[TAKE_OVER] == EVERYTHING
    assert finish(first._attempt(10.0))
    finish(first.release())
    second, _, _ = world.candidate("two", 0.0)
    assert finish(second._attempt(10.0))
    assert second.take_over == "something"
    assert world.annotations[HELD_BY] == "two@1"
    second.note_take_over("")
    assert finish(second._attempt(10.0))
    assert TAKE_OVER not in world.annotations
    third, _, _ = world.candidate("three", 0.0)
    world.time = 16.0
    finish(third._attempt(10.0))
    world.time = 32.0
    assert finish(third._attempt(10.0))
    assert third.take_over == ""


def test_a_lease_that_is_deleted_while_we_hold_it_remembers_what_we_know() -> None:
    world = World()
    elector, _, _ = world.candidate("me", 0.0)
    finish(elector._attempt(10.0))
    elector.note_take_over("")
    world.spec, world.annotations = None, {}
    assert finish(elector._attempt(10.0))
    assert world.annotations == {HELD_BY: "me@0"}


def test_a_candidate_that_is_not_healthy_does_not_take_the_lease() -> None:
    world = World()
    elector, fence, _ = world.candidate("me", 0.0)
    said = [False, False, True]
    elector._healthy = lambda: said.pop(0)

    async def sleep(seconds: float) -> None:
        assert world.spec is None
        world.time += seconds

    elector._sleep = sleep
    finish(elector.acquire())
    assert fence.valid_for(1)
    assert world.time > 4


def test_a_leader_that_is_not_healthy_does_not_renew() -> None:
    world = World()
    elector, fence, _ = world.candidate("me", 0.0)
    finish(elector._attempt(10.0))
    elector._healthy = lambda: False

    async def sleep(seconds: float) -> None:
        world.time += seconds

    elector._sleep = sleep
    finish(elector.hold())
    assert world.time == 10
    assert world.version == 1
    assert not fence.valid_for(0)


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 100))
def test_a_fence_answers_by_what_is_left_at_the_moment_it_is_asked(now: float, until: float, seconds: float) -> None:
    fence = Fence(lambda: now)
    assert not fence.valid_for(0)
    fence.move(until)
    assert fence.valid_for(seconds) == (until - now > seconds)
    fence.close()
    assert not fence.valid_for(0)


@pytest.mark.parametrize("times", [(10, 10, 2), (15, 2, 2), (15, 2.3, 2), (15, 10, 0)])
def test_times_that_could_not_work_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="longer"):
        LeaseTimes(*times)


def test_a_write_may_take_what_is_left_when_its_leader_gives_up() -> None:
    assert LeaseTimes().spare == 5.0


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()


def over_http(client: KubeClient, time: Time, fence: Fence | None = None) -> LeaderElector:
    return LeaderElector(
        client,
        "system",
        "amazon-vpc-lattice.io",
        "me",
        fence=fence or Fence(lambda: time.now),
        times=LeaseTimes(),
        clock=lambda: time.now,
        now=lambda: datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        sleep=time.sleep,
        random=Random(1),
    )


def lease(holder: str, version: int, **spec: Any) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3} | spec
    return {"metadata": {"name": "amazon-vpc-lattice.io", "resourceVersion": str(version)}, "spec": spec}


async def test_the_lease_is_created_as_client_go_writes_it(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", failure(404))
    server.on("post", answer(lease("me", 1)))
    await over_http(client, Time()).acquire()
    (asked,) = server.asked("post")
    assert asked.path == PATH.rpartition("/")[0]
    assert asked.body["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-02T03:04:05.000006Z",
        "renewTime": "2026-01-02T03:04:05.000006Z",
        "leaseTransitions": 0,
    }


async def test_a_lease_that_is_held_is_given_back(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", failure(404))
    server.on("post", answer(lease("me", 1)))
    server.on("patch", answer(lease("", 2)))
    time = Time()
    fence = Fence(lambda: time.now)
    elector = over_http(client, time, fence)
    await elector.acquire()
    assert fence.valid_for(1)
    await elector.release()
    assert not fence.valid_for(0)
    given_back = server.asked("patch")[-1]
    assert given_back.body["metadata"]["resourceVersion"] == "1"
    assert given_back.body["spec"]["holderIdentity"] == ""
    assert given_back.body["spec"]["leaseTransitions"] == 3


async def test_the_lease_is_renewed_every_period_and_lost_after_the_deadline(
    client: KubeClient, server: ScriptedServer
) -> None:
    time = Time()
    server.on("get", failure(404))
    server.on("post", answer(lease("me", 1)))
    server.on("patch", answer(lease("me", 2)), failure(503))
    elector = over_http(client, time)
    await elector.acquire()
    await elector.hold()
    assert time.slept == [2.0] * 6, "renewed at 2, then not, so lost at 12"
    assert server.asked("patch")[0].body["metadata"]["resourceVersion"] == "1"


async def test_a_lease_taken_by_another_is_lost_at_once(client: KubeClient, server: ScriptedServer) -> None:
    time = Time()
    server.on("get", failure(404), answer(lease("other", 5)))
    server.on("post", answer(lease("me", 1)))
    server.on("patch", failure(409, "Conflict"))
    fence = Fence(lambda: time.now)
    elector = over_http(client, time, fence)
    await elector.acquire()
    await elector.hold()
    assert time.slept == [2.0]
    assert (fence.valid_for(0), elector.holder) == (False, "other")
    await elector.release()
    assert len(server.asked("patch")) == 1, "what is not ours is not given back"


async def test_a_forbidden_lease_says_which_permission_is_missing_and_does_not_say_it_each_time(
    client: KubeClient, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("get", failure(403, "Forbidden", "no"), failure(403, "Forbidden", "no"), failure(404))
    server.on("post", answer(lease("me", 1)))
    time = Time()
    await over_http(client, time).acquire()
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "get, create and patch on leases.coordination.k8s.io in namespace system" in warnings[0].__dict__["error"]
    assert all(2 <= pause <= 2.4 for pause in time.slept)


async def test_a_failure_that_goes_on_is_a_warning_once_a_minute(
    client: KubeClient, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("get", *[failure(403, "Forbidden", "no")] * 65, failure(404))
    server.on("post", answer(lease("me", 1)))
    time = Time()
    await over_http(client, time).acquire()
    assert 120 < time.now < 180
    assert [record.levelname for record in caplog.records].count("WARNING") == 3


async def test_what_keeps_the_lease_from_being_reached_is_known_until_it_is_reached(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("get", failure(403, "Forbidden", "no"), answer(lease("other", 5)))
    elector = over_http(client, Time())
    assert elector.complaint == ""
    assert not await elector._attempt(3.0)
    assert "get, create and patch on leases.coordination.k8s.io" in elector.complaint
    assert not await elector._attempt(3.0)
    assert (elector.holder, elector.complaint) == ("other", "")


async def test_a_lease_that_cannot_be_read_is_a_failure_like_others(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", answer({"spec": 5}), failure(404))
    server.on("post", answer(lease("me", 1)))
    time = Time()
    fence = Fence(lambda: time.now)
    await over_http(client, time, fence).acquire()
    assert fence.valid_for(1)
