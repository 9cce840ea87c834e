"""`lattice-controller plan`: the operations that a run would do, as a table or as JSON, and none of them done.

Exit code 0 when there is nothing to do, 2 when there are changes, 1 when the plan cannot be made.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controller import settings
from controller.api.resources import ROUTES
from controller.cli.manifests import files_of, lay_over, read
from controller.cli.output import add_kubeconfig, add_output, printed
from controller.cli.snapshot import reported, snapshot
from controller.lattice.plan import Operation
from controller.reconcile.preview import Preview, Step, preview
from controller.reconcile.view import INDEXERS
from controller.translate.annotations import TAKE_OVER
from controller.translate.take_over import RELEASED

NOTHING, FAILED, CHANGES = 0, 1, 2

TABLE_WIDTH = 120
"""Columns below which a table would fold inside of words."""

_COLORS: Mapping[str, str] = {"Create": "green", "Register": "green", "Delete": "red", "Deregister": "red"}


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
    add_output(parser, "table")
    add_kubeconfig(parser)


def execute(flags: argparse.Namespace) -> int:
    found = reported(lambda chosen: _plan(chosen, flags), flags)
    if found is None:
        return FAILED
    printed(found, flags, show)
    return CHANGES if found.operations else NOTHING


async def _plan(chosen: settings.Settings, flags: argparse.Namespace) -> Preview:
    manifests = read(files_of(flags.filename))
    async with snapshot(chosen) as seen:
        ignored = lay_over(seen.cluster, tuple(INDEXERS), manifests, namespace=flags.namespace)
        if ignored:
            print(f"not part of a plan: {', '.join(ignored)}", file=sys.stderr)
        routes = [route for resource in ROUTES.values() for route in seen.cluster.informer(resource).store.list()]
        now = int(time.time())
        return await preview(
            seen.cluster.view, routes, seen.ctx, seen.inventory, seen.certificates, now=now, left=seen.left
        )


def show(found: Preview, console: Console) -> None:
    """Print a plan, as a table where there is room for one, and remarks below it."""
    if found.operations:
        if console.width < TABLE_WIDTH:
            _stacked(found, console)
        else:
            _table(found, console)
        console.print(f"\n{found.operations - found.held} operations would be done; none was.")
        if found.held:
            console.print(
                f"{found.held} would be held back, for another controller was before, until {TAKE_OVER}={RELEASED} is"
                " said on the route or its namespace."
            )
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
    for route, operation, held in _operations(found):
        table.add_row(route, _colored(operation, held), escape(operation.resource), escape(operation.description))
    console.print(table)


def _stacked(found: Preview, console: Console) -> None:
    """Operations below the route that they are for; lines break where the terminal does, not inside of words."""
    for route, operations in groupby(_operations(found), key=itemgetter(0)):
        console.print(f"[bold]{escape(route)}[/]")
        for _, operation, held in operations:
            console.print(f"  {_colored(operation, held)} {escape(operation.resource)}", soft_wrap=True)
            console.print(f"    [dim]{escape(operation.description)}[/]", soft_wrap=True)


def _operations(found: Preview) -> Iterator[tuple[str, Operation, bool]]:
    for step in found.steps:
        for place, operation in enumerate(step.plan.operations):
            yield _whom(step), operation, place in step.held


def _whom(step: Step) -> str:
    return "no route" if step.route is None else f"{step.route.namespace}/{step.route.name}"


def _colored(operation: Operation, held: bool) -> str:
    color = next((c for verb, c in _COLORS.items() if operation.call.startswith(verb)), "yellow")
    return f"[{color}]{operation.call}[/]" + (" [dim](held back)[/]" if held else "")


def _groups_without_targets(found: Preview) -> int:
    """New groups in which nothing would be registered."""
    calls = ({operation.call for operation in step.plan.operations} for step in found.steps)
    return sum("CreateTargetGroup" in made and "RegisterTargets" not in made for made in calls)
