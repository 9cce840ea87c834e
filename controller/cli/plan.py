"""`lattice-controller plan`: the operations that a run would do, as a table or as JSON, and none of them done.

Exit code 0 when there is nothing to do, 2 when there are changes, 1 when the plan cannot be made.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

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
from controller.kube.errors import ApiError, ConfigError
from controller.lattice.client import LatticeClient
from controller.lattice.errors import LatticeError
from controller.lattice.inventory import Inventory
from controller.manager import USER_AGENT, identity_of, limits_of
from controller.reconcile.cluster import Cluster
from controller.reconcile.preview import Preview, preview
from controller.reconcile.view import INDEXERS
from controller.translate.context import TranslateContext
from controller.work import CONTROLLER_NAME
from workqueue import MonotonicClock

NOTHING, FAILED, CHANGES = 0, 1, 2

SYNC_SECONDS = 30.0
"""How long the cluster may take to answer the first lists."""

PRINTED_WIDTH = 180
"""Columns of the table where there is no terminal to fit it to."""

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
        cluster = Cluster(kube)
        await _mirror_once(cluster)
        ignored = lay_over(cluster, tuple(INDEXERS), manifests, namespace=flags.namespace)
        if ignored:
            print(f"not part of a plan: {', '.join(ignored)}", file=sys.stderr)
        inventory = Inventory(lattice, ctx.identity, MonotonicClock(), use_tagging_api=chosen.use_tagging_api)
        routes = cluster.informer(HTTP_ROUTES).store.list()
        return await preview(cluster.view, routes, ctx, inventory, now=int(time.time()))


async def _mirror_once(cluster: Cluster) -> None:
    """Read the cluster once; after that the stores stay as they are. Raises PlanError."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cluster.run)
        with anyio.move_on_after(SYNC_SECONDS) as patience:
            await cluster.wait_synced()
        tasks.cancel_scope.cancel()
    if patience.cancelled_caught and (doubts := cluster.doubts()):
        raise PlanError("; ".join(f"{kind}: {reason}" for kind, reason in doubts.items()))


def show(found: Preview, console: Console) -> None:
    """Print a plan as a table, remarks below it."""
    if found.operations:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("FOR", "OPERATION", "RESOURCE", "WHAT"):
            table.add_column(column, overflow="fold")
        for step in found.steps:
            for operation in step.plan.operations:
                color = next((c for verb, c in _COLORS.items() if operation.call.startswith(verb)), "yellow")
                table.add_row(
                    f"{step.route.namespace}/{step.route.name}",
                    f"[{color}]{operation.call}[/]",
                    escape(operation.resource),
                    escape(operation.description),
                )
        console.print(table)
        console.print(f"\n{found.operations} operations would be done; none was.")
    else:
        console.print("Nothing to do: VPC Lattice is as the objects say.")
    for remark in found.remarks:
        console.print(
            f"[yellow]![/] {escape(str(remark.route))}: {remark.reason}: {escape(remark.message)}", soft_wrap=True
        )
