"""Tags: added and changed as desired, and removed only where this process wrote them.

Other tools and people tag our resources too, and Lattice does not say who wrote a tag. So only what is known to be ours
is removed: the keys that this process wrote and nobody desires any more. After a restart an old tag of a user's may
stay.

Listeners, rules and associations carry the user's tags as well, but theirs are not read, as that would cost a call for
each. They are written before the service's own, which therefore tell whether all have been: while the service's tags
differ from the desired ones, the difference is written to all children again.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from controller.lattice.model import MANAGED_BY
from controller.lattice.plan.draft import Draft
from controller.lattice.plan.operations import Reference


class Difference(NamedTuple):
    changed: Mapping[str, str]
    removed: tuple[str, ...]

    def of(self, keys: Iterable[str]) -> "Difference":
        """What concerns the user's tags alone: changes of these keys, and all removals."""
        wanted = set(keys)
        return Difference({key: value for key, value in self.changed.items() if key in wanted}, self.removed)


def difference(desired: Mapping[str, str], observed: Mapping[str, str], written: frozenset[str]) -> Difference:
    """What to write and to remove; `written` are the keys that this process wrote."""
    return Difference(
        {key: value for key, value in sorted(desired.items()) if observed.get(key) != value},
        tuple(sorted(key for key in written if key in observed and key not in desired and key != MANAGED_BY)),
    )


def retag(
    draft: Draft, resource: str, arn: str | Reference, change: Difference, after: Iterable[int] = ()
) -> tuple[int, ...]:
    """The operations that make the difference. Returns their indexes."""
    indexes: list[int] = []
    after = tuple(after)
    if change.changed:
        text = "tag " + ", ".join(f"{key}={value}" for key, value in change.changed.items())
        indexes.append(
            draft.add("TagResource", resource, text, {"resourceArn": arn, "tags": dict(change.changed)}, after=after)
        )
    if change.removed:
        text = "untag " + ", ".join(change.removed)
        indexes.append(
            draft.add(
                "UntagResource", resource, text, {"resourceArn": arn, "tagKeys": list(change.removed)}, after=after
            )
        )
    return tuple(indexes)
