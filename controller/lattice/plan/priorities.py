"""Priorities for the rules of a listener: in the wanted order, spaced, and with the fewest rules moved.

Lattice matches the rule with the lowest number first; numbers are 1 to 2000 and unique in a listener. Numbers that a
user fixed are honoured. All other rules keep the order in which they were given, also relative to fixed ones as far
as the fixed numbers allow. Among those, the largest set that can stay where it is stays: the longest increasing
subsequence of the numbers they have, under the condition that what comes between two that stay finds room between
them. The rest get numbers that no rule of the listener has at present, so that they can be set in any order.

New numbers are spread over the room there is, but at either end of the list they keep near their neighbour: rules are
often appended, and halving what is left would use it up in ten steps.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

LOWEST = 1
HIGHEST = 2000
_STRIDE = 50


class NoPriorityError(Exception):
    """The listener has more rules than there are priorities for them."""


class Slot(NamedTuple):
    """A rule that wants a priority: what it has, and what the user fixed; None for neither."""

    current: int | None = None
    fixed: int | None = None


def assign(slots: Sequence[Slot], occupied: Collection[int] = ()) -> list[int]:
    """A priority for each rule, given in order of precedence.

    `occupied` are the priorities that rules of the listener have now, wanted ones and others. Of two rules with the
    same fixed number the first has it, the other counts as not fixed. Raises NoPriorityError.
    """
    settled = [slot.current for slot in slots if slot.current is not None and slot.fixed in {None, slot.current}]
    if len(settled) == len(slots) and all(low < high for low, high in pairwise(settled)):
        return settled
    fixed: dict[int, int] = {}
    for index, slot in enumerate(slots):
        if slot.fixed is not None and slot.fixed not in fixed.values():
            fixed[index] = slot.fixed
    free = _Free(set(fixed.values()))
    anchors = _anchors(len(slots), fixed, free)
    line = [index for index in range(len(slots)) if index not in fixed or index in anchors]
    stays = [fixed.get(index, slots[index].current) for index in line]
    held = [position for position, index in enumerate(line) if index in anchors]
    for room in (_Free({*fixed.values(), *occupied}), free):
        kept = _longest_stay(
            [None if p in free.taken and i not in held else p for i, p in enumerate(stays)], held, room
        )
        if kept is not None:
            break
    else:
        raise NoPriorityError(f"{len(slots)} rules do not fit into priorities {LOWEST} to {HIGHEST}")
    placed = _fill(len(line), kept, room)
    result = dict(fixed)
    result.update(zip(line, placed, strict=True))
    return [result[index] for index in range(len(slots))]


class _Free:
    """The numbers that are not taken."""

    def __init__(self, taken: set[int]) -> None:
        self.taken = taken
        self._numbers = [number for number in range(LOWEST, HIGHEST + 1) if number not in taken]

    def between(self, low: int, high: int) -> Sequence[int]:
        """Those strictly between."""
        return self._numbers[bisect_right(self._numbers, low) : bisect_left(self._numbers, high)]

    def count(self, low: int, high: int) -> int:
        return bisect_left(self._numbers, high) - bisect_right(self._numbers, low)


def _anchors(size: int, fixed: dict[int, int], free: _Free) -> set[int]:
    """The most fixed rules whose numbers agree with their place in the list; the others go where their number says."""
    chosen = _chain(
        [(-1, LOWEST - 1), *sorted(fixed.items()), (size, HIGHEST + 1)],
        lambda a, b: a[1] < b[1] and free.count(a[1], b[1]) >= sum(i not in fixed for i in range(a[0] + 1, b[0])),
        mandatory=(),
    )
    return set() if chosen is None else {index for index, _ in chosen}


def _longest_stay(stays: Sequence[int | None], held: Sequence[int], room: _Free) -> list[tuple[int, int]] | None:
    """The most positions that keep their number, those of `held` among them; None if they leave too little room."""
    nodes = [(-1, LOWEST - 1)]
    nodes += [(position, number) for position, number in enumerate(stays) if number is not None]
    nodes += [(len(stays), HIGHEST + 1)]
    return _chain(
        nodes,
        lambda a, b: a[1] < b[1] and room.count(a[1], b[1]) >= b[0] - a[0] - 1,
        mandatory=held,
    )


def _chain(
    nodes: Sequence[tuple[int, int]], fits: Callable[[tuple[int, int], tuple[int, int]], bool], mandatory: Sequence[int]
) -> list[tuple[int, int]] | None:
    """The longest chain from the first node to the last in which all neighbours fit and no mandatory position is
    missed."""
    best: list[tuple[int, int] | None] = [(0, 0)]  # length of the chain that ends here, and the node before
    for end in range(1, len(nodes)):
        found: tuple[int, int] | None = None
        for start in range(end - 1, -1, -1):
            before = best[start]
            if before is not None and fits(nodes[start], nodes[end]) and (found is None or before[0] >= found[0]):
                found = (before[0] + 1, start)
            if nodes[start][0] in mandatory:
                break
        best.append(found)
    if best[-1] is None:
        return None
    chain: list[tuple[int, int]] = []
    node = best[-1][1]
    while node:
        chain.append(nodes[node])
        step = best[node]
        assert step is not None
        node = step[1]
    return chain[::-1]


def _fill(size: int, kept: Sequence[tuple[int, int]], room: _Free) -> list[int]:
    numbers: list[int] = []
    bounds = [(-1, LOWEST - 1), *kept, (size, HIGHEST + 1)]
    for (before, low), (after, high) in pairwise(bounds):
        choice = room.between(low, high)
        numbers += _spread(choice, after - before - 1, from_start=before >= 0, to_end=after < size)
        if after < size:
            numbers.append(high)
    return numbers


def _spread(choice: Sequence[int], count: int, *, from_start: bool, to_end: bool) -> list[int]:
    """That many of the numbers, evenly; near the neighbour where there is one on one side only."""
    stride = len(choice) / (count + 1)
    if not (from_start and to_end):
        stride = min(stride, _STRIDE)
    if from_start:
        first = stride
    elif to_end:
        first = len(choice) - count * stride
    else:
        first = (len(choice) - (count - 1) * stride) / 2
    return [choice[min(int(first + step * stride), len(choice) - 1)] for step in range(count)]
