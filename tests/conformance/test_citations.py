"""When a run is in order, and what a citation has to be."""

from pathlib import Path

import pytest

from tests.conformance.citations import FILE, Citation, Page, core_of, judge, load
from tests.conformance.results import Outcome, Result

CATALOGUE = {
    "Listeners": frozenset({"Gateway"}),
    "Paths": frozenset({"Gateway", "HTTPRoute"}),
    "Redirects": frozenset({"Gateway", "HTTPRoute"}),
    "Kinds": frozenset({"Gateway", "HTTPRoute", "TLSRoute"}),
    "Mirrors": frozenset({"Gateway", "HTTPRoute", "HTTPRouteRequestMirror"}),
}

CITED = {"Redirects": Citation("a redirect", (Page("Rules", "https://docs.aws.amazon.com/rules", "none redirects"),))}


def run(**outcomes: Outcome) -> list[Result]:
    """Results in which all is as it should be, but for what is given."""
    good = dict.fromkeys(CATALOGUE, Outcome.PASSED) | {"Redirects": Outcome.FAILED, "Mirrors": Outcome.SKIPPED}
    return [Result(test, outcome, 1.0, "why") for test, outcome in (good | outcomes).items()]


def test_a_run_is_in_order_when_just_what_is_cited_fails() -> None:
    assert judge(run(), CITED, CATALOGUE) == []


def test_a_failure_that_nothing_rules_out_is_wrong() -> None:
    assert judge(run(Paths=Outcome.FAILED), CITED, CATALOGUE) == ["Paths fails without a citation: why"]


def test_an_extended_test_that_is_claimed_must_not_fail_either() -> None:
    assert judge(run(Mirrors=Outcome.FAILED), CITED, CATALOGUE) == ["Mirrors fails without a citation: why"]


def test_a_citation_of_a_test_that_passes_is_wrong() -> None:
    assert judge(run(Redirects=Outcome.PASSED), CITED, CATALOGUE) == ["Redirects is cited and passes"]


def test_a_core_test_that_did_not_run_is_wrong() -> None:
    results = [result for result in run() if result.name != "Paths"]
    assert judge(results, CITED, CATALOGUE) == ["Paths did not run"]
    assert judge(run(Kinds=Outcome.SKIPPED), CITED, CATALOGUE) == ["Kinds did not run"]


def test_a_citation_of_no_core_test_is_wrong() -> None:
    cited = {**CITED, "Mirrors": CITED["Redirects"], "Gone": CITED["Redirects"]}
    assert judge(run(), cited, CATALOGUE) == [
        "Mirrors is cited and is no core test",
        "Gone is cited and is no core test",
    ]


def test_core_tests_of_a_profile_need_nothing_beyond_it() -> None:
    assert core_of("GATEWAY-HTTP", CATALOGUE) == ["Listeners", "Paths", "Redirects"]
    assert core_of("GATEWAY-TLS", CATALOGUE) == ["Listeners"]


def test_the_citations_of_this_repository_are_pages_of_aws() -> None:
    assert all(citation.needs and citation.pages for citation in load(FILE).values())


@pytest.mark.parametrize(
    ("url", "pages", "complaint"),
    [
        ("https://example.com/rules", "[rules]", "not ruled out"),
        ("https://docs.aws.amazon.com/rules", "[]", "not ruled out"),
        ("https://docs.aws.amazon.com/rules", "[rules]", None),
    ],
)
def test_a_citation_without_a_page_of_aws_is_refused(
    tmp_path: Path, url: str, pages: str, complaint: str | None
) -> None:
    file = tmp_path / "citations.yaml"
    file.write_text(
        f"pages: {{rules: {{title: Rules, url: '{url}', says: none}}}}\n"
        f"tests: {{Redirects: {{needs: a redirect, pages: {pages}}}}}\n"
    )
    if complaint is None:
        assert load(file)["Redirects"].pages[0].url == url
    else:
        with pytest.raises(ValueError, match=complaint):
            load(file)


def test_a_page_on_which_nothing_rests_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "citations.yaml"
    file.write_text("pages: {rules: {title: Rules, url: 'https://docs.aws.amazon.com/', says: none}}\ntests: {}\n")
    with pytest.raises(ValueError, match="nothing rests on rules"):
        load(file)
