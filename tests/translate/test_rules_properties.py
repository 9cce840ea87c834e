"""The rules that we program select the backend that the specification selects; a broken precedence is found out."""

import pytest
from hypothesis import Phase, given, settings

from tests.translate.rules_property import Tally, holds, mutations, routes


@given(routes())
def test_every_request_gets_the_specifications_answer(wanted):
    holds(wanted, Tally())


@pytest.mark.parametrize("criterion", mutations())
def test_a_broken_criterion_of_precedence_is_found_out(criterion):
    """Of the property itself: it fails when the rules that it judges are made in another order of precedence."""

    @settings(max_examples=1000, derandomize=True, database=None, phases=[Phase.generate])
    @given(routes())
    def property_(wanted):
        holds(wanted, Tally())

    with mutations()[criterion](), pytest.raises(AssertionError):
        property_()
