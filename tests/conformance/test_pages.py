"""The page that a run leaves."""

from tests.conformance.pages import Summary, counts, page
from tests.conformance.results import Outcome, Result
from tests.conformance.test_citations import CATALOGUE, CITED, run


def summary(results: list[Result], claimed: frozenset[str] = frozenset()) -> Summary:
    return Summary(
        suite="v1.6.3",
        version="v0.1.0",
        channel="standard",
        report="standard-v0.1.0-default-report.yaml",
        results={result.name: result for result in results},
        cited=CITED,
        catalogue=CATALOGUE,
        claimed=claimed,
    )


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_core_tests_are_counted_by_profile() -> None:
    assert counts(summary(run())) == [("GATEWAY-HTTP", 2, 1, 3), ("GATEWAY-GRPC", 1, 0, 1), ("GATEWAY-TLS", 1, 0, 1)]
    assert "| GATEWAY-HTTP | 2 | 1 | 0 | 3 |" in section(page(summary(run())), "Core tests")


def test_each_test_that_is_ruled_out_has_its_page() -> None:
    told = section(page(summary(run())), "Ruled out by VPC Lattice")
    assert "| Redirects | a redirect | [Rules](https://docs.aws.amazon.com/rules): none redirects |" in told


def test_defects_are_told_with_their_reason_and_only_if_there_are_any() -> None:
    assert "## Defects" not in page(summary(run()))
    assert "| Paths | why |" in section(page(summary(run(Paths=Outcome.FAILED))), "Defects")


def test_extended_features_are_told_where_they_are_claimed() -> None:
    assert "## Extended features" not in page(summary(run()))
    claimed = frozenset({"HTTPRouteRequestMirror"})
    told = section(page(summary(run(Mirrors=Outcome.PASSED), claimed)), "Extended features")
    assert "| HTTPRouteRequestMirror | 1 of 1 | Mirrors |" in told


def test_all_tests_that_ran_are_listed() -> None:
    told = section(page(summary(run())), "All tests")
    assert "| Redirects | core | Gateway, HTTPRoute | ruled out |" in told
    assert "| Paths | core | Gateway, HTTPRoute | passed |" in told
    assert "Mirrors" not in told


def test_the_report_is_named_and_linked() -> None:
    assert "| standard | [v0.1.0](../../README.md) | default | [v0.1.0 report](standard-v0.1.0-" in page(summary(run()))
