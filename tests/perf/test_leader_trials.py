"""How the trials of leader election are planned, judged and reported; the trials themselves are run elsewhere."""

import math

from hypothesis import given
from hypothesis import strategies as st

from perf.leader_trials import MOMENTS, Outcome, Renewal, Trial, Write, closest, late_writes
from perf.leader_trials.options import plan
from perf.leader_trials.report import report

DURATION = 3.0
names = st.sampled_from("abc")
moments = st.integers(0, 30).map(float)
renewals = st.lists(st.builds(Renewal, names, moments), unique_by=lambda one: one.at)
writes = st.lists(st.builds(Write, names, moments, st.just("CreateRule")))


def in_time(write: Write, history: list[Renewal]) -> bool:
    """The definition, read off the whole history."""
    before = [one for one in history if one.at <= write.at]
    last = max(before, key=lambda one: one.at, default=Renewal("", -math.inf))
    return last.holder == write.by and write.at - last.at <= DURATION


@given(writes, renewals)
def test_a_write_is_in_time_if_its_sender_renewed_last_and_not_too_long_ago(
    sent: list[Write], history: list[Renewal]
) -> None:
    assert late_writes(sent, history, DURATION) == [write for write in sent if not in_time(write, history)]


@given(writes, renewals)
def test_what_is_in_time_has_something_left_of_its_lease(sent: list[Write], history: list[Renewal]) -> None:
    good = [write for write in sent if in_time(write, history)]
    assert 0 <= closest(good, history, DURATION) <= DURATION


def outcome(*late: Write, tls: bool = False) -> Outcome:
    trial = Trial("at random", "replica-1", taken_over=3.0, stopped=3.5, exit_code=14, others=7)
    return Outcome([trial], writes=40, late=list(late), closest=0.7, repeated=1, tls=tls)


def test_a_late_write_that_no_trial_knows_of_is_reported_by_name() -> None:
    text = report([outcome(tls=True), outcome(Write("replica-2", 17.0, "UpdateRule"))], 60)
    assert "80 writes in 60 s" in text
    assert "1 late" in text
    assert "- LATE: UpdateRule of replica-2 at 17.000" in text
    assert "1 of 2 worlds with TLS" in text


def test_a_row_for_each_moment_that_was_tried_and_one_for_all() -> None:
    rows = [line for line in report([outcome(), outcome()], 60).splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[1] for row in rows[1:]] == ["2", "2"]


def test_the_plan_has_as_many_of_each_as_asked_for_in_an_order_that_the_seed_gives() -> None:
    planned = plan(3, 2, 5, seed=1)
    assert [planned.count(moment) for moment in MOMENTS] == [3, 2, 5]
    assert planned == plan(3, 2, 5, seed=1) != plan(3, 2, 5, seed=2)
