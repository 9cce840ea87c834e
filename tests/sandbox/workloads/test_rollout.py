"""How a Deployment's ReplicaSets change, step by step."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.workloads.deployments import replica_set
from sandbox.workloads.rollout import Step, bounds, current_replica_set, next_step, replicas_of

from .builders import deployment


class Cluster:
    """ReplicaSets that do as they are told, with pods that become available when the test says so."""

    def __init__(self):
        self.sets = []
        self.revision = 0

    def apply(self, wanted, step):
        if step.create is not None:
            self.revision += 1
            self.sets.append(copy.deepcopy(replica_set(wanted, step.create, self.revision)))
            self.sets[-1]["status"] = {"replicas": step.create}
        for one in self.sets:
            name = one["metadata"]["name"]
            if name in step.scale:
                one["spec"]["replicas"] = step.scale[name]
                status = one["status"]
                status["replicas"] = step.scale[name]
                status["availableReplicas"] = min(status.get("availableReplicas", 0), step.scale[name])
        self.sets = [one for one in self.sets if one["metadata"]["name"] not in step.remove]

    def become_available(self, at_most=1000):
        for one in self.sets:
            new = min(at_most, replicas_of(one) - one["status"].get("availableReplicas", 0))
            one["status"]["availableReplicas"] = one["status"].get("availableReplicas", 0) + new
            at_most -= new

    def roll(self, wanted, rounds=100):
        for _ in range(rounds):
            step = next_step(wanted, self.sets)
            if step == Step() and self.available() == self.total():
                return
            self.apply(wanted, step)
            self.become_available()

    def total(self):
        return sum(map(replicas_of, self.sets))

    def available(self):
        return sum(one["status"].get("availableReplicas", 0) for one in self.sets)


def test_a_new_deployment_gets_a_replica_set_with_all_its_pods():
    assert next_step(deployment(3), []) == Step(create=3)


def test_scaling_scales_the_one_replica_set():
    cluster = Cluster()
    cluster.roll(deployment(2))
    name = cluster.sets[0]["metadata"]["name"]
    assert next_step(deployment(5), cluster.sets) == Step(scale={name: 5})
    assert next_step(deployment(0), cluster.sets) == Step(scale={name: 0})
    assert next_step(deployment(2), cluster.sets) == Step()


def test_a_new_template_starts_with_the_surge_and_waits_for_it():
    cluster = Cluster()
    cluster.roll(deployment(3))
    wanted = deployment(3, version="2", surge=1, unavailable=0)
    step = next_step(wanted, cluster.sets)
    assert step == Step(create=1)
    cluster.apply(wanted, step)
    assert next_step(wanted, cluster.sets) == Step()


def test_old_pods_that_serve_nobody_go_first():
    cluster = Cluster()
    cluster.apply(deployment(3), next_step(deployment(3), []))
    old = cluster.sets[0]["metadata"]["name"]
    assert next_step(deployment(3, version="2", surge=0, unavailable=1), cluster.sets).scale == {old: 2}


def test_recreate_waits_until_the_old_pods_are_gone():
    cluster = Cluster()
    cluster.roll(deployment(2))
    wanted = deployment(2, version="2", strategy={"type": "Recreate"})
    old = cluster.sets[0]
    assert next_step(wanted, cluster.sets) == Step(scale={old["metadata"]["name"]: 0})
    old["spec"]["replicas"] = 0
    assert next_step(wanted, cluster.sets) == Step()
    old["status"] = {"replicas": 0}
    assert next_step(wanted, cluster.sets) == Step(create=2)


def test_a_paused_deployment_stays_as_it_is():
    assert next_step(deployment(2, paused=True), []) == Step()


def test_history_beyond_the_limit_is_removed_oldest_first():
    cluster = Cluster()
    for version in "1234":
        cluster.roll(deployment(1, version=version))
    assert len(cluster.sets) == 4
    wanted = deployment(1, version="4", revisionHistoryLimit=1)
    oldest = [one["metadata"]["name"] for one in cluster.sets[:2]]
    assert next_step(wanted, cluster.sets).remove == tuple(oldest)


def test_a_rollback_uses_the_old_replica_set_again():
    cluster = Cluster()
    for version in "121":
        cluster.roll(deployment(2, version=version))
    assert len(cluster.sets) == 2
    assert replicas_of(current_replica_set(deployment(2), cluster.sets)) == 2


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("25%", "25%", 2, (1, 0)),
        ("25%", "25%", 10, (3, 2)),
        (0, 0, 3, (0, 1)),
        (2, "100%", 3, (2, 3)),
        (0, 9, 3, (0, 3)),
    ],
)
def test_surge_rounds_up_and_unavailable_down_and_one_of_them_is_above_zero(surge, unavailable, replicas, expected):
    assert bounds(deployment(replicas, surge=surge, unavailable=unavailable)) == expected


amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "50%", "100%"]))


@given(st.data(), st.integers(0, 8), amounts, amounts)
def test_a_rollout_keeps_its_bounds_at_every_step_and_arrives(data, replicas, surge, unavailable):
    cluster = Cluster()
    cluster.roll(deployment(replicas))
    template = "1"
    for _ in range(30):
        template = data.draw(st.sampled_from([template, "2", "3"]), label="template")
        wanted = deployment(replicas, version=template, surge=surge, unavailable=unavailable)
        most, least = bounds(wanted)
        before = cluster.available()
        cluster.apply(wanted, next_step(wanted, cluster.sets))
        assert cluster.total() <= replicas + most
        assert cluster.available() >= min(replicas - least, before)
        cluster.become_available(data.draw(st.integers(0, 2), label="become available"))
    cluster.roll(wanted)
    assert replicas_of(current_replica_set(wanted, cluster.sets)) == replicas
    assert cluster.total() == replicas
