"""Leader election: one writer among the replicas, by a coordination.k8s.io/v1 Lease, as client-go does it.

Whoever's identity stands in the Lease leads, and renews it every few seconds. Others watch the record change; only when
it has not changed for its whole duration, measured by their own clock, do they take it. Nobody believes anybody else's
clock.

What makes it safe is the fence: it is asked before each write to Lattice, and answers from the moment *before* the last
successful renewal was sent, on a clock that goes on while the machine sleeps. A leader that was paused, or cannot reach
the API server, stops writing by itself before anybody else may start.

What to do with a Lease as seen is decided by `decide`, which does no I/O; every write carries the resourceVersion that
the decision was made on, so of two candidates that decide alike one meets a Conflict. `LeaderElector` is the
candidate; `controller.kube.lease_keeper` runs it in a thread of its own. What the Lease's annotations are for is told
in `controller.kube.lease_marks`.

Source: client-go `tools/leaderelection`; coordination.k8s.io/v1 LeaseSpec.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final, Literal

import anyio
import msgspec
import orjson

from controller.api.meta import Struct
from controller.kube.client import MERGE_PATCH, KubeClient
from controller.kube.errors import ApiError, Conflict, Forbidden, NotFound, Unauthorized
from controller.kube.lease_marks import (
    EVERYTHING,
    TAKE_OVER,
    LeaseRecord,
    Marks,
    changed,
    marks_of_holder,
    take_over_left,
)
from controller.kube.lease_times import JITTER, LeaseTimes
from controller.kube.times import boottime, micro_time, utc_now

log = logging.getLogger("controller.kube.lease")

ATTEMPT_SHARE: Final = 1 / 3
"""How much of the renew deadline one attempt gets: a connection that hangs must leave time for another."""


REMIND: Final = 60.0
"""Seconds after which a failure that goes on is a warning again."""


class Fence:
    """Until when this replica may write. Moved by the thread that renews the Lease, asked by the one that writes.

    It is one number, replaced whole: who asks sees the one before or the one after, and each was right when it was set.
    """

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        """`clock` gives seconds and must go on while the machine sleeps."""
        self._clock = clock
        self._until = -math.inf

    def valid_for(self, seconds: float) -> bool:
        """Whether we lead, and will for more than this many seconds even if no renewal succeeds again."""
        # In this order: what passes between the two reads counts against us.
        return self._until - self._clock() > seconds

    def move(self, until: float) -> None:
        """We lead until this moment of the clock."""
        self._until = until

    def close(self) -> None:
        """We do not lead."""
        self._until = -math.inf


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease as it was first seen with this content; `at` is the moment on our own clock, in seconds."""

    record: LeaseRecord
    resource_version: str
    at: float
    marks: Marks = field(default_factory=dict)


Decision = Literal["create", "renew", "take", "wait"]


def decide(seen: Sighting | None, identity: str, now: float, lease_duration: float) -> Decision:
    """What to do with the Lease as seen; None means that there is none.

    `lease_duration` (seconds) counts where the record says nothing sensible of its own.
    """
    if seen is None:
        return "create"
    record = seen.record
    if record.holder_identity == identity:
        return "renew"
    if not record.holder_identity:
        return "take"
    duration = record.lease_duration_seconds if record.lease_duration_seconds > 0 else lease_duration
    return "take" if now - seen.at > duration else "wait"


def sighted(
    before: Sighting | None, record: LeaseRecord, resource_version: str, now: float, marks: Marks | None = None
) -> Sighting:
    """The sighting after the Lease was read: an unchanged record keeps the moment at which it was first seen."""
    at = before.at if before is not None and before.record == record else now
    return Sighting(record, resource_version, at, marks or {})


def record_to_write(
    seen: Sighting | None, identity: str, decision: Decision, *, lease_duration: float, moment: str
) -> LeaseRecord:
    """The record with which `identity` creates, renews or takes the Lease. `moment` is a MicroTime."""
    before = seen.record if seen is not None else LeaseRecord()
    renews = decision == "renew"
    return LeaseRecord(
        holder_identity=identity,
        lease_duration_seconds=math.ceil(lease_duration),
        acquire_time=(before.acquire_time or moment) if renews else moment,
        renew_time=moment,
        lease_transitions=before.lease_transitions + (1 if decision == "take" else 0),
    )


class _Metadata(Struct, frozen=True):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Lease(Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: LeaseRecord | None = None


_lease = msgspec.json.Decoder(_Lease)


class LeaderElector:
    """One candidate: `acquire`, then `hold`, then `release`.

    `identity` must be unique to this process. `fence` is moved by what becomes of the Lease. `healthy` is asked before
    each attempt; while it says no, the Lease is neither taken nor renewed. `clock` gives seconds and must go on while
    the machine sleeps, and be the fence's; `now` is the wall clock, written into the Lease for people to read.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        *,
        fence: Fence,
        times: LeaseTimes,
        healthy: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = boottime,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        random: Random | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._fence = fence
        self._times = times
        self._healthy = healthy
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._random = random or Random()  # noqa: S311 -- spreads candidates, guards nothing
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._seen: Sighting | None = None
        self._leads = False
        self._renewed_at = -math.inf
        self._in_doubt = False
        self._previous_holder = ""
        self._take_over: str | None = None
        self._complaint = ""
        self._complained_at = -math.inf

    @property
    def complaint(self) -> str:
        """Why the last attempt at the Lease failed; empty if it did not."""
        return self._complaint

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last seen, perhaps us; empty if nobody, or not seen yet."""
        seen = self._seen
        return seen.record.holder_identity if seen is not None else ""

    @property
    def previous_holder(self) -> str:
        """Who held it before we took it; empty if it was new or had been given back."""
        return self._previous_holder

    @property
    def transitions(self) -> int:
        """How often the Lease has changed hands, as last seen."""
        seen = self._seen
        return seen.record.lease_transitions if seen is not None else 0

    @property
    def take_over(self) -> str:
        """What of a take-over is left, as the Lease says that we hold (`lease_marks`)."""
        seen = self._seen
        return EVERYTHING if seen is None else seen.marks.get(TAKE_OVER, "")

    def note_take_over(self, left: str) -> None:
        """Have the next renewal write what is left of the take-over. May be called by another thread."""
        self._take_over = left

    async def acquire(self) -> None:
        """Return when we hold the Lease."""
        times = self._times
        while not (self._healthy() and await self._attempt(times.renew_deadline * ATTEMPT_SHARE)):
            await self._sleep(times.retry_period * self._random.uniform(1, JITTER))
        log.info("lease acquired", extra=self._facts())

    async def hold(self) -> None:
        """Renew the Lease; return when it is lost: taken by another, or not renewed for the renew deadline."""
        deadline = self._times.renew_deadline
        while True:
            await self._sleep(self._times.retry_period)
            left = self._renewed_at + deadline - self._clock()
            if left > 0 and self._healthy():
                await self._attempt(min(left, deadline * ATTEMPT_SHARE))
            if not self._leads or self._clock() - self._renewed_at >= deadline:
                self._lead_no_more()
                log.error("lease lost", extra=self._facts())
                return

    async def release(self) -> None:
        """Give the Lease back, if it is ours, so that another replica need not wait for it to expire.

        The fence is closed from here on. A failure is logged: the Lease then expires by itself.
        """
        self._lead_no_more()
        seconds = self._times.renew_deadline * ATTEMPT_SHARE
        try:
            if self._in_doubt:
                await self._look(seconds)
            try:
                given_back = await self._clear(seconds)
            except Conflict:
                await self._look(seconds)
                given_back = await self._clear(seconds)
        except ApiError as error:
            log.warning("lease not given back", extra={**self._facts(), "error": str(error)})
        else:
            if given_back:
                log.info("lease given back", extra=self._facts())

    async def _clear(self, seconds: float) -> bool:
        """Write that nobody holds it, if it is ours."""
        seen = self._seen
        if seen is None or seen.record.holder_identity != self._identity:
            return False
        moment = micro_time(self._now())
        record = LeaseRecord(
            holder_identity="",
            lease_duration_seconds=1,
            acquire_time=moment,
            renew_time=moment,
            lease_transitions=seen.record.lease_transitions,
        )
        await self._write(record, self._marks(record), seen.resource_version, seconds)
        return True

    def _lead_no_more(self) -> None:
        self._leads = False
        self._fence.close()

    async def _attempt(self, seconds: float) -> bool:
        """Try once to hold the Lease, within this time. A failure is logged and changes nothing that was certain."""
        deadline = self._clock() + seconds
        try:
            if not self._leads:
                await self._look(seconds)
            try:
                holds = await self._decide_and_write(deadline)
            except (Conflict, NotFound):
                # Somebody wrote or deleted it meanwhile; what we know is old.
                await self._look(deadline - self._clock())
                holds = await self._decide_and_write(deadline)
        except ApiError as error:
            self._complain(error)
            return False
        self._complaint = ""
        return holds

    async def _decide_and_write(self, deadline: float) -> bool:
        sent = self._clock()
        duration = self._times.lease_duration
        decision = decide(self._seen, self._identity, sent, duration)
        if decision == "wait":
            self._lead_no_more()
            return False
        moment = micro_time(self._now())
        record = record_to_write(self._seen, self._identity, decision, lease_duration=duration, moment=moment)
        if decision != "renew":
            # Noted before the answer, which may be lost although the write took effect.
            self._previous_holder = self.holder
        version = self._seen.resource_version if self._seen else None
        await self._write(record, self._marks(record), version, deadline - sent)
        self._renewed_at = sent
        self._leads = True
        self._fence.move(sent + duration)
        return True

    def _marks(self, record: LeaseRecord) -> dict[str, str | None]:
        """What the annotations have to become with this record, which is ours, also where it gives the Lease back."""
        seen = self._seen
        left = self._take_over
        if left is None and seen is not None:
            left = take_over_left(seen.record, seen.marks)
        ours = msgspec.structs.replace(record, holder_identity=self._identity)
        return changed({} if seen is None else seen.marks, marks_of_holder(ours, EVERYTHING if left is None else left))

    async def _look(self, seconds: float) -> None:
        try:
            answer = await self._client.request("GET", self._path, timeout=max(seconds, 0.001))
        except NotFound:
            self._in_doubt = False
            self._seen = None
            return
        self._see(answer)

    async def _write(
        self, record: LeaseRecord, marks: Mapping[str, str | None], resource_version: str | None, seconds: float
    ) -> None:
        spec = msgspec.to_builtins(record)
        # An empty holder must be written out: it is how a Lease is given back.
        spec["holderIdentity"] = record.holder_identity
        spec["leaseTransitions"] = record.lease_transitions
        timeout = max(seconds, 0.001)
        self._in_doubt = True
        if resource_version is None:
            body: dict[str, Any] = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "namespace": self._namespace, "annotations": marks},
                "spec": spec,
            }
            answer = await self._client.request("POST", self._collection, body=orjson.dumps(body), timeout=timeout)
        else:
            metadata: dict[str, Any] = {"resourceVersion": resource_version}
            if marks:
                metadata["annotations"] = marks
            body = {"metadata": metadata, "spec": spec}
            answer = await self._client.request(
                "PATCH", self._path, body=orjson.dumps(body), content_type=MERGE_PATCH, timeout=timeout
            )
        self._see(answer)

    def _see(self, answer: bytes) -> None:
        try:
            lease = _lease.decode(answer)
        except msgspec.DecodeError as error:
            raise ApiError(200, "Unreadable", f"the Lease cannot be read: {error}") from error
        self._in_doubt = False
        found = lease.metadata
        record = lease.spec or LeaseRecord()
        self._seen = sighted(self._seen, record, found.resource_version, self._clock(), found.annotations)

    def _complain(self, error: ApiError) -> None:
        """Log a failure; the same again once a minute, and otherwise for debugging: there is one every two seconds."""
        told = str(error)
        if isinstance(error, Forbidden | Unauthorized):
            told += (
                f"; the service account needs get, create and patch on leases.coordination.k8s.io "
                f"in namespace {self._namespace}"
            )
        now = self._clock()
        level = logging.DEBUG
        if told != self._complaint or now - self._complained_at >= REMIND:
            level, self._complained_at = logging.WARNING, now
        self._complaint = told
        log.log(level, "lease not reached", extra={**self._facts(), "error": told})

    def _facts(self) -> dict[str, object]:
        return {
            "lease": f"{self._namespace}/{self._name}",
            "identity": self._identity,
            "holder": self.holder,
            "transitions": self.transitions,
        }
