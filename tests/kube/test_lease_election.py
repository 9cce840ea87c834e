"""Candidates for the lease against a server that loses requests and answers: two never both pass the fence.

Time passes where a test says so, and each request is answered in turns that a test can hold up.
"""

from collections.abc import Coroutine, Generator
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.kube.errors import ApiError, Conflict, NotFound, Unreachable
from controller.kube.lease import Fence, LeaderElector
from controller.kube.lease_marks import EVERYTHING, HELD_BY, TAKE_OVER
from controller.kube.lease_times import LeaseTimes


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
