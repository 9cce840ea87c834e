"""Steady traffic: callers that ask all the time, and a verdict on every answer.

A caller asks one question again and again and holds each answer against what may be answered at that time: what was
right before a change, or what is right after it. From when the change is settled on only the latter is right. Anything
else is a misrouted request; an error, a status of Lattice's own or a closed connection is a failed one. Nothing is
tried again.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import anyio

PAUSE = 0.01
"""Seconds between a caller's requests."""

PATIENCE = 5.0
"""Seconds that an answer may take; one on loopback takes milliseconds."""


@dataclass
class Caller:
    """Asks for one URL with these headers; `right` are the texts of which an answer has to have one."""

    url: str
    right: frozenset[str]
    headers: Mapping[str, str] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def judge(self, status: int, body: str) -> None:
        found = next((text for text in self.right if text in body), None)
        if status == HTTPStatus.OK and found is not None:
            self.answered[found] = self.answered.get(found, 0) + 1
        else:
            self.wrong.append(f"{self.url}: {status} {body.strip()}, right are {sorted(self.right)}")


class Traffic:
    """The callers of a data plane that is reached as a proxy."""

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy
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
                caller.wrong.append(f"{caller.url}: {type(error).__name__} {error}")
            await anyio.sleep(PAUSE)

    def verdict(self) -> int:
        """How many requests there were. Raises AssertionError that tells the wrong answers."""
        wrong = [text for caller in self.callers for text in caller.wrong]
        right = sum(sum(caller.answered.values()) for caller in self.callers)
        assert not wrong, f"{len(wrong)} of {right + len(wrong)} requests failed or were misrouted: {wrong[:5]}"
        return right
