"""What is read from the suite's output."""

from tests.conformance.results import LONGEST, MARK, Outcome, Result, results


def output(*lines: str) -> list[str]:
    """Lines as the suite prints them; those that begin with `=` or `-` are marked."""
    return [f"{MARK}{line}\n" if line.startswith(("===", "---")) else f"{line}\n" for line in lines]


def test_each_test_has_an_outcome_and_subtests_have_none() -> None:
    read = results(
        output(
            "=== RUN   TestConformance",
            "=== RUN   TestConformance/First",
            "=== RUN   TestConformance/First/some_case",
            "--- PASS: TestConformance/First/some_case (0.10s)",
            "--- PASS: TestConformance/First (0.50s)",
            "=== RUN   TestConformance/Second",
            "    conformance.go:56: Skipping Second: suite does not support Mesh",
            "--- SKIP: TestConformance/Second (0.00s)",
            "--- FAIL: TestConformance (2.00s)",
        )
    )
    assert read == [
        Result("First", Outcome.PASSED, 0.5),
        Result("Second", Outcome.SKIPPED, 0.0, "Skipping Second: suite does not support Mesh"),
    ]


def test_why_a_test_failed_is_what_its_first_failing_subtest_said_last() -> None:
    (read,) = results(
        output(
            "=== RUN   TestConformance/First",
            "=== RUN   TestConformance/First/some_case",
            "    http.go:326: 2026-11-22T14:29:06Z: Response expectation failed for request: {} not ready yet: expected 200, got 404 (after 1.5s)",  # noqa: E501
            "    http.go:326: 2026-11-22T14:29:07Z: Response expectation failed for request: {} not ready yet: expected 200, got 404 (after 2.5s)",  # noqa: E501
            "    some.go:12: 2026-11-22T14:29:08Z: timeout while waiting after 2 attempts, 0/3 successes",
            "--- FAIL: TestConformance/First/some_case (2.00s)",
            "=== RUN   TestConformance/First/other_case",
            "    http.go:326: 2026-11-22T14:29:06Z: other trouble",
            "--- FAIL: TestConformance/First/other_case (2.00s)",
            "--- FAIL: TestConformance/First (4.00s)",
        )
    )
    assert read == Result("First", Outcome.FAILED, 4.0, "some case: expected 200, got 404")


def test_an_assertion_is_told_with_what_was_seen_before_it() -> None:
    (read,) = results(
        output(
            "=== RUN   TestConformance/First",
            "    helpers.go:1057: 2026-11-22T14:27:47Z: Expected AttachedRoutes to be 2, got 3",
            "    gateway.go:128: ",
            "        \tError Trace:\thelpers.go:1059",
            "        \tError:      \tReceived unexpected error:",
            "        \t            \tcontext deadline exceeded",
            "        \tMessages:   \terror waiting for listeners",
            "--- FAIL: TestConformance/First (4.00s)",
        )
    )
    assert read.why == "Expected AttachedRoutes to be 2, got 3; error waiting for listeners"


def test_what_parallel_tests_say_is_kept_apart() -> None:
    read = results(
        output(
            "=== RUN   TestConformance/First",
            "=== PAUSE TestConformance/First",
            "=== RUN   TestConformance/Second",
            "=== PAUSE TestConformance/Second",
            "=== CONT  TestConformance/First",
            "    a.go:1: trouble of the first",
            "=== CONT  TestConformance/Second",
            "    a.go:1: trouble of the second",
            "=== NAME  TestConformance/First",
            "--- FAIL: TestConformance/First (1.00s)",
            "--- FAIL: TestConformance/Second (1.00s)",
        )
    )
    assert [result.why for result in read] == ["trouble of the first", "trouble of the second"]


def test_a_reason_has_a_bounded_length() -> None:
    (read,) = results(
        output(
            "=== RUN   TestConformance/First", f"    a.go:1: {'x' * 1000}", "--- FAIL: TestConformance/First (1.00s)"
        )
    )
    assert len(read.why) == LONGEST
