"""Which target groups have come into use but lately, so that their targets may not have passed a health check yet.

VPC Lattice checks the targets of groups in use only, and sends requests to none before it has passed one check (user
guide, "Health checks for your target groups"). From when a service begins to use a group until then the group is cold.
When that was is known for what this process wrote; what it found in use may have come into use just before, so
that such a group is cold from then on, as far as can be told. A group in use that has no targets is cold from when it
gets some. Cold groups are few and soon forgotten: when a look at the targets shows one that may have requests, or none
at all, or when the deadline has passed, because a group whose targets never get healthy is the user's will too.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import aclosing, contextmanager
from typing import Any, Final

from controller.lattice.errors import SuspectError
from controller.lattice.inventory.mirror import Mirror
from controller.lattice.inventory.states import Client
from controller.lattice.limits import Lane
from controller.lattice.observed import DRAINING, INITIAL, UNHEALTHY
from controller.lattice.plan.wire import short_id
from workqueue import Clock

DEADLINE: Final = 120.0
"""Seconds for which a group is cold at most: four health checks at Lattice's default interval, or two of its own."""

_READY: Final = frozenset({"HEALTHY", "UNAVAILABLE"})
"""States of targets that have requests (API: `TargetSummary`); UNAVAILABLE ones are not checked."""

_GONE: Final = frozenset({DRAINING})
_CANNOT_SERVE: Final = _GONE | {UNHEALTHY}
"""States of targets beside which a new one is the first that may."""


class Warmth:
    """`clock` is monotonic, in seconds. Groups go by their ids."""

    def __init__(self, client: Client, clock: Clock, mirror: Mirror) -> None:
        self._client = client
        self._clock = clock
        self._mirror = mirror
        self._since: dict[str, float] = {}
        """In the order of time."""

    def _began(self, groups: Iterable[str]) -> None:
        """A service has begun to use these groups, or they have got their first targets."""
        now = self._clock.time()
        for ident in groups:
            if self._has_only(ident, _GONE):
                continue
            self._since.pop(ident, None)
            self._since[ident] = now
        while self._since and not self.is_cold(oldest := next(iter(self._since))):
            del self._since[oldest]

    def _ended(self, groups: Iterable[str]) -> None:
        """No service uses these groups any more."""
        for ident in groups:
            self._since.pop(ident, None)

    def found(self, before: Set[str], now: Set[str]) -> None:
        """A service that was known to use some groups was read: what is new may have come into use just before."""
        self._ended(before - now)
        self._began([ident for ident in now - before if not self.is_cold(ident)])

    @contextmanager
    def changing(self, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Around what brings the mirror up to date with that to which these arguments of a call belong."""
        used, bare = self._used(arguments), self._bare(arguments)
        yield
        uses = self._used(arguments)
        self._ended(used - uses)
        self._began((uses - used) | (bare - self._bare(arguments)))

    def _used(self, arguments: Mapping[str, Any]) -> frozenset[str]:
        """The groups that the service uses to which a call belongs."""
        service = self._mirror.services.get(short_id(arguments.get("serviceIdentifier", "")))
        return frozenset() if service is None else service.groups()

    def _bare(self, arguments: Mapping[str, Any]) -> frozenset[str]:
        """The group to whose targets a call belongs, if it is in use and has none that may serve."""
        ident = short_id(arguments.get("targetGroupIdentifier", ""))
        is_bare = self._mirror.group_users[ident] and self._has_only(ident, _CANNOT_SERVE)
        return frozenset({ident}) if is_bare else frozenset()

    def _has_only(self, ident: str, states: frozenset[str]) -> bool:
        """Whether a group is known to have no targets but in these states."""
        group = self._mirror.groups.get(ident)
        return group is not None and group.targets is not None and states.issuperset(group.targets.values())

    def _deadline(self, ident: str) -> float:
        group = self._mirror.groups.get(ident)
        check = None if group is None else group.health_check
        return DEADLINE if check is None else max(DEADLINE, 2.0 * check.interval + check.timeout)

    def clear(self) -> None:
        """Forget everything."""
        self._since.clear()

    def is_cold(self, ident: str) -> bool:
        """Whether requests for the group may fail for want of a first health check."""
        since = self._since.get(ident)
        return since is not None and self._clock.time() - since < self._deadline(ident)

    def state(self, ident: str) -> str | None:
        """For the poller: INITIAL for the targets of a group that is cold, else None."""
        return INITIAL if self.is_cold(ident) else None

    async def look(self, ident: str, lane: Lane) -> None:
        """See by ListTargets whether the group is warm by now, or has no targets to wait for. Raises LatticeError."""
        since = self._since.get(ident)
        if await self._has_nothing_to_wait_for(ident, lane) and self._since.get(ident) == since:
            self._since.pop(ident, None)

    async def _has_nothing_to_wait_for(self, ident: str, lane: Lane) -> bool:
        states: set[str] = set()
        try:
            async with aclosing(
                self._client.pages("ListTargets", {"targetGroupIdentifier": ident}, lane=lane)
            ) as pages:
                async for page in pages:
                    states |= {item.get("status", "") for item in page["items"]}
                    if not _READY.isdisjoint(states):
                        return True
        except SuspectError as error:
            if not error.not_found:
                raise
        return states <= _GONE
