"""One kind of object, mirrored: reflector → store → handlers.

An informer keeps its store as the API server has it and tells handlers what changed, as (old, new). It is the only one
who writes to its store, so whoever reads the store without awaiting sees one moment.

Two sources feed it: the reflector (list and watch), and `observe`, by which the answer of our own patch enters at once,
so that the next reconcile does not act on what we changed ourselves. The store never goes back to an older version, so
the two may arrive in either order.

**Absence is not emptiness.** `state` says what the store's silence means: `synced`, it mirrors the API server; `absent`,
the kind is optional and not installed, so there is certainly none; `unknown`, nobody may conclude anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from controller.api.meta import Object, ObjectMeta
from controller.api.resources import Resource
from controller.kube.client import KubeClient
from controller.kube.store import Store

T = TypeVar("T", bound=Object)

Handler = Callable[[T | None, T | None], None]
"""Told of each change as (old, new), synchronously, after the store has it. What could not be decoded is handed on as
None: a handler finds the keys that an event touches, and the view they lead to raises for what is unknown."""

OnUndecodable = Callable[[Resource[T], ObjectMeta, str], None]
"""Told of an object that cannot be decoded: its kind, its metadata, and the decoder's words."""


@dataclass(frozen=True, slots=True)
class State:
    """What may be concluded from a store. `reason` is for operators and set where the phase is unknown or absent."""

    phase: Literal["synced", "absent", "unknown"]
    reason: str = ""


OnState = Callable[[Resource[T], State, State], None]
"""Told when a kind's state changes, as (resource, old, new); after the handlers of the change that brought it."""


class Informer(Generic[T]):
    """Mirrors one kind into a store while `run` runs."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource[T],
        store: Store[T],
        *,
        handlers: Sequence[Handler[T]] = (),
        on_undecodable: OnUndecodable[T] | None = None,
        on_state: OnState[T] | None = None,
    ) -> None:
        self.resource = resource
        self.store = store

    @property
    def state(self) -> State:
        """What the store's content means now; `unknown` before the first list has ended."""
        raise NotImplementedError

    def add_handler(self, handler: Handler[T]) -> None:
        """Add a handler; what the store already holds is handed to it at once, as new."""
        raise NotImplementedError

    async def run(self) -> None:
        """Mirror until cancelled. No failure of the API server ends it; the state tells."""
        raise NotImplementedError

    async def wait_settled(self) -> None:
        """Return once the state is synced or absent."""
        raise NotImplementedError

    def observe(self, answer: bytes | None) -> None:
        """Let the API server's answer to a write of ours enter the store and reach the handlers, if it is newer.

        None, the answer of a write that was not needed, is ignored.
        """
        raise NotImplementedError
