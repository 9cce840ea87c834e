"""The page that cites the documentation for each behaviour: every row has a page of AWS's and a test that is there."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "sandbox-dataplane.md"


def rows():
    table = PAGE.read_text().partition("\n## Behaviour")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if "|" in line]
    return [row for row in cells[2:] if not row[0].startswith("**")]


def test_every_behaviour_cites_a_page():
    cited = None
    for behaviour, page, _ in rows():
        cited = page if "docs.aws.amazon.com" in page else cited
        assert "docs.aws.amazon.com" in page or page.startswith("the same"), behaviour
        assert cited is not None


def test_every_behaviour_names_tests_that_are_there():
    for behaviour, _, tests in rows():
        named = re.findall(r"\btest_[a-z0-9_]+", tests)
        assert named or tests.startswith(("all:", "by construction")), behaviour
        for name in named:
            assert (HERE / f"{name}.py").exists(), (behaviour, name)
        for name in re.findall(r"\bTest[A-Z]\w+", tests):
            assert any(f"class {name}" in file.read_text() for file in HERE.glob("test_*.py")), (behaviour, name)
