"""The table of operations in `docs/sandbox-lattice.md`, made from the sandbox's code and the tests' own registries.

    python -m tests.sandbox.lattice.operations           prints it
    python -m tests.sandbox.lattice.operations --write   puts it into the page

What the AWS CLI does is what the stories tell (`test_cli.py` fails if an emulated operation is not among them). What
was compared with moto, and how many rows of the table of differences name it, is what `test_moto.py` goes by; the row
on identifiers, which is of all operations, is not counted.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from botocore.loaders import Loader

from sandbox.lattice.dispatch import EMULATED
from tests.sandbox.lattice.differences import ROWS
from tests.sandbox.lattice.stories import STORIES
from tests.sandbox.lattice.test_moto import compared

PAGE = Path(__file__).parents[3] / "docs" / "sandbox-lattice.md"
DOCS = "https://docs.aws.amazon.com"
REFERENCES = {
    "vpc-lattice": f"{DOCS}/vpc-lattice/latest/APIReference/API_",
    "resourcegroupstaggingapi": f"{DOCS}/resourcegroupstagging/latest/APIReference/API_",
    "sts": f"{DOCS}/STS/latest/APIReference/API_",
    "acm": f"{DOCS}/acm/latest/APIReference/API_",
    "ec2": f"{DOCS}/AWSEC2/latest/APIReference/API_",
    "service-quotas": f"{DOCS}/servicequotas/2019-06-24/apireference/API_",
}
OPERATIONS, DIFFERENCES = "operations", "differences from moto"


def operations() -> Iterator[str]:
    """The table of operations: all of VPC Lattice's, and those of the other services that are emulated."""
    told = {step.operation for steps in STORIES for step in steps}
    same = compared()
    yield "| service | operation | sandbox | AWS CLI | moto | page |"
    yield "|---|---|---|---|---|---|"
    for service, emulated in EMULATED.items():
        known = Loader().load_service_model(service, "service-2")["operations"]
        for name in sorted(known if service == "vpc-lattice" else emulated):
            there = name in emulated
            cells = [
                service,
                name,
                "emulated" if there else "refused",
                "yes" if there and name in told else "",
                _moto(name, same) if there else "",
                f"[API]({REFERENCES[service]}{name}.html)",
            ]
            yield f"| {' | '.join(cells)} |"


def _moto(name: str, same: set[str]) -> str:
    if name not in same:
        return "has it not"
    listed = [row for row in ROWS if name in row.operations]
    return f"compared, {len(listed)} listed" if listed else "same"


def differences() -> Iterator[str]:
    """The table of differences from moto."""
    yield "| operations | member | difference | right | why | page |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS:
        names = ", ".join(f"`{pattern}`" for pattern in row.operations)
        member = f"`{row.member}`" if row.member else ""
        yield f"| {names} | {member} | {row.kind} | {row.right} | {row.why} | {_linked(row.page)} |"


def _linked(page: str) -> str:
    """Addresses by their last part, as links."""
    words = []
    for word in page.split(" "):
        address = word.rstrip(",")
        if address.startswith("https://"):
            name = address.rpartition("/")[2].partition("#")[0].removesuffix(".html")
            word = f"[{name}]({address}){word.removeprefix(address)}"  # noqa: PLW2901 - the word, written otherwise
        words.append(word)
    return " ".join(words)


def written(page: str) -> str:
    """The page with both tables as they are now, each between its marks."""
    for name, table in ((OPERATIONS, operations()), (DIFFERENCES, differences())):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name} has no place for the table of {name}")
        page = before + begin + "\n".join(table) + "\n" + end + after
    return page


def main() -> None:
    if "--write" in sys.argv[1:]:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        print("\n".join((*operations(), "", *differences())))


if __name__ == "__main__":
    main()
