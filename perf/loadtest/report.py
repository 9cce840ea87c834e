"""The report of a load test: one list of tables, written as Markdown and printed. Pure but for the printing."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from perf.loadtest.results import Phase, Results, Summary, goals

_MIB = 2**20


class Table(msgspec.Struct, frozen=True):
    """The first column names the row; the others are numbers, or short words."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def tables(results: Results) -> list[Table]:
    """All tables of the report that have anything in them, in order."""
    parts = [
        *(_conditions(results), _goals(results), _times(results), _phases(results), _memory(results)),
        *(_calls(results), *_rest(results)),
    ]
    return [part for part in parts if part.rows]


def markdown(title: str, parts: Iterable[Table]) -> str:
    """The tables as a Markdown document."""
    lines = [f"# {title}"]
    for part in parts:
        lines += ["", f"## {part.title}", ""]
        if part.note:
            lines += [part.note, ""]
        lines += [_row(part.columns), _row(["---", *("---:" for _ in part.columns[1:])])]
        lines += map(_row, part.rows)
    return "\n".join(lines) + "\n"


def show(console: Console, parts: Iterable[Table]) -> None:
    """Print the tables."""
    for part in parts:
        table = RichTable(title=part.title, caption=part.note or None, title_justify="left", caption_justify="left")
        for number, column in enumerate(part.columns):
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in part.rows:
            table.add_row(*row)
        console.print(table)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _conditions(results: Results) -> Table:
    shape, conditions = results.shape, results.conditions
    rows = [
        ("routes", f"{shape.routes:,}"),
        ("rules a route × backends a rule × endpoints", f"{shape.rules} × {shape.backends} × {shape.endpoints}"),
        ("Gateways, namespaces", f"{shape.gateways}, {shape.namespaces}"),
        ("seed", str(conditions.seed)),
        ("latency of an AWS call", f"{conditions.latency * 1000:g} ms"),
        ("creating, deleting a service or group", _span(conditions.resource_span)),
        ("creating, deleting an association", _span(conditions.association_span)),
        ("replicas", str(results.replicas)),
        ("rates at which AWS throttles, in the phase of that name", conditions.throttles if results.throttled else "–"),
        ("rates that the controller keeps to", results.api_rates or "its own"),
        ("creating all objects took", f"{results.created_seconds:.1f} s"),
    ]
    return Table("Conditions", ("what", "value"), rows)


def _span(span: tuple[float, float]) -> str:
    return f"{span[0]:g}–{span[1]:g} s"


def _goals(results: Results) -> Table:
    rows = [(goal.name, goal.value, goal.goal, "met" if goal.met else "NOT MET") for goal in goals(results)]
    note = "" if results.throttled else "Nothing was throttled, so nothing is said of throttling."
    return Table("Goals", ("what", "value", "goal", ""), rows, note)


def _times(results: Results) -> Table:
    rows = [
        ("route created → served by Lattice", *_summary(results.in_lattice)),
        ("route created → its status says so", *_summary(results.in_status)),
        ("EndpointSlice written → RegisterTargets", *_summary(results.change)),
    ]
    if (throttled := results.throttled) is not None:
        rows += [
            ("route created while AWS throttled → served", *_summary(throttled.in_lattice)),
            ("route created while AWS throttled → its status says so", *_summary(throttled.in_status)),
        ]
    note = (
        "Served is judged from Lattice's side: service and association ACTIVE, the listener and all rules there, all "
        "targets registered. Endpoint changes are of routes that were served, while others were still being created."
    )
    return Table("Times, in seconds", ("what", "count", "p50", "p95", "most"), rows, note)


def _summary(summary: Summary) -> list[str]:
    values = (summary.p50, summary.p95, summary.most)
    return [str(summary.count), *("–" if value is None else f"{value:.2f}" for value in values)]


def _phases(results: Results) -> Table:
    rows = [
        (
            one.name if one.finished else f"{one.name} (given up)",
            f"{one.seconds:.1f}",
            str(one.call_count),
            str(one.aws_writes),
            str(one.throttles),
            str(sum(one.errors.values()) - one.throttles),
            *(str(one.controller_writes(of)) for of in ("objects", "events", "lease")),
            " + ".join(f"{cpu:.1f}" for cpu in one.cpu),
        )
        for one in results.phases
    ]
    columns = (
        *("phase", "s", "AWS calls", "AWS writes", "throttles", "other errors"),
        *("Kubernetes writes", "Events", "Lease", "CPU s"),
    )
    note = "Time and CPU are the controller's, the leader's first; the seconds leave out the rest that ends a phase."
    return Table("Phases", columns, rows, note)


def _memory(results: Results) -> Table:
    rows = [
        (
            "leader" if number == 0 else f"follower {number}",
            *(f"{one.usages[number].rss / _MIB:.0f}" for one in results.phases),
            f"{max((one.usages[number].rss_most for one in results.phases), default=0) / _MIB:.0f}",
        )
        for number in range(results.replicas)
    ]
    note = "Resident memory at each phase's end; before the restart, and after it in other processes."
    return Table("Memory, MiB", ("replica", *_names(results), "most"), rows, note)


def _calls(results: Results) -> Table:
    names = dict.fromkeys(
        (service, operation)
        for one in results.phases
        for service, operations in sorted(one.calls.items())
        for operation in operations
    )
    rows = [
        [f"{service} {operation}", *(str(one.calls.get(service, {}).get(operation, 0)) for one in results.phases)]
        for service, operation in names
    ]
    total = ["all", *(str(one.call_count) for one in results.phases)]
    a_route = ["a route", *(f"{one.call_count / one.routes:.2f}" for one in results.phases)]
    note = f"Of the load's calls, {results.change_calls} were made for the endpoint changes only."
    return Table("AWS calls", ("operation", *_names(results)), [*rows, total, a_route], note)


def _rest(results: Results) -> list[Table]:
    phases, names = results.phases, _names(results)
    writes = dict.fromkeys((agent, what) for one in phases for agent, counts in one.writes.items() for what in counts)
    return [
        Table(
            "Kubernetes writes",
            ("user agent: what", *names),
            [
                [f"{agent}: {what}", *(str(one.writes.get(agent, {}).get(what, 0)) for one in phases)]
                for agent, what in sorted(writes)
            ],
            f"The controller wrote {results.route_writes / results.shape.routes:.2f} times a route to HTTPRoutes until "
            f"all were programmed, and at most {results.most_route_writes} times to one route.",
        ),
        _counted("AWS errors", phases, names, lambda one: one.errors),
        _counted("Kubernetes requests of the controller that were refused", phases, names, lambda one: one.refused),
        Table(
            "Warning Events until all were programmed",
            ("reason", "Events"),
            [(reason, str(count)) for reason, count in results.warnings.items()],
        ),
    ]


def _counted(
    title: str, phases: Sequence[Phase], names: Sequence[str], counts: Callable[[Phase], Mapping[str, int]]
) -> Table:
    found = dict.fromkeys(what for one in phases for what in counts(one))
    return Table(
        title, ("what", *names), [[what, *(str(counts(one).get(what, 0)) for one in phases)] for what in found]
    )


def _names(results: Results) -> list[str]:
    return [one.name for one in results.phases]
