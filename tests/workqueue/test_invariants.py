"""Any sequence of calls, against a model so slow and plain that it is obviously right.

The machine drives a real queue in a real event loop: workers are tasks that wait in `take`. Queue and model must agree
on what is handed out, in which order, and, whenever the loop has run until nothing moves, on who still waits. The
promises are also checked by themselves, from what was observed: never two workers on one key, no add lost, no tenant
passed over, a drain that ends.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workqueue import BULK, LIVE, ItemExponential, Queue, ShutDown
from workqueue.testing import FakeClock

KEYS = [f"{tenant}{n}" for tenant in "abc" for n in range(3)]

keys = st.sampled_from(KEYS)
priorities = st.sampled_from([LIVE + 1, LIVE, BULK + 1, BULK, BULK - 1])


def tenant_of(key):
    return key[0]


@dataclass
class Wanted:
    """A key that waits: since when (as a serial number) and how urgently."""

    priority: int
    since: int


@dataclass
class Model:
    """What the queue promises, by looking through everything each time."""

    now: float = 0.0
    serial: int = 0
    bulk_limit: int | None = None
    shutting_down: bool = False
    ready: dict[str, Wanted] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)
    delayed: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    turns: dict[tuple[int, str], int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def next_serial(self):
        self.serial += 1
        return self.serial

    def enter(self, key, priority):
        """Put a key at the end of its tenant's line, and a tenant that had no line at the end of the ring."""
        if not any(tenant_of(k) == tenant_of(key) and w.priority == priority for k, w in self.ready.items()):
            self.turns[priority, tenant_of(key)] = self.next_serial()
        self.ready[key] = Wanted(priority, self.next_serial())

    def add(self, key, priority):
        if self.shutting_down:
            return
        if key in self.delayed:
            priority = max(priority, self.delayed.pop(key)[2])
        if key in self.held:
            self.again[key] = max(priority, self.again.get(key, priority))
        elif key not in self.ready:
            self.enter(key, priority)
        elif priority > self.ready[key].priority:
            del self.ready[key]
            self.enter(key, priority)

    def add_after(self, key, delay, priority):
        if self.shutting_down:
            return
        if delay <= 0 or key in self.ready or key in self.again:
            self.add(key, priority)
            return
        due, serial, highest = self.delayed.get(key, (float("inf"), 0, priority))
        if self.now + delay < due:
            due, serial = self.now + delay, self.next_serial()
        self.delayed[key] = (due, serial, max(priority, highest))

    def add_rate_limited(self, key, priority):
        if not self.shutting_down:
            failures = self.failures.get(key, 0)
            self.failures[key] = failures + 1
            self.add_after(key, min(2**failures, 8), priority)

    def advance(self, seconds):
        self.now += seconds
        for key, (due, _, priority) in sorted(self.delayed.items(), key=lambda item: item[1][:2]):
            if due <= self.now:
                del self.delayed[key]
                self.add(key, priority)

    def waiting_at(self, priority):
        return {key: wanted for key, wanted in self.ready.items() if wanted.priority == priority}

    def next(self):
        """The key that must be handed out next and its priority, or None when none may be."""
        bulk_is_full = self.bulk_limit is not None and sum(p <= BULK for p in self.held.values()) >= self.bulk_limit
        levels = {w.priority for w in self.ready.values() if w.priority > BULK or not bulk_is_full}
        if not levels:
            return None
        priority = max(levels)
        waiting = self.waiting_at(priority)
        tenant = min(map(tenant_of, waiting), key=lambda t: self.turns[priority, t])
        key = min((k for k in waiting if tenant_of(k) == tenant), key=lambda k: waiting[k].since)
        return key, priority

    def hand_out(self, key, priority):
        del self.ready[key]
        self.turns[priority, tenant_of(key)] = self.next_serial()
        self.held[key] = priority

    def done(self, key):
        del self.held[key]
        if key in self.again:
            self.enter(key, self.again.pop(key))

    def shut_down(self):
        self.shutting_down = True
        self.delayed.clear()

    def is_idle(self):
        return not (self.ready or self.again or self.held)


@dataclass
class Drain:
    task: asyncio.Task
    released: bool = False


class QueueMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.queue = Queue(name="test", tenant=tenant_of, clock=self.clock, limiter=ItemExponential(1, 8))
        self.model = Model()
        self.workers = []
        self.drains = []
        self.handed_out = []
        self.holding = set()
        self.owed = set()
        self.waiting_since_turn_of = {}

    # What may be called. With `pause` the event loop runs afterwards; without, the next call comes in the same moment.

    @rule(key=keys, priority=priorities, pause=st.booleans())
    def add(self, key, priority, pause):
        self.owe(key)
        self.queue.add(key, priority)
        self.model.add(key, priority)
        self.go_on(pause)

    @rule(key=keys, priority=priorities, delay=st.integers(-1, 9), pause=st.booleans())
    def add_after(self, key, priority, delay, pause):
        self.owe(key)
        self.queue.add_after(key, delay, priority)
        self.model.add_after(key, delay, priority)
        self.go_on(pause)

    @rule(key=keys, priority=priorities, pause=st.booleans())
    def add_rate_limited(self, key, priority, pause):
        self.owe(key)
        self.queue.add_rate_limited(key, priority)
        self.model.add_rate_limited(key, priority)
        assert self.queue.num_requeues(key) == self.model.failures.get(key, 0)
        self.go_on(pause)

    @rule(key=keys)
    def forget(self, key):
        self.queue.forget(key)
        self.model.failures.pop(key, None)
        assert self.queue.num_requeues(key) == 0

    @rule(seconds=st.integers(1, 9), pause=st.booleans())
    def let_time_pass(self, seconds, pause):
        self.clock.advance(seconds)
        self.model.advance(seconds)
        self.go_on(pause)

    @rule(number=st.integers(1, 3), pause=st.booleans())
    def start_workers(self, number, pause):
        self.workers += [self.loop.create_task(self.work()) for _ in range(number)]
        self.go_on(pause)

    @rule()
    def take_without_waiting(self):
        taken = self.queue.take_nowait()
        if taken is None:
            assert self.model.next() is None
        else:
            self.note(*taken)

    @precondition(lambda self: self.holding)
    @rule(data=st.data(), pause=st.booleans())
    def done(self, data, pause):
        self.give_back(data.draw(st.sampled_from(sorted(self.holding))))
        self.go_on(pause)

    @precondition(lambda self: self.waiting_workers())
    @rule(data=st.data(), pause=st.booleans())
    def cancel_a_worker(self, data, pause):
        data.draw(st.sampled_from(self.waiting_workers())).cancel()
        self.go_on(pause)

    @rule(most=st.sampled_from([None, 0, 1, 2]), pause=st.booleans())
    def limit_bulk(self, most, pause):
        self.queue.limit(BULK, most)
        self.model.bulk_limit = most
        self.go_on(pause)

    @precondition(lambda self: len(self.handed_out) > 5)
    @rule(pause=st.booleans())
    def shut_down(self, pause):
        self.pay_what_is_delayed()
        self.queue.shut_down()
        self.model.shut_down()
        for drain in self.drains:
            drain.released = True
        self.go_on(pause)

    @precondition(lambda self: len(self.handed_out) > 5)
    @rule()
    def shut_down_with_drain(self):
        self.settle()
        self.pay_what_is_delayed()
        self.drains.append(Drain(self.loop.create_task(self.queue.shut_down_with_drain())))
        self.model.shut_down()
        self.settle()

    # What must hold

    @invariant()
    def the_queue_counts_what_the_model_counts(self):
        depth = Counter(wanted.priority for wanted in self.model.ready.values()) + Counter(self.model.again.values())
        assert len(self.queue) == len(self.model.ready)
        assert self.queue.depth() == depth
        assert self.queue.delayed == len(self.model.delayed)
        assert self.queue.processing == len(self.model.held)
        assert self.queue.shutting_down == self.model.shutting_down

    def teardown(self):
        """Whatever happened before: work everything off. Then nothing is owed, and a drain ends."""
        try:
            self.limit_bulk(None, pause=True)
            for _ in range(3 * len(KEYS)):
                self.let_time_pass(9, pause=True)
                self.start_workers(1, pause=True)
                for key in sorted(self.holding):
                    self.give_back(key)
            assert not self.owed, "an add was lost"
            self.shut_down_with_drain()
            assert all(drain.task.done() for drain in self.drains)
            assert not self.waiting_workers()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.run_event_loop()
            self.loop.close()

    # How it is observed

    def owe(self, key):
        if not self.model.shutting_down:
            self.owed.add(key)

    def pay_what_is_delayed(self):
        self.owed -= self.model.delayed.keys()

    def waiting_workers(self):
        return [worker for worker in self.workers if not worker.done() and not worker.cancelling()]

    async def work(self):
        with suppress(ShutDown):
            self.note(*await self.queue.take())

    def note(self, key, priority):
        assert key not in self.holding, "two workers on one key"
        assert key in self.owed, "handed out, but not added since it was last handed out"
        self.holding.add(key)
        self.owed.remove(key)
        self.check_turn(tenant_of(key), priority)
        assert self.model.next() == (key, priority)
        self.model.hand_out(key, priority)
        self.handed_out.append((key, priority))
        self.forget_who_waits_no_longer()

    def give_back(self, key):
        self.queue.done(key)
        self.model.done(key)
        self.holding.remove(key)

    def check_turn(self, tenant, priority):
        """Between two turns of a tenant every other that waited all the time has had one."""
        assert not self.waiting_since_turn_of.get((priority, tenant)), "a tenant was passed over"
        others = {tenant_of(key) for key in self.model.waiting_at(priority)} - {tenant}
        self.waiting_since_turn_of[priority, tenant] = others
        for (level, _), waiting in self.waiting_since_turn_of.items():
            if level == priority:
                waiting.discard(tenant)

    def forget_who_waits_no_longer(self):
        for (priority, _), waiting in self.waiting_since_turn_of.items():
            waiting &= {tenant_of(key) for key in self.model.waiting_at(priority)}

    def go_on(self, pause):
        self.forget_who_waits_no_longer()
        if pause:
            self.settle()

    def settle(self):
        """Run the event loop until nothing moves: then nobody waits who need not."""
        self.run_event_loop()
        for worker in self.workers:
            if worker.done() and not worker.cancelled():
                worker.result()
        if self.waiting_workers():
            assert self.model.next() is None
            assert not (self.model.shutting_down and not self.model.ready)
        for drain in self.drains:
            assert drain.task.done() == (drain.released or self.model.is_idle())

    def run_event_loop(self):
        async def a_few_turns():
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(a_few_turns())


QueueMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestQueueInvariants = QueueMachine.TestCase
