"""Which calls there can be, and the log of all that were: for tests, and for people who count API calls."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

ANY = "*"
"""What stands for every operation, in settings that are made by operation."""


class Operations:
    """The operations that can be named in settings: a name that nothing has would never have an effect."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names) | {ANY}

    def require(self, *names: str) -> None:
        """Raise `ValueError` for a name that none of the operations has."""
        for name in names:
            if name not in self._names:
                raise ValueError(f"the sandbox emulates no operation of the name {name}")


READS = ("Get", "List", "Describe")


def is_write(operation: str) -> bool:
    """Whether the operation changes something (`ListTargets` is a POST, and reads)."""
    return not operation.startswith(READS)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One request and what became of it."""

    time: float
    """The server's clock when the request had been read, in seconds."""
    service: str
    """The signing name: `vpc-lattice`, `tagging`, `sts`, `acm`."""
    operation: str
    parameters: dict[str, Any]
    """As far as they could be read, without what the service model marks as sensitive."""
    status: int | None
    """HTTP status; None where no answer was sent (a reset, a hang)."""
    error: str | None
    """The error's code, or what was done to the connection; None for a success."""
    request_id: str
    access_key: str = ""
    """The id of the key that it was signed with, which tells callers apart; empty if it was not signed."""

    @property
    def write(self) -> bool:
        return is_write(self.operation)


class CallLog:
    """Records in order of arrival; the oldest are dropped beyond `keep`, the marks and positions stay true.

    Who asks for the calls of an operation that there is not would always find none; that is a `ValueError`.
    """

    def __init__(self, operations: Operations, keep: int = 200_000) -> None:
        self._operations = operations
        self._records: deque[CallRecord] = deque(maxlen=keep)
        self._total = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[CallRecord]:
        return iter(tuple(self._records))

    def add(self, record: CallRecord) -> None:
        self._records.append(record)
        self._total += 1

    def clear(self) -> None:
        """Forget all records; marks stay true."""
        self._records.clear()

    def mark(self) -> int:
        """A position for `since`: everything up to now lies before it."""
        return self._total

    def since(self, mark: int) -> list[CallRecord]:
        """What came after a mark, as far as it is kept."""
        count = min(self._total - mark, len(self._records))
        return list(self._records)[len(self._records) - count :]

    def of(self, operation: str, since: int = 0) -> list[CallRecord]:
        """The calls of one operation. Raises `ValueError` for a name that none has."""
        self._operations.require(operation)
        return [record for record in self.since(since) if record.operation == operation]

    def writes(self, since: int = 0) -> list[CallRecord]:
        """The calls that change something, or would have."""
        return [record for record in self.since(since) if record.write]

    def count(self, operation: str | None = None, since: int = 0) -> int:
        """How many calls, of one operation or in all. Raises `ValueError` for a name that none has."""
        return len(self.since(since) if operation is None else self.of(operation, since))

    def by_operation(self, since: int = 0) -> Counter[str]:
        """How many calls of each operation."""
        return Counter(record.operation for record in self.since(since))
