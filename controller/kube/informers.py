"""All informers of the process under one owner."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import anyio

from controller.api.resources import Resource
from controller.kube.informer import Informer, State


class Mirror(NamedTuple):
    """How well one kind is known: its name, what may be concluded of it, how many objects are held undecoded."""

    kind: str
    state: State
    undecodable: int


class InformerSet:
    """Runs informers together: `tasks.start_soon(informers.run)`, then `await informers.wait_synced()`."""

    def __init__(self, informers: Iterable[Informer[Any]]) -> None:
        self._informers = tuple(informers)

    @property
    def states(self) -> dict[str, State]:
        """The state of each kind, by the kind's name."""
        return {informer.resource.kind: informer.state for informer in self._informers}

    def mirrors(self) -> Iterator[Mirror]:
        """How well each kind is known at this moment."""
        for informer in self._informers:
            yield Mirror(informer.resource.kind, informer.state, len(informer.store.undecodable))

    async def run(self) -> None:
        """Run all of them until cancelled."""
        async with anyio.create_task_group() as tasks:
            for informer in self._informers:
                tasks.start_soon(informer.run, name=f"informer {informer.resource.plural}")

    async def wait_synced(self, *, dispensable: Collection[Resource[Any]] = ()) -> None:
        """Return once each required kind is synced and each optional one is synced or absent.

        A kind that may not be listed keeps this waiting for as long: what starts meanwhile is the caller's decision.
        For a `dispensable` one it is not waited when it is refused.
        """
        for informer in self._informers:
            await informer.wait_settled(or_refused=informer.resource in dispensable)
