"""What commands need that look once and change nothing: the cluster in memory, a Lattice client that cannot write.

`reported` is the end of such a command: what stands in its way becomes lines on standard error, without a traceback.
"""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import anyio

from controller import logs, settings
from controller.cli.errors import leaves
from controller.cli.manifests import ManifestError
from controller.gateway.view import UnknownError
from controller.kube.client import KubeClient
from controller.kube.config import own_namespace
from controller.kube.errors import ApiError, ConfigError, Unreachable
from controller.kube.lease_note import LeaseNote
from controller.lattice.client import LatticeClient
from controller.lattice.errors import LatticeError
from controller.lattice.inventory import Inventory
from controller.manager import LEASE, USER_AGENT, identity_of, limits_of
from controller.reconcile.certificates import Certificates
from controller.reconcile.cluster import DISPENSABLE, Cluster
from controller.translate.context import TranslateContext
from controller.translate.take_over import Left, left_of
from controller.work import CONTROLLER_NAME
from workqueue import MonotonicClock

ANSWER_SECONDS = 10.0
"""How long the cluster may take to answer at all."""

SYNC_SECONDS = 30.0
"""How long the cluster may take to answer the first lists."""

T = TypeVar("T")


class SnapshotError(Exception):
    """There is nothing to look at; the message says what stands in the way."""


_EXPECTED = (
    settings.SettingsError,
    SnapshotError,
    ManifestError,
    ConfigError,
    ApiError,
    LatticeError,
    UnknownError,
    OSError,
)
"""What may stand in the way of a command without being a defect."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    cluster: Cluster
    """As it was when it was read."""
    ctx: TranslateContext
    inventory: Inventory
    certificates: Certificates
    left: Left
    """What is left of a take-over from another controller."""
    kube: KubeClient
    """For what the stores do not have."""


def reported(work: Callable[[settings.Settings], Coroutine[Any, Any, T]], flags: Namespace) -> T | None:
    """Do it with the settings of the environment and the flags; None, after saying why, when it cannot be done."""
    logs.configure("error", "console")
    try:
        return asyncio.run(work(settings.load(os.environ, flags)))
    except _EXPECTED as error:
        _say(error)
    except BaseExceptionGroup as group:
        expected, defects = group.split(_EXPECTED)
        if defects is not None or expected is None:
            raise
        for each in leaves(expected):
            _say(each)
    return None


def _say(error: BaseException) -> None:
    print(f"lattice-controller: {error}", file=sys.stderr)


@asynccontextmanager
async def snapshot(chosen: settings.Settings) -> AsyncIterator[Snapshot]:
    """Read the cluster, and hold a client of VPC Lattice open. Raises SnapshotError, ConfigError and LatticeError."""
    async with (
        KubeClient.from_config(chosen.kubeconfig, user_agent=USER_AGENT) as kube,
        LatticeClient(
            region=chosen.region,
            endpoint_url=chosen.lattice_endpoint,
            limits=limits_of(chosen),
            fence=lambda _: False,  # Who only looks writes nothing, whatever happens.
        ) as lattice,
    ):
        ctx = TranslateContext(
            controller_name=CONTROLLER_NAME,
            identity=await identity_of(chosen, lattice),
            protect_from_deletion=chosen.protect_from_deletion,
            import_certificates=chosen.import_certificates,
            take_over_released=chosen.take_over_release,
        )
        await _require_answer(kube)
        cluster = Cluster(kube, secrets=chosen.import_certificates)
        await _mirror_once(cluster)
        clock = MonotonicClock()
        inventory = Inventory(lattice, ctx.identity, clock, use_tagging_api=chosen.use_tagging_api)
        certificates = Certificates(
            lattice, ctx.identity.owner, use_tagging_api=chosen.use_tagging_api, monotonic=clock.time
        )
        yield Snapshot(cluster, ctx, inventory, certificates, await _left(kube), kube)


async def _left(kube: KubeClient) -> Left:
    """What is left of a take-over, as the Lease says; nothing, and a line that says so, where it cannot be read."""
    try:
        return left_of(await LeaseNote(kube, own_namespace(os.environ), LEASE).read())
    except ApiError as error:
        print(f"lattice-controller: what a run would hold back is not told, for {error}", file=sys.stderr)
        return Left()


async def _require_answer(kube: KubeClient) -> None:
    """That there is an API server at all, so that nobody waits for all kinds of a dead one. Raises SnapshotError."""
    try:
        await kube.request("GET", "/version", timeout=ANSWER_SECONDS)
    except Unreachable as error:
        cause = error.__cause__
        why = cause.os_error if isinstance(cause, aiohttp.ClientConnectorError) else error.message
        raise SnapshotError(f"the Kubernetes API at {kube.host} cannot be reached: {why}") from error
    except ApiError:
        return  # An answer, if not the one that was asked for; the lists tell what is in the way.


async def _mirror_once(cluster: Cluster) -> None:
    """Read the cluster once; after that the stores stay as they are. Raises SnapshotError, but not for what is
    dispensable: who may read routes, and no DNS records, is told the rest."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cluster.run)
        with anyio.move_on_after(SYNC_SECONDS) as patience:
            await cluster.wait_synced()
        tasks.cancel_scope.cancel()
    spared = {resource.kind for resource in DISPENSABLE}
    doubts = {kind: why for kind, why in cluster.doubts().items() if kind not in spared}
    if patience.cancelled_caught and doubts:
        raise SnapshotError("\n".join(told_by_reason(doubts)))


def told_by_reason(doubts: Mapping[str, str]) -> list[str]:
    """One line for each reason, with the kinds that it is the reason for."""
    kinds: dict[str, list[str]] = {}
    for kind, reason in sorted(doubts.items()):
        kinds.setdefault(reason, []).append(kind)
    return [f"cannot read {', '.join(names)}: {reason}" for reason, names in kinds.items()]
