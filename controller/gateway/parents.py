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
    observed_generation: int = msgspec.field(name="observedGeneration", default=0)


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
    """The parentRefs for which this controller has written that the route is accepted."""
    return frozenset(
        judged.parent_ref
        for judged in _own_judgements(status, controller_name)
        if any(each.type == ACCEPTED and each.status == "True" for each in judged.conditions)
    )


def tells_of(generation: int, status: bytes | msgspec.Raw, controller_name: str) -> bool:
    """Whether all that this controller has written is about this generation of the route, and it has written at all."""
    judgements = _own_judgements(status, controller_name)
    return bool(judgements) and all(
        each.observed_generation == generation for judged in judgements for each in judged.conditions
    )


def _own_judgements(status: bytes | msgspec.Raw, controller_name: str) -> list[_Judged]:
    """What this controller has written; nothing where the status cannot be read."""
    try:
        entries = _judged.decode(status).parents if status else ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return [entry for entry in entries if entry.controller_name == controller_name]
