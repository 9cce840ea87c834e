"""The thresholds and the matcher of a health check."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.dataplane.health import Health, matches_code
from sandbox.lattice.directory import HealthCheck

CHECK = HealthCheck(enabled=True, healthy_threshold=3, unhealthy_threshold=2)
FRESH = Health()


def after(results, start=FRESH, check=CHECK):
    for success in results:
        start = start.after(success=success, check=check)
    return start.verdict


def test_a_fresh_target_is_healthy_after_one_success():
    assert after([True]) == "HEALTHY"
    assert after([False, True]) == "HEALTHY"


def test_a_fresh_target_is_unhealthy_after_the_threshold():
    assert after([False]) == "INITIAL"
    assert after([False, False]) == "UNHEALTHY"


def test_a_healthy_target_falls_after_failures_in_a_row():
    assert after([False, True, False], Health("HEALTHY")) == "HEALTHY"
    assert after([False, False], Health("HEALTHY")) == "UNHEALTHY"


def test_an_unhealthy_target_returns_after_successes_in_a_row():
    assert after([True, True, False, True, True], Health("UNHEALTHY")) == "UNHEALTHY"
    assert after([True, True, True], Health("UNHEALTHY")) == "HEALTHY"


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_the_machine_agrees_with_looking_at_the_whole_history(results, healthy, unhealthy):
    check = HealthCheck(enabled=True, healthy_threshold=healthy, unhealthy_threshold=unhealthy)
    verdict = "INITIAL"
    for end in range(1, len(results) + 1):
        past = results[:end]
        if verdict == "INITIAL" and past[-1]:
            verdict = "HEALTHY"
        elif verdict != "UNHEALTHY" and end >= unhealthy and not any(past[-unhealthy:]):
            verdict = "UNHEALTHY"
        elif verdict == "UNHEALTHY" and end >= healthy and all(past[-healthy:]):
            verdict = "HEALTHY"
    assert after(results, check=check) == verdict


@pytest.mark.parametrize(
    ("matcher", "good", "bad"),
    [
        ("200", [200], [199, 201]),
        ("200,202", [200, 202], [201]),
        ("200-204", [200, 204], [205]),
        ("200, 301-302", [200, 301, 302], [300]),
        ("", [200], [204]),
    ],
)
def test_codes_and_ranges(matcher, good, bad):
    assert all(matches_code(matcher, status) for status in good)
    assert not any(matches_code(matcher, status) for status in bad)


def test_what_is_no_code_matches_nothing():
    assert not matches_code("20-,abc,2000", 200)
