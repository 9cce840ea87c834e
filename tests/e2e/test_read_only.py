"""`run --read-only` beside another controller: it tells what would change, and changes nothing."""

import json
import time
from pathlib import Path

import anyio
import pytest

from controller.kube.lease_marks import EVERYTHING
from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.managed import Managed, managed
from tests.e2e.objects import route, rule
from tests.e2e.test_bad_input_aws import DENIED
from tests.e2e.test_take_over import NEW, backend, canary, other_controller

pytestmark = pytest.mark.anyio


async def looked(run: Managed, *, after: float = 0.0) -> dict[str, float]:
    """The metrics once it has made a plan later than that of before."""
    with anyio.fail_after(90):
        while True:
            if (await run.plan())[0] == 200:
                metrics = await run.metrics()
                if metrics["lattice_controller_planned_timestamp_seconds"] > after:
                    return metrics
            await anyio.sleep(0.05)


async def test_it_tells_what_would_be_done_and_held_back_and_writes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await other_controller(one)
        one.remember(EVERYTHING)
        await one.apply(canary(*NEW), route("more", rule(backend("v2"))))
        mark, requests = one.lattice.calls.mark(), len(one.kube.requests)
        async with managed(one, tmp_path, "--read-only", "--leader-elect") as run:
            await run.ready()
            metrics = await looked(run)
            _, text = await run.plan()
        plan = json.loads(text)
        held = {(each["call"], each["description"]) for each in plan["operations"] if each["held"]}
        done = {each["call"] for each in plan["operations"] if not each["held"]}
        assert ("DeleteRule", "remove /reviews/*") in held
        assert {"CreateService", "CreateTargetGroup", "CreateRule"} <= done
        assert metrics['lattice_controller_planned_operations{held="true",operation="DeleteRule"}'] == 1
        assert metrics['lattice_controller_planned_operations{held="false",operation="CreateService"}'] == 1
        assert one.lattice.calls.writes(mark) == []
        assert [each for each in list(one.kube.requests)[requests:] if each.verb not in {"get", "list", "watch"}] == []


async def test_it_sees_what_the_other_controller_does_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.read_only.EVERY", 0.2)
    async with world(tmp_path) as one:
        await other_controller(one)
        one.remember("")
        await one.start()
        await one.apply(route("more", rule(backend("v2"))))
        async with managed(one, tmp_path, "--read-only") as run:
            await eventually(lambda: programmed(one))
            seen = time.time()
            metrics = await looked(run, after=seen)
            metrics = await looked(run, after=metrics["lattice_controller_planned_timestamp_seconds"])
            assert not [name for name in metrics if name.startswith("lattice_controller_planned_operations{")]


def programmed(one: World) -> None:
    """The other controller has done all for the new route."""
    assert one.controller is not None
    assert one.controller.work.pending == 0
    made = one.get("HTTPRoute", "more")
    assert made is not None
    assert made["metadata"]["annotations"][f"{PREFIX}lattice-service-arn"]


async def test_before_the_first_plan_it_is_not_ready(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.lattice.faults.add("ListServiceNetworks", DENIED)
        async with managed(one, tmp_path, "--read-only") as run:
            await run.tells("may not do")
            status, _ = await run.readiness()
            assert status == 503
            assert (await run.plan())[0] == 503
