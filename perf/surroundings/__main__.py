"""`python -m perf.surroundings`: how fast the sandbox is, as a table. Exit code 0 if every goal is met."""

import sys

import uvloop
from rich.console import Console
from rich.table import Table

from perf.bench import PRINTED_WIDTH
from perf.surroundings import kubernetes, lattice
from perf.surroundings.result import Result


async def _measure() -> list[Result]:
    return [*await lattice.measure(), *await kubernetes.measure()]


def main() -> int:
    found = uvloop.run(_measure())
    shown = Table(title="The sandbox, each server on one core and its clients on another", title_justify="left")
    for column in ("what", "value", "goal", "", "of it"):
        shown.add_column(column)
    for one in found:
        shown.add_row(one.name, one.value, one.goal, "met" if one.met else "NOT MET", one.detail)
    Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH).print(shown)
    return 0 if all(one.met for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
