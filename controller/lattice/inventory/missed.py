"""What may exist in Lattice although nothing has shown it, and finding it by looking through the lists once.

Two ways lead there. A create whose answer was lost may have taken effect, or may not. And the tagging API follows
changes after some time, so a load does not show what was made just before it, by a run of ours that crashed. As long
as the same thing is still wanted, nothing has to be done: the next create meets the name, which is looked up then. But
whoever says that there is nothing, and lets go of the object for which it existed, has to look first.

One look through a list settles all doubts there are about its type. What bears a doubtful name is tagged as ours if
that create made it; and what is too young for the load to have shown it is ours if its tags say so.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.inventory.mirror import Mirror, route_of_group, route_of_service
from controller.lattice.inventory.once import Once
from controller.lattice.inventory.states import States, bind, together
from controller.lattice.limits import Lane
from controller.lattice.refs import ResourceType

TAGGING_LAG: Final = 3600.0
"""Seconds after which the tagging API certainly shows what was made; it takes seconds, but promises nothing."""

_TYPES: Final[tuple[ResourceType, ...]] = ("service", "target_group")


class Doubt(NamedTuple):
    """A create without an answer: whose it was, and for which route."""

    key: ServiceKey | TargetGroupKey
    route: RouteRef | None


class Missed:
    """`now` is Unix time in seconds; `lagging` tells that loads are made by the tagging API."""

    def __init__(self, mirror: Mirror, states: States, now: Callable[[], float], *, lagging: bool) -> None:
        self._mirror = mirror
        self._states = states
        self._now = now
        self._lagging = lagging
        self._doubts: dict[ResourceType, dict[str, Doubt]] = {kind: {} for kind in _TYPES}
        self._unseen_since: dict[ResourceType, float] = {}
        self._looks: dict[ResourceType, Once[None]] = {kind: Once() for kind in _TYPES}

    def loading(self) -> None:
        """A load begins: what is younger than the tagging API's lag may be missed by it."""
        self._unseen_since = dict.fromkeys(_TYPES, self._now() - TAGGING_LAG) if self._lagging else {}

    def doubt(self, key: ServiceKey | TargetGroupKey, name: str, tags: Mapping[str, str]) -> None:
        """A create of that name and those tags had no definite answer."""
        if isinstance(key, ServiceKey):
            self._doubts["service"][name] = Doubt(key, route_of_service(tags))
        else:
            self._doubts["target_group"][name] = Doubt(key, route_of_group(tags))

    def answered(self, key: ServiceKey | TargetGroupKey, name: str) -> None:
        """Who has the name is known now."""
        self._doubts["service" if isinstance(key, ServiceKey) else "target_group"].pop(name, None)

    async def of_key(self, key: ServiceKey | TargetGroupKey, wanted: str | None, lane: Lane) -> None:
        """Find what unanswered creates of this key have made, but for the name that it wants: creating that settles it.

        What is found is claimed for the key. Raises LatticeError.
        """

        def open_() -> list[ResourceType]:
            return self._doubtful(lambda name, doubt: doubt.key == key and name != wanted)

        await self._look_while(open_, lane)

    async def of_route(self, route: RouteRef, lane: Lane) -> bool:
        """Find what bears the route's name and was missed; tells whether there was a reason to look.

        Raises LatticeError.
        """

        def open_() -> list[ResourceType]:
            doubtful = self._doubtful(lambda _, doubt: doubt.route == route)
            return [kind for kind in _TYPES if kind in doubtful or kind in self._unseen_since]

        return await self._look_while(open_, lane)

    def _doubtful(self, concerns: Callable[[str, Doubt], bool]) -> list[ResourceType]:
        return [kind for kind in _TYPES if any(concerns(name, one) for name, one in self._doubts[kind].items())]

    async def _look_while(self, open_: Callable[[], list[ResourceType]], lane: Lane) -> bool:
        """Again if need be: a look that was under way already began before the doubt."""
        looked = False
        while kinds := open_():
            looked = True
            await together(*(bind(self._shared_look, kind, lane) for kind in kinds))
        return looked

    async def _shared_look(self, kind: ResourceType, lane: Lane) -> None:
        await self._looks[kind].run(lambda: self._look(kind, lane))

    async def _look(self, kind: ResourceType, lane: Lane) -> None:
        mirror, doubts = self._mirror, dict(self._doubts[kind])
        unseen_since, since = self._unseen_since, self._unseen_since.get(kind)
        found: list[dict[str, Any]] = []

        async def read(item: dict[str, Any]) -> None:
            tags = await self._states.tags(item["arn"], lane)
            if mirror.ours(tags) and not mirror.knows(kind, item["id"]):
                self._states.put(kind, item, tags)

        for item in await self._states.items(kind, lane):
            if mirror.knows(kind, item["id"]) or not mirror.of_this_account(item["arn"]):
                continue
            if item["name"] in doubts or (since is not None and _made(item) >= since):
                found.append(item)
        await together(*(bind(read, item) for item in found))
        for name, doubt in doubts.items():
            self._claim(name, doubt)
            if self._doubts[kind].get(name) == doubt:
                del self._doubts[kind][name]
        unseen_since.pop(kind, None)

    def _claim(self, name: str, doubt: Doubt) -> None:
        """What bears the name now is the key's, unless another key has it, or the key has another by now."""
        mirror, key = self._mirror, doubt.key
        if isinstance(key, ServiceKey):
            if mirror.service_claims.id_of(key) is not None:
                return
            for ident in mirror.service_names[name]:
                service = mirror.services[ident]
                same = (route_of_service(service.tags), service.custom_domain or "") == (doubt.route, key.hostname)
                if mirror.ours(service.tags) and same and mirror.service_claims.key_of(ident) is None:
                    mirror.service_claims.claim(key, ident)
        elif mirror.group_claims.id_of(key) is None:
            for ident in mirror.group_names[name]:
                group = mirror.groups[ident]
                same = route_of_group(group.tags) == doubt.route
                if mirror.ours(group.tags) and same and mirror.group_claims.key_of(ident) is None:
                    mirror.group_claims.claim(key, ident)


def _made(item: Mapping[str, Any]) -> float:
    """When it was made, in Unix time; infinite where the list does not say (API: `createdAt`)."""
    made = item.get("createdAt")
    return made.timestamp() if isinstance(made, datetime) else float("inf")
