"""Latency: distributions, by operation, reproducible."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.lattice import Constant, LatticeServer, LogNormal, Uniform
from sandbox.lattice.dispatch import OPERATIONS
from sandbox.lattice.latency import Latencies, distribution_to_json, distributions_from_json

seconds = st.floats(0.001, 10)
distributions = st.one_of(
    st.builds(Constant, seconds),
    st.tuples(seconds, seconds).map(lambda pair: Uniform(min(pair), max(pair))),
    st.tuples(seconds, seconds).map(lambda pair: LogNormal(min(pair), max(pair))),
)


@given(distributions, st.integers())
def test_what_is_drawn_is_a_duration_and_the_same_for_the_same_seed(distribution, seed):
    first, second = ([Latencies(OPERATIONS, distribution, seed).draw("ListServices")] for _ in range(2))
    assert first == second
    assert first[0] >= 0


@given(distributions)
def test_a_distribution_is_the_same_in_json(distribution):
    assert distributions_from_json({"*": distribution_to_json(distribution)}) == {"*": distribution}


def test_a_log_normal_one_has_the_median_and_the_percentile_that_it_was_given():
    random = Random(1)
    drawn = sorted(LogNormal(0.02, 0.4).draw(random) for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(0.02, rel=0.05)
    assert drawn[19_800] == pytest.approx(0.4, rel=0.15)


def test_operations_have_their_own():
    latencies = Latencies(OPERATIONS, {"CreateService": Constant(2.0), "*": Constant(1.0)}, 0)
    assert [latencies.draw("CreateService"), latencies.draw("ListServices")] == [2.0, 1.0]
    assert Latencies(OPERATIONS, {"CreateService": Constant(2.0)}, 0).draw("ListServices") == 0.0


def test_the_latency_changes_no_identity():
    plain, slow = LatticeServer(seed=3), LatticeServer(seed=3, latency=Uniform(0, 1))
    slow.latencies.draw("X")
    assert plain.state.hexadecimal() == slow.state.hexadecimal()


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"*": 1},
        {"*": {"kind": "normal"}},
        {"*": {"kind": "uniform", "low": 1}},
        {"*": {"kind": "uniform", "low": 2, "high": 1}},
        {"*": {"kind": "constant", "seconds": "1"}},
        {"*": {"kind": "constant", "seconds": -1}},
        {"*": {"kind": "lognormal", "median": 0, "p99": 1}},
    ],
    ids=str,
)
def test_what_is_no_distribution_is_refused(document):
    with pytest.raises(ValueError, match=r"latencies|distribution|numbers"):
        distributions_from_json(document)
