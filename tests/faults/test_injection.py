"""What the table of faults rests on: points that are counted, faults that strike there, worlds that die."""

import signal
from pathlib import Path

import aiohttp
import anyio
import pytest

from sandbox.kube import KubeServer
from sandbox.kube.faults import Request
from tests.e2e.harness import eventually, world
from tests.e2e.objects import service
from tests.faults.injection import FAULTS, Point, label
from tests.faults.runs import fitting
from tests.faults.table import SCENARIOS, Cell, judged
from tests.faults.worlds import Process, ProcessWorld

pytestmark = pytest.mark.anyio

ROUTES = "httproutes.gateway.networking.k8s.io"


def request(verb: str, **query: str) -> Request:
    return Request(verb, "gateway.networking.k8s.io", "v1", "httproutes", query=query)


def test_a_list_is_a_stream_or_pages_and_no_watch() -> None:
    assert label(request("watch", resourceVersion="7")) == f"watch {ROUTES}"
    assert label(request("watch", sendInitialEvents="true")) == f"list, streamed, {ROUTES}"
    assert label(request("list", limit="1")) == f"list {ROUTES}"
    assert label(request("list", **{"continue": "token"})) == f"list, next page, {ROUTES}"


def test_each_position_of_a_batch_may_fail() -> None:
    at = [
        fault.name for fault in FAULTS if "partial" in fault.name and fault.fits(Point("RegisterTargets", 1, items=2))
    ]
    assert at == ["partial success, not item 0", "partial success, not item 1"]


def test_requests_that_list_or_watch_are_points_where_a_controller_starts() -> None:
    points = [Point(f"watch {ROUTES}", 1, kubernetes=True)]
    (silent,) = (fault for fault in FAULTS if fault.name == "Kubernetes: read, silent once open")
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    assert fitting(by_name["create: a cluster is found"], silent, points) == points
    assert fitting(by_name["create: a route"], silent, points) == []


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ({}, 1),
        ({(0, 0): Cell(injections=3)}, 0),
        ({(0, 0): Cell(injections=3, failures=["why"])}, 1),
        ({(0, 0): Cell(injections=300, missed=[Point("CreateRule", 1)])}, 0),
        ({(0, 0): Cell(injections=30, missed=[Point("CreateRule", 1)])}, 1),
        ({(0, 0): Cell(injections=3000), (0, 1): Cell(missed=[Point("CreateRule", 1)])}, 1),
    ],
)
def test_a_table_is_green_if_faults_struck_everywhere_and_none_failed(
    cells: dict[tuple[int, int], Cell], status: int
) -> None:
    assert judged(cells) == status


async def test_a_silent_watch_says_nothing_until_it_is_cut() -> None:
    async with (
        KubeServer() as server,
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}/api/v1/services?watch=1&resourceVersion={server.api.store.version}") as watch,
    ):
        assert server.faults.silence_watches("services") == 1
        server.apply(service("blue"))
        assert server.faults.cut_watches("services") == 1
        assert await watch.content.read() == b""


async def test_a_killed_process_has_ended_by_sigkill(tmp_path: Path) -> None:
    async with world(tmp_path, made_as=ProcessWorld) as one:
        assert isinstance(one, ProcessWorld)
        await one.start()

        def reads() -> None:
            assert one.kube.counts

        await eventually(reads)
        leader = one.leader
        with anyio.fail_after(30):
            await one.crash()
        assert isinstance(leader, Process)
        assert leader.process.exitcode == -signal.SIGKILL
