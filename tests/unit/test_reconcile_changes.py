"""From the first sight of a change to the last write that it led to."""

from collections.abc import Sequence

from controller.api.keys import ObjectKey, RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.apply import Applied
from controller.lattice.limits import Lane
from controller.lattice.plan import Problem
from controller.reconcile.changes import Changes

SERVICE = ServiceKey("HTTPRoute", route=RouteRef("HTTPRoute", "default", "rates"))
GROUP = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80)
DONE, WAITS = Applied(done=True), Applied(done=False)
REFUSED = Applied(done=True, problems=(Problem(reason="Conflicted", message="taken"),))


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

    def run(
        self,
        applied: Applied | None,
        at: float,
        key: ServiceKey | TargetGroupKey = SERVICE,
        *,
        writes: Sequence[float] = (),
        lane: Lane = Lane.LIVE,
    ) -> None:
        """A pass whose writes are acknowledged at these times and that ends at another; None is that it fails."""
        with self.changes.pass_of(key):
            for time in writes:
                self.time = time
                self.changes.acknowledged(key, lane)
            self.time = at
            if applied is not None:
                self.changes.applied(key, applied)


def test_the_time_is_from_the_first_sight_to_the_last_write_of_the_pass() -> None:
    world = World()
    world.see(1.0)
    world.see(2.0)
    world.see(2.0, GROUP)
    world.run(DONE, 9.0, writes=(3.0, 4.0))
    world.run(DONE, 9.0, GROUP, writes=(4.0,))
    assert world.told == [("service", Lane.LIVE, 3.0), ("targetgroup", Lane.LIVE, 2.0)]


def test_passes_that_wait_before_the_last_write_are_part_of_the_time_and_those_after_it_are_not() -> None:
    world = World()
    world.see(1.0)
    world.run(WAITS, 2.0, writes=(1.5,))
    world.run(WAITS, 3.0)
    world.run(WAITS, 4.0, writes=(3.5,))
    world.run(WAITS, 5.0)
    assert world.told == []
    world.run(DONE, 6.0)
    assert world.told == [("service", Lane.LIVE, 2.5)]


def test_the_lane_is_that_of_the_last_write() -> None:
    world = World()
    world.see(1.0)
    world.run(WAITS, 2.0, writes=(2.0,), lane=Lane.BULK)
    world.run(DONE, 3.0, writes=(3.0,), lane=Lane.URGENT)
    assert world.told == [("service", Lane.URGENT, 2.0)]


def test_a_write_of_a_pass_that_fails_in_another_counts_when_nothing_is_left_to_do() -> None:
    world = World()
    world.see(1.0)
    world.run(None, 3.0, writes=(2.0,))
    assert world.told == []
    world.run(DONE, 8.0)
    assert world.told == [("service", Lane.LIVE, 1.0)]


def test_a_change_that_needs_no_write_is_not_timed_nor_what_nothing_seen_led_to() -> None:
    world = World()
    world.see(1.0)
    world.run(DONE, 2.0)
    world.run(DONE, 3.0, writes=(3.0,))
    assert world.told == []


def test_what_is_seen_during_a_pass_is_timed_by_the_next() -> None:
    world = World()
    world.see(1.0)
    with world.changes.pass_of(SERVICE):
        world.see(2.0)
        world.changes.acknowledged(SERVICE, Lane.LIVE)
        world.changes.applied(SERVICE, DONE)
    world.run(DONE, 5.0, writes=(5.0,))
    assert [seconds for _, _, seconds in world.told] == [1.0, 3.0]


def test_what_cannot_be_brought_about_is_not_timed_until_it_can() -> None:
    world = World()
    world.see(1.0)
    world.run(REFUSED, 2.0, writes=(2.0,))
    assert world.told == []
    world.run(DONE, 4.0, writes=(4.0,))
    assert [seconds for _, _, seconds in world.told] == [3.0]


def test_what_is_left_alone_is_not_timed() -> None:
    world = World()
    world.see(1.0)
    with world.changes.pass_of(SERVICE):
        world.changes.left_alone(SERVICE)
    world.run(DONE, 9.0, writes=(9.0,))
    assert world.told == []


def test_objects_have_no_clock() -> None:
    world = World()
    world.see(1.0, ObjectKey("HTTPRoute", "default", "rates"))
    world.run(DONE, 2.0, writes=(2.0,))
    assert world.told == []
