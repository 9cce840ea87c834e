"""A replica as a process: forked from one that has imported everything, for that takes longer than a trial."""

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess as Process
from pathlib import Path
from typing import Final, Self

from perf import leader_replica

_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["__main__", "perf.leader_replica", "controller.cli.run", "controller.kube.credentials"])


class Replica:
    """A running controller; `health` is the URL of its readiness."""

    def __init__(self, name: str, process: Process, health: str) -> None:
        self.name = name
        self.health = health
        self.process = process

    @classmethod
    def start(cls, name: str, port: int, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Self:
        """Start one that answers probes at `port`; it writes its log to a file."""
        arguments = [*arguments, f"--health-probe-bind-address=127.0.0.1:{port}"]
        process = _SERVER.Process(target=leader_replica.run, args=(arguments, environment, str(log)), daemon=True)
        process.start()
        return cls(name, process, f"http://127.0.0.1:{port}/readyz")

    @property
    def is_stopped(self) -> bool:
        """Raises FileNotFoundError when there is no such process any more."""
        stat = (Path("/proc") / str(self.process.pid) / "stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def has_ended(self) -> bool:
        return self.process.exitcode is not None

    def send(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
