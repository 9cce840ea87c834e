"""The lease as such: who may hold it and when, what is written with it, and until when it lets writes pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.kube.lease import Fence, Sighting, decide, record_to_write, sighted
from controller.kube.lease_marks import LeaseRecord
from controller.kube.lease_times import LeaseTimes


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
