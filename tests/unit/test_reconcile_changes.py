"""From the event that touched a key to the write that left nothing to do."""

from controller.api.keys import ObjectKey, RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.apply import Applied
from controller.lattice.limits import Lane
from controller.lattice.plan import Problem
from controller.reconcile.changes import Changes

SERVICE = ServiceKey("HTTPRoute", route=RouteRef("HTTPRoute", "default", "rates"))
GROUP = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80)
WRITTEN, NOTHING = Applied(done=True, calls=1), Applied(done=True)
BEGUN, WAITS = Applied(done=False, calls=1), Applied(done=False)


class World:
    """Changes with a clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0
        self.told: list[tuple[str, Lane, float]] = []
        self.changes = Changes(self, monotonic=lambda: self.time)

    def programmed(self, kind: str, lane: Lane, seconds: float) -> None:
        self.told.append((kind, lane, seconds))

    def see(self, at: float, key: ServiceKey | TargetGroupKey | ObjectKey = SERVICE) -> None:
        self.time = at
        self.changes.seen(key)

    def run(self, applied: Applied, at: float, key: ServiceKey | TargetGroupKey = SERVICE) -> None:
        with self.changes.pass_of(key):
            self.time = at
            self.changes.applied(key, applied, Lane.LIVE)


def test_the_time_is_from_the_first_event_to_the_end_of_the_pass_that_wrote() -> None:
    world = World()
    world.see(1.0)
    world.see(2.0)
    world.see(2.0, GROUP)
    world.run(WRITTEN, 4.0)
    world.run(WRITTEN, 4.0, GROUP)
    assert world.told == [("service", Lane.LIVE, 3.0), ("targetgroup", Lane.LIVE, 2.0)]


def test_passes_that_wait_in_between_are_part_of_the_time() -> None:
    world = World()
    world.see(1.0)
    world.run(BEGUN, 2.0)
    world.run(WAITS, 3.0)
    world.run(NOTHING, 6.0)
    assert world.told == [("service", Lane.LIVE, 5.0)]


def test_a_change_that_needs_no_call_is_not_timed_nor_what_no_event_led_to() -> None:
    world = World()
    world.see(1.0)
    world.run(NOTHING, 2.0)
    world.run(WRITTEN, 3.0)
    assert world.told == []


def test_an_event_during_a_pass_is_timed_by_the_next() -> None:
    world = World()
    world.see(1.0)
    with world.changes.pass_of(SERVICE):
        world.see(2.0)
        world.changes.applied(SERVICE, WRITTEN, Lane.LIVE)
    world.run(WRITTEN, 5.0)
    assert [seconds for _, _, seconds in world.told] == [1.0, 3.0]


def test_what_cannot_be_brought_about_is_not_timed_until_it_can() -> None:
    world = World()
    world.see(1.0)
    world.run(Applied(done=True, calls=1, problems=(Problem(reason="Conflicted", message="taken"),)), 2.0)
    assert world.told == []
    world.run(WRITTEN, 4.0)
    assert [seconds for _, _, seconds in world.told] == [3.0]


def test_what_is_left_alone_is_not_timed() -> None:
    world = World()
    world.see(1.0)
    with world.changes.pass_of(SERVICE):
        world.changes.left_alone(SERVICE)
    world.run(WRITTEN, 9.0)
    assert world.told == []


def test_objects_have_no_clock() -> None:
    world = World()
    world.see(1.0, ObjectKey("HTTPRoute", "default", "rates"))
    world.run(WRITTEN, 2.0)
    assert world.told == []
