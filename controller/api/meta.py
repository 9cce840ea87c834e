"""Object metadata and conditions: the parts of `meta/v1` that the controller reads and writes.

Source: Kubernetes API reference, `ObjectMeta`, `OwnerReference`, `Condition`.
"""

from typing import Any

import msgspec


class Struct(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, forbid_unknown_fields=False
):
    """Base of all API structs: frozen, camelCase on the wire, unknown fields skipped."""


class OwnerReference(Struct, frozen=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ObjectMeta(Struct, frozen=True):
    """What identifies an object and its versions. Times are RFC 3339 in UTC, whose text sorts as time does."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Object(Struct, frozen=True):
    """What every kind has. `api_version` and `kind` are those of the class, since items of a list do not carry them."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def deleting(self) -> bool:
        """Whether the object waits for its finalizers to go."""
        return self.metadata.deletion_timestamp is not None

    def annotation(self, name: str) -> str | None:
        return (self.metadata.annotations or {}).get(name)


class StatusObject(Object, frozen=True):
    """A kind whose status is shared with other writers: kept verbatim, decoded only by who patches it."""

    status: msgspec.Raw = msgspec.Raw(b"")

    def __post_init__(self) -> None:
        # A Raw is a window on the whole message it came in; a copy lets go of the rest.
        if self.status:
            msgspec.structs.force_setattr(self, "status", self.status.copy())


class Condition(Struct, frozen=True):
    """One entry of `status.conditions`. `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


class Undecodable(Object, frozen=True):
    """An object that could not be decoded: its metadata, and why. It is *unknown*, never taken for absent.

    Where a kind has an object of this form, nothing may be deleted on the ground that the object asks for nothing.
    """

    kind: str = ""
    error: str = ""
    fragment: Object | None = None
    """The object without the fields that do not fit, if there is such: good for finding it, not for acting on it."""

    @property
    def reason(self) -> str:
        """A sentence for an operator."""
        return f"{self.namespace}/{self.name} cannot be decoded: {self.error}"


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """The condition with all the fields that `meta/v1` requires, defaults included."""
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": condition.last_transition_time,
    }
