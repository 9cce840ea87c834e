"""Lists that lag behind: eventual consistency, for those who ask for it.

VPC Lattice's documentation does not say how soon a list shows what was created or stops showing what was deleted, and
a client that reads its own writes from a list works only as long as nothing lags. With a span given here, each new
resource is missing from lists and from the tagging API for a time drawn from it, and each deleted one is shown for such
a time longer, as it last was; and the tagging API knows changed tags only after such a time. Reading a resource by its
identifier is never affected, and without a span nothing is kept and nothing costs.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TypeVar

from sandbox.lattice.resources import Resource
from sandbox.lattice.timings import Span

R = TypeVar("R", bound=Resource)

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
            _, before = self._retagged.get(record, (0.0, dict(record.tags)))
            self._retagged[record] = (self._clock() + self._random.uniform(*self.span), before)

    def former_tags(self) -> Mapping[Resource, Tags]:
        """What the tagging API still takes for the tags of those resources whose change it does not know of yet."""
        if not self._retagged:
            return {}
        now = self._clock()
        self._retagged = {record: held for record, held in self._retagged.items() if held[0] > now}
        return {record: before for record, (_, before) in self._retagged.items()}

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
