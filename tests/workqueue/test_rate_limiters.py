"""Limiters answer with seconds to wait: growing with a key's failures, spread over all keys, or the longest of both."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue import ItemExponential, MaxOf, TokenBucket, default_limiter
from workqueue.testing import FakeClock


def test_each_failure_of_a_key_doubles_its_delay():
    limiter = ItemExponential(0.001, 1)
    assert [limiter.when("a") for _ in range(5)] == [0.001, 0.002, 0.004, 0.008, 0.016]


def test_keys_fail_apart_from_each_other():
    limiter = ItemExponential(1, 60)
    limiter.when("a")
    limiter.when("a")
    assert limiter.when("b") == 1
    assert (limiter.num_requeues("a"), limiter.num_requeues("b")) == (2, 1)


def test_a_forgotten_key_starts_over():
    limiter = ItemExponential(1, 60)
    limiter.when("a")
    limiter.when("a")
    limiter.forget("a")
    assert limiter.num_requeues("a") == 0
    assert limiter.when("a") == 1


def test_forgetting_a_key_that_never_failed_is_no_error():
    limiter = ItemExponential(1, 60)
    limiter.forget("a")
    assert limiter.num_requeues("a") == 0


def test_the_delay_stops_growing_at_the_maximum():
    limiter = ItemExponential(1, 10)
    assert [limiter.when("a") for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_key_that_has_failed_for_years_does_not_overflow():
    limiter = ItemExponential(0.005, 1000)
    for _ in range(5000):
        limiter.when("a")
    assert limiter.when("a") == 1000


def test_jitter_takes_a_share_of_the_delay_by_chance():
    chances = iter([0.0, 0.5, 0.75])
    limiter = ItemExponential(8, 1000, jitter=0.5, random=lambda: next(chances))
    assert [limiter.when(key) for key in "abc"] == [8, 6, 5]


@given(
    base=st.floats(0.001, 10),
    factor=st.floats(1, 1e6),
    jitter=st.floats(0, 1),
    chance=st.floats(0, 1, exclude_max=True),
    failures=st.integers(0, 60),
)
def test_a_delay_is_never_above_the_maximum_nor_less_than_jitter_allows(base, factor, jitter, chance, failures):
    maximum = base * factor
    limiter = ItemExponential(base, maximum, jitter=jitter, random=lambda: chance)
    for _ in range(failures):
        limiter.when("a")
    full = min(maximum, base * 2**failures)
    assert full * (1 - jitter) <= limiter.when("a") <= full


@pytest.mark.parametrize(("base", "maximum", "jitter"), [(0, 1, 0), (-1, 1, 0), (2, 1, 0), (1, 2, -0.1), (1, 2, 1.1)])
def test_an_exponential_limiter_that_makes_no_sense_is_refused(base, maximum, jitter):
    with pytest.raises(ValueError, match=r"delays|jitter"):
        ItemExponential(base, maximum, jitter=jitter)


def test_a_bucket_lets_a_burst_pass_and_then_spaces_retries_by_its_rate():
    limiter = TokenBucket(rate=10, burst=3, clock=FakeClock())
    assert [limiter.when(key) for key in "abcdef"] == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3])


def test_a_bucket_fills_with_time_but_never_above_its_burst():
    clock = FakeClock()
    limiter = TokenBucket(rate=10, burst=2, clock=clock)
    assert [limiter.when("a") for _ in range(3)] == pytest.approx([0, 0, 0.1])
    clock.advance(3600)
    assert [limiter.when("a") for _ in range(3)] == pytest.approx([0, 0, 0.1])


def test_a_bucket_remembers_nothing_of_single_keys():
    limiter = TokenBucket(rate=10, burst=1, clock=FakeClock())
    limiter.when("a")
    limiter.forget("a")
    assert limiter.num_requeues("a") == 0
    assert limiter.when("a") == pytest.approx(0.1)


@given(
    rate=st.integers(1, 100),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=50),
)
def test_in_any_span_of_time_a_bucket_lets_pass_no_more_than_burst_plus_rate(rate, burst, pauses):
    clock = FakeClock()
    limiter = TokenBucket(rate=rate, burst=burst, clock=clock)
    passes = []
    for pause in pauses:
        clock.advance(pause)
        passes.append(clock.time() + limiter.when("a"))
    assert passes == sorted(passes)
    for (i, first), (j, last) in itertools.combinations(enumerate(passes), 2):
        assert j - i + 1 <= burst + rate * (last - first) + 1e-6


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_lets_nothing_pass_is_refused(rate, burst):
    with pytest.raises(ValueError, match="token bucket"):
        TokenBucket(rate, burst)


def test_of_several_limiters_the_longest_delay_holds():
    limiter = MaxOf(ItemExponential(1, 60), ItemExponential(3, 4))
    assert [limiter.when("a") for _ in range(4)] == [3, 4, 4, 8]


def test_every_limiter_counts_and_forgets():
    first, second = ItemExponential(1, 60), ItemExponential(1, 60)
    limiter = MaxOf(first, second)
    second.when("a")
    limiter.when("a")
    assert limiter.num_requeues("a") == 2
    limiter.forget("a")
    assert (first.num_requeues("a"), second.num_requeues("a")) == (0, 0)


def test_no_limiter_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        MaxOf()


def test_by_default_a_key_backs_off_from_5_ms_to_1000_s():
    limiter = default_limiter(clock=FakeClock(), random=lambda: 0.0)
    delays = [limiter.when("a") for _ in range(20)]
    assert delays[:3] == [0.005, 0.01, 0.02]
    assert delays[-1] == 1000


def test_by_default_all_keys_together_come_back_at_10_a_second_after_100():
    limiter = default_limiter(clock=FakeClock(), random=lambda: 0.0)
    delays = [limiter.when(f"key {n}") for n in range(102)]
    assert delays[:100] == [0.005] * 100
    assert delays[100:] == pytest.approx([0.1, 0.2])
