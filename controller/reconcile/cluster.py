"""The cluster in memory: an informer for every kind that is watched, and the view on all of them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

from controller.api.meta import Object
from controller.api.resources import DNS_ENDPOINTS, Resource
from controller.kube.client import KubeClient
from controller.kube.informer import Informer, OnMended, OnState, OnUndecodable
from controller.kube.informers import InformerSet, Mirror
from controller.kube.store import Store
from controller.reconcile.view import INDEXERS, SECRET_INDEXERS, Collection, StoreView

T = TypeVar("T", bound=Object)

DISPENSABLE: Final[frozenset[Resource[Any]]] = frozenset({DNS_ENDPOINTS})
"""Kinds on which nothing in VPC Lattice depends: who may not read them does all the rest."""

OnChange = Callable[[Resource[Any], Object | None, Object | None], None]


class Cluster:
    """Mirrors the cluster while `run` runs; the callbacks are those of `Informer`, `on_change` with the kind.

    Secrets are among what it mirrors only if `secrets`.
    """

    def __init__(
        self,
        kube: KubeClient,
        *,
        on_change: OnChange | None = None,
        on_state: OnState[Any] | None = None,
        on_undecodable: OnUndecodable[Any] | None = None,
        on_mended: OnMended[Any] | None = None,
        secrets: bool = False,
    ) -> None:
        self._informers: dict[Resource[Any], Informer[Any]] = {
            resource: Informer(
                kube,
                resource,
                Store(indexers),
                handlers=() if on_change is None else (partial(on_change, resource),),
                on_state=on_state,
                on_undecodable=on_undecodable,
                on_mended=on_mended,
            )
            for resource, indexers in {**INDEXERS, **(SECRET_INDEXERS if secrets else {})}.items()
        }
        self._set = InformerSet(self._informers.values())
        self.view = StoreView(
            {
                resource: Collection(resource, informer.store, partial(_doubt, informer), partial(_installed, informer))
                for resource, informer in self._informers.items()
            }
        )

    @property
    def resources(self) -> tuple[Resource[Any], ...]:
        """The kinds that are mirrored."""
        return tuple(self._informers)

    def informer(self, resource: Resource[T]) -> Informer[T]:
        return self._informers[resource]

    def doubts(self) -> dict[str, str]:
        """The kinds of which nothing may be concluded, by name, each with why."""
        return {kind: state.reason for kind, state in self._set.states.items() if state.phase == "unknown"}

    def mirrors(self) -> Iterator[Mirror]:
        """How well each kind is known at this moment."""
        return self._set.mirrors()

    async def run(self) -> None:
        """Mirror until cancelled."""
        await self._set.run()

    async def wait_synced(self) -> None:
        """Return once each kind is synced, or optional and absent, or dispensable and refused; see
        `InformerSet.wait_synced`."""
        await self._set.wait_synced(dispensable=DISPENSABLE)


def _doubt(informer: Informer[Any]) -> str | None:
    return informer.state.reason if informer.state.phase == "unknown" else None


def _installed(informer: Informer[Any]) -> bool:
    return informer.state.phase != "absent"
