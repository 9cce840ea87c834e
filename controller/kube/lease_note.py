"""The marks of a Lease that is not taken: what is left of a take-over, for a controller without leader election.

It is alone by its owner's word, so nothing is fenced and nobody is waited for. But whom it follows it learns from the
same Lease, and there it leaves what it has to remember (`controller.kube.lease_marks`).
"""

import logging
from typing import Any, Final

import anyio
import msgspec
import orjson

from controller.api.meta import ObjectMeta, Struct
from controller.kube.client import MERGE_PATCH, KubeClient
from controller.kube.errors import ApiError, Forbidden, NotFound, Unauthorized
from controller.kube.lease_marks import EVERYTHING, LeaseRecord, changed, marks_of_reader, take_over_left

log = logging.getLogger("controller.kube.lease")

RETRY: Final = 5.0
"""Seconds between attempts to read the Lease, and to write it."""

_NEW = LeaseRecord(lease_duration_seconds=1)
"""A Lease that nobody has held; the API wants a duration."""


class _Lease(Struct, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: LeaseRecord | None = None


_lease = msgspec.json.Decoder(_Lease)


class LeaseNote:
    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._wanted = ""
        self._noted = anyio.Event()

    def note(self, left: str) -> None:
        """Have `run` write that this is left of the take-over."""
        self._wanted = left
        self._noted.set()

    async def run(self) -> None:
        """Write what is noted, until cancelled; what cannot be written is tried again."""
        told = ""
        while True:
            await self._noted.wait()
            self._noted = anyio.Event()
            try:
                await self.write(self._wanted)
                told = ""
            except ApiError as error:
                level = logging.DEBUG if told == str(error) else logging.WARNING
                log.log(level, "what is left of the take-over is not written", extra={"error": str(error)})
                told = str(error)
                await anyio.sleep(RETRY)
                self._noted.set()

    async def learn(self) -> str:
        """What of a take-over is left: read as often as it takes, and everything where it may not be read."""
        while True:
            try:
                return await self.read()
            except (Forbidden, Unauthorized) as error:
                log.warning(
                    "it cannot be told whether another controller was before; what removes or re-routes is held back",
                    extra={"error": str(error)},
                )
                return EVERYTHING
            except ApiError as error:
                log.warning("the Lease is not read", extra={"error": str(error)})
                await anyio.sleep(RETRY)

    async def read(self) -> str:
        """What of a take-over is left; `EVERYTHING` where there is no Lease. Raises ApiError."""
        found = await self._get()
        return EVERYTHING if found is None else take_over_left(found.spec or LeaseRecord(), _marks(found))

    async def write(self, left: str) -> None:
        """Leave this, in a Lease that is made where there is none. Raises ApiError."""
        found = await self._get()
        record = _NEW if found is None else found.spec or LeaseRecord()
        marks = changed(_marks(found), marks_of_reader(record, left))
        if not marks:
            return
        if found is None:
            body: dict[str, Any] = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "namespace": self._namespace, "annotations": marks},
                "spec": msgspec.to_builtins(record),
            }
            await self._client.request("POST", self._collection, body=orjson.dumps(body))
        else:
            body = {"metadata": {"resourceVersion": found.metadata.resource_version, "annotations": marks}}
            path = f"{self._collection}/{self._name}"
            await self._client.request("PATCH", path, body=orjson.dumps(body), content_type=MERGE_PATCH)

    async def _get(self) -> _Lease | None:
        try:
            answer = await self._client.request("GET", f"{self._collection}/{self._name}")
        except NotFound:
            return None
        try:
            return _lease.decode(answer)
        except msgspec.DecodeError as error:
            raise ApiError(200, "Unreadable", f"the Lease cannot be read: {error}") from error


def _marks(found: _Lease | None) -> dict[str, str]:
    return {} if found is None else found.metadata.annotations or {}
