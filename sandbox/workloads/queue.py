"""What is still to do: a set of keys in the order they came, and the loop that works them off.

Level-triggered: a key says what to look at, never what happened, so any number of events for it are one piece of
work. A key that fails is tried again later, further and further apart.
"""

import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import aiohttp
import anyio

from sandbox.workloads.client import KubeError

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)

_FIRST_RETRY = 0.02
_LAST_RETRY = 5.0


class KeyQueue(Generic[K]):
    """Keys, each at most once; `work` takes them out. Belongs to one event loop."""

    def __init__(self) -> None:
        self._ready: dict[K, None] = {}
        self._later: dict[K, float] = {}
        self._changed = anyio.Event()

    def add(self, key: K) -> None:
        """Have the key worked on; at once, even if it was to wait."""
        self._later.pop(key, None)
        self._ready[key] = None
        self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Have the key worked on when the time is over, or earlier if an earlier time was said."""
        if key not in self._ready:
            due = anyio.current_time() + seconds
            self._later[key] = min(due, self._later.get(key, due))
            self._wake()

    async def get(self) -> K:
        """The key that waited longest."""
        while True:
            now = anyio.current_time()
            for key in [key for key, due in self._later.items() if due <= now]:
                self.add(key)
            if self._ready:
                key = next(iter(self._ready))
                del self._ready[key]
                return key
            self._changed = anyio.Event()
            with anyio.CancelScope(deadline=min(self._later.values(), default=float("inf"))):
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()


async def work(name: str, queue: KeyQueue[K], reconcile: Callable[[K], Awaitable[None]]) -> None:
    """Take keys and reconcile them, one at a time, until cancelled.

    What the API refuses is tried again, and so is an object that makes no sense: it must not stop the others.
    """
    failures: dict[K, int] = {}
    while True:
        key = await queue.get()
        try:
            await reconcile(key)
            failures.pop(key, None)
        except (KubeError, aiohttp.ClientError, TimeoutError, LookupError, TypeError, ValueError) as error:
            failures[key] = failures.get(key, 0) + 1
            queue.add_after(key, min(_FIRST_RETRY * 2 ** min(failures[key], 10), _LAST_RETRY))
            overtaken = isinstance(error, KubeError) and error.code in (404, 409)
            level = logging.DEBUG if overtaken else logging.WARNING
            _log.log(level, "%s %s: %s: %s", name, key, type(error).__name__, error)
