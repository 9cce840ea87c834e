"""References to Lattice resources whose states change by themselves: what the inventory reads and the poller awaits."""

from typing import Literal, get_args

import msgspec

ResourceType = Literal["network", "service", "target_group", "service_association", "vpc_association", "targets"]
"""`targets` are those of one target group, by whose id they go."""

RESOURCE_TYPES: tuple[ResourceType, ...] = get_args(ResourceType)


class ResourceRef(msgspec.Struct, frozen=True, cache_hash=True, order=True):
    """A Lattice resource by its type and the id that Lattice gave it, such as `svc-0123456789abcdef0`."""

    type: ResourceType
    id: str

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"
