"""What the load test knows of the sandbox: both servers' logs and which routes Lattice serves, read bit by bit."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import anyio
import msgspec

from perf.loadtest.kubernetes import Name
from perf.loadtest.results import Call, Request
from perf.loadtest.servers import Addresses, Seen
from sandbox.lattice import Rate

T = TypeVar("T")

LOOK_SECONDS = 0.25


class _Calls(msgspec.Struct):
    mark: int
    calls: list[Call]


class Sight:
    """Follows the sandbox while `run` runs; an async context manager."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._http: aiohttp.ClientSession
        self._mark = 0
        self.calls: list[Call] = []
        """Every AWS request so far."""
        self.requests: list[Request] = []
        """Every request to the Kubernetes API so far."""
        self.programmed: dict[Name, float] = {}
        """When Lattice served all that the route asks for, in seconds since the epoch."""
        self.left = 0
        """How many services, target groups and service associations there are."""
        self._changed = time.monotonic()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    @property
    def rested(self) -> float:
        """Seconds since the last AWS call or Kubernetes write of the controller was seen, the Lease apart."""
        return time.monotonic() - self._changed

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await anyio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read what is new."""
        calls = await self._get(f"{self._addresses.lattice}/_sandbox/calls?since={self._mark}", _Calls)
        marks = f"requests={len(self.requests)}&programmed={len(self.programmed)}"
        seen = await self._get(f"{self._addresses.sight}/seen?{marks}", Seen)
        requests = [Request(*one) for one in seen.requests]
        self._mark = calls.mark
        self.calls += calls.calls
        self.requests += requests
        self.programmed |= {(namespace, name): when for namespace, name, when in seen.programmed}
        self.left = seen.left
        if calls.calls or any(one.by_controller and one.write and not one.lease for one in requests):
            self._changed = time.monotonic()

    async def throttle(self, rates: Mapping[str, Rate]) -> None:
        """Have AWS throttle beyond these rates from now on, and where there are none, no more."""
        body = msgspec.json.encode(rates)
        async with self._http.put(f"{self._addresses.lattice}/_sandbox/limits", data=body) as response:
            response.raise_for_status()

    async def _get(self, url: str, shape: type[T]) -> T:
        async with self._http.get(url) as response:
            response.raise_for_status()
            return msgspec.json.decode(await response.read(), type=shape)
