"""The lease on the wire: what is written, when it is renewed and lost, and what is said of trouble."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import anyio
import pytest

from controller.kube.client import KubeClient
from controller.kube.lease import Fence, LeaderElector
from controller.kube.lease_times import LeaseTimes
from tests.kube.scripted import ScriptedServer, answer, failure

pytestmark = pytest.mark.anyio

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases/amazon-vpc-lattice.io"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()


def over_http(client: KubeClient, time: Time, fence: Fence | None = None) -> LeaderElector:
    return LeaderElector(
        client,
        "system",
        "amazon-vpc-lattice.io",
        "me",
        fence=fence or Fence(lambda: time.now),
        times=LeaseTimes(),
        clock=lambda: time.now,
        now=lambda: datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        sleep=time.sleep,
        random=Random(1),
    )


def lease(holder: str, version: int, **spec: Any) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3} | spec
    return {"metadata": {"name": "amazon-vpc-lattice.io", "resourceVersion": str(version)}, "spec": spec}


async def test_the_lease_is_created_as_client_go_writes_it(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", failure(404))
    server.on("post", answer(lease("me", 1)))
    await over_http(client, Time()).acquire()
    (asked,) = server.asked("post")
    assert asked.path == PATH.rpartition("/")[0]
    assert asked.body["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-02T03:04:05.000006Z",
        "renewTime": "2026-01-02T03:04:05.000006Z",
        "leaseTransitions": 0,
    }


async def test_a_lease_that_is_held_is_given_back(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", failure(404))
    server.on("post", answer(lease("me", 1)))
    server.on("patch", answer(lease("", 2)))
    time = Time()
    fence = Fence(lambda: time.now)
    elector = over_http(client, time, fence)
    await elector.acquire()
    assert fence.valid_for(1)
    await elector.release()
    assert not fence.valid_for(0)
    given_back = server.asked("patch")[-1]
    assert given_back.body["metadata"]["resourceVersion"] == "1"
    assert given_back.body["spec"]["holderIdentity"] == ""
    assert given_back.body["spec"]["leaseTransitions"] == 3


async def test_the_lease_is_renewed_every_period_and_lost_after_the_deadline(
    client: KubeClient, server: ScriptedServer
) -> None:
    time = Time()
    server.on("get", failure(404))
    server.on("post", answer(lease("me", 1)))
    server.on("patch", answer(lease("me", 2)), failure(503))
    elector = over_http(client, time)
    await elector.acquire()
    await elector.hold()
    assert time.slept == [2.0] * 6, "renewed at 2, then not, so lost at 12"
    assert server.asked("patch")[0].body["metadata"]["resourceVersion"] == "1"


async def test_a_lease_taken_by_another_is_lost_at_once(client: KubeClient, server: ScriptedServer) -> None:
    time = Time()
    server.on("get", failure(404), answer(lease("other", 5)))
    server.on("post", answer(lease("me", 1)))
    server.on("patch", failure(409, "Conflict"))
    fence = Fence(lambda: time.now)
    elector = over_http(client, time, fence)
    await elector.acquire()
    await elector.hold()
    assert time.slept == [2.0]
    assert (fence.valid_for(0), elector.holder) == (False, "other")
    await elector.release()
    assert len(server.asked("patch")) == 1, "what is not ours is not given back"


async def test_a_forbidden_lease_says_which_permission_is_missing_and_does_not_say_it_each_time(
    client: KubeClient, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("get", failure(403, "Forbidden", "no"), failure(403, "Forbidden", "no"), failure(404))
    server.on("post", answer(lease("me", 1)))
    time = Time()
    await over_http(client, time).acquire()
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "get, create and patch on leases.coordination.k8s.io in namespace system" in warnings[0].__dict__["error"]
    assert all(2 <= pause <= 2.4 for pause in time.slept)


async def test_a_failure_that_goes_on_is_a_warning_once_a_minute(
    client: KubeClient, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("get", *[failure(403, "Forbidden", "no")] * 65, failure(404))
    server.on("post", answer(lease("me", 1)))
    time = Time()
    await over_http(client, time).acquire()
    assert 120 < time.now < 180
    assert [record.levelname for record in caplog.records].count("WARNING") == 3


async def test_what_keeps_the_lease_from_being_reached_is_known_until_it_is_reached(
    client: KubeClient, server: ScriptedServer
) -> None:
    server.on("get", failure(403, "Forbidden", "no"), answer(lease("other", 5)))
    elector = over_http(client, Time())
    assert elector.complaint == ""
    assert not await elector._attempt(3.0)
    assert "get, create and patch on leases.coordination.k8s.io" in elector.complaint
    assert not await elector._attempt(3.0)
    assert (elector.holder, elector.complaint) == ("other", "")


async def test_a_lease_that_cannot_be_read_is_a_failure_like_others(client: KubeClient, server: ScriptedServer) -> None:
    server.on("get", answer({"spec": 5}), failure(404))
    server.on("post", answer(lease("me", 1)))
    time = Time()
    fence = Fence(lambda: time.now)
    await over_http(client, time, fence).acquire()
    assert fence.valid_for(1)
