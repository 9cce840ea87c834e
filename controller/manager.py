"""One process: its clients, its servers for probes and metrics, the lease, its start and its end.

Start: credentials, who we are in AWS, the cluster in memory, then the lease if there are several replicas, then work.
A replica that waits for the lease is ready: it can serve the webhook as well as the one that leads.

End: when told to stop (SIGTERM, `controller.signals`) no more keys are handed out, what is in work gets a moment to
finish, the lease is given back if every write had its answer, waiting Events are written. What is interrupted all the
same is found and finished by the next run. A start that is told to stop is broken off.
"""

import logging
import os
import socket
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import anyio
import anyio.abc
from prometheus_client import CollectorRegistry

from controller import health
from controller.kube.client import KubeClient
from controller.kube.config import own_identity, own_namespace
from controller.kube.lease_deadman import Deadman
from controller.kube.lease_keeper import LeaseKeeper
from controller.kube.lease_note import LeaseNote
from controller.lattice.client import LatticeClient
from controller.lattice.errors import RetryError
from controller.lattice.inventory import Inventory
from controller.lattice.limits import DEFAULT_RATE, Limits, Rate
from controller.lattice.model import Identity
from controller.lattice.quota_reader import QuotaReader
from controller.lattice.quotas import KnownQuotas
from controller.metrics import Metrics
from controller.read_only import ReadOnly
from controller.reconcile.certificates import Certificates
from controller.reconcile.cluster import Cluster
from controller.settings import CallRate, Settings
from controller.translate.context import TranslateContext
from controller.work import CONTROLLER_NAME, QUOTA_PATIENCE, SYNC_PATIENCE, Work
from workqueue import MonotonicClock

log = logging.getLogger("controller.manager")

LEASE = "amazon-vpc-lattice.io"
USER_AGENT = f"lattice-controller/{version('lattice-controller')}"

ATTEMPT_SECONDS = 10.0
"""What one attempt of an AWS call may take; a writer that has to hold a lease may not have as much."""

STOP_GRACE = 10.0
"""Seconds that reconciles in work get to finish when the process is told to stop."""

IDENTITY_RETRY = 5.0
"""Seconds between attempts to learn the account from STS."""


class LeaseLostError(Exception):
    """Another replica leads, or may lead; this process has stopped writing and ends, so that it starts afresh."""


def limits_of(settings: Settings) -> Limits:
    """The ceilings for calls of AWS operations that the settings ask for."""
    return Limits(
        MonotonicClock(),
        default=DEFAULT_RATE if settings.call_rate is None else _rate(settings.call_rate),
        overrides={operation: _rate(rate) for operation, rate in settings.call_rates.items()},
    )


def _rate(rate: CallRate) -> Rate:
    return Rate(rate.per_second, rate.burst)


async def identity_of(settings: Settings, lattice: LatticeClient) -> Identity:
    """Who this controller is; asks STS for the account where the settings do not name it, for as long as it takes.

    Raises TerminalError where AWS refuses to tell.
    """
    account = settings.account_id
    while account is None:
        try:
            account = await lattice.account()
        except RetryError as error:
            log.error("cannot learn the AWS account, tries again; AWS_ACCOUNT_ID would tell it: %s", error)
            await anyio.sleep(IDENTITY_RETRY)
    return Identity(account=account, region=lattice.region, cluster=settings.cluster_name, vpc=settings.vpc_id)


class Manager:
    """One run of the controller. `run` is its whole life."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._environ = environ
        self._metrics = Metrics(CollectorRegistry())
        self._checks = health.Checks()
        self._keeper: LeaseKeeper | None = None
        self._looker: ReadOnly | None = None
        self._started = False

    async def run(self, told: anyio.Event | None = None) -> None:
        """Run until told to stop, or cancelled.

        Raises ConfigError, TerminalError and OSError for what a start cannot do without, and LeaseLostError; from
        inside task groups, so in an ExceptionGroup.
        """
        told = told or anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def live() -> None:
                await self._live(told)
                tasks.cancel_scope.cancel()

            tasks.start_soon(live)
            await told.wait()
            log.info("told to stop")
            if self._started:
                # What does not end by itself, such as waiting for the lease.
                await anyio.sleep(STOP_GRACE)
            tasks.cancel_scope.cancel()
        log.info("has stopped")

    async def _live(self, told: anyio.Event) -> None:
        settings = self._settings
        async with AsyncExitStack() as stack:
            kube = await stack.enter_async_context(self._connect())
            lattice = LatticeClient(
                region=settings.region,
                endpoint_url=settings.lattice_endpoint,
                limits=limits_of(settings),
                fence=self._may_write,
                timeout=min(ATTEMPT_SECONDS, settings.lease_times.spare) if settings.leader_elect else ATTEMPT_SECONDS,
                observer=self._metrics.aws,
            )
            await stack.enter_async_context(lattice)
            log.info("starts", extra={"kubernetes": kube.host, "lattice": lattice.endpoint, "version": USER_AGENT})
            if settings.read_only:
                log.info("writes nothing, and tells what it would do")
            elif settings.leader_elect:
                # From the first scrape on: a start that never gets as far as the lease has no leader either.
                self._metrics.leading(LEASE, leads=False)
            if settings.account_id is None:
                self._checks.ready("account", lambda: "not known yet: AWS_ACCOUNT_ID is not set, and STS has not told")
            self._checks.ready("kubernetes", lambda: "not listed yet")
            async with anyio.create_task_group() as tasks:
                await self._serve(tasks)
                await (self._look if settings.read_only else self._work)(kube, lattice, told)
                tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[KubeClient]:
        """A Kubernetes client for the event loop that it is entered in, whose requests are counted."""
        settings = self._settings
        client = KubeClient.from_config(
            settings.kubeconfig, user_agent=USER_AGENT, environ=self._environ, read_only=settings.read_only
        )
        async with client:
            client.on_request = self._metrics.kubernetes(client.host)
            yield client

    async def _serve(self, tasks: anyio.abc.TaskGroup) -> None:
        settings = self._settings
        if settings.health_bind is not None:
            await tasks.start(health.serve, health.probes(self._checks), settings.health_bind)
        if settings.metrics_bind is not None:
            plan = self._plan if settings.read_only else None
            await tasks.start(health.serve, health.metrics(self._metrics, plan), settings.metrics_bind)

    async def _work(self, kube: KubeClient, lattice: LatticeClient, told: anyio.Event) -> None:
        settings = self._settings
        identity = await identity_of(settings, lattice)
        self._checks.ready("account", lambda: None)
        log.info("works for %s", identity.owner)
        me = own_identity(self._environ, socket.gethostname(), uuid.uuid4().hex[:8])
        note = LeaseNote(kube, own_namespace(self._environ), LEASE)

        def note_take_over(left: str) -> None:
            (note if self._keeper is None else self._keeper).note(left)

        work = Work(kube, lattice, identity, self._metrics, settings, me=me, note_take_over=note_take_over)
        self._checks.ready("kubernetes", lambda: _sentence(work.cluster.doubts()))
        self._checks.tell("take-over", lambda: str(work.take_over))

        async def lead(left: str) -> None:
            await work.lead(told, grace=STOP_GRACE / 2, left=left)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work.run)
            await work.wait_synced()
            self._started = True
            if settings.leader_elect:
                tasks.start_soon(work.follow)
                await self._compete(me, lead, told, lattice)
            else:
                tasks.start_soon(note.run)
                await lead(await note.learn())
            tasks.cancel_scope.cancel()

    async def _look(self, kube: KubeClient, lattice: LatticeClient, told: anyio.Event) -> None:
        """What `_work` would do, told and not done."""
        settings = self._settings
        identity = await identity_of(settings, lattice)
        self._checks.ready("account", lambda: None)
        log.info("looks for %s", identity.owner)
        clock = MonotonicClock()
        cluster = Cluster(kube, secrets=settings.import_certificates)
        quotas = KnownQuotas(settings.quotas)
        reader = QuotaReader(lattice, quotas, lambda: None)
        self._checks.ready("kubernetes", lambda: _sentence(cluster.doubts()))
        self._metrics.mirrors(cluster.mirrors)
        self._looker = looker = ReadOnly(
            cluster,
            TranslateContext(
                controller_name=CONTROLLER_NAME,
                identity=identity,
                protect_from_deletion=settings.protect_from_deletion,
                import_certificates=settings.import_certificates,
                take_over_released=settings.take_over_release,
                quotas=quotas,
            ),
            Inventory(lattice, identity, clock, use_tagging_api=settings.use_tagging_api, quotas=quotas),
            Certificates(lattice, identity.owner, use_tagging_api=settings.use_tagging_api, monotonic=clock.time),
            LeaseNote(kube, own_namespace(self._environ), LEASE),
            self._metrics,
            every=settings.resync,
        )
        self._checks.ready("plan", lambda: looker.lacking)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cluster.run)
            tasks.start_soon(reader.run)
            with anyio.move_on_after(SYNC_PATIENCE):
                await cluster.wait_synced()
            with anyio.move_on_after(QUOTA_PATIENCE):
                await reader.looked.wait()
            self._started = True
            tasks.start_soon(looker.run)
            await told.wait()
            tasks.cancel_scope.cancel()

    def _plan(self) -> bytes | None:
        return None if self._looker is None else self._looker.plan()

    async def _compete(
        self, me: str, lead: Callable[[str], Awaitable[None]], told: anyio.Event, lattice: LatticeClient
    ) -> None:
        namespace = own_namespace(self._environ)
        times = self._settings.lease_times
        self._keeper = keeper = LeaseKeeper(self._connect, namespace, LEASE, me, times, watchdog=Deadman())
        self._checks.tell("leader election", lambda: _place(keeper))

        async def started() -> None:
            self._metrics.leading(LEASE, leads=True)
            try:
                await lead(keeper.take_over)
            finally:
                self._metrics.leading(LEASE, leads=False)

        kept = await keeper.run(started, told, settled=lambda: not lattice.unsettled)
        if not kept and not told.is_set():
            raise LeaseLostError("the leader election lease was lost; this process ends, so that a fresh one follows")

    def _may_write(self, seconds: float) -> bool:
        if self._settings.read_only:
            return False
        return not self._settings.leader_elect or (self._keeper is not None and self._keeper.fence.valid_for(seconds))


def _place(keeper: LeaseKeeper) -> str:
    """Where this replica stands in the leader election, and what keeps it from knowing."""
    place = "leads" if keeper.leads else f"follows {keeper.holder or 'nobody yet'}"
    return f"{place}; the lease is not reached: {keeper.complaint}" if keeper.complaint else place


def _sentence(doubts: Mapping[str, str]) -> str | None:
    return "; ".join(f"{kind}: {reason}" for kind, reason in doubts.items()) or None
