"""What a controller wrote into the list `status.parents` of a route, which several controllers share.

Source: Gateway API v1.6, `RouteParentStatus`.
"""

import msgspec


class _Status(msgspec.Struct, frozen=True):
    parents: tuple[msgspec.Raw, ...] = ()


class _Parent(msgspec.Struct, frozen=True):
    controller_name: str = msgspec.field(name="controllerName", default="")


_status = msgspec.json.Decoder(_Status)
_parent = msgspec.json.Decoder(_Parent)


def own_parents(status: bytes | msgspec.Raw, controller_name: str) -> tuple[bytes, ...]:
    """The entries of this controller as the API server has them; none where the status cannot be read."""
    try:
        entries = _status.decode(status).parents if status else ()
        return tuple(bytes(entry) for entry in entries if _parent.decode(entry).controller_name == controller_name)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
