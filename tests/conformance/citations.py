"""What VPC Lattice cannot do, with the page of AWS's documentation that says so, and the core tests that need it.

`citations.yaml` is the data. A core test that fails and is not cited there is a defect of ours, and a citation whose
test passes is one of the file's; `judge` finds both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.conformance.results import Outcome, Result

FILE = Path(__file__).with_name("citations.yaml")

DOCUMENTATION = "docs.aws.amazon.com"

EVERYWHERE = frozenset({"Gateway", "ReferenceGrant"})
"""Features that are core in every profile for Gateways."""

PROFILES = {"GATEWAY-HTTP": "HTTPRoute", "GATEWAY-GRPC": "GRPCRoute", "GATEWAY-TLS": "TLSRoute"}
"""Profile → the further feature that is core in it."""

CORE = EVERYWHERE | frozenset(PROFILES.values())

Catalogue = Mapping[str, frozenset[str]]
"""Test → the features that it needs."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of AWS's documentation."""

    title: str
    url: str
    says: str
    """In our words."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Why a core test cannot be passed on VPC Lattice."""

    needs: str
    """What the test asks for."""
    pages: tuple[Page, ...]


def load(file: Path = FILE) -> dict[str, Citation]:
    """Test → citation. Raises ValueError for one without a page of AWS's documentation, and for a page without one."""
    data: Mapping[str, Any] = yaml.safe_load(file.read_text())
    pages = {name: Page(**page) for name, page in data["pages"].items()}
    found = {}
    for test, entry in data["tests"].items():
        cited = tuple(pages[name] for name in entry["pages"])
        if not cited or any(urlsplit(page.url).hostname != DOCUMENTATION for page in cited):
            raise ValueError(f"{test} is not ruled out by a page of {DOCUMENTATION}")
        found[test] = Citation(entry["needs"], cited)
    if unused := pages.keys() - {name for entry in data["tests"].values() for name in entry["pages"]}:
        raise ValueError(f"nothing rests on {', '.join(sorted(unused))}")
    return found


def core_of(profile: str, catalogue: Catalogue) -> list[str]:
    """The core tests of a profile: those that need nothing but its core features."""
    core = EVERYWHERE | {PROFILES[profile]}
    return [test for test, features in catalogue.items() if features <= core]


def is_core(test: str, catalogue: Catalogue) -> bool:
    """Whether core features suffice for a test, if of several profiles."""
    return catalogue[test] <= CORE


def judge(results: Iterable[Result], cited: Mapping[str, Citation], catalogue: Catalogue) -> list[str]:
    """What is wrong, a line each: what fails and nothing rules out, citations of what passes, and what did not run."""
    known = {result.name: result for result in results}
    core = {test for test in catalogue if is_core(test, catalogue)}
    wrong = [f"{test} is cited and is no core test" for test in cited if test not in core]
    for test in catalogue:
        result = known.get(test)
        outcome = Outcome.SKIPPED if result is None else result.outcome
        if test in cited and outcome is Outcome.PASSED:
            wrong.append(f"{test} is cited and passes")
        elif result is not None and outcome is Outcome.FAILED and test not in cited:
            wrong.append(f"{test} fails without a citation: {result.why}")
        elif outcome is Outcome.SKIPPED and test in core:
            wrong.append(f"{test} did not run")
    return wrong
