"""The rules that we program select the backend that the specification selects; a broken precedence is found out."""

import pytest
from hypothesis import Phase, given, settings

from tests.translate.rules_property import MUTATIONS, Mutation, Tally, holds, routes


@given(routes("HTTPRoute"))
def test_every_request_gets_the_specifications_answer(wanted):
    holds(wanted, Tally())


@given(routes("GRPCRoute"))
def test_every_call_gets_the_specifications_answer(wanted):
    holds(wanted, Tally())


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_broken_criterion_of_precedence_is_found_out(mutation: Mutation):
    """Of the property itself: it fails when the rules that it judges are made in another order of precedence."""

    @settings(max_examples=1000, derandomize=True, database=None, phases=[Phase.generate])
    @given(routes(mutation.kind))
    def property_(wanted):
        holds(wanted, Tally())

    with mutation.applied(), pytest.raises(AssertionError):
        property_()
