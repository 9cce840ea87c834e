"""A local copy of all objects of a kind, kept by list and watch, that tells its listeners what changed.

What the workloads write themselves enters the copy with the answer (`put`), so a controller that has just created
three pods knows of three pods, whatever the watch does. That is safe in either order: an object never replaces a
newer one, and the uid of what is seen deleted is remembered, so an answer that comes late cannot bring it back.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from random import Random

import aiohttp
import anyio
from anyio.abc import TaskStatus

from sandbox.workloads.client import KubeClient, KubeError, Resource
from sandbox.workloads.objects import Json, Key, controller_of, key_of, uid_of, version_of

Listener = Callable[[Json | None, Json | None], None]
"""Called with an object before and after; None where there is none."""

_log = logging.getLogger(__name__)

_TOMBSTONES = 10_000
_LAST_RETRY = 10.0


class Cache:
    """All objects of `resource`; `random` spreads reconnects."""

    def __init__(self, client: KubeClient, resource: Resource, *, random: Random) -> None:
        self.resource = resource
        self._client = client
        self._random = random
        self._objects: dict[str, dict[str, Json]] = {}
        self._by_uid: dict[str, Key] = {}
        self._controlled: dict[str, set[Key]] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have every change told from now on."""
        self._listeners.append(listener)

    def listen_for_keys(self, add: Callable[[Key], None]) -> None:
        """Have the key of every object that is new or changed told from now on."""

        def listener(_: Json | None, after: Json | None) -> None:
            if after is not None:
                add(key_of(after))

        self.listen(listener)

    def get(self, key: Key) -> Json | None:
        return self._objects.get(key[0], {}).get(key[1])

    def by_uid(self, uid: str) -> Json | None:
        key = self._by_uid.get(uid)
        return None if key is None else self.get(key)

    def in_namespace(self, namespace: str) -> list[Json]:
        return list(self._objects.get(namespace, {}).values())

    def controlled_by(self, uid: str) -> list[Json]:
        """The objects whose controller has this uid, by name."""
        return [obj for key in sorted(self._controlled.get(uid, ())) if (obj := self.get(key)) is not None]

    def __iter__(self) -> Iterator[Json]:
        return (obj for objects in list(self._objects.values()) for obj in list(objects.values()))

    def put(self, obj: Json) -> None:
        """Take in an object that the server answered with or sent, unless something newer is known."""
        if uid_of(obj) in self._deleted:
            return
        before = self.get(key_of(obj))
        if before is not None and version_of(obj) <= version_of(before):
            return
        if before is not None:
            self._forget(before)
        self._objects.setdefault(key_of(obj)[0], {})[key_of(obj)[1]] = obj
        self._by_uid[uid_of(obj)] = key_of(obj)
        if controller := controller_of(obj):
            self._controlled.setdefault(controller["uid"], set()).add(key_of(obj))
        self._tell(before, obj)

    def drop(self, obj: Json) -> None:
        """Take in that an object is gone."""
        self._deleted[uid_of(obj)] = None
        if len(self._deleted) > _TOMBSTONES:
            self._deleted.popitem(last=False)
        before = self.get(key_of(obj))
        if before is not None and uid_of(before) == uid_of(obj):
            self._forget(before)
            self._tell(before, None)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Follow the API server until cancelled; started when the first list is in.

        Lists again where the server has forgotten the version (410), reconnects with growing, jittered delays
        otherwise. Raises KubeError if the first list is refused for good: 401, 403 or 404.
        """
        version: str | None = None
        started = False
        failures = 0
        while True:
            failures += 1
            try:
                if version is None:
                    items, version = await self._client.list(self.resource)
                    self._replace(items, int(version))
                if not started:
                    started = True
                    task_status.started()
                async for event in self._client.watch(self.resource, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event)
                    failures = 0
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                if isinstance(error, KubeError):
                    if not started and error.code in (401, 403, 404):
                        raise
                    if error.code == 410:
                        version = None
                _log.debug("watch of %s: %s", self.resource.plural, error)
            if failures:
                await anyio.sleep(min(0.05 * 2 ** min(failures, 10), _LAST_RETRY) * (0.5 + self._random.random() / 2))

    def _take(self, event: Json) -> None:
        if event["type"] in ("ADDED", "MODIFIED"):
            self.put(event["object"])
        elif event["type"] == "DELETED":
            self.drop(event["object"])

    def _replace(self, items: list[Json], version: int) -> None:
        """Take in a list; what it lacks is gone, unless it is younger than the list."""
        listed = {uid_of(item) for item in items}
        for obj in list(self):
            if uid_of(obj) not in listed and version_of(obj) <= version:
                self.drop(obj)
        for item in items:
            self.put(item)

    def _forget(self, obj: Json) -> None:
        namespace, name = key_of(obj)
        del self._objects[namespace][name]
        self._by_uid.pop(uid_of(obj), None)
        if controller := controller_of(obj):
            held = self._controlled[controller["uid"]]
            held.discard((namespace, name))
            if not held:
                del self._controlled[controller["uid"]]

    def _tell(self, before: Json | None, after: Json | None) -> None:
        for listener in self._listeners:
            listener(before, after)
