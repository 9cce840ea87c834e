"""What the Lease remembers for its next holder, as annotations: who held it last, and what of a take-over is left.

The AWS Gateway API Controller competes for the same Lease. Whether it was the last to hold it cannot be told from the
holder's name, which a holder erases when it gives the Lease back. So ours writes down its name and the number of
transitions at which it took the Lease, in the very write that takes it. Whoever takes the Lease otherwise, as client-go
does, raises that number and leaves annotations as they are; then ours is out of date. So is it when the Lease was
deleted, or never written. Who takes no Lease (`lease_note`) writes down the record that it found instead: that mark is
out of date as soon as anybody takes the Lease, or renews it.

What is left of a take-over is a text whose meaning is its owner's (`controller.reconcile.take_over`); here it is only
known that it is `EVERYTHING` for whoever follows somebody else, again in the write that takes the Lease, and empty when
nothing is left. So at no moment is there a Lease of ours that has forgotten whom it follows.
"""

from collections.abc import Mapping
from typing import Final

from controller.api.meta import Struct

PREFIX: Final = "application-networking.k8s.aws/"
HELD_BY: Final = PREFIX + "held-by"
TAKE_OVER: Final = PREFIX + "take-over"

EVERYTHING: Final = "*"

Marks = Mapping[str, str]
"""The annotations of a Lease."""


class LeaseRecord(Struct, frozen=True):
    """A Lease's `spec`. The times are other people's clocks: for readers, never for deciding."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


def held_by_us(record: LeaseRecord, marks: Marks) -> bool:
    """Whether the last holder of the Lease with these annotations was this controller, whichever replica."""
    mark = marks.get(HELD_BY, "")
    identity, _, transitions = mark.rpartition("@")
    held = transitions == str(record.lease_transitions) and record.holder_identity in {"", identity}
    return held or mark == _found(record)


def take_over_left(record: LeaseRecord, marks: Marks) -> str:
    """What of a take-over is left for whoever takes the Lease now: `EVERYTHING` after somebody else."""
    return marks.get(TAKE_OVER, "") if held_by_us(record, marks) else EVERYTHING


def marks_of_holder(record: LeaseRecord, left: str) -> Marks:
    """The annotations with which we hold the Lease by this record of ours; an empty text stands for none."""
    return {HELD_BY: f"{record.holder_identity}@{record.lease_transitions}", TAKE_OVER: left}


def marks_of_reader(record: LeaseRecord, left: str) -> Marks:
    """The annotations of one who takes no Lease and found this record, whosever it is."""
    return {HELD_BY: _found(record), TAKE_OVER: left}


def changed(old: Marks, new: Marks) -> dict[str, str | None]:
    """A merge patch of annotations from the old to the new ones."""
    return {name: value or None for name, value in new.items() if old.get(name, "") != value}


def _found(record: LeaseRecord) -> str:
    return f"{record.holder_identity}@{record.lease_transitions}@{record.renew_time or 'never'}"
