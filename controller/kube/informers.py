"""All informers of the process under one owner."""

from collections.abc import Iterable
from typing import Any

from controller.kube.informer import Informer, State


class InformerSet:
    """Runs informers together: `await tasks.start_soon(informers.run)`, then `await informers.wait_synced()`."""

    def __init__(self, informers: Iterable[Informer[Any]] = ()) -> None:
        self._informers = list(informers)

    def add(self, informer: Informer[Any]) -> None:
        """Add one; before `run`."""
        self._informers.append(informer)

    @property
    def states(self) -> dict[str, State]:
        """The state of each kind, by the kind's name."""
        return {informer.resource.kind: informer.state for informer in self._informers}

    async def run(self) -> None:
        """Run all of them until cancelled."""
        raise NotImplementedError

    async def wait_synced(self) -> None:
        """Return once each required kind is synced and each optional one is synced or absent."""
        raise NotImplementedError
