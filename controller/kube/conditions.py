"""Conditions and the statuses made of them, merged with what is there. Pure.

`lastTransitionTime` says when a condition's status last changed, so it must be taken over from the old status wherever
the condition's status is the same; condition types that are not ours are left as they are. The old status is somebody
else's writing and may be anything; what cannot be read of it is treated as not there.

Source: Kubernetes API conventions, "Typical status properties"; Gateway API, GatewayStatus and ListenerStatus.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def merge_conditions(old_raw: bytes, new: Sequence[Json], now: str) -> list[Json]:
    """The list to write for `conditions`: ours, with their transition times, and those of other types as they were.

    `old_raw` is the JSON of the present list (empty if there is none). `new` are our conditions as JSON objects (see
    `condition_to_json`); their own `lastTransitionTime` does not count. `now` is RFC 3339.
    """
    raise NotImplementedError


def merge_status(raw_status: bytes, conditions: Sequence[Json], now: str) -> bytes | None:
    """The status patch for a kind whose status is its conditions (GatewayClass); None when nothing changes."""
    raise NotImplementedError


def merge_gateway_status(
    raw_status: bytes,
    *,
    conditions: Sequence[Json],
    listeners: Sequence[Json],
    addresses: Sequence[Json],
    now: str,
) -> bytes | None:
    """The status patch for a Gateway; None when nothing changes.

    `listeners` are ListenerStatus objects as JSON; their conditions are merged by listener name, and listeners that are
    not given go. `addresses` are replaced as a whole.
    """
    raise NotImplementedError
