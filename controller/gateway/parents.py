"""What a controller wrote into the list `status.parents` of a route, which several controllers share.

Source: Gateway API v1.6, `RouteParentStatus`.
"""


import msgspec

from controller.api.gateway import ParentReference
from controller.gateway.conditions import ACCEPTED


class _Status(msgspec.Struct, frozen=True):
    parents: tuple[msgspec.Raw, ...] = ()


class _Parent(msgspec.Struct, frozen=True):
    controller_name: str = msgspec.field(name="controllerName", default="")


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""


class _Judged(_Parent, frozen=True):
    parent_ref: ParentReference = msgspec.field(name="parentRef", default_factory=ParentReference)
    conditions: tuple[_Condition, ...] = ()


class _JudgedStatus(msgspec.Struct, frozen=True):
    parents: tuple[_Judged, ...] = ()


_status = msgspec.json.Decoder(_Status)
_parent = msgspec.json.Decoder(_Parent)
_judged = msgspec.json.Decoder(_JudgedStatus)


def own_parents(status: bytes | msgspec.Raw, controller_name: str) -> tuple[bytes, ...]:
    """The entries of this controller as the API server has them; none where the status cannot be read."""
    try:
        entries = _status.decode(status).parents if status else ()
        return tuple(bytes(entry) for entry in entries if _parent.decode(entry).controller_name == controller_name)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def accepting_parents(status: bytes | msgspec.Raw, controller_name: str) -> frozenset[ParentReference]:
    """The parentRefs for which this controller has written that the route is accepted; none where the status cannot be
    read."""
    try:
        entries = _judged.decode(status).parents if status else ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(
        entry.parent_ref
        for entry in entries
        if entry.controller_name == controller_name
        and any(each.type == ACCEPTED and each.status == "True" for each in entry.conditions)
    )
