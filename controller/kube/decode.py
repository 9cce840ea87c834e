"""From bytes to typed objects, one object at a time.

A list is decoded in two steps: the envelope, with its items left as bytes, then each item by itself. So one object that
does not fit its struct costs only itself: it becomes `Undecodable`, with its metadata and the decoder's words. Scanning
each object twice is cheap beside what decoding straight into structs saves: tens of thousands of objects take a second.
"""

import re
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from controller.api.meta import Object, ObjectMeta, Struct, Undecodable
from controller.api.resources import Resource
from controller.kube.errors import ApiError, error_of_status

T = TypeVar("T", bound=Object)

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends the first part of a streamed list (KEP-3157)."""

MOST_LEFT_OUT = 8
"""Fields that are left out of an object to read the rest; each costs decoding it once more."""


class UnreadableError(Exception):
    """An answer, or an object in it, of which not even the identity can be read."""


class Page(NamedTuple, Generic[T]):
    """One page of a list. `unreadable` counts the items that have no readable identity, and are not in `objects`."""

    objects: list[T | Undecodable]
    resource_version: str
    continue_token: str
    unreadable: int


class Put(NamedTuple, Generic[T]):
    """A watch event: the object is new or changed."""

    object: T | Undecodable


class Deleted(NamedTuple, Generic[T]):
    """A watch event: the object is gone. Its resourceVersion is that of the deletion."""

    object: T | Undecodable


class Bookmark(NamedTuple):
    """A watch event that only says how far we have seen; `initial_events_end` closes a streamed list."""

    resource_version: str
    initial_events_end: bool


class Failed(NamedTuple):
    """A watch event that ends the watch."""

    error: ApiError


Event = Put[T] | Deleted[T] | Bookmark | Failed


class _ListMeta(Struct, frozen=True):
    resource_version: str = ""
    continue_: str | None = msgspec.field(name="continue", default=None)


class _List(Struct, frozen=True):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None


class _Event(Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Identity(Struct, frozen=True):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _Identified(Struct, frozen=True):
    metadata: _Identity


class _MarkMeta(Struct, frozen=True):
    """All that a bookmark says; API servers send the other fields of its metadata too, as null."""

    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Mark(Struct, frozen=True):
    metadata: _MarkMeta


class _Status(Struct, frozen=True):
    code: int = 500
    reason: str = ""
    message: str = ""
    details: dict[str, object] | None = None


_PLACE = re.compile(r"`\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")

_list = msgspec.json.Decoder(_List)
_event = msgspec.json.Decoder(_Event)
_metadata = msgspec.json.Decoder(Object)
_identified = msgspec.json.Decoder(_Identified)
_mark = msgspec.json.Decoder(_Mark)
_status = msgspec.json.Decoder(_Status)


class Decoder(Generic[T]):
    """Decodes one kind. Reusable and cheap to keep."""

    def __init__(self, resource: Resource[T]) -> None:
        self._resource = resource
        self._object = msgspec.json.Decoder(resource.type)

    def object(self, data: bytes | msgspec.Raw) -> T | Undecodable:
        """One object. Raises UnreadableError if not even its name can be read."""
        try:
            obj = self._object.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Undecodable(
                metadata=_metadata_of(data),
                kind=self._resource.kind,
                error=str(error),
                fragment=self._fragment(data),
            )
        if not obj.metadata.name:
            raise UnreadableError(f"{self._resource.kind} without a name")
        return obj

    def _fragment(self, data: bytes | msgspec.Raw) -> T | None:
        """What is left of an object without the fields that do not fit; None where that is not an object."""
        try:
            value = msgspec.json.decode(data)
            for _ in range(MOST_LEFT_OUT):
                try:
                    return self._object.decode(msgspec.json.encode(value))
                except msgspec.ValidationError as error:
                    if not _leave_out(value, str(error)):
                        return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        return None

    def page(self, body: bytes) -> Page[T]:
        """One page of a list. Raises UnreadableError if it is no list."""
        try:
            listed = _list.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(f"the answer is no list of {self._resource.kind}: {error}") from error
        objects: list[T | Undecodable] = []
        unreadable = 0
        for item in listed.items or ():
            try:
                objects.append(self.object(item))
            except UnreadableError:
                unreadable += 1
        return Page(objects, listed.metadata.resource_version, listed.metadata.continue_ or "", unreadable)

    def event(self, line: bytes) -> Event[T]:
        """One line of a watch. Raises UnreadableError if it is no event, or its object has no readable identity."""
        try:
            event = _event.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(f"a line of the watch of {self._resource.kind} is no event: {error}") from error
        match event.type:
            case "ADDED" | "MODIFIED":
                return Put(self.object(event.object))
            case "DELETED":
                return Deleted(self.object(event.object))
            case "BOOKMARK":
                metadata = _bookmark_metadata(event.object)
                ended = (metadata.annotations or {}).get(INITIAL_EVENTS_END) == "true"
                return Bookmark(metadata.resource_version, ended)
            case "ERROR":
                return Failed(_error_of(event.object))
            case unknown:
                raise UnreadableError(f"a watch event of unknown type {unknown!r}")


def _metadata_of(data: bytes | msgspec.Raw) -> ObjectMeta:
    """The metadata of an object that does not decode; at least its identity, else UnreadableError."""
    try:
        metadata = _metadata.decode(data).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            found = _identified.decode(data).metadata
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(f"an object without readable metadata: {error}") from error
        metadata = ObjectMeta(
            name=found.name, namespace=found.namespace, uid=found.uid, resource_version=found.resource_version
        )
    if not metadata.name:
        raise UnreadableError("an object without a name")
    return metadata


def _bookmark_metadata(data: msgspec.Raw) -> _MarkMeta:
    try:
        return _mark.decode(data).metadata
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"a bookmark that cannot be read: {error}") from error


def _error_of(data: msgspec.Raw) -> ApiError:
    try:
        status = _status.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"an error event that cannot be read: {error}") from error
    return error_of_status(status.code, status.reason, status.message, status.details)


def _leave_out(value: Any, error: str) -> bool:
    """Delete from a decoded object what a ValidationError complains of, by the place that it names at its end."""
    place = _PLACE.search(error)
    steps = list(_STEP.finditer(place[1])) if place is not None else []
    if steps and steps[-1][0] == "[...]":
        steps.pop()  # Some value of a map: it does not say which.
    if not steps:
        return False
    try:
        for step in steps[:-1]:
            value = value[step[1] or int(step[2])]
        del value[steps[-1][1] or int(steps[-1][2])]
    except (LookupError, TypeError, ValueError):
        return False
    return True
