"""What the controllers share: the client, the caches of all kinds they look at, and what must not be hidden in them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from sandbox.workloads.cache import Cache
from sandbox.workloads.client import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    KubeClient,
    KubeError,
    Resource,
)
from sandbox.workloads.objects import Json

NODE = "sandbox"
"""The name of the one node, on which all pods are."""

NODE_ADDRESS = "10.1.0.1"


@dataclass(frozen=True)
class World:
    """The API server as the controllers see it, with the time and the randomness that they use."""

    client: KubeClient
    deployments: Cache
    replica_sets: Cache
    pods: Cache
    services: Cache
    slices: Cache
    random: Random
    clock: Callable[[], datetime]

    @classmethod
    def of(cls, client: KubeClient, *, random: Random, clock: Callable[[], datetime]) -> "World":
        def cache(resource: Resource) -> Cache:
            return Cache(client, resource, random=random)

        return cls(
            client,
            cache(DEPLOYMENTS),
            cache(REPLICA_SETS),
            cache(PODS),
            cache(SERVICES),
            cache(ENDPOINT_SLICES),
            random,
            clock,
        )

    @property
    def caches(self) -> tuple[Cache, ...]:
        return self.deployments, self.replica_sets, self.pods, self.services, self.slices

    async def create(self, cache: Cache, obj: Json) -> Json:
        """Create an object and know of it at once."""
        made = await self.client.create(cache.resource, obj)
        cache.put(made)
        return made

    async def replace(self, cache: Cache, obj: Json, *, subresource: str = "") -> Json:
        """Replace an object or its status, as read from the cache and changed, and know of it at once."""
        made = await self.client.replace(cache.resource, obj, subresource=subresource)
        cache.put(made)
        return made

    async def delete(self, cache: Cache, obj: Json, *, grace: int | None = None) -> None:
        """Delete an object, which may be gone already; the cache knows at once that it is, or is on its way.

        A Status for an answer says that it is gone; what lives on for a while is answered itself.
        """
        try:
            left = await self.client.delete(cache.resource, obj, grace=grace)
        except KubeError as error:
            if error.code not in (404, 409):
                raise
            cache.drop(obj)
        else:
            if left.get("kind") == "Status":
                cache.drop(obj)
            else:
                cache.put(left)
