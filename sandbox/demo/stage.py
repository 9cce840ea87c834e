"""The demo's screen: what is done, what came of it, what it cost in API calls."""

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sandbox.kube import KubeServer
from sandbox.lattice import CallLog, is_write

POLL = 0.1
"""Seconds between two looks at what is awaited."""

COMMAND_WIDTH = 100
"""Columns of the commands shown."""

_KUBE_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class StepFailedError(Exception):
    """What a step promised did not come about; the message says what was seen instead."""


@dataclass(slots=True)
class Cost:
    """What one step cost: AWS calls by operation."""

    title: str
    calls: Counter[str]
    seconds: float

    @property
    def writes(self) -> int:
        return sum(count for operation, count in self.calls.items() if is_write(operation))

    @property
    def reads(self) -> int:
        return self.calls.total() - self.writes

    def __str__(self) -> str:
        calls = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in self.calls.items())
        spent = f"{_counted(self.writes, 'write')} and {_counted(self.reads, 'read')} of AWS APIs by the controller"
        return f"{self.seconds:.1f} s, {spent}{': ' + calls if calls else ''}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def continued(command: str, width: int = COMMAND_WIDTH) -> list[str]:
    """The lines of a command, broken before flags and continued as a shell wants it."""
    lines = [""]
    for word in re.split(r" (?=-)", command):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width - 2:
            lines[-1] += " \\"
            lines.append(f"    {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


@dataclass(slots=True)
class Stage:
    console: Console
    log: CallLog
    kube: KubeServer | None
    """Knows what the controller wrote to it; None where it is not the sandbox's own."""
    costs: list[Cost] = field(default_factory=list)
    own: Counter[str] = field(default_factory=Counter)
    """Calls that the demo made itself, in the user's place: they are not the controller's cost."""

    @contextmanager
    def step(
        self, title: str, *, told: str = "", writes: Mapping[str, int] | None = None, reads: int | None = None
    ) -> Generator[None]:
        """A step with its heading; on leaving, the calls that the controller made in it.

        `writes`, by operation, and `reads` are what the step may cost, no more and no less; None for what is not fixed.
        Raises StepFailedError where it cost something else.
        """
        self.console.print()
        self.console.rule(f"[bold]{len(self.costs) + 1}. {escape(title)}", align="left")
        if told:
            self.console.print(f"[dim]{escape(told)}[/]")
        mark, began = self.log.mark(), time.monotonic()
        yield
        calls = Counter(
            record.operation for record in self.log.since(mark) if record.service in {"vpc-lattice", "tagging", "sts"}
        )
        cost = Cost(title, calls - self.own, time.monotonic() - began)
        self.own.clear()
        self.costs.append(cost)
        self.console.print(f"[dim]   {cost}[/]", soft_wrap=True)
        made = {name: count for name, count in cost.calls.items() if is_write(name)}
        self.require(writes is None or made == writes, f"the controller made other writes: {made}, not {writes}")
        self.require(reads is None or cost.reads == reads, f"the controller made {cost.reads} reads, not {reads}")

    def command(self, *lines: str) -> None:
        """What a person would type here."""
        for line in lines:
            first, *more = continued(line)
            self.console.print(Text.assemble(("$", "cyan"), " ", first), soft_wrap=True)
            for continuation in more:
                self.console.print(Text(f"  {continuation}"), soft_wrap=True)

    def say(self, text: str) -> None:
        self.console.print(escape(text), soft_wrap=True)

    def good(self, text: str) -> None:
        self.console.print(f"[green]✓[/] {escape(text)}", soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns as kubectl prints them: as wide as they need to be, so that names can be copied."""
        lines = [list(columns), *(list(row) for row in rows)]
        widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
        for number, line in enumerate(lines):
            text = "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            self.console.print(Text(text, style="" if number else "bold"), soft_wrap=True)

    def shares(self, counts: Counter[str]) -> None:
        """A bar for each kind of answer."""
        total = counts.total()
        for name, count in sorted(counts.items()):
            self.console.print(f"  {name:<20} [green]{'█' * round(40 * count / total):<40}[/] {count}")

    async def until(self, what: str, check: Callable[[], Awaitable[object]], seconds: float = 60.0) -> None:
        """Wait until `check` returns something true. Raises StepFailedError after that many seconds."""
        with self.console.status(f"{what} …"):
            deadline = anyio.current_time() + seconds
            while not await check():
                if anyio.current_time() > deadline:
                    raise StepFailedError(f"after {seconds:.0f} s still not: {what}")
                await anyio.sleep(POLL)

    def require(self, holds: bool, otherwise: str) -> None:
        """Raise StepFailedError unless it holds."""
        if not holds:
            raise StepFailedError(otherwise)

    def summary(self) -> None:
        """What everything cost together."""
        table = Table("step", "time", "writes", "reads", box=None, pad_edge=False, header_style="bold")
        for column in table.columns[1:]:
            column.justify = "right"
        total: Counter[str] = Counter()
        for cost in self.costs:
            table.add_row(escape(cost.title), f"{cost.seconds:.1f} s", str(cost.writes), str(cost.reads))
            total += cost.calls
        whole = Cost("all", total, sum(cost.seconds for cost in self.costs))
        table.add_row("[bold]all", f"{whole.seconds:.1f} s", str(whole.writes), str(whole.reads))
        self.console.print()
        self.console.rule("[bold]What it cost in API calls", align="left")
        self.console.print(table)
        operations = Table("operation", "calls", box=None, pad_edge=False, header_style="bold")
        operations.columns[1].justify = "right"
        for operation, count in sorted(total.items(), key=lambda item: (not is_write(item[0]), -item[1], item[0])):
            operations.add_row(operation if is_write(operation) else f"[dim]{operation}[/]", str(count))
        self.console.print()
        self.console.print(operations)
        if self.kube is None:
            return
        written = sum(
            served.code < 400 and served.verb in _KUBE_WRITES and served.user_agent.startswith("lattice-controller/")
            for served in self.kube.requests
        )
        self.console.print(f"\nThe controller made {written} writes to the Kubernetes API.")
