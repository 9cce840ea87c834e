"""`lattice-controller plan`: the operations that a run would do, as a table or as JSON, and none of them done.

Exit code 0 when there is nothing to do, 2 when there are changes, 1 when the plan cannot be made.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import aiohttp
import anyio
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controller import logs, settings
from controller.api.resources import HTTP_ROUTES
from controller.cli.errors import leaves
from controller.cli.manifests import ManifestError, files_of, lay_over, read
from controller.kube.client import KubeClient
from controller.kube.errors import ApiError, ConfigError, Unreachable
from controller.lattice.client import LatticeClient
from controller.lattice.errors import LatticeError
from controller.lattice.inventory import Inventory
from controller.lattice.plan import Operation
from controller.manager import USER_AGENT, identity_of, limits_of
from controller.reconcile.cluster import Cluster
from controller.reconcile.preview import Preview, preview
from controller.reconcile.view import INDEXERS
from controller.translate.context import TranslateContext
from controller.work import CONTROLLER_NAME
from workqueue import MonotonicClock

NOTHING, FAILED, CHANGES = 0, 1, 2

ANSWER_SECONDS = 10.0
"""How long the cluster may take to answer at all."""

SYNC_SECONDS = 30.0
"""How long the cluster may take to answer the first lists."""

PRINTED_WIDTH = 180
"""Columns of the table where there is no terminal to fit it to."""

TABLE_WIDTH = 120
"""Columns below which a table would fold inside of words."""

_COLORS: Mapping[str, str] = {"Create": "green", "Register": "green", "Delete": "red", "Deregister": "red"}


class PlanError(Exception):
    """The plan cannot be made; the message says what stands in the way."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--filename",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="plan as if these manifests were applied; a file or a directory, may be given several times",
    )
    parser.add_argument("-n", "--namespace", default="default", help="for manifests that name none (default: default)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--kubeconfig", metavar="FILE", help="how to reach the cluster, when not from inside of it")


def execute(flags: argparse.Namespace) -> int:
    logs.configure("error", "console")
    try:
        chosen = settings.load(os.environ, flags)
        found = asyncio.run(_plan(chosen, flags))
    except (settings.SettingsError, ManifestError) as error:
        print(f"lattice-controller: {error}", file=sys.stderr)
        return FAILED
    except BaseExceptionGroup as group:
        expected, defects = group.split((PlanError, ManifestError, ConfigError, ApiError, LatticeError, OSError))
        if defects is not None or expected is None:
            raise
        for each in leaves(expected):
            print(f"lattice-controller: {each}", file=sys.stderr)
        return FAILED
    except (PlanError, ConfigError, ApiError, LatticeError, OSError) as error:
        print(f"lattice-controller: {error}", file=sys.stderr)
        return FAILED
    if flags.output == "json":
        print(orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = PRINTED_WIDTH
        show(found, console)
    return CHANGES if found.operations else NOTHING


async def _plan(chosen: settings.Settings, flags: argparse.Namespace) -> Preview:
    manifests = read(files_of(flags.filename))
    async with (
        KubeClient.from_config(chosen.kubeconfig, user_agent=USER_AGENT) as kube,
        LatticeClient(
            region=chosen.region,
            endpoint_url=chosen.lattice_endpoint,
            limits=limits_of(chosen),
            fence=lambda _: False,  # A plan writes nothing, whatever happens.
        ) as lattice,
    ):
        ctx = TranslateContext(controller_name=CONTROLLER_NAME, identity=await identity_of(chosen, lattice))
        await _require_answer(kube)
        cluster = Cluster(kube)
        await _mirror_once(cluster)
        ignored = lay_over(cluster, tuple(INDEXERS), manifests, namespace=flags.namespace)
        if ignored:
            print(f"not part of a plan: {', '.join(ignored)}", file=sys.stderr)
        inventory = Inventory(lattice, ctx.identity, MonotonicClock(), use_tagging_api=chosen.use_tagging_api)
        routes = cluster.informer(HTTP_ROUTES).store.list()
        return await preview(cluster.view, routes, ctx, inventory, now=int(time.time()))


async def _require_answer(kube: KubeClient) -> None:
    """That there is an API server at all, so that nobody waits for seven kinds of a dead one. Raises PlanError."""
    try:
        await kube.request("GET", "/version", timeout=ANSWER_SECONDS)
    except Unreachable as error:
        cause = error.__cause__
        why = cause.os_error if isinstance(cause, aiohttp.ClientConnectorError) else error.message
        raise PlanError(f"the Kubernetes API at {kube.host} cannot be reached: {why}") from error
    except ApiError:
        return  # An answer, if not the one that was asked for; the lists tell what is in the way.


async def _mirror_once(cluster: Cluster) -> None:
    """Read the cluster once; after that the stores stay as they are. Raises PlanError."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cluster.run)
        with anyio.move_on_after(SYNC_SECONDS) as patience:
            await cluster.wait_synced()
        tasks.cancel_scope.cancel()
    if patience.cancelled_caught and (doubts := cluster.doubts()):
        raise PlanError("\n".join(told_by_reason(doubts)))


def told_by_reason(doubts: Mapping[str, str]) -> list[str]:
    """One line for each reason, with the kinds that it is the reason for."""
    kinds: dict[str, list[str]] = {}
    for kind, reason in sorted(doubts.items()):
        kinds.setdefault(reason, []).append(kind)
    return [f"cannot read {', '.join(names)}: {reason}" for reason, names in kinds.items()]


def show(found: Preview, console: Console) -> None:
    """Print a plan, as a table where there is room for one, and remarks below it."""
    if found.operations:
        if console.width < TABLE_WIDTH:
            _stacked(found, console)
        else:
            _table(found, console)
        console.print(f"\n{found.operations} operations would be done; none was.")
        if without := _groups_without_targets(found):
            console.print(f"target groups without targets: {without}; targets come when pods do.")
    else:
        console.print("Nothing to do: VPC Lattice is as the objects say.")
    for remark in found.remarks:
        console.print(
            f"[yellow]![/] {escape(str(remark.route))}: {remark.reason}: {escape(remark.message)}", soft_wrap=True
        )


def _table(found: Preview, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("FOR", "OPERATION", "RESOURCE", "WHAT"):
        table.add_column(column, overflow="fold")
    for route, operation in _operations(found):
        table.add_row(route, _colored(operation), escape(operation.resource), escape(operation.description))
    console.print(table)


def _stacked(found: Preview, console: Console) -> None:
    """Operations below the route that they are for; lines break where the terminal does, not inside of words."""
    for route, operations in groupby(_operations(found), key=itemgetter(0)):
        console.print(f"[bold]{escape(route)}[/]")
        for _, operation in operations:
            console.print(f"  {_colored(operation)} {escape(operation.resource)}", soft_wrap=True)
            console.print(f"    [dim]{escape(operation.description)}[/]", soft_wrap=True)


def _operations(found: Preview) -> Iterator[tuple[str, Operation]]:
    for step in found.steps:
        for operation in step.plan.operations:
            yield f"{step.route.namespace}/{step.route.name}", operation


def _colored(operation: Operation) -> str:
    color = next((c for verb, c in _COLORS.items() if operation.call.startswith(verb)), "yellow")
    return f"[{color}]{operation.call}[/]"


def _groups_without_targets(found: Preview) -> int:
    """New groups in which nothing would be registered."""
    calls = ({operation.call for operation in step.plan.operations} for step in found.steps)
    return sum("CreateTargetGroup" in made and "RegisterTargets" not in made for made in calls)
