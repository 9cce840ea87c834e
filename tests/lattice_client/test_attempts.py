"""What the client tries again, how often, and what an error tells of the attempts before it."""

import pytest

from controller.lattice.client import LatticeClient
from controller.lattice.errors import RetryError, TerminalError
from controller.lattice.limits import Limits, Rate
from controller.lattice.retry import Policy
from sandbox.lattice import Hang, LatticeServer, Refuse, Reset, Throttle
from tests.lattice_client.clocks import HastyClock
from tests.lattice_client.conftest import Connect
from tests.lattice_client.observing import SERVICE, tokens

pytestmark = pytest.mark.anyio


async def test_a_create_whose_answer_was_lost_is_repeated_with_its_token_and_makes_one_thing(
    client: LatticeClient, lattice: LatticeServer
) -> None:
    lattice.faults.add("CreateService", Reset(after=True), times=1)
    answer = await client.call("CreateService", {"name": "once"})
    assert len(set(tokens(lattice, "CreateService"))) == 1
    assert lattice.calls.count("CreateService") == 2
    listed = await client.call("ListServices", {})
    assert [item["id"] for item in listed["items"]] == [answer["id"]]


async def test_failures_of_the_server_are_tried_a_few_times(client: LatticeClient, lattice: LatticeServer) -> None:
    lattice.faults.add("ListServices", Refuse(), times=3)
    assert (await client.call("ListServices", {}))["items"] == []
    assert lattice.calls.count("ListServices") == 4


async def test_a_server_that_keeps_failing_is_left_for_later(client: LatticeClient, lattice: LatticeServer) -> None:
    lattice.faults.add("ListServices", Refuse(message="boom"))
    with pytest.raises(RetryError, match="ListServices: AWS failed: boom") as raised:
        await client.call("ListServices", {})
    assert not raised.value.throttled
    assert raised.value.request_id
    assert lattice.calls.count("ListServices") == 4


async def test_throttles_are_waited_for_as_long_as_aws_asks_and_are_no_failure(
    connect: Connect, lattice: LatticeServer
) -> None:
    clock = HastyClock()
    lattice.faults.add("CreateService", Throttle(retry_after=3), times=6)
    async with connect(clock=clock) as client:
        await client.call("CreateService", {"name": "patient"})
    assert clock.time() >= 18
    assert len(tokens(lattice, "CreateService")) == 7
    assert len(set(tokens(lattice, "CreateService"))) == 1


async def test_throttles_without_end_are_given_back_as_what_they_are(connect: Connect, lattice: LatticeServer) -> None:
    lattice.faults.add("CreateService", Throttle(retry_after=7, quota_code="L-ABC"))
    async with connect(policy=Policy(throttled=30)) as client:
        with pytest.raises(RetryError) as raised:
            await client.call("CreateService", {"name": "patient"})
    assert raised.value.throttled
    assert raised.value.after == 7
    assert raised.value.quota_code == "L-ABC"
    assert lattice.calls.count("CreateService") == 4 + 1


async def test_a_throttle_slows_its_operation_down(connect: Connect, lattice: LatticeServer) -> None:
    clock = HastyClock()
    limits = Limits(clock, default=Rate(100, 100))
    lattice.faults.add("CreateService", Throttle(), times=1)
    async with connect(clock=clock, limits=limits) as client:
        before = limits.rate("CreateService")
        await client.call("CreateService", {"name": "slower"})
        await client.call("ListServices", {})
    assert limits.rate("CreateService") < before < limits.rate("ListServices")


async def test_no_answer_within_the_time_out_is_tried_again_and_then_left(
    connect: Connect, lattice: LatticeServer
) -> None:
    async with connect(timeout=0.5, policy=Policy(attempts=2)) as client:
        await client.call("ListServices", {})
        lattice.faults.add("ListServices", Hang())
        with pytest.raises(RetryError, match="did not answer in time") as raised:
            await client.call("ListServices", {})
    assert raised.value.code == "Timeout"
    assert lattice.calls.count("ListServices") == 3


UNANSWERED = {
    "a time-out": Hang(after=True),
    "a reset": Reset(after=True),
    "an error of the server": Refuse(after=True),
}


@pytest.mark.parametrize("fault", UNANSWERED.values(), ids=UNANSWERED)
async def test_an_error_tells_that_an_earlier_attempt_may_have_had_its_effect(
    connect: Connect, lattice: LatticeServer, fault: Hang | Reset | Refuse
) -> None:
    async with connect(timeout=2.0) as client:
        lattice.faults.add("CreateService", fault, times=1)
        lattice.faults.add("CreateService", Refuse("AccessDeniedException", 403))
        with pytest.raises(TerminalError) as raised:
            await client.call("CreateService", {"name": "perhaps"})
        assert raised.value.undecided
        with pytest.raises(TerminalError) as raised:
            await client.call("CreateService", {"name": "certainly-not"})
        assert not raised.value.undecided


async def test_an_error_tells_that_what_aiohttp_sent_again_may_have_had_its_effect(
    client: LatticeClient, lattice: LatticeServer
) -> None:
    lattice.faults.add("DeleteService", Reset(after=True), times=1)
    lattice.faults.add("DeleteService", Refuse("AccessDeniedException", 403))
    with pytest.raises(TerminalError) as raised:
        await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert lattice.calls.count("DeleteService") == 2
    assert raised.value.undecided
    assert client.unsettled


async def test_what_was_never_sent_had_no_effect(connect: Connect) -> None:
    async with connect(endpoint_url="http://127.0.0.1:1") as client:
        with pytest.raises(RetryError) as raised:
            await client.call("CreateService", {"name": "unsent"})
    assert not raised.value.undecided
