"""SIGTERM and SIGINT as the wish to stop, heard from the first moment of a start.

A signal that nobody handles yet ends a process with its number, as if it had crashed; and process 1 of a container, to
which the kernel does not apply defaults, never hears of it and is killed half a minute later. So the handler is there
before what takes time: imports, settings, the event loop. What comes before there is a loop is remembered for it.
"""

import asyncio
import signal
from types import FrameType, TracebackType
from typing import Any, Final, Self

import anyio

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Catches the signals while entered; for the main thread."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: anyio.Event | None = None
        self.received = False
        """Whether there was one."""

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def event(self) -> anyio.Event:
        """An event of the running loop, set by the first signal, or already if there was one; to be asked for once."""
        event = anyio.Event()
        self._loop, self._event = asyncio.get_running_loop(), event
        if self.received:
            event.set()
        return event

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True
        if self._loop is not None and self._event is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)
