"""Tables at the end of a run: what was checked where, by tests that run the same against several parties, or how often.

A test says by `checked` where it counts, and how much; `tests/conftest.py` has the hook that prints the tables. The
counts travel with the tests' reports, so they are whole also when several workers run the tests.
"""

from collections import Counter, defaultdict

import pytest

_PROPERTY = "checked"
Place = tuple[str, str, str]


def checked(request: pytest.FixtureRequest, title: str, *, row: str, column: str, count: int = 1) -> None:
    """Counts the test that asks, or `count` things that it saw, once it has passed, in the table of that title."""
    request.node.user_properties.append((_PROPERTY, (title, row, column, count)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[Place] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == _PROPERTY:
                title, row, column, count = value
                counts[title, row, column] += count
    tables: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for (title, row, column), count in counts.items():
        tables[title][row, column] = count
    for title, cells in sorted(tables.items()):
        terminalreporter.section(title)
        for line in lines(cells):
            terminalreporter.line(line)


def lines(cells: Counter[tuple[str, str]]) -> list[str]:
    """The table with a last row of sums; columns from Z to A."""
    rows = sorted({row for row, _ in cells})
    columns = sorted({column for _, column in cells}, reverse=True)
    sums = [str(sum(cells[row, column] for row in rows)) for column in columns]
    body = [[row, *(str(cells[row, column]) for column in columns)] for row in rows]
    table = [["", *columns], *body, ["together", *sums]]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns) + 1)]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    ]
