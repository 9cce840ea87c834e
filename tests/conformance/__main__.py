"""`make conformance`: the Gateway API's conformance suite against this controller, and the pages in `docs/conformance`.

All core tests of the profiles are run, and the extended ones of the features that the GatewayClass claims. Tests that
VPC Lattice rules out, by `citations.yaml`, are left out of the run that makes the report, and run after it, where each
has to fail. Exit code 0 if that is so and all others pass, 1 if not, and 2 for what the machine lacks. The pages are
written after each complete run.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import anyio

from tests.conformance import build, citations, pages
from tests.conformance.citations import CORE, PROFILES
from tests.conformance.ports import PortError
from tests.conformance.results import Outcome, Result
from tests.conformance.stack import Stack, claimed_features, emptied, running
from tests.conformance.suite import HURRY, Request, SuiteError, run
from tests.deploy.manifests import KUBECTL
from tests.kube_apiserver import build as kube_apiserver
from tests.support.kube_apiserver import KubeApiserver
from tests.support.kube_apiserver import running as api_server

DOCS = Path(__file__).parents[2] / "docs" / "conformance"

CHANNEL = "standard"

SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "·"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the command line says."""

    only: tuple[str, ...]
    tried: tuple[str, ...]
    keep: Path | None

    @property
    def whole(self) -> bool:
        """Whether pages are written."""
        return not self.only and not self.tried


def chosen() -> Chosen:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", nargs="+", metavar="TEST", default=(), help="run these tests, and write no page")
    parser.add_argument(
        "--try",
        nargs="+",
        metavar="FEATURE",
        default=(),
        dest="tried",
        help="run the tests of these features, too, and write no page",
    )
    parser.add_argument("--keep", metavar="DIRECTORY", type=Path, help="a folder for the logs, which are else removed")
    given = parser.parse_args()
    return Chosen(tuple(given.only), tuple(given.tried), given.keep)


class Runs:
    """The runs of the suite against a stack, told as they go."""

    def __init__(self, stack: Stack, directory: Path, features: frozenset[str] | None, choice: Chosen) -> None:
        """`features` are those in the GatewayClass's status, None if it names none."""
        self._stack = stack
        self._directory = directory
        self._built = build.MODULE.kept_in()
        self._choice = choice
        self._features = features
        self.catalogue = build.catalogue()
        self.cited = citations.load()
        self.results: dict[str, Result] = {}

    @property
    def claimed(self) -> frozenset[str]:
        return (self._features or CORE) | frozenset(self._choice.tried)

    async def promised(self, report: Path) -> None:
        """All that is claimed, without what is ruled out; makes the report."""
        skip = set(self.cited) if not self._choice.only else self.catalogue.keys() - set(self._choice.only)
        given = () if self._features and not self._choice.tried else self.claimed
        request = Request(PROFILES, given, skip, report, f"v{version('lattice-controller')}")
        await self._run("promised", request)

    async def ruled_out(self) -> None:
        """What is ruled out, each of which is to fail."""
        if self.cited and not self._choice.only:
            skip = self.catalogue.keys() - self.cited.keys()
            await self._run("ruled out", Request(PROFILES, self.claimed, skip, timeouts=HURRY))

    async def _run(self, title: str, request: Request) -> None:
        began = time.monotonic()
        print(f"\n{title}", flush=True)
        log = self._directory / f"{title.replace(' ', '-')}.log"
        async for result in run(self._stack, self._built, request, log):
            if result.outcome is not Outcome.SKIPPED:
                self.results[result.name] = result
                at = time.monotonic() - began
                told = f"{at:6.0f} s  {SIGNS[result.outcome]} {result.name} ({result.seconds:.1f} s)  {result.why}"
                print(told.rstrip(), flush=True)


async def perform(kube: KubeApiserver, directory: Path, choice: Chosen) -> int:
    """The runs and the pages. Returns the exit code."""
    report = f"{CHANNEL}-v{version('lattice-controller')}-default-report.yaml"
    async with running(kube, build.MODULE.kept_in(), directory) as stack:
        runs = Runs(stack, directory, await claimed_features(kube), choice)
        await runs.promised(directory / report)
        await emptied(kube)
        await runs.ruled_out()
    summary = pages.Summary(
        suite=build.MODULE.version,
        version=f"v{version('lattice-controller')}",
        channel=CHANNEL,
        report=report,
        results=runs.results,
        cited=runs.cited,
        catalogue=runs.catalogue,
        claimed=runs.claimed,
    )
    if choice.whole:
        DOCS.mkdir(exist_ok=True)
        shutil.copyfile(directory / report, DOCS / report)
        (DOCS / "README.md").write_text(pages.page(summary))
    return tell(summary, choice)


async def until_told(kube: KubeApiserver, directory: Path, choice: Chosen) -> int:
    """`perform`, until SIGINT or SIGTERM; returns the exit code."""
    code = 130
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(listen)
            code = await perform(kube, directory, choice)
            tasks.cancel_scope.cancel()
    return code


def tell(summary: pages.Summary, choice: Chosen) -> int:
    """The end of the output, and the exit code."""
    print()
    if choice.only:
        failed = [result for result in summary.results.values() if result.outcome is Outcome.FAILED]
        return 1 if failed else 0
    for profile, passed, cited, total in pages.counts(summary):
        print(f"{profile}: {passed} of {total} core tests passed, {cited} ruled out by VPC Lattice")
    wrong = citations.judge(summary.results.values(), summary.cited, summary.catalogue)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def main() -> int:
    choice = chosen()
    if KUBECTL is None or shutil.which("go") is None:
        print("kubectl and go are needed on the PATH", file=sys.stderr)
        return 2
    if not kube_apiserver.is_built():
        kube_apiserver.build()
    if not build.MODULE.is_built:
        build.build()
    with tempfile.TemporaryDirectory() as name:
        directory = choice.keep or Path(name)
        directory.mkdir(parents=True, exist_ok=True)
        try:
            with api_server(Path(name, "kube")) as kube:
                return anyio.run(until_told, kube, directory, choice)
        except* (PortError, SuiteError) as group:
            for error in _leaves(group):
                print(error, file=sys.stderr)
    return 2


def _leaves(group: BaseExceptionGroup[Exception]) -> list[BaseException]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]


if __name__ == "__main__":
    sys.exit(main())
