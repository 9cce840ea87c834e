"""Which target groups have come into use but lately, so that their targets may not have passed a health check yet.

VPC Lattice checks the targets of groups in use only, and sends requests to none before it has passed one check (user
guide, "Health checks for your target groups"). From when a service begins to use a group until then the group is cold.
When that was is known for what this process wrote; what it found in use may have come into use just before, so
that such a group is cold from then on, as far as can be told. Cold groups are few and soon forgotten: when a look at
the targets shows one that may have requests, or when the deadline has passed, because a group whose targets never get
healthy is the user's will too.
"""

from collections.abc import Iterable
from typing import Final

from controller.lattice.errors import SuspectError
from controller.lattice.inventory.states import Client, bind, together
from controller.lattice.limits import Lane
from controller.lattice.observed import INITIAL
from workqueue import Clock

DEADLINE: Final = 120.0
"""Seconds for which a group is cold at most: four health checks at Lattice's default interval."""

_READY: Final = frozenset({"HEALTHY", "UNAVAILABLE"})
"""States of targets that have requests (API: `TargetSummary`); UNAVAILABLE ones are not checked."""


class Warmth:
    """`clock` is monotonic, in seconds. Groups go by their ids."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._since: dict[str, float] = {}
        """In the order of time."""

    def began(self, groups: Iterable[str]) -> None:
        """A service has begun to use these groups, or was found to use them."""
        now = self._clock.time()
        for ident in groups:
            self._since.pop(ident, None)
            self._since[ident] = now
        while self._since and now - next(iter(self._since.values())) >= DEADLINE:
            del self._since[next(iter(self._since))]

    def ended(self, groups: Iterable[str]) -> None:
        """No service uses these groups any more."""
        for ident in groups:
            self._since.pop(ident, None)

    def clear(self) -> None:
        """Forget everything."""
        self._since.clear()

    def is_cold(self, ident: str) -> bool:
        """Whether requests for the group may fail for want of a first health check."""
        since = self._since.get(ident)
        return since is not None and self._clock.time() - since < DEADLINE

    def state(self, ident: str) -> str | None:
        """For the poller: INITIAL for the targets of a group that is cold, else None."""
        return INITIAL if self.is_cold(ident) else None

    async def look(self, ident: str, lane: Lane) -> None:
        """See by ListTargets whether the group is warm by now, or has no targets to wait for. Raises LatticeError."""
        states: list[str] = []
        try:
            async for page in self._client.pages("ListTargets", {"targetGroupIdentifier": ident}, lane=lane):
                states += [item.get("status", "") for item in page["items"]]
        except SuspectError as error:
            if not error.not_found:
                raise
        if not states or not _READY.isdisjoint(states):
            self._since.pop(ident, None)

    async def look_at_all(self, lane: Lane) -> None:
        """See of each group that is cold whether it is warm by now. Raises LatticeError."""
        await together(*(bind(self.look, ident, lane) for ident in tuple(self._since) if self.is_cold(ident)))

    def __len__(self) -> int:
        return len(self._since)
