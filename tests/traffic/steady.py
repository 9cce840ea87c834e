"""Steady traffic: callers that ask all the time, and a verdict on every answer.

A caller asks one question again and again and holds each answer against what may be answered at that time: what was
right before a change, or what is right after it. From when the change is settled on only the latter is right. Another
backend's answer is a misrouted request; an error, a status of Lattice's own or a closed connection is a failed one,
unless that status is what is to be answered: then the request is refused. Nothing is tried again.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import anyio

PAUSE = 0.01
"""Seconds between a caller's requests."""

PATIENCE = 5.0
"""Seconds that an answer may take; one on loopback takes milliseconds."""

LONGEST = 120.0
"""Seconds that a change may take to be seen."""


@dataclass
class Caller:
    """Asks for one URL with these headers. `right` are the answers that it may get: each a text that the body has, or a
    status of Lattice's own, such as `404`."""

    url: str
    right: frozenset[str]
    headers: Mapping[str, str] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)
    misrouted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _awaited: str | None = None
    _came: anyio.Event = field(default_factory=anyio.Event)

    def judge(self, status: int, body: str) -> None:
        served = status == HTTPStatus.OK
        found = next((one for one in self.right if (one in body if served else one == str(status))), None)
        if found in {None, self._awaited}:
            self._came.set()
        if found is not None:
            self.answered[found] += 1
        else:
            wrong = self.misrouted if served else self.failed
            wrong.append(f"{self.url}: {status} {body.strip()}, right are {sorted(self.right)}")

    async def is_answered(self, answer: str) -> None:
        """Return when it is answered in this way from now on, or wrongly."""
        self._awaited, self._came = answer, anyio.Event()
        with anyio.fail_after(LONGEST):
            await self._came.wait()


class Traffic:
    """The callers of a data plane that is reached as a proxy. `count` is told of how many requests what became."""

    def __init__(self, proxy: str, count: Callable[[str, int], None] = lambda _what, _number: None) -> None:
        self._proxy = proxy
        self._count = count
        self.callers: list[Caller] = []
        self._tasks: anyio.abc.TaskGroup
        self._http: aiohttp.ClientSession

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Traffic"]:
        """Callers ask for as long as the context lasts."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as self._http, anyio.create_task_group() as self._tasks:
            yield self
            self._tasks.cancel_scope.cancel()

    def call(self, url: str, *right: str, headers: Mapping[str, str] | None = None) -> Caller:
        """Start a caller."""
        caller = Caller(url, frozenset(right), dict(headers or {}))
        self.callers.append(caller)
        self._tasks.start_soon(self._ask, caller)
        return caller

    async def ask(self, caller: Caller) -> tuple[int, str]:
        """One answer, without a verdict."""
        async with self._http.get(caller.url, headers=caller.headers, proxy=self._proxy) as response:
            return response.status, await response.text()

    async def _ask(self, caller: Caller) -> None:
        while True:
            try:
                caller.judge(*await self.ask(caller))
            except (aiohttp.ClientError, TimeoutError) as error:
                caller.failed.append(f"{caller.url}: {type(error).__name__} {error}")
            await anyio.sleep(PAUSE)

    def verdict(self) -> int:
        """How many requests there were; counts what became of them. Raises as `check` does."""
        answered = sum((caller.answered for caller in self.callers), Counter[str]())
        misrouted = sum(len(caller.misrouted) for caller in self.callers)
        failed = sum(len(caller.failed) for caller in self.callers)
        requests = answered.total() + misrouted + failed
        self._count("requests", requests)
        self._count("refused", sum(number for answer, number in answered.items() if answer.isdigit()))
        self._count("misrouted", misrouted)
        self._count("failed", failed)
        self.check()
        return requests

    def check(self) -> None:
        """Raise AssertionError that tells the wrong answers, if there was one until now."""
        for what, wrong in (
            ("failed", [text for caller in self.callers for text in caller.failed]),
            ("misrouted", [text for caller in self.callers for text in caller.misrouted]),
        ):
            assert not wrong, f"{len(wrong)} requests {what}: {wrong[:5]}"
