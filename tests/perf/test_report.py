"""How results are written and printed."""

import io

from msgspec.structs import replace
from rich.console import Console

from perf.bench import duration, ratio
from perf.bench import table as bench_table
from perf.loadtest.report import Table, markdown, show, tables
from perf.loadtest.results import phase
from perf.loadtest.usage import Usage
from perf.measure import Measurement, best
from tests.perf.test_results import UNHARMED, a_phase, a_restart, a_throttled, call, request, some


def test_the_report_has_every_phase_and_every_operation() -> None:
    results = some(
        a_phase("load", call("CreateService"), requests=(request("patch"),)),
        a_phase("restart", call("GetRule", error="ThrottlingException"), finished=False),
    )
    written = markdown("Load test", tables(results))
    assert "| vpc-lattice CreateService | 1 | 0 |" in written
    assert "| restart (given up) |" in written
    assert "| GetRule ThrottlingException | 0 | 1 |" in written
    assert "NOT MET" in written


def test_a_report_without_throttling_says_so() -> None:
    assert "Nothing was throttled" in markdown("Load test", tables(some()))
    tried = some(a_throttled(call("A", error="ThrottlingException")), throttled=UNHARMED)
    written = markdown("Load test", tables(tried))
    assert "| throttled calls, and objects that told of them | 1 and 0 | > 0 and 0 | met |" in written
    assert "Nothing was throttled" not in written


def test_the_report_has_the_memory_of_every_replica() -> None:
    two = phase("load", [], [], seconds=1.0, finished=True, routes=2, usages=[Usage(1, 2**20, 2**21), Usage(1, 0, 0)])
    written = markdown("Load test", tables(some(two, replicas=2)))
    assert "| leader | 1 | 2 |" in written
    assert "| follower 1 | 0 | 0 |" in written


def test_a_goal_that_is_missed_stands_out() -> None:
    written = markdown("Load test", tables(some(a_restart(call("UpdateRule")))))
    assert "| AWS writes after a restart | 1 | 0 | NOT MET |" in written


def test_tables_with_nothing_in_them_are_left_out() -> None:
    titles = [part.title for part in tables(some(a_phase("load", call("A"))))]
    assert "AWS errors" not in titles
    assert "Goals" in titles


def test_every_row_of_a_table_has_its_columns() -> None:
    results = replace(some(a_phase("load", call("A"), requests=(request("patch"),))), warnings={"Retry": 1})
    for part in tables(results):
        assert {len(row) for row in part.rows} == {len(part.columns)}, part.title


def test_markdown_keeps_a_bar_in_a_cell() -> None:
    assert "| a\\|b | 1 |" in markdown("t", [Table("one", ("x", "y"), [("a|b", "1")])])


def test_what_is_printed_is_what_is_written() -> None:
    console = Console(file=io.StringIO(), width=100)
    show(console, [Table("one", ("x", "y"), [("a", "17")], "a note")])
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert all(word in printed for word in ("one", "17", "a note"))


def test_the_best_round_of_each_candidate_counts_and_rounds_take_turns() -> None:
    order: list[str] = []
    seconds = {"a": iter([3.0, 1.0]), "b": iter([2.0, 5.0])}

    def candidate(name: str) -> float:
        order.append(name)
        return next(seconds[name])

    assert list(best(2, lambda: candidate("a"), lambda: candidate("b"))) == [1.0, 2.0]
    assert order == ["a", "b", "a", "b"]


def test_times_and_ratios_are_printed_in_units_that_suit() -> None:
    assert [duration(value) for value in (7.8e-6, 0.0075, 1.35)] == ["7.8 µs", "7.5 ms", "1.35 s"]
    assert [ratio(value) for value in (9.224, 0.67, 1 / 37)] == ["9.22", "0.67", "1/37.0"]


def test_the_table_says_whether_the_goal_is_met() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(bench_table([Measurement("queue", 2e-6, "plain", 1e-6, "≤ 1.5", met=False)]))
    assert isinstance(console.file, io.StringIO)
    assert "NOT MET" in console.file.getvalue()
    assert "2.00" in console.file.getvalue()
