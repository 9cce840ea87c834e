"""The end of a pass: who is parked, who is added, when the key comes again, and how a failure reads."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from controller.api.keys import Key, RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.apply import Applied
from controller.lattice.errors import FencedError, LatticeError, RetryError, SuspectError, TerminalError
from controller.lattice.limits import Lane
from controller.lattice.plan import Problem
from controller.lattice.poller import Poller
from controller.lattice.refs import ResourceRef
from controller.reconcile.environment import BEGUN, Environment
from controller.reconcile.pass_on import HELD, SLOWLY, failure_of, failure_of_plan, pass_on, twice
from controller.translate.outcomes import Failed
from workqueue import BULK, LIVE, URGENT, Queue, Result, current_priority

pytestmark = pytest.mark.anyio

RATES = RouteRef("HTTPRoute", "default", "rates")
SERVICE = ServiceKey("HTTPRoute", route=RATES)
GROUP = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80)
SECOND = TargetGroupKey(owner=SERVICE, namespace="default", service="review", port=80)
CREATED = ResourceRef("service", "svc-0123456789abcdef0")

REFUSED = Failed(reason="Invalid", message="refused", transient=False)
LATER = Failed(reason="Pending", message="later", transient=True)


@dataclass
class Parked:
    """A poller that only notes who waits for what."""

    keys: list[tuple[Key, ResourceRef]] = field(default_factory=list)

    def park(self, key: Key, ref: ResourceRef, lane: Lane) -> None:
        self.keys.append((key, ref))


def environment(poller: Parked | None = None) -> Environment:
    """Just the parts that the end of a pass touches; any other would fail the test."""
    env: Environment = object.__new__(Environment)
    env.poller = cast("Poller", poller or Parked())
    env.queue = Queue(name="test")
    fields = Environment.__dataclass_fields__
    for name in ("board", "parked"):
        factory = cast("Callable[[], object]", fields[name].default_factory)
        setattr(env, name, factory())
    return env


def taken(queue: Queue[Key]) -> list[tuple[Key, int]]:
    found = []
    while (one := queue.take_nowait()) is not None:
        found.append(one)
    return found


async def test_a_key_that_is_done_does_not_come_again() -> None:
    env = environment()
    assert pass_on(env, SERVICE, Applied(done=True), failure=None) is None
    assert taken(env.queue) == []


async def test_a_key_parks_for_what_changes_by_itself() -> None:
    parked = Parked()
    env = environment(parked)
    assert pass_on(env, SERVICE, Applied(done=False, waits=(CREATED,)), failure=None) is None
    assert parked.keys == [(SERVICE, CREATED)]


async def test_a_parked_key_is_woken_with_the_priority_that_it_had() -> None:
    env = environment()
    reset = current_priority.set(BULK)
    pass_on(env, SERVICE, Applied(done=False, waits=(CREATED,)), failure=None)
    current_priority.reset(reset)
    env.wake(SERVICE)
    assert taken(env.queue) == [(SERVICE, BULK)]


async def test_a_key_that_waits_no_longer_is_not_bulk_when_it_is_woken_again() -> None:
    env = environment()
    reset = current_priority.set(BULK)
    pass_on(env, SERVICE, Applied(done=False, waits=(CREATED,)), failure=None)
    current_priority.reset(reset)
    pass_on(env, SERVICE, Applied(done=True), failure=None)
    env.wake(SERVICE)
    assert taken(env.queue) == [(SERVICE, BEGUN)]


@pytest.mark.parametrize(("before", "woken"), [(LIVE, BEGUN), (BEGUN, BEGUN), (URGENT, URGENT), (BULK, BULK)])
async def test_what_was_begun_goes_before_what_was_not_unless_it_is_bulk(before: int, woken: int) -> None:
    env = environment()
    reset = current_priority.set(before)
    pass_on(env, SERVICE, Applied(done=False, waits=(CREATED,)), failure=None)
    current_priority.reset(reset)
    env.wake(SERVICE)
    assert taken(env.queue) == [(SERVICE, woken)]


@pytest.mark.parametrize(("in_work", "added"), [(LIVE, LIVE), (BEGUN, BEGUN), (URGENT, BEGUN), (BULK, BULK)])
async def test_a_key_led_to_has_the_priority_of_the_one_in_work_but_is_never_urgent(in_work: int, added: int) -> None:
    env = environment()
    reset = current_priority.set(in_work)
    env.add(SERVICE)
    current_priority.reset(reset)
    assert taken(env.queue) == [(SERVICE, added)]


async def test_a_key_that_waits_for_anothers_work_adds_it_and_looks_again_by_itself() -> None:
    env = environment()
    assert pass_on(env, SERVICE, Applied(done=False, holds=(GROUP,)), failure=None) == Result(requeue_after=HELD)
    assert [key for key, _ in taken(env.queue)] == [GROUP]


async def test_a_key_does_not_press_another_that_failed_and_tries_in_its_own_time() -> None:
    env = environment()
    env.board.post_group(GROUP, LATER)
    assert pass_on(env, SERVICE, Applied(done=False, holds=(GROUP,)), failure=None) == Result(requeue_after=SLOWLY)
    assert taken(env.queue) == []
    pass_on(env, GROUP, Applied(done=True, calls=1), failure=None)
    assert [key for key, _ in taken(env.queue)] == [SERVICE]


@pytest.mark.parametrize(
    ("applied", "news", "released"),
    [
        (Applied(done=True, calls=1), False, [SERVICE]),
        (Applied(done=True), True, [SERVICE]),
        (Applied(done=True), False, []),
    ],
    ids=["after a call", "after news", "not when nothing happened"],
)
async def test_who_waits_is_added(applied: Applied, news: bool, released: list[Key]) -> None:
    env = environment()
    env.board.wait(SERVICE, GROUP)
    assert pass_on(env, GROUP, applied, failure=None, news=news) is None
    assert [key for key, _ in taken(env.queue)] == released


@pytest.mark.parametrize(
    ("failure", "applied", "result"),
    [
        (LATER, Applied(done=False), Result(requeue=True)),
        (REFUSED, Applied(done=False), Result(requeue_after=SLOWLY)),
        (LATER, Applied(done=False, waits=(CREATED,)), Result(requeue=True)),
        (None, Applied(done=False), Result(requeue=True)),
    ],
    ids=["what may pass", "what was refused", "what may pass, with a wait", "what nobody can tell"],
)
async def test_what_is_not_done_is_tried_again(failure: Failed | None, applied: Applied, result: Result) -> None:
    assert pass_on(environment(), SERVICE, applied, failure=failure) == result


TERMINAL = TerminalError("CreateService", "ValidationException", "no such thing")
QUOTA = TerminalError("CreateService", "ServiceQuotaExceededException", "used up", quota_code="L-620C821E")
DENIED = TerminalError("CreateService", "AccessDeniedException", "allow it")
RETRY = RetryError("CreateService", "Timeout", "no answer")
SUSPECT = SuspectError("CreateService", "ConflictException", "exists")
FENCED = FencedError("CreateService")


@pytest.mark.parametrize(
    ("error", "reason", "transient"),
    [
        (TERMINAL, "Invalid", False),
        (QUOTA, "QuotaExceeded", False),
        (DENIED, "Pending", True),
        (RETRY, "Pending", True),
        (SUSPECT, "Pending", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LatticeError) else str(value),
)
def test_an_error_reads_as_what_its_author_can_do(error: LatticeError, reason: str, transient: bool) -> None:
    failure = failure_of(error)
    assert (failure.reason, failure.transient) == (reason, transient)
    assert str(error) in failure.message
    assert ("tried again" in failure.message) is transient


TAKEN = Problem(reason="Conflicted", message="taken")
MISSING = Problem(reason="NetworkNotFound", message="none")


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([], None),
        (
            [Problem(reason="Conflicted", message="taken")],
            Failed(reason="Conflicted", message="taken", transient=False),
        ),
        ([Problem(reason="NetworkNotFound", message="none")], Failed(reason="Pending", message="none", transient=True)),
    ],
    ids=["none", "a conflict", "a missing network"],
)
def test_a_plans_first_problem_is_its_failure(problems: list[Problem], expected: Failed | None) -> None:
    assert failure_of_plan(problems) == expected


def passes(*outcomes: str | LatticeError) -> Callable[[], Awaitable[str]]:
    left = list(outcomes)

    async def once() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, LatticeError):
            raise outcome
        return outcome

    return once


async def test_what_was_believed_wrongly_is_read_again_once() -> None:
    told: list[Failed] = []
    assert await twice(passes(SUSPECT, "done"), told.append) == "done"
    assert told == []


@pytest.mark.parametrize(
    ("outcomes", "raised", "reports"),
    [
        ([SUSPECT, SUSPECT], SUSPECT, 1),
        ([SUSPECT, TERMINAL], TERMINAL, 1),
        ([RETRY], RETRY, 1),
        ([FENCED], FENCED, 0),
    ],
    ids=["wrong twice", "then refused", "nobody's fault", "another replica leads"],
)
async def test_an_error_is_reported_and_raised(
    outcomes: list[LatticeError], raised: LatticeError, reports: int
) -> None:
    told: list[Failed] = []
    with pytest.raises(type(raised)) as caught:
        await twice(passes(*outcomes), told.append)
    assert caught.value is raised
    assert len(told) == reports
