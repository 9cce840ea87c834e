"""Whom a holder of the Lease follows, told by the marks that it finds there, whatever happened to the Lease before."""

from pathlib import Path

import anyio
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.kube.client import KubeClient
from controller.kube.errors import ApiError
from controller.kube.lease import Decision, Sighting, record_to_write
from controller.kube.lease_marks import (
    EVERYTHING,
    HELD_BY,
    TAKE_OVER,
    LeaseRecord,
    Marks,
    changed,
    held_by_us,
    marks_of_holder,
    marks_of_reader,
    take_over_left,
)
from controller.kube.lease_note import LeaseNote
from sandbox.kube import KubeServer
from tests.kube.scripted import ScriptedServer, answer, failure, until

pytestmark = pytest.mark.anyio

NAME = "amazon-vpc-lattice.io"


class Lease:
    """A Lease and what its users do to it; `last` is who held it in truth."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.marks: Marks = {}
        self.last = "nobody"
        self.left = ""
        self.moments = 0

    def moment(self) -> str:
        self.moments += 1
        return f"T{self.moments}"

    def expected(self) -> str:
        return self.left if self.last == "ours" else EVERYTHING

    def found(self) -> str:
        return EVERYTHING if self.record is None else take_over_left(self.record, self.marks)

    def mark(self, marks: Marks) -> None:
        merged = {**self.marks, **changed(self.marks, marks)}
        self.marks = {name: value for name, value in merged.items() if value is not None}
        self.last, self.left = "ours", marks[TAKE_OVER]

    def ours(self, identity: str, left: str) -> None:
        seen = None if self.record is None else Sighting(self.record, "1", 0.0, self.marks)
        assert self.found() == self.expected()
        decision: Decision = "create" if seen is None else "take"
        self.record = record_to_write(seen, identity, decision, lease_duration=15, moment=self.moment())
        self.mark(marks_of_holder(self.record, left))

    def reader(self, left: str) -> None:
        assert self.found() == self.expected()
        self.record = self.record or LeaseRecord()
        self.mark(marks_of_reader(self.record, left))

    def theirs(self) -> None:
        """As client-go takes it: annotations stay."""
        before = self.record or LeaseRecord(lease_transitions=-1)
        self.record = LeaseRecord(
            holder_identity=f"theirs_{self.moments}",
            renew_time=self.moment(),
            lease_transitions=before.lease_transitions + 1,
        )
        self.last = "theirs"

    def given_back(self) -> None:
        if self.record is not None and self.record.holder_identity:
            by_reader = self.marks.get(HELD_BY, "").count("@") == 2
            self.record = replace(self.record, holder_identity="", renew_time=self.moment())
            self.last = "theirs" if by_reader else self.last

    def renewed(self) -> None:
        if self.record is not None and self.record.holder_identity.startswith("theirs"):
            self.record = replace(self.record, renew_time=self.moment())
            self.last = "theirs"

    def deleted(self) -> None:
        self.record, self.marks, self.last = None, {}, "nobody"


events = st.sampled_from(["one", "two", "reader", "theirs", "given back", "renewed", "deleted"])


@given(st.lists(st.tuples(events, st.sampled_from(["", "a", EVERYTHING])), max_size=12))
def test_whom_a_holder_follows_is_never_mistaken(history: list[tuple[str, str]]) -> None:
    lease = Lease()
    for event, left in history:
        match event:
            case "one" | "two":
                lease.ours(event, left)
            case "reader":
                lease.reader(left)
            case "theirs":
                lease.theirs()
            case "given back":
                lease.given_back()
            case "renewed":
                lease.renewed()
            case _:
                lease.deleted()
        assert lease.found() == lease.expected()


def test_a_lease_of_before_these_marks_is_not_ours() -> None:
    assert not held_by_us(LeaseRecord(holder_identity="me", lease_transitions=0), {})
    assert not held_by_us(LeaseRecord(), {})


async def test_without_leader_election_it_is_left_in_a_lease_that_nobody_holds(
    kube: KubeServer, tmp_path: Path
) -> None:
    config = tmp_path / "kubeconfig-of-a-note"
    config.write_bytes(orjson.dumps(kube.kubeconfig()))
    async with KubeClient.from_config(config, user_agent="test/1") as client:
        note = LeaseNote(client, "shop", NAME)
        assert await note.read() == EVERYTHING
        await note.write("a,b")
        assert await note.read() == "a,b"
        await note.write("")
        assert await LeaseNote(client, "shop", NAME).read() == ""


async def test_what_is_left_already_is_not_written_again(client: KubeClient, server: ScriptedServer) -> None:
    metadata = {"resourceVersion": "7", "annotations": {HELD_BY: "@2@never", TAKE_OVER: "a"}}
    server.on("get", answer({"metadata": metadata, "spec": {"leaseTransitions": 2}}))
    server.on("patch", answer({}))
    note = LeaseNote(client, "shop", NAME)
    await note.write("a")
    assert server.asked("patch") == []
    await note.write("b")
    assert [asked.body for asked in server.asked("patch")] == [
        {"metadata": {"resourceVersion": "7", "annotations": {TAKE_OVER: "b"}}}
    ]


async def test_what_cannot_be_read_is_an_error(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", failure(403), answer({"spec": []}))
    for _ in range(2):
        with pytest.raises(ApiError):
            await LeaseNote(client, "shop", NAME).read()


async def test_what_is_noted_is_written_as_often_as_it_takes(
    client: KubeClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.kube.lease_note.RETRY", 0.0)
    server.on("get", answer({"metadata": {"resourceVersion": "7"}, "spec": {}}))
    server.on("patch", failure(409, "Conflict"), answer({}))
    note = LeaseNote(client, "shop", NAME)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(note.run)
        note.note("a")
        note.note("b")
        await until(lambda: len(server.asked("patch")) == 2)
        tasks.cancel_scope.cancel()
    assert [asked.body["metadata"]["annotations"][TAKE_OVER] for asked in server.asked("patch")] == ["b", "b"]


async def test_whom_it_follows_is_asked_as_often_as_it_takes(
    client: KubeClient, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.kube.lease_note.RETRY", 0.0)
    metadata = {"annotations": {HELD_BY: "@0@never", TAKE_OVER: "a"}}
    server.on("get", failure(503), failure(500), answer({"metadata": metadata, "spec": {}}))
    assert await LeaseNote(client, "shop", NAME).learn() == "a"


async def test_who_may_not_read_the_lease_follows_somebody_else(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", failure(403, "Forbidden"))
    assert await LeaseNote(client, "shop", NAME).learn() == EVERYTHING
