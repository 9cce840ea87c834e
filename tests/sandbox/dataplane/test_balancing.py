"""Which group and which target of a forward action serves a request."""

from collections import Counter
from random import Random

import pytest

from sandbox.dataplane.balancing import Balancer
from sandbox.lattice.directory import Forward, HealthCheck, Target, TargetGroup


@pytest.fixture
def balancer():
    return Balancer(Random(7))


def group(*statuses, group_id="tg-1"):
    targets = tuple(Target(f"10.244.0.{number}", 8090, status) for number, status in enumerate(statuses, 1))
    return TargetGroup(group_id, "HTTP", "HTTP1", HealthCheck(enabled=True), used=True, targets=targets)


def turns(balancer, of, count):
    return [balancer.target(of).ip.rpartition(".")[2] for _ in range(count)]


def test_groups_are_chosen_by_weight(balancer):
    chosen = Counter(balancer.group(Forward({"ver1": 10, "ver2": 90})) for _ in range(2000))
    assert 120 < chosen["ver1"] < 280
    assert chosen.keys() == {"ver1", "ver2"}


def test_a_group_of_weight_zero_is_never_chosen(balancer):
    assert {balancer.group(Forward({"ver1": 0, "ver2": 1})) for _ in range(50)} == {"ver2"}


def test_no_group_is_chosen_where_every_weight_is_zero(balancer):
    assert balancer.group(Forward({"ver1": 0})) is None


def test_the_same_seed_chooses_the_same():
    def choices(seed):
        balancer = Balancer(Random(seed))
        return [balancer.group(Forward({"ver1": 1, "ver2": 1})) for _ in range(30)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


def test_healthy_targets_and_those_without_checks_take_turns(balancer):
    assert turns(balancer, group("HEALTHY", "UNAVAILABLE", "HEALTHY"), 6) == ["1", "2", "3", "1", "2", "3"]


def test_each_group_has_turns_of_its_own(balancer):
    one, other = group("HEALTHY", "HEALTHY"), group("HEALTHY", "HEALTHY", group_id="tg-2")
    assert [turns(balancer, each, 1) for each in (one, other, one, other)] == [["1"], ["1"], ["2"], ["2"]]


def test_a_target_that_leaves_is_skipped(balancer):
    turns(balancer, group("HEALTHY", "HEALTHY", "HEALTHY"), 2)
    assert set(turns(balancer, group("HEALTHY", "HEALTHY"), 4)) == {"1", "2"}


@pytest.mark.parametrize("status", ["INITIAL", "UNUSED", "DRAINING"])
def test_a_target_that_is_not_in_service_gets_nothing_even_if_there_is_no_other(balancer, status):
    assert balancer.target(group(status, status)) is None
    assert turns(balancer, group(status, "HEALTHY"), 2) == ["2", "2"]


def test_unhealthy_targets_get_nothing_while_another_is_healthy(balancer):
    assert turns(balancer, group("UNHEALTHY", "HEALTHY", "UNHEALTHY"), 2) == ["2", "2"]


def test_a_group_of_unhealthy_targets_only_fails_open(balancer):
    assert turns(balancer, group("UNHEALTHY", "UNHEALTHY"), 4) == ["1", "2", "1", "2"]


def test_a_target_that_drains_does_not_count_among_the_unhealthy(balancer):
    assert turns(balancer, group("DRAINING", "UNHEALTHY"), 2) == ["2", "2"]


def test_a_group_in_which_a_target_has_not_been_checked_does_not_fail_open(balancer):
    assert balancer.target(group("UNHEALTHY", "INITIAL")) is None


def test_an_empty_group_has_no_target(balancer):
    assert balancer.target(group()) is None
