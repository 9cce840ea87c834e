"""One kind of object, mirrored: reflector → store → handlers.

An informer keeps its store as the API server has it and tells handlers what changed, as (old, new). It is the only one
who writes to its store, so whoever reads the store without awaiting sees one moment.

Two sources feed it: the reflector (list and watch), and `observe`, by which the answer of our own patch enters at once,
so that the next reconcile does not act on what we changed ourselves. The store never goes back to an older version, so
the two may arrive in either order.

**Absence is not emptiness.** `state` says what the store's silence means: `synced`, it mirrors the API server;
`absent`, the kind is optional and not installed, so there is certainly none; `unknown`, nobody may conclude anything. A
server that cannot be reached does not make a synced kind unknown: what is held is late, as any mirror may be. A refusal
does (401, 403, 404), for then nobody says that it is only late; the store keeps what it has meanwhile.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, Literal, TypeVar

import anyio

from controller.api.meta import Object, ObjectMeta, Undecodable
from controller.api.resources import Resource
from controller.kube.client import KubeClient
from controller.kube.decode import Bookmark, Decoder, Deleted, Put, UnreadableError
from controller.kube.errors import ApiError, Forbidden, NotFound, Unauthorized
from controller.kube.reflector import PATIENT, Learned, Reflector, Replaced, Timing, Trouble
from controller.kube.store import Change, Store
from controller.kube.versions import newer

log = logging.getLogger("controller.kube.informer")

T = TypeVar("T", bound=Object)

Handler = Callable[[T | None, T | None], None]
"""Told of each change as (old, new), synchronously, after the store has it. What could not be decoded is handed on as
None: a handler finds the keys that an event touches, and the view they lead to raises for what is unknown."""

OnUndecodable = Callable[[Resource[T], ObjectMeta, str], None]
"""Told of an object that cannot be decoded: its kind, its metadata, and the decoder's words."""


OnMended = Callable[[Resource[T]], None]
"""Told when an object that could not be decoded can be, or is gone: what waited for it may know now."""


@dataclass(frozen=True, slots=True)
class State:
    """What may be concluded from a store. `reason` is for operators, and empty where the kind is synced."""

    phase: Literal["synced", "absent", "unknown"]
    reason: str = ""
    refused: bool = False
    """Whether the kind is unknown because we may not read it, which time alone does not change."""


OnState = Callable[[Resource[T], State, State], None]
"""Told when a kind's phase changes, as (resource, old, new); after the handlers of the change that brought it."""

SYNCED = State("synced")


def state_after(error: ApiError | UnreadableError, state: State, *, required: bool, empty: bool) -> State:
    """What may be concluded from a kind's store after list or watch failed with this error; `empty`: it holds nothing.

    A definition takes its objects with it when it goes, so that one that goes while some are held is doubtful.
    """
    match error:
        case NotFound() if not required and empty:
            return State("absent", "the kind is not installed")
        case NotFound():
            return State("unknown", f"the kind is not installed: {error}")
        case Unauthorized():
            return State("unknown", str(error))
        case Forbidden():
            return State("unknown", str(error), refused=True)
        case _:
            return state if state.phase == "synced" else State("unknown", str(error))


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
        on_mended: OnMended[T] | None = None,
        on_state: OnState[T] | None = None,
        random: Random | None = None,
        timing: Timing = PATIENT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.resource = resource
        self.store = store
        self._handlers = tuple(handlers)
        self._on_undecodable = on_undecodable
        self._on_mended = on_mended
        self._on_state = on_state
        self._decoder = Decoder(resource)
        self._reflector = Reflector(
            client,
            resource,
            self._decoder,
            self._learn,
            random=random or Random(),  # noqa: S311 -- spreads load, guards nothing
            timing=timing,
            clock=clock,
            sleep=sleep,
        )
        self._state = State("unknown", "not listed yet")
        self._state_changed = anyio.Event()
        self._seen = ""

    @property
    def state(self) -> State:
        """What the store's content means now; `unknown` before the first list has ended."""
        return self._state

    async def run(self) -> None:
        """Mirror until cancelled. No failure of the API server ends it; the state tells."""
        await self._reflector.run()

    async def wait_settled(self, *, or_refused: bool = False) -> None:
        """Return once the state is synced or absent; with `or_refused`, also once we may not read the kind."""
        while self._state.phase == "unknown" and not (or_refused and self._state.refused):
            await self._state_changed.wait()

    def observe(self, answer: bytes | None) -> None:
        """Let the API server's answer to a write of ours enter the store and reach the handlers, if it is newer.

        None, the answer of a write that was not needed, is ignored. Raises UnreadableError if it is no object.
        """
        if answer is None:
            return
        obj = self._decoder.object(answer)
        metadata = obj.metadata
        if metadata.deletion_timestamp is not None and not metadata.finalizers:
            return  # It went with this write; the watch will say so.
        held = self.store.get(metadata.namespace, metadata.name)
        if held is None and not newer(metadata.resource_version, self._seen):
            return  # The watch is past this version: the object has gone since.
        self._hand_on(self.store.apply(obj))

    def deleted(self, obj: T) -> None:
        """A delete of ours was done: let go of the object, unless finalizers keep it or it is another by now."""
        held = self.store.get(obj.namespace, obj.name)
        if held is not None and held.metadata.uid == obj.metadata.uid and not held.metadata.finalizers:
            self._delete(obj)

    def _learn(self, learned: Learned[T]) -> None:
        match learned:
            case Put(obj):
                self._seen = obj.metadata.resource_version
                self._hand_on(self.store.apply(obj))
            case Deleted(obj):
                self._seen = obj.metadata.resource_version
                self._delete(obj)
            case Bookmark(version):
                self._seen = version
            case Replaced():
                self._replace(learned)
            case Trouble(error):
                empty = len(self.store) == 0
                self._enter(state_after(error, self._state, required=self.resource.required, empty=empty))

    def _replace(self, listed: Replaced[T]) -> None:
        self._seen = listed.resource_version
        old = self._state
        changes: Iterable[Change[T] | None]
        if listed.unreadable:
            # Any object that seems to be missing may be one of these, so nothing is let go.
            self._state = State("unknown", f"{listed.unreadable} objects of the list have no readable metadata")
            changes = [self.store.apply(obj) for obj in listed.objects]
        else:
            self._state = SYNCED
            changes = self.store.replace(listed.objects, listed.resource_version)
        for change in changes:
            self._hand_on(change)
        self._announce(old)

    def _delete(self, obj: T | Undecodable) -> None:
        held = self.store.get(obj.namespace, obj.name)
        if held is None or newer(held.metadata.resource_version, obj.metadata.resource_version):
            return
        self._hand_on(self.store.delete(obj.namespace, obj.name))

    def _hand_on(self, change: Change[T] | None) -> None:
        if change is None:
            return
        if isinstance(change.new, Undecodable) and self._on_undecodable is not None:
            self._on_undecodable(self.resource, change.new.metadata, change.new.error)
        old = None if isinstance(change.old, Undecodable) else change.old
        new = None if isinstance(change.new, Undecodable) else change.new
        if old is not None or new is not None:
            for handler in self._handlers:
                handler(old, new)
        mended = isinstance(change.old, Undecodable) and not isinstance(change.new, Undecodable)
        if mended and self._on_mended is not None:
            self._on_mended(self.resource)

    def _enter(self, new: State) -> None:
        old, self._state = self._state, new
        self._announce(old)

    def _announce(self, old: State) -> None:
        new = self._state
        if new != old:
            self._state_changed.set()
            self._state_changed = anyio.Event()
        if new.phase == old.phase:
            return
        log.log(
            logging.WARNING if new.phase == "unknown" else logging.INFO,
            "a kind is %s",
            new.phase,
            extra={"kind": self.resource.kind, "reason": new.reason, "objects": len(self.store)},
        )
        if self._on_state is not None:
            self._on_state(self.resource, old, new)
