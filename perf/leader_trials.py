"""Leader election put to the test: `python -m perf.leader_trials`.

Two replicas, processes of their own, lead and wait for the lease at the sandbox's Kubernetes API, while endpoints keep
changing, so that the leader writes to the sandbox's VPC Lattice all the time. In each trial the leader is stopped
(SIGSTOP), the other takes over, and then the first is woken. It is stopped at a random moment, or, by hooks of
`perf.leader_replica`, within a write: when the write has its connection, or between the fence's last answer and the
bytes. A woken replica ends, and a fresh one takes its place.

What counts is what the servers saw, not what a replica says of itself. Replicas sign with keys of their own, so the
call log tells whose each write was; the history of the Lease tells who might write when. A write is *late* if, when it
arrived, the last renewal of its sender was longer ago than the lease's duration, or somebody else had taken the lease.
All clocks are this machine's.
"""

import argparse
import asyncio
import multiprocessing
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.context import ForkServerProcess as Process
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

import aiohttp
import anyio
import orjson
import yaml

from controller.work import CONTROLLER_NAME
from perf import leader_replica
from perf.leader_replica import CONNECTING, SENDING, WITHOUT_DEADMAN
from perf.loadtest.shape import Route, Shape, gateway_name, gateways, namespaces
from sandbox.kube import KubeServer
from sandbox.lattice import LatticeServer, Timings
from sandbox.lattice.networks import create_service_network
from sandbox.lattice.state import Call

NAMESPACE, LEASE = "leader-trials", "amazon-vpc-lattice.io"
CLUSTER, VPC = "trials", "vpc-0123456789abcdef0"
PATIENCE: Final = 120.0
"""Seconds for anything to happen that must."""

_SERVER: Final = multiprocessing.get_context("forkserver")
"""Where replicas are forked from: a process that has imported everything, for that takes longer than a trial."""

_SERVER.set_forkserver_preload(["__main__", "perf.leader_replica", "controller.cli.run", "controller.kube.credentials"])

Moment = Literal["at random", "with a connection", "between check and send"]
MOMENTS: Final[tuple[Moment, ...]] = ("at random", "with a connection", "between check and send")
SIGNALS: Final = {
    "at random": signal.SIGSTOP,
    "with a connection": CONNECTING,
    "between check and send": SENDING,
}


@dataclass(frozen=True)
class Options:
    """What is run. Times are in seconds."""

    trials: Sequence[Moment]
    seed: int = 1
    duration: float = 3.0
    deadline: float = 2.0
    period: float = 0.4
    changes: float = 12.0
    """Changes of endpoints a second."""
    deadman: bool = True


@dataclass(frozen=True)
class Renewal:
    """A write of the Lease that gave it to `holder`, or kept it there; `at` is when that replica was about to send."""

    holder: str
    at: float


@dataclass(frozen=True)
class Write:
    """A write to VPC Lattice, by whom and when it arrived."""

    by: str
    at: float
    operation: str


@dataclass
class Trial:
    """What became of one."""

    moment: Moment
    first: str
    taken_over: float
    """Seconds from the stop until the other led."""
    stopped: float
    """Seconds."""
    exit_code: int
    others: int
    """Writes of the successor until the first was woken."""
    late: list[Write] = field(default_factory=list)


def late_writes(writes: Sequence[Write], renewals: Sequence[Renewal], duration: float) -> list[Write]:
    """The writes whose sender's last renewal was too long ago, or after which somebody else had taken the lease."""
    late = []
    for write in writes:
        before = [renewal for renewal in renewals if renewal.at <= write.at]
        own = [renewal.at for renewal in before if renewal.holder == write.by]
        if not own or write.at - own[-1] > duration or before[-1].holder != write.by:
            late.append(write)
    return late


def closest(writes: Sequence[Write], renewals: Sequence[Renewal], duration: float) -> float:
    """The least time that was left of its sender's lease when a write arrived."""
    left = []
    for write in writes:
        own = [renewal.at for renewal in renewals if renewal.at <= write.at and renewal.holder == write.by]
        left.append(own[-1] + duration - write.at if own else -1.0)
    return min(left, default=duration)


class Replica:
    """A running controller."""

    def __init__(self, name: str, process: Process, health: str) -> None:
        self.name = name
        self.health = health
        self.process = process

    @property
    def is_stopped(self) -> bool:
        """Raises FileNotFoundError when there is no such process any more."""
        stat = (Path("/proc") / str(self.process.pid) / "stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def has_ended(self) -> bool:
        return self.process.exitcode is not None

    def send(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class World:
    """The sandbox, the traffic and the replicas."""

    def __init__(self, options: Options, directory: Path, kube: KubeServer, lattice: LatticeServer) -> None:
        self._options = options
        self._directory = directory
        self._kube = kube
        self._lattice = lattice
        self._random = Random(options.seed)
        self._http = aiohttp.ClientSession()
        self._count = 0
        self._routes = [Route(Shape(routes=10), number) for number in range(10)]
        self.replicas: list[Replica] = []
        self.renewals: list[Renewal] = []
        (directory / "kubeconfig").write_text(yaml.safe_dump(kube.kubeconfig()))

    async def close(self) -> None:
        for replica in self.replicas:
            replica.kill()
        await self._http.close()

    def prepare(self) -> None:
        """Create what there is to program."""
        shape = self._routes[0].shape
        create_service_network(self._lattice.state, Call("CreateServiceNetwork", {"name": gateway_name(0)}))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._kube.apply(namespace, *namespaces(shape), *gateways(shape, CONTROLLER_NAME))
        for route in self._routes:
            self._kube.apply(*route.backends(), route.object())

    async def remember_renewals(self) -> None:
        """Follow the Lease for as long as the world lasts."""
        url = f"{self._kube.url}/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases?watch=1"
        async with self._http.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
            async for line in response.content:
                spec = orjson.loads(line)["object"].get("spec", {})
                if holder := spec.get("holderIdentity"):
                    at = datetime.fromisoformat(spec["renewTime"]).timestamp()
                    self.renewals.append(Renewal(holder.rpartition("_")[0], at))

    async def change_endpoints(self) -> None:
        """Give the leader something to write, for as long as the world lasts."""
        slices = [part for route in self._routes for part in route.backends() if part["kind"] == "EndpointSlice"]
        number = 0
        while True:
            number += 1
            one = self._random.choice(slices)
            address = f"10.1.{number // 250 % 250}.{1 + number % 250}"
            ready = {"addresses": [address], "conditions": {"ready": True}}
            self._kube.apply({**one, "endpoints": [*one["endpoints"][:1], ready]})
            await anyio.sleep(self._random.expovariate(self._options.changes))

    def start(self) -> Replica:
        """Start one more replica, with a name and a key of its own."""
        self._count += 1
        name = f"replica-{self._count}"
        options = self._options
        port = _free_port()
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._directory / "kubeconfig"),
            "POD_NAME": name,
            "POD_NAMESPACE": NAMESPACE,
            "CLUSTER_NAME": CLUSTER,
            "CLUSTER_VPC_ID": VPC,
            "AWS_ACCOUNT_ID": self._lattice.account,
            "AWS_ENDPOINT_URL": self._lattice.url,
            "AWS_ACCESS_KEY_ID": name,
            "AWS_SECRET_ACCESS_KEY": "trials",
            "AWS_REGION": self._lattice.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LATTICE_API_RATES": "1000",
            "LOG_FORMAT": "json",
            **({} if options.deadman else {WITHOUT_DEADMAN: "1"}),
        }
        arguments = ["--leader-elect", "--metrics-bind-address=0", f"--health-probe-bind-address=127.0.0.1:{port}"]
        arguments += [f"--leader-elect-lease-duration={options.duration}s"]
        arguments += [f"--leader-elect-renew-deadline={options.deadline}s"]
        arguments += [f"--leader-elect-retry-period={options.period}s"]
        log = str(self._directory / f"{name}.log")
        process = _SERVER.Process(target=leader_replica.run, args=(arguments, environment, log), daemon=True)
        process.start()
        replica = Replica(name, process, f"http://127.0.0.1:{port}/readyz")
        self.replicas.append(replica)
        return replica

    @property
    def leader(self) -> str:
        """Whose the Lease is."""
        return self.renewals[-1].holder if self.renewals else ""

    def writes(self, since: int = 0) -> list[Write]:
        """To VPC Lattice, from a position in its log on."""
        return [Write(one.access_key, one.time, one.operation) for one in self._lattice.calls.writes(since)]

    def operations(self, by: str, since: int = 0) -> list[str]:
        """What a replica has called of AWS, in order."""
        return [one.operation for one in self._lattice.calls.since(since) if one.access_key == by]

    def mark(self) -> int:
        return self._lattice.calls.mark()

    async def readiness(self, replica: Replica) -> str:
        """What the replica answers to a probe of readiness; empty while it does not."""
        try:
            async with self._http.get(replica.health) as response:
                return await response.text()
        except aiohttp.ClientError:
            return ""

    async def programmed(self) -> None:
        """Return when all routes have been."""
        groups = self._lattice.state.target_groups
        await _until(lambda: sum(bool(group.targets) for group in groups) == len(self._routes))

    async def trial(self, moment: Moment) -> Trial | None:
        """Stop the leader, see the other take over, wake the first; None if the leader changed by itself before."""
        await self._whole()
        await anyio.sleep(self._random.uniform(0.1, 0.1 + 2 * self._options.period))
        first = next((one for one in self.replicas if one.name == self.leader), None)
        if first is None or first.has_ended():
            return None
        mark = self.mark()
        first.send(SIGNALS[moment])
        with suppress(FileNotFoundError):
            await _until(lambda: first.is_stopped)
        stopped = time.time()
        if first.has_ended():
            return None
        await _until(lambda: self.leader != first.name)
        taken_over = time.time() - stopped
        self.start()  # In place of the first, which is going to end.
        await _until(lambda: any(write.by != first.name for write in self.writes(mark)))
        await anyio.sleep(self._random.uniform(0, 0.5))
        others = sum(write.by != first.name for write in self.writes(mark))
        if not first.has_ended():
            first.send(signal.SIGCONT)
        woken = time.time()
        await _until(first.has_ended)
        await anyio.sleep(0.1)
        late = [
            write
            for write in late_writes(self.writes(mark), self.renewals, self._options.duration)
            if write.by == first.name
        ]
        return Trial(
            moment=moment,
            first=first.name,
            taken_over=taken_over,
            stopped=woken - stopped,
            exit_code=first.process.exitcode or 0,
            others=others,
            late=late,
        )

    async def _whole(self) -> None:
        """Have two replicas, one that leads and one that follows it.

        On a machine that is too busy a replica may lose its lease by itself and end; another takes its place.
        """
        with anyio.fail_after(PATIENCE):
            while True:
                if await self._both_ready():
                    return
                await anyio.sleep(0.05)

    async def _both_ready(self) -> bool:
        self.replicas = [replica for replica in self.replicas if not replica.has_ended()]
        while len(self.replicas) < 2:
            self.start()
        told = [await self.readiness(replica) for replica in self.replicas]
        leads = self.leader in {replica.name for replica in self.replicas}
        return leads and all("ok" in one and ("leads" in one or "follows replica" in one) for one in told)


@asynccontextmanager
async def world(options: Options) -> AsyncGenerator[World]:
    """Both servers with everything programmed, and one replica of two."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leader-trials-")))
        kube = await stack.enter_async_context(KubeServer(seed=options.seed))
        lattice = await stack.enter_async_context(LatticeServer(seed=options.seed, timings=Timings.instant()))
        made = World(options, directory, kube, lattice)
        made.prepare()
        stack.push_async_callback(made.close)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(made.remember_renewals)
        made.start()
        await made.programmed()
        tasks.start_soon(made.change_endpoints)
        yield made


@dataclass
class Outcome:
    """Of all trials of one world."""

    trials: list[Trial]
    writes: int
    closest: float
    """The least time, in seconds, that was left of a lease when a write under it arrived."""
    repeated: int
    """Trials that began anew because the leader changed by itself before the stop."""


async def run(options: Options, tell: Callable[[Trial], None] = lambda _: None) -> Outcome:
    """All trials, in one world."""
    trials: list[Trial] = []
    repeated = 0
    async with world(options) as made:
        for moment in options.trials:
            while (trial := await made.trial(moment)) is None:
                repeated += 1
            trials.append(trial)
            tell(trial)
        writes = made.writes()
        late = {write for trial in trials for write in trial.late}
        in_time = [write for write in writes if write not in late]
        nearest = closest(in_time, made.renewals, options.duration)
    return Outcome(trials, len(writes), nearest, repeated)


def report(outcomes: Sequence[Outcome], seconds: float) -> str:
    """A table in Markdown."""
    trials = [trial for outcome in outcomes for trial in outcome.trials]
    columns = (
        "leader stopped",
        "trials",
        "taken over after (most)",
        "stopped for",
        "ended by the kernel (14)",
        "ended by itself (1)",
        "writes of the successor",
        "late writes of the first",
    )
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for moment in (*MOMENTS, "all"):
        some = [trial for trial in trials if moment in (trial.moment, "all")]
        if some:
            taken = [trial.taken_over for trial in some]
            codes = [trial.exit_code for trial in some]
            cells = (
                moment,
                len(some),
                f"{statistics.median(taken):.1f} s ({max(taken):.1f} s)",
                f"{statistics.median(trial.stopped for trial in some):.1f} s",
                codes.count(14),
                codes.count(1),
                sum(trial.others for trial in some),
                sum(len(trial.late) for trial in some),
            )
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    lines.append(
        f"{sum(outcome.writes for outcome in outcomes)} writes in {seconds:.0f} s; the closest arrived "
        f"{min(outcome.closest for outcome in outcomes):.2f} s before its lease ran out; "
        f"{sum(outcome.repeated for outcome in outcomes)} trials repeated because the leader changed by itself."
    )
    return "\n".join(lines)


def plan(random: int, connecting: int, sending: int, seed: int) -> list[Moment]:
    """The moments of all trials, mixed."""
    moments: list[Moment] = [
        moment for moment, count in zip(MOMENTS, (random, connecting, sending), strict=True) for _ in range(count)
    ]
    Random(seed).shuffle(moments)
    return moments


async def _until(condition: Callable[[], Any]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 -- of other processes, which set no events here
            await anyio.sleep(0.005)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def _all(options: Sequence[Options]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    total = sum(len(one.trials) for one in options)
    done = 0

    def tell(trial: Trial) -> None:
        nonlocal done
        done += 1
        late = f"LATE: {trial.late}" if trial.late else "no late write"
        print(
            f"{done}/{total} {trial.first} stopped {trial.moment}: taken over after {trial.taken_over:.1f} s, "
            f"exit code {trial.exit_code}, {late}",
            file=sys.stderr,
            flush=True,
        )

    async def one(chosen: Options) -> None:
        outcomes.append(await run(chosen, tell))

    async with anyio.create_task_group() as tasks:
        for chosen in options:
            tasks.start_soon(one, chosen)
    return outcomes


def main() -> int:
    """Exit code 1 if a write was late."""
    parser = argparse.ArgumentParser(prog="python -m perf.leader_trials", description=__doc__.partition("\n")[0])
    parser.add_argument("--random", type=int, default=150, help="trials that stop the leader at a random moment")
    parser.add_argument("--connecting", type=int, default=20, help="… when a write has its connection")
    parser.add_argument("--sending", type=int, default=50, help="… between the last check of a write and its bytes")
    parser.add_argument("--worlds", type=int, default=2, help="how many pairs of replicas at a time (default 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-deadman", action="store_true", help="a control: this has to show late writes")
    flags = parser.parse_args()
    moments = plan(flags.random, flags.connecting, flags.sending, flags.seed)
    options = [
        Options(moments[index :: flags.worlds], seed=flags.seed + index, deadman=not flags.without_deadman)
        for index in range(flags.worlds)
    ]
    began = time.monotonic()
    outcomes = asyncio.run(_all(options))
    print(report(outcomes, time.monotonic() - began))
    return int(any(trial.late for outcome in outcomes for trial in outcome.trials))


if __name__ == "__main__":
    sys.exit(main())
