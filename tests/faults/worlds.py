"""Worlds whose controllers can die at any moment, their own start included, and in three ways.

`FaultWorld` runs them in this process, as all tests do: to be killed is then to be cancelled, and `finally` blocks run,
which SIGKILL would not allow. `LeasedWorld` has them compete for the Lease, with the fence before their writes, as the
manager wires it; nobody tells the follower to take over. `ProcessWorld` runs them as processes of their own, which
SIGKILL really ends; it knows nothing of them but what they do.
"""

import multiprocessing
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import AsyncExitStack
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry

from controller import settings
from controller.cli import main
from controller.kube.client import KubeClient
from controller.kube.lease_keeper import LeaseKeeper
from controller.kube.lease_times import LeaseTimes
from controller.manager import LEASE, USER_AGENT, identity_of
from controller.metrics import Metrics
from controller.work import Work
from tests.e2e.harness import PATIENCE, World, client_of_lattice, environment
from tests.faults.haste import hurried

LEASE_TIMES = LeaseTimes(lease_duration=2.0, renew_deadline=1.3, retry_period=0.3)
"""A Lease tells its duration in whole seconds; what is left after the deadline is more than an attempt at a call."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.worlds", "controller.cli.run", "controller.kube.credentials"])


class Mortal(Protocol):
    """A controller as a fault sees it."""

    killed: bool
    leads: bool

    @property
    def pending(self) -> int:
        """How many keys it has to do something for, as far as that can be known."""

    def kill(self) -> None:
        """End it where it is, without waiting for that."""

    async def ended(self) -> None:
        """Return when it has ended."""


class Local:
    """A controller in this process."""

    def __init__(self) -> None:
        self.killed = False
        self.leads = False
        self.told = anyio.Event()
        self.may_lead = anyio.Event()
        self.ready = anyio.Event()
        """Its stores are warm, or it has ended."""
        self.over = anyio.Event()
        self.scope = anyio.CancelScope()
        self.work: Work | None = None

    @property
    def pending(self) -> int:
        return 0 if self.work is None else self.work.pending

    def kill(self) -> None:
        self.killed = True
        self.scope.cancel()

    async def ended(self) -> None:
        await self.over.wait()


class FaultWorld(World):
    """Controllers in this process. `leader` and `standby` are there from the moment at which their start begins."""

    leader: Mortal | None = None
    standby: Mortal | None = None
    _born = 0

    async def start(self) -> None:
        """Return when it leads, or was killed on its way there."""
        assert self.leader is None
        self.leader = made = Local()
        made.may_lead.set()
        await self._begin(made)

    async def stand_by(self) -> None:
        assert self.standby is None
        self.standby = made = Local()
        await self._begin(made)

    async def _begin(self, made: Local) -> None:
        self._tasks.start_soon(self._live, made)
        await made.ready.wait()

    def take_over(self) -> None:
        assert self.leader is None
        assert self.standby is not None
        self.leader, self.standby = self.standby, None
        if isinstance(self.leader, Local):
            self.leader.may_lead.set()

    async def stop(self) -> None:
        assert isinstance(self.leader, Local)
        self.leader.told.set()
        await self.leader.ended()
        self.leader = None

    async def crash(self) -> None:
        assert self.leader is not None
        self.leader.kill()
        await self.leader.ended()
        self.leader = None

    def kill(self) -> None:
        """Kill the one that leads or starts to, if there is one, without waiting for its end."""
        if self.leader is not None:
            self.leader.kill()

    async def succeeded(self) -> None:
        """Return when the one that was killed has a successor, which leads."""
        while self.leader is None or self.leader.killed or not self.leader.leads:  # noqa: ASYNC110 - too short-lived
            await anyio.sleep(0.002)

    def beside(self, *task: Any) -> None:
        """Run a function, and its arguments, as a task that ends with this world."""
        self._tasks.start_soon(*task)

    @property
    def pending(self) -> int:
        """What is to be done by the one that leads."""
        return 0 if self.leader is None else self.leader.pending

    async def quiet(self, seconds: float = 0.3) -> None:
        with anyio.fail_after(PATIENCE):
            rested, mark = 0.0, self.mark()
            while rested < seconds:
                await anyio.sleep(0.01)
                now = self.mark()
                alive = self.leader is not None and not self.leader.killed
                rested = 0.0 if now != mark or (alive and self.pending) else rested + 0.01
                mark = now

    def mark(self) -> tuple[int, int]:
        """Changes whenever anything is asked of AWS or written to Kubernetes, leases and Events apart."""
        return self._mark()

    def writes_so_far(self) -> int:
        return sum(
            count
            for (verb, resource, _), count in self.kube.counts.items()
            if verb not in {"get", "list", "watch"} and not resource.startswith(("events", "leases"))
        )

    async def _live(self, made: Local) -> None:
        self._born += 1
        try:
            with made.scope:
                async with AsyncExitStack() as stack:
                    await self._wire(made, f"e2e-{self._born}", stack)
        finally:
            made.ready.set()
            made.over.set()

    async def _wire(self, made: Local, me: str, stack: AsyncExitStack) -> None:
        """Be a controller until it is told to stop."""
        stack.enter_context(mock.patch.dict(os.environ, environment(self.lattice)))
        chosen = settings.load({**environment(self.lattice), **self._settings}, Namespace())
        metrics = Metrics(CollectorRegistry())
        kube = await stack.enter_async_context(self._connect())
        keeper = self._keeper(me)
        fence: dict[str, Any] = {} if keeper is None else {"fence": keeper.fence.valid_for}
        lattice = await stack.enter_async_context(client_of_lattice(chosen, metrics, **fence, **self._client))
        work = made.work = Work(kube, lattice, await identity_of(chosen, lattice), metrics, chosen, me=me)
        tasks = await stack.enter_async_context(anyio.create_task_group())

        async def lead() -> None:
            made.leads = True
            made.ready.set()
            await work.lead(made.told, grace=30.0)

        tasks.start_soon(work.run)
        await work.wait_synced()
        if keeper is None:
            if not made.may_lead.is_set():
                made.ready.set()
            await made.may_lead.wait()
            await lead()
        else:
            tasks.start_soon(work.follow)
            if not made.may_lead.is_set():
                made.ready.set()
            kept = await keeper.run(lead, made.told, settled=lambda: not made.killed and not lattice.unsettled)
            made.killed = made.killed or not (kept or made.told.is_set())
        tasks.cancel_scope.cancel()

    def _connect(self) -> KubeClient:
        return KubeClient.from_config(self._kubeconfig, user_agent=USER_AGENT)

    def _keeper(self, me: str) -> LeaseKeeper | None:
        """Who keeps the lease for this candidate; None where there is no lease."""
        return None


class LeasedWorld(FaultWorld):
    """Controllers that compete for the Lease. A leader that loses it ends, as its process would."""

    def _keeper(self, me: str) -> LeaseKeeper:
        return LeaseKeeper(self._connect, "default", LEASE, me, LEASE_TIMES)


class Process:
    """A controller in a process of its own, which does not tell what it still has to do."""

    def __init__(self, process: ForkServerProcess) -> None:
        self.process = process
        self.killed = False
        self.leads = True
        self.pending = 0

    def kill(self) -> None:
        self.killed = True
        self.process.kill()

    async def ended(self) -> None:
        await anyio.to_thread.run_sync(self.process.join)
        assert self.process.exitcode == -signal.SIGKILL, f"it has ended with {self.process.exitcode}"


class ProcessWorld(FaultWorld):
    """Controllers as processes, each forked from one that has imported everything."""

    async def start(self) -> None:
        assert self.leader is None
        variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            **environment(self.lattice),
            **self._settings,
            "KUBECONFIG": str(self._kubeconfig),
            # As in a cluster, the namespace of the Lease exists, so that a start learns whom it follows.
            "POD_NAMESPACE": "default",
        }
        process = _FORKS.Process(target=live, args=(variables, self._kubeconfig.parent / "log"), daemon=True)
        process.start()
        self.leader = Process(process)

    async def close(self) -> None:
        if self.leader is not None:
            await self.crash()
        await super().close()


def live(variables: Mapping[str, str], log: Path) -> None:
    """Be a controller from here on, in a process made for it, until it is ended."""
    os.environ.clear()
    os.environ.update(variables)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    with hurried():
        sys.exit(main(["run", "--metrics-bind-address=0", "--health-probe-bind-address=0"]))
