"""What was made of an object, remembered for as long as it would come out the same.

A large route is judged for each of its services, for each of their target groups and for each event that it is asked
about, thousands of times for one change, so it has to be compiled once; a Gateway's listeners are asked about for each
of its routes. What is made of an object depends on that version of it and on the revision of what else was looked at;
both are compared, so a memory never changes an answer, only its price.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST = 1024
"""Objects for which something is remembered; the one that was not asked for the longest is forgotten first."""


class Memory(Generic[T]):
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        # By identity, as comparing a large object costs what is to be saved; the entry keeps the object alive.
        self._entries: OrderedDict[tuple[int, Hashable], tuple[object, object, T]] = OrderedDict()

    def recall(self, obj: Any, revision: object, make: Callable[[], T], *, part: Hashable = None) -> T:
        """What `make` returned for this very object at this revision; asked again if it is not remembered.

        `part` tells apart what is made of the object for several purposes.
        """
        name = id(obj), part
        entry = self._entries.get(name)
        if entry is not None and entry[0] is obj and entry[1] == revision:
            self._entries.move_to_end(name)
            return entry[2]
        made = make()
        self._entries[name] = (obj, revision, made)
        self._entries.move_to_end(name)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return made
