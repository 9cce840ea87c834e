"""Which group and which target of a forward action serves a request."""

from collections import Counter
from random import Random

import pytest

from sandbox.dataplane.balancing import choose_group, choose_target
from sandbox.lattice.directory import Forward, HealthCheck, Target, TargetGroup


def group(*statuses):
    targets = tuple(Target(f"10.244.0.{number}", 8090, status) for number, status in enumerate(statuses, 1))
    return TargetGroup("tg-1", "HTTP", "HTTP1", HealthCheck(enabled=True), used=True, targets=targets)


def test_groups_are_chosen_by_weight():
    random = Random(7)
    chosen = Counter(choose_group(Forward({"ver1": 10, "ver2": 90}), random) for _ in range(2000))
    assert 120 < chosen["ver1"] < 280
    assert chosen.keys() == {"ver1", "ver2"}


def test_a_group_of_weight_zero_is_never_chosen():
    random = Random(7)
    assert {choose_group(Forward({"ver1": 0, "ver2": 1}), random) for _ in range(50)} == {"ver2"}


def test_no_group_is_chosen_where_every_weight_is_zero():
    assert choose_group(Forward({"ver1": 0}), Random(7)) is None


def test_the_same_seed_chooses_the_same():
    def choices(seed):
        random = Random(seed)
        return [choose_group(Forward({"ver1": 1, "ver2": 1}), random) for _ in range(30)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


def test_every_routable_target_gets_its_share():
    random = Random(7)
    chosen = Counter(choose_target(group("HEALTHY", "UNAVAILABLE", "HEALTHY"), random).ip for _ in range(600))
    assert len(chosen) == 3
    assert min(chosen.values()) > 100


@pytest.mark.parametrize("status", ["INITIAL", "UNHEALTHY", "UNUSED", "DRAINING"])
def test_a_target_that_is_not_healthy_gets_nothing_even_if_there_is_no_other(status):
    assert choose_target(group(status, status), Random(7)) is None
    assert choose_target(group(status, "HEALTHY"), Random(7)).ip == "10.244.0.2"


def test_an_empty_group_has_no_target():
    assert choose_target(group(), Random(7)) is None
