"""The keys that can be handed out now: by priority, tenants in turn, and each tenant's keys first come, first served.

    priority   0   →  ring of tenants   shop: a b c   →   bank: d   →   (shop again)
    priority -100  →  ring of tenants   bank: e f

One level for each priority that has keys, in it a ring of the tenants that have keys, in it each tenant's keys in
order. A pop takes the first key of the first tenant in the ring of the highest level and sends the tenant to the
ring's end: between two keys of one tenant every other tenant of that level has its turn, however many keys the one has.

Ring and keys are `OrderedDict`s. They take from the front, append and delete from the middle in constant time, so that
lifting a key to a higher priority removes it from the lower one at once: nothing stale stays behind that would have to
be skipped or swept later. (A plain dict remembers order too, but taking the first again and again costs more with
each key taken.) Tenants and levels without keys are deleted, so an idle tenant costs nothing.
"""

from bisect import insort
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class _Level(Generic[K]):
    """The waiting keys of one priority."""

    __slots__ = ("count", "tenants")

    def __init__(self) -> None:
        self.tenants: OrderedDict[Hashable, OrderedDict[K, None]] = OrderedDict()
        self.count = 0


class Ready(Generic[K]):
    """An ordered set of keys. The caller sees to it that a key is in it once, and remembers its tenant and priority."""

    __slots__ = ("_levels", "_order")

    def __init__(self) -> None:
        self._levels: dict[int, _Level[K]] = {}
        self._order: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._order)

    def __len__(self) -> int:
        return sum(level.count for level in self._levels.values())

    def counts(self) -> dict[int, int]:
        """How many keys each priority has; priorities without keys are absent."""
        return {priority: level.count for priority, level in self._levels.items()}

    @property
    def highest(self) -> int | None:
        """The highest priority that has a key."""
        return self._order[-1] if self._order else None

    def push(self, key: K, tenant: Hashable, priority: int) -> None:
        """Put `key` behind the keys of its tenant and priority; a tenant that had none joins the end of the ring."""
        level = self._levels.get(priority)
        if level is None:
            level = self._levels[priority] = _Level()
            insort(self._order, priority)
        keys = level.tenants.get(tenant)
        if keys is None:
            keys = level.tenants[tenant] = OrderedDict()
        keys[key] = None
        level.count += 1

    def pop(self) -> tuple[K, int]:
        """Remove the next key in turn; return it and its priority. Raises IndexError when there is none."""
        priority = self._order[-1]
        level = self._levels[priority]
        tenant, keys = next(iter(level.tenants.items()))
        key, _ = keys.popitem(last=False)
        level.count -= 1
        if keys:
            level.tenants.move_to_end(tenant)
        else:
            self._drop_tenant(level, tenant, priority)
        return key, priority

    def remove(self, key: K, tenant: Hashable, priority: int) -> None:
        """Remove `key` from where it was pushed; its tenant keeps its place in the ring while it has other keys."""
        level = self._levels[priority]
        keys = level.tenants[tenant]
        del keys[key]
        level.count -= 1
        if not keys:
            self._drop_tenant(level, tenant, priority)

    def _drop_tenant(self, level: _Level[K], tenant: Hashable, priority: int) -> None:
        del level.tenants[tenant]
        if not level.tenants:
            del self._levels[priority]
            self._order.remove(priority)
