"""One run of the suite's program against a stack, its results as they come."""

import os
import subprocess
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

from tests.conformance.build import SUITE
from tests.conformance.results import Reader, Result
from tests.conformance.stack import CLASS, Stack

ISOLATION = 5
"""Seconds between two tests. A Gateway's address is that of a route: the one of the last test has to be gone."""

IMPLEMENTATION = {
    "organization": "lattice-controller",
    "project": "lattice-controller",
    "url": "../../README.md",
    "contact": "../../README.md",
}
"""Who is told in the report; `url` and `contact` are relative to it."""

HURRY = dict.fromkeys(
    (
        "GatewayMustHaveAddress",
        "GatewayMustHaveCondition",
        "GatewayStatusMustHaveListeners",
        "GatewayListenersMustHaveConditions",
        "HTTPRouteMustHaveCondition",
        "HTTPRouteMustNotHaveParents",
        "TLSRouteMustHaveCondition",
        "RouteMustHaveParents",
        "MaxTimeToConsistency",
        "DefaultTestTimeout",
    ),
    15,
)
"""Time-outs for tests that are expected to fail, in which each would be waited out: up to three minutes by default, and
a test that passes takes a few seconds.
"""


class SuiteError(Exception):
    """The suite ended before its tests, or the controller did; the message has the end of its output."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to run."""

    profiles: Iterable[str]
    features: Iterable[str] = ()
    """Those to claim; none for those in the GatewayClass's status."""
    skip: Iterable[str] = ()
    report: Path | None = None
    version: str = ""
    """Of the controller, for the report."""
    timeouts: Mapping[str, int] = field(default_factory=dict)
    """Field of the suite's `TimeoutConfig` → seconds, in place of its defaults."""


def arguments(request: Request) -> list[str]:
    """The flags of the suite's program."""
    timeouts = {"TestIsolation": ISOLATION, **request.timeouts}
    flags = {
        "test.v": "test2json",
        "test.run": "^TestConformance$",
        "test.timeout": "0",
        "gateway-class": CLASS,
        "conformance-profiles": ",".join(request.profiles),
        "timeout-config-overrides": ";".join(f"{name}:{seconds}" for name, seconds in timeouts.items()),
        "supported-features": ",".join(sorted(request.features)),
        "skip-tests": ",".join(sorted(request.skip)),
    }
    if request.report is not None:
        flags |= {"report-output": str(request.report), "version": request.version, **IMPLEMENTATION}
    return [f"-{name}={value}" for name, value in flags.items() if value]


async def run(stack: Stack, built: Path, request: Request, log: Path) -> AsyncGenerator[Result]:
    """Each test's result as soon as it ends; the suite's whole output goes to `log`.

    Raises SuiteError if the suite ended without a test's result, or the controller before the suite.
    """
    reader, count = Reader(), 0
    with log.open("w", buffering=1) as copy:
        async with _output(stack, built, request) as lines:
            async for line in lines:
                copy.write(f"{line}\n")
                if (result := reader.read(line)) is not None:
                    count += 1
                    yield result
                if stack.controller.code is not None:
                    raise SuiteError(f"the controller ended: {_end_of(stack.log)}")
    if not count:
        raise SuiteError(f"the suite ran no test: {_end_of(log)}")


@asynccontextmanager
async def _output(stack: Stack, built: Path, request: Request) -> AsyncGenerator[AsyncGenerator[str]]:
    """The lines of a running suite, which ends with the context."""
    process = await anyio.open_process(
        [str(built / SUITE), *arguments(request)],
        cwd=built,
        env={**os.environ, "KUBECONFIG": str(stack.kubeconfig), "CONFORMANCE_DNS": stack.resolver},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        yield _lines(process.stdout)
        await process.wait()
    except BaseException:
        process.kill()
        raise
    finally:
        await process.aclose()


async def _lines(stream: anyio.abc.ByteReceiveStream) -> AsyncGenerator[str]:
    rest = ""
    async for piece in TextReceiveStream(stream, errors="replace"):
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
