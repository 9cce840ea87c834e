"""The two servers that the tests run against, and how to reach them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.contract.kubernetes.client import Cluster

SANDBOX, REAL = "sandbox", "kube-apiserver"


@dataclass(frozen=True)
class Server:
    """One of the two."""

    name: str
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | bool
    compact: Callable[[], None]
    """Forgets all versions before the present one."""
    write_kubeconfig: Callable[[Path], object]

    @property
    def is_sandbox(self) -> bool:
        return self.name == SANDBOX


@asynccontextmanager
async def connect(server: Server) -> AsyncIterator[Cluster]:
    """A client with connections of its own."""
    connector = aiohttp.TCPConnector(ssl=server.tls)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, headers=server.headers, timeout=timeout) as session:
        yield Cluster(server.url, session)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits until the condition holds: what controllers do takes its time on a real cluster.

    Raises TimeoutError.
    """
    for _ in range(800):
        if await condition():
            return
        await asyncio.sleep(0.025)
    raise TimeoutError("the condition never held")
