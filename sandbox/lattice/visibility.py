"""Lists that lag behind: eventual consistency, for those who ask for it.

VPC Lattice's documentation does not say how soon a list shows what was created or stops showing what was deleted, and
a client that reads its own writes from a list works only as long as nothing lags. With a span given here, each new
resource is missing from lists and from the tagging API for a time drawn from it, and each deleted one is shown for such
a time longer, as it last was; and a changed status is in the lists, and changed tags are in the tagging API, only after
such a time. Reading a resource by its identifier is never affected; without a span nothing is kept and nothing costs.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TypeVar

from sandbox.lattice.resources import Described, Evolving, Resource
from sandbox.lattice.timings import Span

R = TypeVar("R", bound=Resource)
E = TypeVar("E", bound=Evolving)
H = TypeVar("H")

Tags = Mapping[str, str]


class Visibility:
    """What lists show, given what there is. `span` is the least and the greatest lag in seconds, None for none."""

    def __init__(self, clock: Callable[[], float], seed: int) -> None:
        self.span: Span | None = None
        """May be changed at any time; what lags already keeps its time."""
        self._clock = clock
        self._random = Random(f"visibility {seed}")  # noqa: S311 - a reproducible lag, not a secret
        self._hidden: dict[int, float] = {}
        self._gone: deque[tuple[float, Resource]] = deque()
        self._retagged: dict[Resource, tuple[float, Tags]] = {}
        self._changed: dict[Evolving, tuple[float, str]] = {}

    def created(self, record: Resource) -> None:
        """Note that this is new."""
        if self.span is not None:
            self._hidden[record.number] = self._clock() + self._random.uniform(*self.span)

    def deleted(self, record: Resource) -> None:
        """Note that this is there no more."""
        self._retagged.pop(record, None)
        if self.span is not None:
            self._gone.append((self._clock() + self._random.uniform(*self.span), record))

    def retagged(self, record: Resource) -> None:
        """Note that the tags of this are about to change; of several changes at once only the last becomes known."""
        if self.span is not None:
            self._retagged[record] = self._held(self._retagged.get(record), dict(record.tags), self.span)

    def former_tags(self) -> Mapping[Resource, Tags]:
        """What the tagging API still takes for the tags of those resources whose change it does not know of yet."""
        if not self._retagged:
            return {}
        now = self._clock()
        self._retagged = {record: held for record, held in self._retagged.items() if held[0] > now}
        return {record: before for record, (_, before) in self._retagged.items()}

    def changing(self, record: Evolving) -> None:
        """Note that the status of this is about to change; of several changes at once only the last becomes known."""
        if self.span is not None:
            self._changed[record] = self._held(self._changed.get(record), record.status, self.span)

    def _held(self, earlier: tuple[float, H] | None, present: H, span: Span) -> tuple[float, H]:
        """Until when what is known stays so, and what that is: what it is at present, unless that lags already."""
        now = self._clock()
        before = earlier[1] if earlier is not None and earlier[0] > now else present
        return now + self._random.uniform(*span), before

    def listed(self, describe: Callable[[E], Described]) -> Callable[[E], Described]:
        """`describe` as a list does it: with the status that it knows of by now."""
        if not self._changed:
            return describe
        now = self._clock()
        self._changed = {record: held for record, held in self._changed.items() if held[0] > now}
        former = {record: status for record, (_, status) in self._changed.items()}
        return lambda record: describe(record) | {"status": former.get(record, record.status)}

    def shown(self, records: Iterable[R], kind: type[R], among: Callable[[R], bool]) -> Iterable[R]:
        """What a list shows: of `records` those that it knows of by now, and those deleted ones of `kind` that are
        `among` what it lists and of whose end it does not know yet; in order of creation.
        """
        if self.span is None and not self._hidden and not self._gone:
            return records
        now = self._clock()
        self._hidden = {number: due for number, due in self._hidden.items() if due > now}
        self._gone = deque((due, record) for due, record in self._gone if due > now)
        known = [record for record in records if record.number not in self._hidden]
        lingering = [
            record
            for _, record in self._gone
            if isinstance(record, kind) and record.number not in self._hidden and among(record)
        ]
        return sorted((*known, *lingering), key=lambda record: record.number) if lingering else known
