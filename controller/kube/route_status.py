"""`status.parents` of a route: one atomic list that several controllers share. Pure.

Each controller owns the entries that bear its controllerName and must return all others as they are. They are never
decoded into our structs, for a field that we do not know would be lost: they are kept as the bytes that came.

Source: Gateway API, RouteParentStatus.
"""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_PARENTS = 32
"""More entries are refused by the API's schema."""


def merge_route_parents(
    raw_status: bytes, controller_name: str, ours: Sequence[Mapping[str, Any]], *, now: str
) -> bytes | None:
    """The status patch that makes our entries these; None when nothing changes.

    `raw_status` is the route's present status as JSON (empty if there is none). `ours` are RouteParentStatus objects as
    JSON, one per parentRef; their conditions' `lastTransitionTime` is set here: to what it was, where a condition's
    status is as it was, else to `now` (RFC 3339). With no `ours` all our entries go. Entries of other controllers keep
    their bytes and their places; where the list would grow past 32, our last entries are left out.
    """
    raise NotImplementedError
