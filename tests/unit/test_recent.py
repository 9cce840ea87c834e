"""A follower remembers the keys that were touched lately, and no more of them than it may."""

import pytest

from controller.api.keys import ObjectKey
from controller.recent import Recent

A, B, C = (ObjectKey("HTTPRoute", "default", name) for name in "abc")


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def recent(seconds: Seconds) -> Recent:
    return Recent(10.0, 2, monotonic=seconds)


def test_what_was_touched_is_given_away_once_the_longest_untouched_first(recent: Recent) -> None:
    recent.touched(A, urgent=False)
    recent.touched(B, urgent=True)
    recent.touched(A, urgent=False)
    assert list(recent.take().items()) == [(B, True), (A, False)]
    assert recent.take() == {}


def test_what_was_urgent_once_stays_urgent(recent: Recent) -> None:
    recent.touched(A, urgent=True)
    recent.touched(A, urgent=False)
    assert recent.take() == {A: True}


def test_what_is_older_than_the_window_is_forgotten(recent: Recent, seconds: Seconds) -> None:
    recent.touched(A, urgent=False)
    seconds.now = 5.0
    recent.touched(B, urgent=False)
    seconds.now = 11.0
    assert recent.take() == {B: False}


def test_what_is_touched_again_stays(recent: Recent, seconds: Seconds) -> None:
    for seconds.now in (0.0, 8.0, 16.0):
        recent.touched(A, urgent=False)
    assert recent.take() == {A: False}


def test_what_is_forgotten_takes_no_room_though_nobody_asks(recent: Recent, seconds: Seconds) -> None:
    recent.touched(A, urgent=False)
    seconds.now = 11.0
    recent.touched(B, urgent=False)
    assert len(recent) == 1


def test_of_too_many_the_oldest_are_forgotten(recent: Recent) -> None:
    for key in (A, B, C):
        recent.touched(key, urgent=False)
    assert list(recent.take()) == [B, C]
