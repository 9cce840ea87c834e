"""`lattice-controller explain`: why an object is served as it is, or is not, as a tree or as JSON.

It reads the objects and VPC Lattice, and writes nothing. Of a route that is being deleted it reads the Events too, for
nothing else tells why a deletion is refused. Exit code 0 when nothing is amiss, 2 when something is, 1 when there is
nothing to explain or it cannot be read.
"""

import argparse
import time
from typing import Any

from msgspec.structs import replace
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from controller import settings
from controller.api.core import Service
from controller.api.gateway import Gateway, GRPCRoute, HTTPRoute, Route, TLSRoute
from controller.api.keys import RouteRef
from controller.api.resources import ROUTES
from controller.cli.output import add_kubeconfig, add_output, printed
from controller.cli.snapshot import Snapshot, SnapshotError, reported, snapshot
from controller.cli.warnings import warnings
from controller.gateway.view import View
from controller.reconcile.sight import look
from controller.translate.explain import explain_gateway, explain_route, explain_service, routes_of
from controller.translate.facts import Fact

WELL, FAILED, AMISS = 0, 1, 2

KINDS = {**{kind.lower(): kind for kind in ROUTES}, "gateway": "Gateway", "service": "Service"}

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", type=str.lower, choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--namespace", default="default", help="of the object (default: default)")
    add_output(parser, "tree")
    add_kubeconfig(parser)


def execute(flags: argparse.Namespace) -> int:
    fact = reported(lambda chosen: _explain(chosen, flags), flags)
    if fact is None:
        return FAILED
    printed(fact, flags, show)
    return WELL if fact.all_well else AMISS


async def _explain(chosen: settings.Settings, flags: argparse.Namespace) -> Fact:
    async with snapshot(chosen) as seen:
        return await explain(seen, flags.kind, flags.namespace, flags.name, now=int(time.time()))


async def explain(seen: Snapshot, kind: str, namespace: str, name: str, *, now: int) -> Fact:
    """Explain one object; `kind` is a key of `KINDS`, `now` Unix time in seconds.

    Raises SnapshotError where there is no such object, `UnknownError` and `LatticeError` where it cannot be told.
    """
    view, ctx = seen.cluster.view, seen.ctx
    obj = _find(view, kind, namespace, name)
    if obj is None:
        raise SnapshotError(f"there is no {KINDS[kind]} {namespace}/{name}")
    networks = (obj.name,) if isinstance(obj, Gateway) else ()
    lattice = await look(
        view, routes_of(view, obj), networks, ctx, seen.inventory, seen.certificates, now=now, not_taken_over=seen.left
    )
    match obj:
        case HTTPRoute() | GRPCRoute() | TLSRoute():
            fact = explain_route(view, obj, ctx, lattice)
            since = obj.metadata.deletion_timestamp
            told = () if since is None else await warnings(seen.kube, ROUTES[obj.kind], obj, since=since)
            return replace(fact, below=(*fact.below, *told))
        case Gateway():
            return explain_gateway(view, obj, ctx, lattice)
        case Service():
            return explain_service(view, obj, ctx, lattice)


def _find(view: View, kind: str, namespace: str, name: str) -> Route | Gateway | Service | None:
    match kind:
        case "gateway":
            return view.gateway(namespace, name)
        case "service":
            return view.service(namespace, name)
        case _:
            of = next(of for of in ROUTES if of.lower() == kind)
            return view.route(RouteRef(of, namespace, name))


def show(fact: Fact, console: Console) -> None:
    """Print an explanation as a tree; lines break between words."""
    tree = Tree(_line(fact), guide_style="dim")
    _grow(tree, fact)
    console.print(tree)


def _grow(tree: Tree, fact: Fact) -> None:
    for below in fact.below:
        _grow(tree.add(_line(below)), below)


def _line(fact: Fact) -> Text:
    mark, style = _MARKS[fact.well]
    parts: list[Any] = [(f"{mark} ", style), f"{fact.kind} ", (fact.name, "bold")]
    if fact.told:
        parts.append((f": {fact.told}", "" if fact.well is not None else "dim"))
    return Text.assemble(*parts)
