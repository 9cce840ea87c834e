"""The controller as it is, but able to stop itself within a write: for `perf.leader_trials`, which runs hundreds.

On SIGUSR1 it stops (SIGSTOP) in its next write to VPC Lattice between the fence's last answer and the transport's
`write`: the moment that no check within the process can cover. On SIGUSR2 it stops in its next write when it has a
connection and has not asked the fence yet. The hooks sit around aiohttp's own functions, and nothing of the controller
is replaced.

With LEADER_TRIALS_WITHOUT_DEADMAN set, the kernel is not asked to end the process when its lease runs out. That is how
the trials show that they would notice.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import ClientRequest
from aiohttp.http_writer import StreamWriter

from controller import manager
from controller.cli import main
from controller.lattice import client as lattice

WITHOUT_DEADMAN = "LEADER_TRIALS_WITHOUT_DEADMAN"
SENDING, CONNECTING = signal.SIGUSR1, signal.SIGUSR2


class NoDeadman:
    """Ends nothing."""

    def arm(self, moment: float) -> None: ...

    def retire(self) -> None: ...


def install() -> None:
    """Put the hooks into aiohttp."""
    armed: set[int] = set()
    for moment in (SENDING, CONNECTING):
        signal.signal(moment, lambda number, _: armed.add(number))

    def reached(moment: int) -> None:
        attempt = lattice._attempt.get(None)  # noqa: SLF001 -- only this tells a write to Lattice from all others
        if moment in armed and attempt is not None and attempt.write:
            armed.discard(moment)
            os.kill(os.getpid(), signal.SIGSTOP)

    def stopping_before(function: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any) -> Any:
            reached(SENDING)
            return function(*arguments)

        return write

    for name in ("_write", "_writelines"):
        setattr(StreamWriter, name, stopping_before(getattr(StreamWriter, name)))

    send = ClientRequest.send

    async def send_on(request: Any, connection: Any) -> Any:
        reached(CONNECTING)
        return await send(request, connection)

    setattr(ClientRequest, "send", send_on)  # noqa: B010 -- the type of a method says nothing of hooks
    if os.environ.get(WITHOUT_DEADMAN):
        setattr(manager, "Deadman", NoDeadman)  # noqa: B010 -- likewise


def run(arguments: Sequence[str], environment: Mapping[str, str], log: str) -> None:
    """Be a replica from here on, in a process made for it: ends it."""
    os.environ.clear()
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    install()
    sys.exit(main(["run", *arguments]))
