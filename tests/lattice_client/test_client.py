"""The client against the emulated VPC Lattice: what it sends, what it tries again, and what it makes of failures."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from aiohttp import web

from controller import logs
from controller.lattice.client import LatticeClient
from controller.lattice.errors import FencedError, RetryError, SuspectError, TerminalError
from controller.lattice.limits import Lane, Limits, Rate
from controller.lattice.retry import Policy
from sandbox.lattice import Hang, LatticeServer, Quotas, Refuse, Reset, Throttle, Timings
from tests.lattice_client.clocks import HastyClock
from tests.lattice_client.conftest import Connect
from workqueue.testing import FakeClock

pytestmark = pytest.mark.anyio

SERVICE = "svc-0123456789abcdef0"


class Seen:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, Lane]] = []
        self.requests: list[tuple[str, str, int, str]] = []
        self.calls: list[tuple[str, str, int, str, int]] = []

    def waited(self, service: str, operation: str, lane: Lane, seconds: float) -> None:
        self.waits.append((operation, lane))

    def request(self, service: str, operation: str, status: int, code: str, seconds: float) -> None:
        self.requests.append((service, operation, status, code))

    def call(self, service: str, operation: str, status: int, code: str, seconds: float, retries: int) -> None:
        self.calls.append((service, operation, status, code, retries))


def tokens(lattice: LatticeServer, operation: str) -> list[str]:
    return [record.parameters["clientToken"] for record in lattice.calls.of(operation)]


async def test_an_answer_is_returned_as_the_api_gives_it(client: LatticeClient) -> None:
    answer = await client.call("CreateService", {"name": "rates-default"})
    assert answer["name"] == "rates-default"
    assert answer["status"] == "CREATE_IN_PROGRESS"


async def test_each_create_has_a_client_token_of_its_own(client: LatticeClient, lattice: LatticeServer) -> None:
    for name in ("one", "two"):
        await client.call("CreateService", {"name": name})
    first, second = tokens(lattice, "CreateService")
    assert first != second
    assert len(first) == 32


async def test_a_given_client_token_is_used(client: LatticeClient, lattice: LatticeServer) -> None:
    await client.call("CreateService", {"name": "one"}, token="chosen")
    assert tokens(lattice, "CreateService") == ["chosen"]


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


async def test_a_write_that_the_fence_stops_is_not_sent_and_a_read_is(connect: Connect, lattice: LatticeServer) -> None:
    async with connect(fence=lambda _: False) as client:
        with pytest.raises(FencedError):
            await client.call("CreateService", {"name": "late"})
        await client.call("ListServices", {})
    assert [record.operation for record in lattice.calls] == ["ListServices"]


async def test_the_fence_is_asked_for_the_whole_time_out_before_each_attempt(
    connect: Connect, lattice: LatticeServer
) -> None:
    asked: list[float] = []
    lattice.faults.add("CreateService", Refuse(), times=1)

    def fence(seconds: float) -> bool:
        asked.append(seconds)
        return lattice.calls.count("CreateService") == 0

    async with connect(fence=fence, timeout=7.0) as client:
        with pytest.raises(FencedError):
            await client.call("CreateService", {"name": "late"})
    assert set(asked) == {7.0}
    assert lattice.calls.count("CreateService") == 1


async def test_the_fence_is_asked_only_when_the_turn_has_come(connect: Connect) -> None:
    clock = FakeClock()
    asked: list[float] = []

    def fence(seconds: float) -> bool:
        asked.append(clock.time())
        return True

    limits = Limits(clock, default=Rate(1, 1))
    async with connect(clock=clock, limits=limits, fence=fence) as client, anyio.create_task_group() as group:
        await client.call("CreateService", {"name": "first"})
        group.start_soon(client.call, "CreateService", {"name": "second"})
        while not limits.waiting("CreateService"):
            await anyio.lowlevel.checkpoint()
        clock.advance(5)
    assert list(dict.fromkeys(asked)) == [0.0, 5.0]


async def test_the_fence_is_asked_after_a_connection_was_waited_for(connect: Connect, lattice: LatticeServer) -> None:
    arrived = anyio.Event()
    leads = True

    def arrives(_: object) -> bool:
        arrived.set()
        return True

    def lost_meanwhile(**_: object) -> None:
        nonlocal leads
        leads = False
        holds_the_connection.cancel()

    lattice.faults.add("ListServices", Hang(), when=arrives)
    holds_the_connection = anyio.CancelScope()

    async def hold(client: LatticeClient) -> None:
        with holds_the_connection:
            await client.call("ListServices", {})

    async with connect(fence=lambda _: leads, connections=1) as client, anyio.create_task_group() as group:
        group.start_soon(hold, client)
        await arrived.wait()
        client._clients["vpc-lattice"].meta.events.register("before-send.vpc-lattice.DeleteService", lost_meanwhile)
        with pytest.raises(FencedError):
            await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert not leads
    assert lattice.calls.count("DeleteService") == 0


async def test_what_aiohttp_sends_again_by_itself_asks_the_fence_again(
    connect: Connect, lattice: LatticeServer
) -> None:
    lattice.faults.add("DeleteService", Reset(), times=1)

    def fence(_: float) -> bool:
        return lattice.calls.count("DeleteService") == 0

    async with connect(fence=fence) as client:
        with pytest.raises(FencedError) as raised:
            await client.call("DeleteService", {"serviceIdentifier": SERVICE})
        assert raised.value.undecided
        assert client.unsettled, "the one that was reset may have had its effect"
    assert lattice.calls.count("DeleteService") == 1


async def test_a_write_without_an_answer_is_unsettled_until_it_can_no_longer_arrive(
    connect: Connect, lattice: LatticeServer
) -> None:
    clock = FakeClock()
    arrived = anyio.Event()

    def arrives(_: object) -> bool:
        arrived.set()
        return True

    lattice.faults.add("DeleteService", Hang(), when=arrives)
    limits = Limits(clock, default=Rate(100, 100))
    async with connect(clock=clock, limits=limits, timeout=7.0) as client:
        await client.call("CreateService", {"name": "answered"})
        assert not client.unsettled
        async with anyio.create_task_group() as group:
            group.start_soon(client.call, "DeleteService", {"serviceIdentifier": SERVICE})
            await arrived.wait()
            group.cancel_scope.cancel()
        assert client.unsettled
        clock.advance(7.0)
        assert not client.unsettled


async def test_lists_are_read_to_the_end_in_pages_of_a_hundred(client: LatticeClient, lattice: LatticeServer) -> None:
    for number in range(101):
        await client.call("CreateService", {"name": f"service-{number}"})
    mark = lattice.calls.mark()
    names = [item["name"] async for page in client.pages("ListServices", {}) for item in page["items"]]
    assert len(set(names)) == 101
    assert lattice.calls.count("ListServices", mark) == 2


async def test_resources_are_found_by_all_of_the_tags(client: LatticeClient, lattice: LatticeServer) -> None:
    ours, other = {"owner": "us", "kind": "a"}, {"owner": "us", "kind": "b"}
    created = [await client.call("CreateService", {"name": f"ours-{n}", "tags": ours}) for n in range(101)]
    await client.call("CreateService", {"name": "other", "tags": other})
    mark = lattice.calls.mark()
    found = await client.tagged(ours, ["vpc-lattice:service"])
    assert {arn for arn, _ in found} == {service["arn"] for service in created}
    assert found[0][1] == ours
    assert lattice.calls.count("GetResources", mark) == 2


async def test_the_account_is_that_of_the_credentials(client: LatticeClient, lattice: LatticeServer) -> None:
    assert await client.account() == lattice.account


async def test_the_endpoint_setting_is_of_lattice_alone(connect: Connect, lattice: LatticeServer) -> None:
    async with LatticeServer() as elsewhere, connect(endpoint_url=elsewhere.url) as client:
        await client.call("ListServices", {})
        await client.account()
        assert client.endpoint == elsewhere.url
        assert client.region == "us-west-2"
        assert [record.operation for record in elsewhere.calls] == ["ListServices"]
    assert [record.operation for record in lattice.calls] == ["GetCallerIdentity"]


@asynccontextmanager
async def answering(status: int, body: str, kind: str) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """Something at a URL that gives every request this answer."""
    requests: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(request)
        return web.Response(status=status, text=body, content_type=kind)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests
    await runner.cleanup()


async def test_requests_bear_our_own_user_agent(connect: Connect) -> None:
    async with (
        answering(200, '{"items": []}', "application/json") as (url, requests),
        connect(endpoint_url=url) as client,
    ):
        await client.call("ListServices", {})
    assert "lattice-controller/" in requests[0].headers["User-Agent"]


@pytest.mark.parametrize(
    ("operation", "params", "kind", "body"),
    [
        ("ListServices", {}, "text/html", "<html>please log in</html>"),
        ("ListServices", {}, "text/plain", ""),
        ("GetService", {"serviceIdentifier": SERVICE}, "application/json", "{}"),
    ],
)
async def test_a_page_of_a_proxy_is_never_taken_for_an_empty_answer(
    connect: Connect, operation: str, params: dict[str, str], kind: str, body: str
) -> None:
    async with answering(200, body, kind) as (url, _), connect(endpoint_url=url) as client:
        with pytest.raises(RetryError, match="not one of AWS's"):
            await client.call(operation, params)


async def test_an_error_page_of_a_proxy_is_tried_again(connect: Connect) -> None:
    async with answering(502, "<html>oops</html>", "text/html") as (url, requests), connect(endpoint_url=url) as client:
        with pytest.raises(RetryError, match="Bad Gateway"):
            await client.call("ListServices", {})
    assert len(requests) == 4


async def test_another_server_in_place_of_sts_is_told(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(200, "<html>please log in", "text/html") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        async with connect() as client:
            with pytest.raises(RetryError, match="not one of AWS's"):
                await client.account()


async def test_calls_and_their_attempts_are_counted(connect: Connect, lattice: LatticeServer) -> None:
    seen = Seen()
    lattice.faults.add("CreateService", Throttle(), times=1)
    async with connect(observer=seen) as client:
        await client.call("CreateService", {"name": "counted"}, lane=Lane.BULK)
        with pytest.raises(SuspectError):
            await client.call("GetService", {"serviceIdentifier": SERVICE})
    assert seen.waits == [("CreateService", Lane.BULK)] * 2 + [("GetService", Lane.LIVE)]
    assert seen.requests == [
        ("VPC Lattice", "CreateService", 429, "ThrottlingException"),
        ("VPC Lattice", "CreateService", 201, ""),
        ("VPC Lattice", "GetService", 404, "ResourceNotFoundException"),
    ]
    assert seen.calls == [
        ("VPC Lattice", "CreateService", 201, "", 1),
        ("VPC Lattice", "GetService", 404, "ResourceNotFoundException", 0),
    ]


def audits(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "controller.audit"]


async def test_a_write_leaves_one_audit_line_and_a_read_none(
    client: LatticeClient, lattice: LatticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lattice.faults.add("CreateService", Refuse(), times=1)
    with logs.key("Service/x", object="HTTPRoute/shop/rates", generation=4):
        answer = await client.call("CreateService", {"name": "audited", "tags": {"secret": "value"}})
        await client.call("ListServices", {})
    (line,) = audits(caplog)
    assert line["operation"] == "CreateService"
    assert line["outcome"] == "ok"
    assert line["attempts"] == 2
    assert line["request_id"] == lattice.calls.of("CreateService")[-1].request_id
    assert (line["object"], line["generation"]) == ("HTTPRoute/shop/rates", 4)
    assert line["identifiers"]["id"] == answer["id"]
    assert "value" not in str(line["identifiers"])


async def test_a_failed_write_leaves_its_error_and_a_fenced_one_nothing(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    allowed = [True, False]
    async with connect(fence=lambda _: allowed.pop(0)) as client:
        for error in (SuspectError, FencedError):
            with pytest.raises(error):
                await client.call("DeleteService", {"serviceIdentifier": SERVICE})
    assert [line["outcome"] for line in audits(caplog)] == ["ResourceNotFoundException"]


async def test_a_write_that_is_cancelled_under_way_leaves_that_its_outcome_is_unknown(
    connect: Connect, lattice: LatticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    arrived = anyio.Event()

    def arrives(_: object) -> bool:
        arrived.set()
        return True

    lattice.faults.add("CreateService", Hang(after=True), when=arrives)
    async with connect() as client, anyio.create_task_group() as group:
        group.start_soon(client.call, "CreateService", {"name": "cut-off"})
        await arrived.wait()
        group.cancel_scope.cancel()
    (line,) = audits(caplog)
    assert (line["outcome"], line["request_id"]) == ("unknown", None)
    assert line["identifiers"] == {"name": "cut-off"}
