"""Two replicas as real processes: one leads, the other takes over; what each tells those who watch it."""

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL

import aiohttp
import anyio
import anyio.abc
import pytest

from tests.e2e.bad_input_seen import is_gone
from tests.e2e.harness import AnyWorld, Json, World, environment, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service

pytestmark = pytest.mark.anyio

LEASE = "amazon-vpc-lattice.io"
NAMESPACE = "aws-application-networking-system"
METRICS = (
    "workqueue_depth",
    "workqueue_adds_total",
    "workqueue_queue_duration_seconds_bucket",
    "controller_runtime_reconcile_total",
    "controller_runtime_active_workers",
    "aws_api_calls_total",
    "aws_api_requests_total",
    "aws_api_call_duration_seconds_bucket",
    "aws_api_request_duration_seconds_bucket",
    "aws_api_call_retries_bucket",
    "leader_election_master_status",
    "lattice_programmed_seconds_bucket",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Replica:
    """A controller in a process of its own, with its log in a file."""

    def __init__(self, name: str, process: anyio.abc.Process, log: Path, metrics: int, health: int) -> None:
        self.name = name
        self.process = process
        self._log = log
        self._metrics = f"http://127.0.0.1:{metrics}/metrics"
        self._health = f"http://127.0.0.1:{health}"

    def lines(self) -> list[Json]:
        """The whole lines of the log; each has to be JSON."""
        *whole, _ = self._log.read_text().split("\n")
        return [json.loads(line) for line in whole]

    async def end(self, sign: signal.Signals) -> int:
        """Send a signal and wait for the end; its exit code."""
        self.process.send_signal(sign)
        return await self.process.wait()

    async def probe(self, path: str) -> int:
        return (await _get(f"{self._health}{path}"))[0]

    async def readiness(self) -> str:
        """The body of the probe; empty while nobody answers."""
        try:
            return (await _get(f"{self._health}/readyz"))[1]
        except aiohttp.ClientConnectionError:
            return ""

    async def metrics(self) -> str:
        return (await _get(self._metrics))[1]


async def _get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


@asynccontextmanager
async def replica(one: AnyWorld, directory: Path, name: str, *flags: str) -> AsyncGenerator[Replica]:
    """`lattice-controller run --leader-elect`, killed at the end if it is still there; signs AWS calls by its name."""
    metrics, health = free_port(), free_port()
    binds = (f"--metrics-bind-address=127.0.0.1:{metrics}", f"--health-probe-bind-address=127.0.0.1:{health}")
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        **environment(one.lattice),
        "AWS_ACCESS_KEY_ID": name,
        "KUBECONFIG": str(directory / "kubeconfig"),
        "POD_NAME": name,
        "POD_NAMESPACE": NAMESPACE,
        "LOG_FORMAT": "json",
    }
    log = directory / f"{name}.log"
    with log.open("wb") as stream:
        process = await anyio.open_process(
            [sys.executable, "-m", "controller", "run", "--leader-elect", *binds, *flags],
            env=variables,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=stream,
        )
    try:
        yield Replica(name, process, log, metrics, health)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()


def leads(one: AnyWorld, name: str) -> None:
    lease = one.get("Lease", LEASE, namespace=NAMESPACE)
    assert lease is not None
    assert lease["spec"]["holderIdentity"].startswith(f"{name}_")


def serves(one: AnyWorld, *names: str) -> None:
    one.lattice.state.transitions.run_due()
    assert sorted(found.name for found in one.lattice.state.services) == sorted(f"{name}-default" for name in names)
    for found in one.lattice.state.services:
        assert [association.status for association in found.associations.values()] == ["ACTIVE"]
        assert [len(each.rules) for each in found.listeners.values()] == [2]
    for name in names:
        assert "status" in (one.get("HTTPRoute", name) or {})


async def add_route(one: AnyWorld, name: str) -> None:
    await one.apply(service(name), endpoints(name, ["10.0.0.1"]), route(name, rule(backend(name))))


@asynccontextmanager
async def two_replicas(directory: Path) -> AsyncGenerator[tuple[World, Replica, Replica]]:
    """A world in which `first` leads, `second` follows, and the route `rates` is served."""
    async with world(directory) as one, pair(one, directory) as (first, second):
        yield one, first, second


@asynccontextmanager
async def pair(one: AnyWorld, directory: Path, *flags: str) -> AsyncGenerator[tuple[Replica, Replica]]:
    """`first`, which leads and serves the route `rates`, and `second`, which follows."""
    one.make_network("my-hotel")
    await one.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, gateway_class(), gateway()
    )
    await add_route(one, "rates")
    async with replica(one, directory, "first", *flags) as first:
        await eventually(lambda: leads(one, "first"))
        async with replica(one, directory, "second", *flags) as second:
            await eventually(lambda: serves(one, "rates"))
            await until_ready(second)
            yield first, second


async def until_ready(candidate: Replica) -> None:
    with anyio.fail_after(60):
        while True:
            try:
                if await candidate.probe("/readyz") == 200:
                    return
            except aiohttp.ClientConnectionError:
                pass
            await anyio.sleep(0.1)


async def kill_the_leader(one: AnyWorld, first: Replica, second: Replica) -> None:
    """The follower takes over: what comes next is served, and nothing is made twice."""
    before = one.lattice.calls.mark()
    await first.end(signal.SIGKILL)
    await add_route(one, "parking")
    await eventually(lambda: leads(one, "second"))
    await eventually(lambda: serves(one, "rates", "parking"))
    assert one.lattice.calls.by_operation(before)["CreateService"] == 1
    assert await second.end(signal.SIGTERM) == 0


async def test_a_follower_takes_over_where_a_killed_leader_was(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (one, first, second):
        await kill_the_leader(one, first, second)


async def test_a_leader_that_is_told_to_stop_hands_over_and_exits_with_0(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (one, first, second):
        assert await first.end(signal.SIGTERM) == 0
        assert any(line["msg"] == "lease given back" for line in first.lines())
        await eventually(lambda: leads(one, "second"))
        await add_route(one, "parking")
        await eventually(lambda: serves(one, "rates", "parking"))
        assert await second.end(signal.SIGTERM) == 0


async def test_replicas_answer_probes_and_tell_their_metrics(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (_, first, second):
        for each, leading in ((first, 1.0), (second, 0.0)):
            assert (await each.probe("/healthz"), await each.probe("/readyz")) == (200, 200)
            told = await each.metrics()
            assert f'leader_election_master_status{{name="{LEASE}"}} {leading}' in told
        told = await first.metrics()
        assert [name for name in METRICS if f"\n{name}{{" not in told] == []
        assert 'controller_runtime_reconcile_total{controller="httproute",result="success"}' in told


async def test_each_write_leaves_one_line_with_key_and_request_id_and_followers_write_nothing(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (one, first, second):
        await add_route(one, "parking")
        await eventually(lambda: serves(one, "rates", "parking"))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))
        assert await first.end(signal.SIGTERM) == 0
        audit = [line for line in first.lines() if line["logger"] == "controller.audit"]
        writes = [call for call in one.lattice.calls if call.write and call.service == "vpc-lattice"]
        assert sorted((line["operation"], line["request_id"]) for line in audit) == sorted(
            (call.operation, call.request_id) for call in writes
        )
        assert {line["outcome"] for line in audit} == {"ok"}
        assert all(line["key"].startswith(("Service/", "TargetGroup/")) for line in audit)
        assert {line["object"] for line in audit if "parking" in line["key"]} == {"HTTPRoute/default/parking"}
        assert [line for line in second.lines() if line["logger"] == "controller.audit"] == []
