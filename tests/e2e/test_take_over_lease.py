"""Whole runs with the Lease: who follows another controller holds back, and so does who follows that one."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from controller.kube.config import DEFAULT_NAMESPACE
from controller.kube.lease_marks import HELD_BY, TAKE_OVER
from controller.manager import LEASE
from tests.e2e.harness import World, eventually, world
from tests.e2e.managed import managed
from tests.e2e.test_replicas import replica
from tests.e2e.test_take_over import NEW, RELEASED, canary, condition, harm, other_controller, paths

pytestmark = pytest.mark.anyio


def lease(one: World) -> Namespace:
    found = one.get("Lease", LEASE, namespace=DEFAULT_NAMESPACE)
    assert found is not None
    return Namespace(marks=found["metadata"].get("annotations", {}), spec=found["spec"])


def held_by_the_other(one: World) -> None:
    """It has held the Lease and given it back, as client-go does: annotations stay, transitions count."""
    one.remember("")
    spec: dict[str, Any] = {
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "leaseTransitions": 7,
        "renewTime": "2026-01-02T03:04:05.000006Z",
    }
    metadata = {"name": LEASE, "namespace": DEFAULT_NAMESPACE}
    one.kube.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})


def held_back(one: World) -> None:
    assert condition(one, "rates") is not None
    assert lease(one).marks[TAKE_OVER] == "HTTPRoute/default/rates"


def over(one: World) -> None:
    assert condition(one, "rates") is None
    assert set(paths(one)) == {"/rates/special", "/rates", "/stars"}
    assert TAKE_OVER not in lease(one).marks


async def test_with_leader_election_it_is_remembered_from_replica_to_replica(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await other_controller(one)
        held_by_the_other(one)
        await one.apply(canary(*NEW))
        mark = one.lattice.calls.mark()
        async with replica(one, tmp_path, "first"):
            await eventually(lambda: held_back(one))
        async with replica(one, tmp_path, "second", "--leader-elect-lease-duration=15s") as second:
            await eventually(lambda: held_back(one))
            await eventually(lambda: holds(one, second.name))
            assert harm(one, mark) == {}
            await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": RELEASED}})
            await eventually(lambda: over(one))


def holds(one: World, name: str) -> None:
    assert lease(one).spec["holderIdentity"].startswith(name)
    assert lease(one).marks[HELD_BY] == f"{lease(one).spec['holderIdentity']}@{lease(one).spec['leaseTransitions']}"


async def test_without_leader_election_it_is_remembered_too(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await other_controller(one)
        held_by_the_other(one)
        await one.apply(canary(*NEW))
        mark = one.lattice.calls.mark()
        for _ in range(2):
            async with managed(one, tmp_path) as run:
                await run.tells("take-over: routes left: 1, plans held back: 1")
                await eventually(lambda: held_back(one))
            assert harm(one, mark) == {}
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": RELEASED}})
        async with managed(one, tmp_path):
            await eventually(lambda: over(one))
