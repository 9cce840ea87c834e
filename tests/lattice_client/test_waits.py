"""The specification of when to look at states that change by themselves, without any looking."""

import math
import random
from copy import deepcopy
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.keys import Key, ObjectKey
from controller.lattice.waits import FIRST_GUESS, GROWTH, Durations, Sweep, Waits

CREATING, ACTIVE, DELETING = "CREATE_IN_PROGRESS", "ACTIVE", "DELETE_IN_PROGRESS"


def key(name: object) -> Key:
    return ObjectKey("HTTPRoute", "default", str(name))


def first_look(waits: Waits, state: str, now: float) -> float:
    """After how many seconds what comes into the state now is looked at, when nothing else is waited for."""
    trial = deepcopy(waits)
    trial.park("probe", state, key("probe"), now)
    after = trial.decide(now, 1)
    assert isinstance(after, float)
    return after


class World:
    """Resources whose states change at known times, and a poller that spends calls to see it."""

    def __init__(self, deadline: float = 300.0) -> None:
        self.now = 0.0
        self.waits = Waits(deadline, self.now)
        self.ends: dict[str, float] = {}
        self.known: dict[str, str | None] = {}
        self.calls = 0
        self.late: dict[Key, float] = {}

    @property
    def pages(self) -> int:
        return max(1, math.ceil(len(self.ends) / 100))

    def create(self, ident: str, lasts: float) -> None:
        self.ends[ident] = self.now + lasts
        self.known[ident] = CREATING
        self.waits.park(ident, CREATING, key(ident), self.now)

    def settle(self, seen: tuple[str, ...] | None = ()) -> list[Key]:
        woken = self.waits.settle(self.known.get, self.now, seen)
        for one in woken:
            assert isinstance(one, ObjectKey)
            self.late[one] = self.now - self.ends[one.name]
        return woken

    def step(self) -> float:
        """Do what there is to do now, and say for how long there is nothing more."""
        self.settle()
        decision = self.waits.decide(self.now, self.pages)
        if not isinstance(decision, Sweep):
            return decision
        looked = list(self.ends) if decision.gets is None else list(decision.gets)
        self.calls += self.pages if decision.gets is None else len(looked)
        for ident in looked:
            if self.ends[ident] <= self.now:
                self.known[ident] = ACTIVE
        self.waits.looked(decision.gets, self.now)
        self.settle(decision.gets)
        return 0.0

    def run(self, arrivals: list[tuple[float, str, float]]) -> None:
        heap: list[tuple[float, str, float]] = []
        for arrival in arrivals:
            heappush(heap, arrival)
        while heap or len(self.waits):
            while heap and heap[0][0] <= self.now:
                _, ident, lasts = heappop(heap)
                self.create(ident, lasts)
            pause = self.step()
            if pause:
                self.now = min(self.now + pause + 1e-6, heap[0][0] if heap else math.inf)


def test_an_unknown_state_is_looked_at_first_after_a_guess() -> None:
    world = World()
    world.create("a", 10)
    assert world.step() == pytest.approx(FIRST_GUESS)
    world.now = FIRST_GUESS
    assert world.waits.decide(world.now, 1) == Sweep(("a",))


def test_with_nobody_waiting_there_is_nothing_to_do() -> None:
    assert Waits(300.0, 0.0).decide(5.0, 1) == math.inf


def test_the_looks_at_a_slow_state_come_ever_more_seldom() -> None:
    world = World()
    world.run([(0.0, "slow", 60.0)])
    assert world.calls <= 18
    assert world.late[key("slow")] <= 60 * GROWTH + 2


def test_the_first_look_is_at_the_learned_duration_and_mostly_the_only_one() -> None:
    world = World()
    world.run([(60.0 * n, f"r{n}", 5.0) for n in range(30)])
    before = world.calls
    world.run([(world.now + 60.0 * n, f"s{n}", 5.0) for n in range(1, 21)])
    assert (world.calls - before) / 20 <= 2.5
    assert max(world.late[key(f"s{n}")] for n in range(1, 21)) <= 2.0


def test_a_state_that_became_quicker_is_learned_too() -> None:
    world = World()
    world.run([(60.0 * n, f"r{n}", 20.0) for n in range(20)])
    assert first_look(world.waits, CREATING, world.now) > 12
    world.run([(world.now + 60.0 * n, f"s{n}", 2.0) for n in range(1, 40)])
    assert first_look(world.waits, CREATING, world.now) < 4


def test_durations_of_different_states_are_learned_apart() -> None:
    waits = Waits(300.0, 0.0)
    waits.park("a", DELETING, key("a"), 0.0)
    waits.looked(("a",), 40.0)
    waits.settle(lambda _: DELETING, 40.0, ("a",))
    waits.settle(lambda _: None, 44.0)
    assert first_look(waits, DELETING, 50.0) == 42.0
    assert first_look(waits, CREATING, 50.0) == FIRST_GUESS


def test_what_is_known_of_a_duration_is_the_middle_between_the_looks_around_its_end() -> None:
    durations = Durations()
    durations.learn(4.0, 6.0)
    assert durations.first_look == 5.0


def test_looks_are_gets_or_the_list_whichever_is_fewer_calls() -> None:
    waits = Waits(300.0, 0.0)
    for n in range(3):
        waits.park(str(n), CREATING, key(n), 0.0)
    assert waits.decide(100.0, 5) == Sweep(("0", "1", "2"))
    assert waits.decide(200.0, 2) == Sweep(None)


def test_where_both_cost_the_same_the_list_is_taken_if_it_shows_more() -> None:
    waits = Waits(300.0, 0.0)
    waits.park("due", CREATING, key(1), 0.0)
    assert waits.decide(1.5, 1) == Sweep(("due",))
    waits.park("later", CREATING, key(2), 1.5)
    assert waits.decide(2.0, 1) == Sweep(None)


def test_what_comes_due_one_by_one_is_looked_at_together() -> None:
    waits = Waits(300.0, 0.0)
    for n in range(4):
        waits.park(str(n), CREATING, key(n), n / 10)
    assert waits.decide(1.0, 9) == Sweep(("0",))
    waits.looked(("0",), 1.0)
    assert waits.decide(1.2, 1) == pytest.approx(0.3)
    assert waits.decide(1.5, 1) == Sweep(None)


def test_all_keys_that_wait_for_a_resource_are_woken_once() -> None:
    waits = Waits(300.0, 0.0)
    for name in ("x", "y", "x"):
        waits.park("a", CREATING, key(name), 0.0)
    assert waits.settle(lambda _: CREATING, 1.0) == []
    assert waits.settle(lambda _: ACTIVE, 1.0) == [key("x"), key("y")]
    assert waits.settle(lambda _: ACTIVE, 1.0) == []


def test_a_resource_that_is_gone_wakes_too() -> None:
    waits = Waits(300.0, 0.0)
    waits.park("a", DELETING, key("x"), 0.0)
    assert waits.settle(lambda _: None, 1.0) == [key("x")]
    assert len(waits) == 0


def test_a_wait_that_lasts_too_long_ends_and_teaches_nothing() -> None:
    waits = Waits(100.0, 0.0)
    waits.park("a", CREATING, key("x"), 0.0)
    assert waits.settle(lambda _: CREATING, 99.0) == []
    assert waits.settle(lambda _: CREATING, 100.0) == [key("x")]
    assert first_look(waits, CREATING, 100.0) == FIRST_GUESS


def test_a_failed_look_is_made_again_no_sooner_than_aws_asks() -> None:
    waits = Waits(300.0, 0.0)
    waits.park("a", CREATING, key("x"), 0.0)
    waits.looked(("a",), 2.0, after=30.0)
    assert waits.decide(2.0, 1) == pytest.approx(30.0)


@pytest.mark.parametrize("rate", [5.0, 10.0, 50.0])
@pytest.mark.parametrize("lasts", [(0.5, 1.5), (2.0, 10.0), (30.0, 60.0)])
def test_a_rush_of_a_thousand_costs_a_fraction_of_a_call_each(rate: float, lasts: tuple[float, float]) -> None:
    world = World()
    rng = random.Random(7)
    world.run([(n / rate, f"r{n}", rng.uniform(*lasts)) for n in range(1000)])
    assert len(world.late) == 1000
    assert world.calls <= 145
    assert sorted(world.late.values())[500] <= max(6, lasts[1] / 4)


def test_a_thousand_at_once_are_seen_by_a_few_lists() -> None:
    world = World()
    rng = random.Random(7)
    world.run([(0.0, f"r{n}", rng.uniform(0.5, 1.5)) for n in range(1000)])
    assert world.calls <= 30
    assert max(world.late.values()) <= 2


def test_a_handful_is_seen_quickly() -> None:
    world = World()
    rng = random.Random(7)
    world.run([(0.0, f"r{n}", rng.uniform(0.5, 1.5)) for n in range(20)])
    assert world.calls <= 4
    assert max(world.late.values()) <= 3


@given(
    st.lists(st.tuples(st.floats(0, 100, allow_nan=False), st.floats(0, 400, allow_nan=False)), min_size=1, max_size=60)
)
def test_everybody_is_woken_and_nobody_waits_beyond_the_deadline(changes: list[tuple[float, float]]) -> None:
    world = World(deadline=120.0)
    world.run([(at, f"r{n}", lasts) for n, (at, lasts) in enumerate(changes)])
    assert len(world.late) == len(changes)
    assert all(late >= 0 or world.ends[str(one).rpartition("/")[2]] > 120 for one, late in world.late.items())
