"""`python -m perf.loadtest`: run the load test, print its tables, write its report. Exit code 0 if all goals are met.

The defaults end within two minutes. What is asked of a release, with the controller's own rates, and on top of the load
20 more routes on an account that throttles far below them:

    python -m perf.loadtest --routes 1000 --resource-seconds 2 10 --association-seconds 5 30 --api-rates ''
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from perf.loadtest import report
from perf.loadtest.conditions import Conditions, parse_rates
from perf.loadtest.results import Results, goals
from perf.loadtest.scenario import Plan, run
from perf.loadtest.shape import Shape

PRINTED_WIDTH = 160
"""Columns where there is no terminal to fit the tables to."""

_RATES = "[operation=]calls a second[:calls at once], separated by commas"


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; argparse's own exits raise SystemExit."""
    parser = _parser()
    flags = parser.parse_args(argv)
    try:
        plan = _plan(flags)
    except ValueError as error:
        parser.error(str(error))
    console = Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH)
    with tempfile.TemporaryDirectory(prefix="perf-loadtest-") as scratch:
        directory = flags.logs or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            results = loop.run(_run(plan, directory, console))
    if results is None:
        return 1
    tables = report.tables(results)
    report.show(console, tables)
    flags.out.mkdir(parents=True, exist_ok=True)
    title = f"Load test: {plan.shape.routes:,} routes"
    (flags.out / "loadtest.md").write_text(report.markdown(title, tables))
    document = {"goals": goals(results), "calls_a_route": results.calls_a_route, "results": results}
    (flags.out / "loadtest.json").write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    console.print(f"written: {flags.out / 'loadtest.md'}, {flags.out / 'loadtest.json'}")
    return 0 if all(goal.met for goal in goals(results)) else 1


async def _run(plan: Plan, directory: Path, console: Console) -> Results | None:
    """The results; None if a signal ended it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results: Results | None = None
    with Progress(*columns, console=console) as progress:
        shown: dict[str, TaskID] = {}

        def show(what: str, done: float, of: float) -> None:
            if what not in shown:
                shown[what] = progress.add_task(what, total=of)
            progress.update(shown[what], completed=done, total=of)

        async with anyio.create_task_group() as tasks:

            async def until_signal() -> None:
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    async for _ in signals:
                        tasks.cancel_scope.cancel()

            tasks.start_soon(until_signal)
            results = await run(plan, directory, show)
            tasks.cancel_scope.cancel()
    return results


def _plan(flags: argparse.Namespace) -> Plan:
    """Raises ValueError for what makes no sense."""
    parse_rates(flags.throttles)
    conditions = Conditions(
        seed=flags.seed,
        latency=flags.latency / 1000,
        resource_span=tuple(flags.resource_seconds),
        association_span=tuple(flags.association_seconds),
        throttles=flags.throttles,
    )
    conditions.timings()
    if not (0 <= conditions.latency <= 10 and flags.changes >= 0 and 0 < flags.phase_seconds <= 7200):
        raise ValueError("latency is 0 to 10,000 ms, changes at least 0, and a phase ends within two hours")
    return Plan(
        shape=Shape(**{name: getattr(flags, name) for name in Shape.__struct_fields__}),
        conditions=conditions,
        changes=min(flags.changes, flags.routes // 2),
        throttled_routes=flags.throttled_routes,
        replicas=flags.replicas,
        api_rates=flags.api_rates,
        phase_seconds=flags.phase_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perf.loadtest",
        description="Synthetic routes on a sandbox of this machine, and what the controller needs for them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    shape, sandbox = Shape(), Conditions()
    for name, help_text in (
        ("routes", "how many routes"),
        ("rules", "rules of a route"),
        ("backends", "backends of a rule, each a Service of its own"),
        ("endpoints", "endpoints of a Service"),
        ("gateways", "Gateways, taken in turn, each with a service network"),
        ("namespaces", "namespaces of routes, taken in turn"),
    ):
        parser.add_argument(f"--{name}", type=int, default=getattr(shape, name), metavar="N", help=help_text)
    parser.add_argument("--changes", type=int, default=50, metavar="N", help="endpoint changes during the load")
    parser.add_argument("--seed", type=int, default=sandbox.seed, metavar="N", help="of all random choices")
    parser.add_argument(
        "--latency", type=float, default=sandbox.latency * 1000, metavar="MS", help="of an AWS call, in milliseconds"
    )
    for name, default, of in (
        ("--resource-seconds", sandbox.resource_span, "a service or target group"),
        ("--association-seconds", sandbox.association_span, "an association"),
    ):
        parser.add_argument(
            name,
            type=float,
            nargs=2,
            default=default,
            metavar=("LEAST", "MOST"),
            help=f"how long creating and deleting {of} takes",
        )
    parser.add_argument(
        "--throttles",
        default=sandbox.throttles,
        metavar="RATES",
        help=f"beyond what AWS throttles, in a phase about that; '' for no such phase: {_RATES}",
    )
    parser.add_argument(
        "--throttled-routes",
        type=int,
        default=20,
        metavar="N",
        help="routes that are created in that phase, on top of the others",
    )
    parser.add_argument(
        "--replicas", type=int, default=2, metavar="N", help="of the controller: one is elected, the others follow"
    )
    parser.add_argument(
        "--api-rates", default="30", metavar="RATES", help="the controller's LATTICE_API_RATES; '' for its own rates"
    )
    parser.add_argument("--phase-seconds", type=float, default=900.0, metavar="S", help="when a phase is given up")
    parser.add_argument(
        "--out", type=Path, default=Path("build/perf"), metavar="DIRECTORY", help="where loadtest.md and .json go"
    )
    parser.add_argument("--logs", type=Path, metavar="DIRECTORY", help="where the replicas' logs are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
