"""`python -m perf.bench`: all benchmarks in one run, as a table of ratios. Exit code 0 if every goal is met.

Nothing here is asserted by a test: times depend on the machine. A ratio of two candidates of the same run hardly does.
"""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from perf import bench_decode, bench_ingest, bench_queue
from perf.measure import Measurement

BENCHMARKS = (bench_queue.measure, bench_ingest.measure, bench_decode.measure)

PRINTED_WIDTH = 160
"""Columns where there is no terminal to fit the table to."""


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH)
    found: list[Measurement] = []
    for measure in BENCHMARKS:
        found += measure()
    console.print(table(found))
    return 0 if all(one.met for one in found) else 1


def table(measurements: Sequence[Measurement]) -> Table:
    """The measurements as they are printed."""
    shown = Table(title="Benchmarks: best of several rounds that take turns", title_justify="left")
    for column in ("what", "value", "reference", "its value", "ratio", "goal", ""):
        shown.add_column(column, justify="left" if column in {"what", "reference", "goal", ""} else "right")
    for one in measurements:
        shown.add_row(
            one.name,
            duration(one.value),
            one.reference_name,
            duration(one.reference),
            ratio(one.ratio),
            one.goal,
            "met" if one.met else "NOT MET",
        )
    return shown


def duration(seconds: float) -> str:
    """In the unit that suits: µs, ms or s."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def ratio(value: float) -> str:
    """How many times as long, or, where it is quicker, as `1/n`."""
    return f"{value:.2f}" if value >= 0.1 else f"1/{1 / value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
