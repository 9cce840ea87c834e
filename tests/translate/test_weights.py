"""Weights, 0-1,000,000 to 0-999."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.translate.weights import MAX_WEIGHT, scale

WEIGHTS = st.lists(st.integers(0, 1_000_000), min_size=1, max_size=10).filter(any)


def test_what_lattice_takes_stays_as_it_is():
    assert scale((10, 90, 0)) == (10, 90, 0)
    assert scale((999,)) == (999,)


def test_a_ratio_that_has_an_exact_form_gets_it():
    assert scale((1_000_000, 500_000)) == (2, 1)
    assert scale((100_000, 900_000, 0)) == (1, 9, 0)


@pytest.mark.parametrize("weights", [(1000, 333), (333, 1000), (1_000_000, 999_999), (1_000_000, 1), (523_417, 3)])
def test_the_nearest_ratio_of_two_is_found(weights: tuple[int, int]):
    large, small = max(weights), min(weights)
    around = [(a, max(1, small * a // large + more)) for a in range(1, MAX_WEIGHT + 1) for more in (0, 1)]
    best = min(abs(Fraction(b, a) - Fraction(small, large)) for a, b in around)
    a, b = max(scale(weights)), min(scale(weights))
    assert abs(Fraction(b, a) - Fraction(small, large)) == best
    assert scale((*weights, 0, *weights)) == (*scale(weights), 0, *scale(weights))


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=10))
def test_each_ratio_to_the_largest_is_within_half_a_step_or_the_smallest_weight(weights):
    scaled = scale(weights)
    for weight, got in zip(weights, scaled, strict=True):
        wanted = Fraction(weight * max(scaled), max(weights))
        assert abs(wanted - got) <= Fraction(1, 2) or (got == 1 and wanted < 1)


@given(WEIGHTS)
def test_results_are_in_range_and_zero_stays_zero(weights):
    scaled = scale(weights)
    assert all(0 <= weight <= MAX_WEIGHT for weight in scaled)
    assert [weight == 0 for weight in scaled] == [weight == 0 for weight in weights]


@given(WEIGHTS)
def test_order_is_kept(weights):
    scaled = scale(weights)
    for one, small in zip(weights, scaled, strict=True):
        for other, large in zip(weights, scaled, strict=True):
            if one <= other:
                assert small <= large


@given(st.lists(st.integers(1, 1_000_000), min_size=2, max_size=2))
def test_no_share_of_two_is_off_by_more_than_lattice_makes_it(weights):
    """Within half a step of the finest scale, or by the smallest weight there is."""
    scaled = scale(weights)
    wanted = Fraction(weights[0], sum(weights))
    got = Fraction(scaled[0], sum(scaled))
    assert abs(wanted - got) <= Fraction(1, MAX_WEIGHT)
