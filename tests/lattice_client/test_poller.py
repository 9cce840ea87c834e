"""The poller's shell: keys parked and woken, looks made and missed, on a clock that stands still."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from controller.api.keys import Key, ObjectKey
from controller.lattice.errors import RetryError
from controller.lattice.limits import Lane
from controller.lattice.poller import Poller, in_progress
from controller.lattice.refs import ResourceRef, ResourceType
from workqueue.testing import FakeClock

pytestmark = pytest.mark.anyio

KEY, OTHER = (ObjectKey("HTTPRoute", "default", name) for name in ("rates", "inventory"))
SERVICE = ResourceRef("service", "svc-1")
GROUP = ResourceRef("target_group", "tg-1")


class Inventory:
    """What Lattice has (`real`) and what was last read of it (`known`)."""

    def __init__(self) -> None:
        self.real: dict[ResourceRef, str] = {}
        self.known: dict[ResourceRef, str] = {}
        self.looks: list[str] = []
        self.lanes: list[Lane] = []
        self.error: Exception | None = None
        self.held: anyio.Event | None = None

    def begin(self, ref: ResourceRef, state: str = "CREATE_IN_PROGRESS") -> None:
        self.real[ref] = self.known[ref] = state

    async def get(self, ref: ResourceRef, lane: Lane) -> None:
        self.looks.append(str(ref))
        self.lanes.append(lane)
        if self.held is not None:
            await self.held.wait()
        if self.error is not None:
            raise self.error
        self.known.pop(ref, None)
        if ref in self.real:
            self.known[ref] = self.real[ref]

    async def list(self, kind: ResourceType, lane: Lane) -> None:
        self.looks.append(f"list {kind}")
        self.lanes.append(lane)
        if self.error is not None:
            raise self.error
        self.known = {ref: state for ref, state in self.known.items() if ref.type != kind}
        self.known |= {ref: state for ref, state in self.real.items() if ref.type == kind}

    def state(self, ref: ResourceRef) -> str | None:
        return self.known.get(ref)

    def pages(self, kind: ResourceType) -> int:
        return 1


class Scene:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.inventory = Inventory()
        self.woken: list[Key] = []
        self.poller = Poller(self.inventory, self.woken.append, self.clock, deadline=100.0)

    async def after(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            for _ in range(8):
                await checkpoint()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    async with anyio.create_task_group() as group:
        group.start_soon(made.poller.run)
        await made.after(0.1)
        yield made
        group.cancel_scope.cancel()


async def test_a_key_is_woken_when_its_resource_has_left_the_state(scene: Scene) -> None:
    scene.inventory.begin(SERVICE)
    scene.poller.park(KEY, SERVICE)
    await scene.after(1.1)
    assert (scene.inventory.looks, scene.woken) == (["service/svc-1"], [])
    scene.inventory.real[SERVICE] = "ACTIVE"
    await scene.after(1)
    assert scene.woken == [KEY]
    assert scene.poller.waiting("service") == 0
    looks = len(scene.inventory.looks)
    await scene.after(10)
    assert len(scene.inventory.looks) == looks


async def test_a_key_is_woken_when_its_resource_is_gone(scene: Scene) -> None:
    scene.inventory.begin(SERVICE, "DELETE_IN_PROGRESS")
    scene.poller.park(KEY, SERVICE)
    del scene.inventory.real[SERVICE]
    await scene.after(2)
    assert scene.woken == [KEY]


@pytest.mark.parametrize("state", ["ACTIVE", "CREATE_FAILED", None])
async def test_a_state_that_stays_is_nothing_to_wait_for(scene: Scene, state: str | None) -> None:
    if state is not None:
        scene.inventory.begin(SERVICE, state)
    scene.poller.park(KEY, SERVICE)
    assert scene.woken == [KEY]


async def test_several_are_seen_by_one_list(scene: Scene) -> None:
    for number in range(5):
        ref = ResourceRef("service", f"svc-{number}")
        scene.inventory.begin(ref)
        scene.poller.park(ObjectKey("HTTPRoute", "default", str(number)), ref)
        scene.inventory.real[ref] = "ACTIVE"
    await scene.after(2)
    assert scene.inventory.looks == ["list service"]
    assert len(scene.woken) == 5


async def test_who_parks_after_the_state_was_seen_elsewhere_wakes_those_who_wait_already(scene: Scene) -> None:
    scene.inventory.begin(SERVICE)
    scene.poller.park(KEY, SERVICE)
    scene.inventory.begin(SERVICE, "DELETE_IN_PROGRESS")
    scene.poller.park(OTHER, SERVICE)
    assert scene.woken == [KEY]
    assert scene.poller.waiting("service") == 1


async def test_a_look_that_hangs_holds_up_no_other_type(scene: Scene) -> None:
    scene.inventory.held = anyio.Event()
    scene.inventory.begin(SERVICE)
    scene.poller.park(KEY, SERVICE)
    await scene.after(1.5)
    scene.inventory.held = None
    scene.inventory.begin(GROUP)
    scene.poller.park(OTHER, GROUP)
    scene.inventory.real[GROUP] = "ACTIVE"
    await scene.after(2)
    assert scene.woken == [OTHER]


async def test_what_only_bulk_work_waits_for_is_looked_at_in_its_lane(scene: Scene) -> None:
    scene.inventory.begin(SERVICE)
    scene.poller.park(KEY, SERVICE, Lane.BULK)
    scene.inventory.real[SERVICE] = "ACTIVE"
    await scene.after(2)
    assert (scene.woken, scene.inventory.lanes) == ([KEY], [Lane.BULK])


async def test_live_work_does_not_wait_for_a_look_of_bulk_work_and_what_it_sees_serves_both(scene: Scene) -> None:
    scene.inventory.held = anyio.Event()
    scene.inventory.begin(SERVICE)
    scene.poller.park(KEY, SERVICE, Lane.BULK)
    await scene.after(1.5)
    scene.inventory.held = None
    scene.poller.park(OTHER, SERVICE)
    assert scene.poller.waiting("service") == 2
    scene.inventory.real[SERVICE] = "ACTIVE"
    await scene.after(2)
    assert scene.inventory.lanes == [Lane.BULK, Lane.LIVE]
    assert sorted(scene.woken, key=str) == sorted([KEY, OTHER], key=str)
    assert scene.poller.waiting("service") == 0


async def test_a_failed_look_is_told_and_made_again_when_aws_says(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.inventory.begin(SERVICE)
    scene.inventory.error = RetryError("GetService", "Throttling", "slow down", after=5.0)
    scene.poller.park(KEY, SERVICE)
    await scene.after(2)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "slow down" in caplog.text
    scene.inventory.error = None
    scene.inventory.real[SERVICE] = "ACTIVE"
    await scene.after(3)
    assert scene.woken == []
    await scene.after(3)
    assert scene.woken == [KEY]


async def test_a_wait_ends_at_its_deadline_whatever_the_state(scene: Scene) -> None:
    scene.inventory.begin(SERVICE)
    scene.poller.park(KEY, SERVICE)
    await scene.after(99)
    assert scene.woken == []
    await scene.after(30)
    assert scene.woken == [KEY]


@pytest.mark.parametrize(
    ("state", "changes"),
    [("CREATE_IN_PROGRESS", True), ("UPDATE_IN_PROGRESS", True), ("ACTIVE", False), ("DELETE_FAILED", False)],
)
def test_states_in_progress_change_by_themselves(state: str, changes: Any) -> None:
    assert in_progress(state) is changes
