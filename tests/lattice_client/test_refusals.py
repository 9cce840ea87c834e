"""What becomes of the refusals of AWS, and of a client that is not set up."""

import pytest

from controller.lattice.client import LatticeClient
from controller.lattice.errors import RetryError, SuspectError, TerminalError
from controller.lattice.limits import Limits, Rate
from sandbox.lattice import LatticeServer, Quotas, Refuse, Timings
from tests.lattice_client.clocks import HastyClock
from tests.lattice_client.conftest import Connect
from tests.lattice_client.observing import SERVICE, Seen
from workqueue.testing import FakeClock

pytestmark = pytest.mark.anyio


async def test_what_does_not_exist_is_suspect(client: LatticeClient) -> None:
    with pytest.raises(SuspectError) as raised:
        await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert raised.value.not_found
    assert raised.value.resource_id == SERVICE


async def test_a_conflict_is_suspect_and_not_tried_again(client: LatticeClient, lattice: LatticeServer) -> None:
    await client.call("CreateService", {"name": "taken"})
    with pytest.raises(SuspectError) as raised:
        await client.call("CreateService", {"name": "taken"})
    assert not raised.value.not_found
    assert raised.value.code == "ConflictException"
    assert lattice.calls.count("CreateService") == 2


async def test_a_request_that_the_service_model_refuses_is_never_sent(
    client: LatticeClient, lattice: LatticeServer
) -> None:
    with pytest.raises(TerminalError, match="Invalid length for parameter name"):
        await client.call("CreateService", {"name": "x"})
    assert len(lattice.calls) == 0


async def test_a_quota_is_terminal_and_named(credentials: None) -> None:
    async with LatticeServer(timings=Timings.instant(), quotas=Quotas(services=1)) as lattice:
        limits = Limits(HastyClock(), default=Rate(1000, 1000))
        async with LatticeClient(region="us-west-2", endpoint_url=lattice.url, limits=limits) as client:
            await client.call("CreateService", {"name": "first"})
            with pytest.raises(TerminalError, match="ask AWS for a higher one") as raised:
                await client.call("CreateService", {"name": "second"})
    assert raised.value.quota_code == "L-620C821E"
    assert "L-620C821E" in raised.value.message


async def test_a_missing_permission_is_terminal_and_names_the_iam_action(
    client: LatticeClient, lattice: LatticeServer
) -> None:
    lattice.faults.add("BatchUpdateRule", Refuse("AccessDeniedException", 403, "no"))
    rule = {"ruleIdentifier": "rule-0123456789abcdef0", "priority": 1}
    with pytest.raises(TerminalError, match="may not do vpc-lattice:UpdateRule: allow it in the role's policy"):
        await client.call(
            "BatchUpdateRule",
            {"serviceIdentifier": SERVICE, "listenerIdentifier": "listener-0123456789abcdef0", "rules": [rule]},
        )


async def test_an_unreachable_endpoint_is_named(connect: Connect) -> None:
    async with connect(endpoint_url="http://127.0.0.1:1") as client:
        with pytest.raises(RetryError, match=r"cannot reach 127\.0\.0\.1:1 .*endpoint settings") as raised:
            await client.call("ListServices", {})
    assert raised.value.code == "Unreachable"


async def test_missing_credentials_are_told_with_what_to_set_and_not_tried_again(
    connect: Connect, lattice: LatticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    seen = Seen()
    async with connect(observer=seen) as client:
        with pytest.raises(RetryError, match="no AWS credentials") as raised:
            await client.call("ListServices", {})
    assert raised.value.after == 30
    assert len(lattice.calls) == 0
    assert seen.requests == []


async def test_a_missing_region_is_told_with_what_to_set(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    unplaced = LatticeClient(region=None, endpoint_url=None, limits=Limits(FakeClock()))
    with pytest.raises(TerminalError, match="set REGION"):
        async with unplaced:
            pass


async def test_aws_own_configuration_that_is_broken_is_told(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(TerminalError, match=r"AWS configuration is not usable: .*nobody"):
        async with LatticeClient(region="us-west-2", endpoint_url=None, limits=Limits(FakeClock())):
            pass


async def test_an_answer_that_is_no_throttle_counts_for_the_rate_even_if_it_is_an_error(connect: Connect) -> None:
    clock = HastyClock()
    limits = Limits(clock, default=Rate(100, 100))
    async with connect(clock=clock, limits=limits) as client:
        before = limits.rate("DeleteService")
        with pytest.raises(SuspectError):
            await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert limits.rate("DeleteService") > before
