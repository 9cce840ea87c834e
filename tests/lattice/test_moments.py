"""Each request gets the old or the new answer at every moment of a change, whatever the order of the calls."""

from unittest import mock

import anyio
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.lattice.moments import Tally
from tests.lattice.sites import BACKENDS, passthroughs, run, sites

few = settings(max_examples=60, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
"""The same at every run, so that a change is judged by itself; `python -m tests.properties` looks for others."""
seeds = st.integers(0, 2**32)


@few
@given(st.lists(sites(), min_size=2, max_size=4), seeds)
def test_each_request_gets_the_old_or_the_new_answer_at_every_moment(changes, seed):
    anyio.run(run, changes, seed, Tally(), False)


@few
@given(st.lists(sites(BACKENDS[:3]), min_size=2, max_size=4), seeds)
def test_so_it_does_where_the_process_ends_and_another_one_goes_on(changes, seed):
    """One port of a Service: which port a group is for is known only to the process that filled it."""
    anyio.run(run, changes, seed, Tally(), True)


@few
@given(st.lists(sites(), min_size=2, max_size=4), seeds)
def test_so_it_does_where_surplus_rules_become_new_ones(changes, seed):
    """As if no listener had room for more rules than it has."""
    with mock.patch("controller.lattice.plan.listeners._ALLOWED", 0):
        anyio.run(run, changes, seed, Tally(), False)


@few
@given(st.lists(passthroughs(), min_size=2, max_size=4), seeds)
def test_so_does_each_connection_that_is_passed_through(changes, seed):
    anyio.run(run, changes, seed, Tally(), False)


def test_steps_of_rules_that_keep_no_order_are_found_out():
    """Of the property itself: it fails when no step of a rule waits for another."""

    @settings(max_examples=300, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.lists(sites(), min_size=2, max_size=4), seeds)
    def property_(changes, seed):
        anyio.run(run, changes, seed, Tally(), False)

    with (
        mock.patch("controller.lattice.plan.listeners.precedes", return_value=False),
        pytest.raises(AssertionError, match="at moment"),
    ):
        property_()


def test_a_service_that_goes_before_the_new_one_is_whole_is_found_out():
    """Of the property itself: it fails when what a changed hostname leaves behind waits for nothing."""

    @settings(max_examples=300, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.lists(sites(), min_size=2, max_size=4), seeds)
    def property_(changes, seed):
        anyio.run(run, changes, seed, Tally(), False)

    with (
        mock.patch("tests.lattice.moments.outlives", return_value=False),
        pytest.raises(AssertionError, match="has no answer, nor"),
    ):
        property_()
