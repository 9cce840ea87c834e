"""Any sequence of adds, outcomes and resizings: what a worker pool promises of the keys it works on.

Reconciles are suspended until the machine says how they end, so that every interleaving of starting and ending is
reached. Observed is only which reconciles run, and which keys are owed one: those that were added, or asked to be seen
again, since they last began.
"""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from workqueue import BULK, LIVE, ItemExponential, Queue, Result, WorkerPool
from workqueue.testing import FakeClock

LIVE_KEYS = [f"{tenant}/live{n}" for tenant in "ab" for n in range(3)]
BULK_KEYS = [f"{tenant}/bulk{n}" for tenant in "ab" for n in range(3)]


class RefusedError(Exception):
    """How a reconcile ends that fails."""


class PoolMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.queue = Queue(name="test", tenant=lambda key: key[0], clock=self.clock, limiter=ItemExponential(1, 8))
        self.pool = WorkerPool(self.queue, self.reconcile, size=2, on_error=self.note_error)
        self.running = {}
        self.owed = set()
        self.failures = []
        self.errors = []
        self.begun = 0
        self.moment = []
        self.to_begin_after_shut_down = None
        self.run = self.loop.create_task(self.pool.run())
        self.settle()

    # What may happen. With `pause` the event loop runs afterwards; without, the next comes in the same moment.

    @rule(key=st.sampled_from(LIVE_KEYS), pause=st.booleans())
    def add_live(self, key, pause):
        self.happen(lambda: self.owe(key), lambda: self.queue.add(key, LIVE), pause=pause)

    @rule(key=st.sampled_from(BULK_KEYS), pause=st.booleans())
    def add_bulk(self, key, pause):
        self.happen(lambda: self.owe(key), lambda: self.queue.add(key, BULK), pause=pause)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), pause=st.booleans())
    def succeed(self, data, pause):
        self.end(data, lambda key, end: end.set_result(None), pause=pause)

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        answer=st.sampled_from([Result(requeue=True), Result(requeue_after=0), Result(requeue_after=3)]),
        pause=st.booleans(),
    )
    def ask_to_be_seen_again(self, data, answer, pause):
        def answered(key, end):
            self.owe(key)
            end.set_result(answer)

        self.end(data, answered, pause=pause)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), pause=st.booleans())
    def fail(self, data, pause):
        def failed(key, end):
            self.owe(key)
            self.failures.append(key)
            end.set_exception(RefusedError())

        self.end(data, failed, pause=pause)

    @rule(seconds=st.integers(1, 9), pause=st.booleans())
    def let_time_pass(self, seconds, pause):
        self.happen(lambda: self.clock.advance(seconds), pause=pause)

    @rule(size=st.integers(1, 6), pause=st.booleans())
    def resize(self, size, pause):
        self.happen(lambda: self.pool.resize(size), pause=pause)

    @precondition(lambda self: self.begun > 10 and not self.queue.shutting_down)
    @rule()
    def shut_down(self):
        self.settle()
        self.queue.shut_down()
        self.to_begin_after_shut_down = sum(self.queue.depth().values())
        self.settle()

    # What must hold

    async def reconcile(self, key):
        assert key not in self.running, "two workers on one key"
        assert key in self.owed, "reconciled without a reason"
        self.owed.remove(key)
        self.running[key] = asyncio.get_running_loop().create_future()
        self.begun += 1
        assert len(self.running) <= self.pool.size, "more begun than there are workers"
        if key in BULK_KEYS:
            assert len(self.running.keys() & BULK_KEYS) <= self.bulk_share(), "bulk holds more than its share"
        if self.to_begin_after_shut_down is not None:
            self.to_begin_after_shut_down -= 1
        try:
            return await self.running[key]
        finally:
            del self.running[key]

    def settle(self):
        """Run the event loop until nothing moves: then no key waits that a worker could have."""

        async def one_moment_and_a_few_turns():
            for event in self.moment:
                event()
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(one_moment_and_a_few_turns())
        self.moment.clear()
        assert sorted(self.errors) == sorted(self.failures)
        assert self.pool.busy == self.queue.processing == len(self.running)
        if len(self.running) < self.pool.size:
            assert len(self.queue) <= len(self.owed & set(BULK_KEYS))
            if len(self.running.keys() & BULK_KEYS) < self.bulk_share():
                assert len(self.queue) == 0
        if self.run.done():
            self.run.result()
            assert self.queue.shutting_down
            assert not self.running

    def teardown(self):
        """Whatever happened before: let every reconcile succeed. Then nothing is owed, and after shut-down it ends."""
        try:
            for _ in range(3 * len(LIVE_KEYS + BULK_KEYS)):
                self.clock.advance(9)
                self.settle()
                for end in self.running.values():
                    end.set_result(None)
                self.settle()
            if self.queue.shutting_down:
                assert self.to_begin_after_shut_down == 0
            else:
                assert not self.owed, "an add was lost"
                self.shut_down()
            assert self.run.done()
        finally:
            self.run.cancel()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    # How it is observed

    def owe(self, key):
        if not self.queue.shutting_down:
            self.owed.add(key)

    def bulk_share(self):
        return max(1, self.pool.size // 2)

    def note_error(self, key, error):
        assert isinstance(error, RefusedError), repr(error)
        self.errors.append(key)

    def end(self, data, how, *, pause):
        key = data.draw(st.sampled_from(sorted(self.running)))
        end = self.running[key]
        self.happen(lambda: end.done() or how(key, end), pause=pause)

    def happen(self, *events, pause):
        self.moment += events
        if pause:
            self.settle()


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestPoolInvariants = PoolMachine.TestCase
