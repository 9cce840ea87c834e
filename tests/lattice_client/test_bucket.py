"""The specification of one operation's token bucket, without any waiting."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.lattice.limits import LIVE_PER_BULK, Bucket, Lane, Rate, Ticket

TEN = Rate(10, 10)


def tickets(lane: Lane, count: int, first: int = 0) -> list[Ticket]:
    return [Ticket(number, lane) for number in range(first, first + count)]


def grown(rate: Rate = TEN) -> Bucket:
    """A bucket that has learned that its whole rate may be used, full at time 0."""
    bucket = Bucket(rate, -1000.0)
    for number in range(200):
        ticket = Ticket(number, Lane.LIVE)
        ticket.granted = -1000.0 + number
        bucket.succeeded(ticket)
    assert bucket.rate == rate.per_second
    bucket.grant(0.0)
    return bucket


def test_a_new_bucket_starts_slow_and_grows_to_its_ceiling_by_success() -> None:
    bucket = Bucket(TEN, 0.0)
    assert bucket.rate == 2.5
    rates = []
    for ticket in tickets(Lane.LIVE, 10):
        bucket.join(ticket)
        ticket.granted = 0.0
        bucket.succeeded(ticket)
        rates.append(bucket.rate)
    assert rates == sorted(rates)
    assert rates[0] == 3.5
    assert rates[-1] == 10.0


def test_a_bucket_slower_than_one_a_second_is_never_faster_than_told() -> None:
    bucket = Bucket(Rate(0.2, 1), 0.0)
    first, second = tickets(Lane.LIVE, 2)
    bucket.join(first)
    bucket.join(second)
    assert bucket.grant(0.0) == [first]
    assert bucket.delay(0.0) == pytest.approx(5.0)
    assert bucket.grant(4.9) == []
    assert bucket.grant(5.0) == [second]


def test_a_full_bucket_grants_its_burst_at_once_and_then_its_rate() -> None:
    bucket = grown()
    for ticket in tickets(Lane.LIVE, 15):
        bucket.join(ticket)
    assert [t.number for t in bucket.grant(0.0)] == list(range(10))
    assert bucket.delay(0.0) == pytest.approx(0.1)
    assert [t.number for t in bucket.grant(0.25)] == [10, 11]


def test_live_goes_before_bulk_that_came_first() -> None:
    bucket = grown()
    bulk, live = tickets(Lane.BULK, 20), tickets(Lane.LIVE, 3, first=20)
    for ticket in (*bulk, *live):
        bucket.join(ticket)
    assert bucket.grant(0.0)[:3] == live


def test_bulk_leaves_half_of_the_bucket_so_that_a_live_call_need_not_wait() -> None:
    bucket = grown()
    for ticket in tickets(Lane.BULK, 100):
        bucket.join(ticket)
    assert len(bucket.grant(0.0)) == 5
    live = tickets(Lane.LIVE, 5, first=100)
    for ticket in live:
        bucket.join(ticket)
    assert bucket.grant(0.0) == live


def test_bulk_alone_gets_the_whole_rate() -> None:
    bucket = grown()
    for ticket in tickets(Lane.BULK, 200):
        bucket.join(ticket)
    bucket.grant(0.0)
    assert sum(len(bucket.grant(second / 10)) for second in range(1, 101)) == pytest.approx(100, abs=1)


def test_bulk_has_one_grant_in_ten_while_live_work_never_ends() -> None:
    bucket = grown()
    for ticket in (*tickets(Lane.LIVE, 500), *tickets(Lane.BULK, 500, first=500)):
        bucket.join(ticket)
    lanes = [ticket.lane for tick in range(300) for ticket in bucket.grant(tick / 10)]
    assert Counter(lanes)[Lane.BULK] == pytest.approx(len(lanes) / (LIVE_PER_BULK + 1), abs=1)


def test_bulk_has_its_share_also_when_live_calls_come_just_as_fast_as_they_may_go() -> None:
    bucket = grown(Rate(10, 2))
    for ticket in tickets(Lane.BULK, 500, first=10_000):
        bucket.join(ticket)
    lanes: list[Lane] = []
    for tick in range(1, 300):
        bucket.join(Ticket(tick, Lane.LIVE))
        lanes += [ticket.lane for ticket in bucket.grant(tick / 10)]
    assert Counter(lanes)[Lane.BULK] >= len(lanes) // (LIVE_PER_BULK + 2)


def test_a_throttle_halves_the_rate_and_empties_the_bucket() -> None:
    bucket = grown()
    first, second = tickets(Lane.LIVE, 2)
    bucket.join(first)
    bucket.grant(0.0)
    bucket.throttled(first, 0.5, 0.0)
    assert bucket.rate == 5.0
    bucket.join(second)
    assert bucket.delay(0.5) == pytest.approx(0.2)


def test_calls_that_were_under_way_when_the_rate_was_cut_do_not_cut_it_again() -> None:
    bucket = grown()
    under_way = tickets(Lane.LIVE, 5)
    for ticket in under_way:
        bucket.join(ticket)
    bucket.grant(0.0)
    for ticket in under_way:
        bucket.throttled(ticket, 0.5, 0.0)
    assert bucket.rate == 5.0
    later = Ticket(9, Lane.LIVE)
    bucket.join(later)
    assert bucket.grant(1.0) == [later]
    bucket.throttled(later, 1.1, 0.0)
    assert bucket.rate == 2.5


def test_the_rate_recovers_by_the_same_step_each_second() -> None:
    bucket = grown()
    number, now = 0, 0.0
    ticket = Ticket(number, Lane.LIVE)
    bucket.join(ticket)
    bucket.grant(now)
    bucket.throttled(ticket, now, 0.0)
    rates = {}
    while now < 8.0:
        number += 1
        ticket = Ticket(number, Lane.LIVE)
        bucket.join(ticket)
        wait = bucket.delay(now)
        assert wait is not None
        now += wait
        assert bucket.grant(now) == [ticket]
        bucket.succeeded(ticket)
        rates[int(now)] = bucket.rate
    assert rates[4] == pytest.approx(10.0, abs=0.5)
    assert rates[1] - rates[0] == pytest.approx(1.0, abs=0.3)


def test_nothing_is_granted_before_the_time_that_aws_asked_for() -> None:
    bucket = grown()
    first, second = tickets(Lane.LIVE, 2)
    bucket.join(first)
    bucket.grant(0.0)
    bucket.throttled(first, 0.0, 7.0)
    bucket.join(second)
    assert bucket.grant(6.9) == []
    assert bucket.delay(6.0) == pytest.approx(1.0)
    assert bucket.grant(7.0) == [second]


def test_a_throttled_call_comes_back_ahead_of_all_later_ones() -> None:
    bucket = grown(Rate(1, 1))
    first, second, third = tickets(Lane.LIVE, 3)
    for ticket in (first, second, third):
        bucket.join(ticket)
    assert bucket.grant(0.0) == [first]
    bucket.throttled(first, 0.0, 0.0)
    bucket.join(first)
    granted = [ticket for tick in range(1, 8) for ticket in bucket.grant(float(tick))]
    assert granted == [first, second, third]


def test_a_grant_that_is_not_used_is_given_back() -> None:
    bucket = grown(Rate(1, 1))
    first, second = tickets(Lane.LIVE, 2)
    bucket.join(first)
    bucket.join(second)
    assert bucket.grant(0.0) == [first]
    bucket.leave(first)
    assert bucket.grant(0.0) == [second]


def test_who_leaves_is_not_granted() -> None:
    bucket = grown(Rate(1, 1))
    first, second, third = tickets(Lane.LIVE, 3)
    for ticket in (first, second, third):
        bucket.join(ticket)
    bucket.leave(second)
    assert [t for tick in range(4) for t in bucket.grant(float(tick))] == [first, third]
    assert bucket.waiting == 0
    assert bucket.delay(9.0) is None


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (1, 0.5), (float("inf"), 1), (float("nan"), 1)])
def test_a_rate_that_makes_no_sense_is_refused(per_second: float, burst: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Rate(per_second, burst)


steps = st.lists(
    st.tuples(
        st.sampled_from(["live", "bulk", "leave", "ok", "throttle", "again"]),
        st.floats(0, 3, allow_nan=False),
        st.integers(0, 50),
    ),
    max_size=120,
)


@given(st.sampled_from([Rate(10, 10), Rate(0.3, 1), Rate(100, 5), Rate(7, 30)]), steps)
def test_whatever_happens_the_ceiling_holds_and_each_lane_is_in_order(
    rate: Rate, script: list[tuple[str, float, int]]
) -> None:
    bucket = Bucket(rate, 0.0)
    now, number = 0.0, 0
    waiting: list[Ticket] = []
    flying: list[Ticket] = []
    grants: list[float] = []
    for action, seconds, pick in script:
        now += seconds
        if action in {"live", "bulk"}:
            waiting.append(Ticket(number, Lane(action)))
            bucket.join(waiting[-1])
            number += 1
        elif action == "leave" and waiting:
            bucket.leave(waiting.pop(pick % len(waiting)))
        elif action == "ok" and flying:
            bucket.succeeded(flying.pop(pick % len(flying)))
        elif action == "throttle" and flying:
            bucket.throttled(flying.pop(pick % len(flying)), now, float(pick % 3))
        elif action == "again" and flying:
            ticket = flying.pop(pick % len(flying))
            bucket.throttled(ticket, now, 0.0)
            bucket.join(ticket)
            waiting.append(ticket)
        delay = bucket.delay(now)
        assert (delay is None) == (not waiting)
        granted = bucket.grant(now)
        for ticket in granted:
            assert ticket.number == min(t.number for t in waiting if t.lane is ticket.lane)
            waiting.remove(ticket)
            flying.append(ticket)
            grants.append(now)
        assert rate.per_second * 0.05 <= bucket.rate <= rate.per_second
    for index, start in enumerate(grants):
        for count, end in enumerate(grants[index:], start=1):
            assert count <= rate.burst + rate.per_second * (end - start) + 1e-3


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([Rate(10, 10), Rate(0.5, 1), Rate(3, 2)]))
def test_waiting_for_the_delay_it_names_always_lets_somebody_go(live: int, bulk: int, rate: Rate) -> None:
    bucket, now, left = Bucket(rate, 0.0), 0.0, live + bulk
    for ticket in (*tickets(Lane.LIVE, live), *tickets(Lane.BULK, bulk, first=live)):
        bucket.join(ticket)
    bucket.grant(now)
    left = bucket.waiting
    while left:
        delay = bucket.delay(now)
        assert delay is not None
        assert delay > 0
        now += delay
        assert bucket.grant(now)
        left = bucket.waiting


def test_urgent_goes_before_live_and_bulk_that_came_first() -> None:
    bucket = grown()
    bulk, live, urgent = tickets(Lane.BULK, 2), tickets(Lane.LIVE, 20, first=2), tickets(Lane.URGENT, 2, first=22)
    for ticket in (*bulk, *live, *urgent):
        bucket.join(ticket)
    assert bucket.grant(0.0)[:3] == [*urgent, live[0]]


def test_bulk_has_its_turn_in_a_stream_of_urgent_calls_too() -> None:
    bucket = grown()
    bulk, urgent = tickets(Lane.BULK, 1), tickets(Lane.URGENT, 20, first=1)
    for ticket in (*bulk, *urgent):
        bucket.join(ticket)
    assert bucket.grant(0.0)[LIVE_PER_BULK] is bulk[0]


def test_an_urgent_call_that_waits_alone_does_not_wait_for_bulks_reserve() -> None:
    bucket = grown()
    for ticket in tickets(Lane.LIVE, 10):
        bucket.join(ticket)
    bucket.grant(0.0)
    [urgent] = tickets(Lane.URGENT, 1, first=10)
    bucket.join(urgent)
    assert bucket.delay(0.0) == pytest.approx(0.1)
