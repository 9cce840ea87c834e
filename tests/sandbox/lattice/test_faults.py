"""Faults, throttling, latency, and the control address that other processes use for them."""

from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import anyio
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from sandbox.lattice import Constant, Delay, Fail, Hang, LatticeServer, Partial, Rate, Refuse, Reset, Throttle
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.faults import ASYNCHRONOUS, BATCHES, fault_from_json
from tests.sandbox.lattice.direct import MODEL
from tests.sandbox.lattice.harness import VPC, Account, Clock, connect, forward

pytestmark = pytest.mark.anyio


async def test_a_throttled_call_says_when_to_come_back_and_has_no_effect(account: Account):
    account.server.faults.add("CreateService", Throttle(retry_after=3, quota_code="L-1"), times=1)
    with pytest.raises(account.lattice.exceptions.ThrottlingException) as raised:
        await account.service()
    response = raised.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "3"
    assert (response["retryAfterSeconds"], response["quotaCode"]) == (3, "L-1")  # botocore reads the one in the header
    await account.service()


async def test_the_tagging_api_throttles_in_its_own_words(account: Account):
    account.server.faults.add("GetResources", Throttle(), times=1)
    with pytest.raises(account.tagging.exceptions.ThrottledException):
        await account.tagging.get_resources()


@pytest.mark.parametrize(("after", "there"), [(False, 0), (True, 1)])
async def test_a_server_error_comes_before_or_after_the_effect(account: Account, after, there):
    account.server.faults.add("CreateService", Refuse(after=after), times=1)
    with pytest.raises(account.lattice.exceptions.InternalServerException):
        await account.service()
    assert len(await account.all_of("list_services")) == there
    assert account.server.calls.of("CreateService")[0].status == 500


@pytest.mark.parametrize(("after", "there"), [(False, 0), (True, 1)])
async def test_a_reset_comes_before_or_after_the_effect(account: Account, after, there):
    account.server.faults.add("CreateService", Reset(after=after), times=1)
    with pytest.raises(EndpointConnectionError):
        await account.service()
    assert len(await account.all_of("list_services")) == there
    record = account.server.calls.of("CreateService")[0]
    assert (record.status, record.error) == (None, "reset")


@pytest.mark.parametrize(("after", "there"), [(False, 0), (True, 1)])
async def test_a_hanging_call_ends_by_the_clients_timeout(after, there):
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LatticeServer())
        account = await connect(stack, server, Clock(), read_timeout=0.1)
        server.faults.add("CreateService", Hang(after=after))
        with pytest.raises(ReadTimeoutError):
            await account.service()
        assert len(server.state.services) == there


async def test_stopping_ends_what_hangs():
    server = LatticeServer()
    await server.start()
    server.faults.add("*", Hang())
    ended = anyio.Event()

    async def ask() -> None:
        async with AsyncExitStack() as stack:
            account = await connect(stack, server, Clock())
            with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
                await account.lattice.list_services()
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        while server.calls.count() == 0:  # noqa: ASYNC110 - the log has no event to wait for
            await anyio.sleep(0.001)
        await server.stop()
    assert ended.is_set()


async def test_a_fault_falls_on_the_calls_that_match_from_the_first_to_the_last(account: Account):
    fault = account.server.faults.add(
        "CreateService", Refuse(), when=lambda params: params["name"].startswith("bad"), first=2, times=2
    )
    outcomes = []
    for name in ("good", "bad1", "bad2", "bad3", "bad4"):
        try:
            await account.service(name)
        except account.lattice.exceptions.InternalServerException:
            outcomes.append(name)
    assert outcomes == ["bad2", "bad3"]
    assert fault.happened == 2
    account.server.faults.add("*", Refuse())
    account.server.faults.clear()
    await account.all_of("list_services")


async def test_a_fault_of_every_operation_falls_only_on_calls_that_can_go_wrong_so(account: Account):
    partial = account.server.faults.add("*", Partial(positions=(1,)))
    fail = account.server.faults.add("*", Fail())
    await account.lattice.list_services()
    group = await account.group()
    where = {"targetGroupIdentifier": group["id"]}
    shown = await account.lattice.get_target_group(**where)
    assert (shown["status"], fail.happened, partial.matched) == ("CREATE_FAILED", 1, 0)
    account.server.faults.remove(fail)
    group = await account.group("other")
    where = {"targetGroupIdentifier": group["id"]}
    one, two = {"id": "10.0.0.1", "port": 80}, {"id": "10.0.0.2", "port": 80}
    assert (await account.lattice.register_targets(**where, targets=[one]))["successful"] == [one]
    answer = await account.lattice.register_targets(**where, targets=[one, two])
    assert [failure["id"] for failure in answer["unsuccessful"]] == [two["id"]]
    assert partial.happened == 1


@pytest.mark.parametrize(
    ("operation", "effect"), [("CreateServices", Refuse()), ("CreateService", Partial()), ("GetService", Fail())]
)
def test_a_fault_that_cannot_happen_is_refused(operation, effect):
    server = LatticeServer()
    with pytest.raises(ValueError, match=r"cannot suffer|no operation"):
        server.faults.add(operation, effect)


def test_what_can_fail_later_and_what_can_succeed_in_part_is_as_the_model_has_it():
    outputs = {
        name: set(MODEL.operation_model(name).output_shape.members)
        for name in LATTICE_HANDLERS
        if not name.startswith(("Get", "List"))
    }
    with_status = {name for name, members in outputs.items() if "status" in members}
    assert with_status - {"UpdateTargetGroup"} == ASYNCHRONOUS  # a target group has no status of being updated
    assert {name for name, members in outputs.items() if "unsuccessful" in members} == BATCHES.keys()


async def test_an_error_on_demand_has_what_the_model_requires_of_it(account: Account):
    service = await account.service()
    account.server.faults.add("GetService", Refuse("ConflictException", 409), times=1)
    account.server.faults.add("UpdateService", Refuse("ServiceQuotaExceededException", 402), times=1)
    account.server.faults.add("DeleteService", Refuse("ConflictException", 409), times=1)
    where = {"serviceIdentifier": service["id"]}
    with pytest.raises(account.lattice.exceptions.ClientError) as raised:
        await account.lattice.get_service(**where)
    assert "resourceId" not in raised.value.response  # GetService has no such error
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException) as raised:
        await account.lattice.update_service(**where)
    assert raised.value.response["serviceCode"] == "vpc-lattice"
    with pytest.raises(account.lattice.exceptions.ConflictException) as raised:
        await account.lattice.delete_service(**where)
    assert raised.value.response["resourceId"] == service["id"]


def test_limits_and_latencies_are_of_operations_that_there_are():
    server = LatticeServer()
    with pytest.raises(ValueError, match="ListService"):
        server.throttles.rates = {"ListService": Rate(1, 1)}
    with pytest.raises(ValueError, match="ListService"):
        server.latencies.distributions = {"ListService": Constant(1)}
    with pytest.raises(ValueError, match="ListService"):
        LatticeServer(limits={"ListService": Rate(1, 1)})


async def test_limits_fill_up_as_time_passes(account: Account):
    account.server.throttles.rates = {"ListServices": Rate(per_second=0.5, burst=2)}
    for _ in range(2):
        await account.lattice.list_services()
    with pytest.raises(account.lattice.exceptions.ThrottlingException) as raised:
        await account.lattice.list_services()
    assert raised.value.response["retryAfterSeconds"] == 2
    await account.lattice.list_target_groups()
    account.clock.advance(2)
    await account.lattice.list_services()
    with pytest.raises(account.lattice.exceptions.ThrottlingException):
        await account.lattice.list_services()


async def test_latency_and_delays_are_slept_by_the_given_sleep():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    latencies = iter((0.25, 0.5, 0.0))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LatticeServer(latency=lambda: next(latencies), sleep=sleep))
        account = await connect(stack, server, Clock())
        server.faults.add("ListTargetGroups", Delay(seconds=2))
        await account.lattice.list_services()
        await account.lattice.list_target_groups()
        await account.lattice.list_services()
    assert slept == [0.25, 2.5]


async def ask(account: Account, method: str, path: str, document: Any = None) -> tuple[int, Any]:
    url = f"{account.server.url}/_sandbox/{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=document) as answer:
        return answer.status, await answer.json()


async def test_the_control_address_lists_what_it_does(account: Account):
    status, index = await ask(account, "GET", "")
    assert status == 200
    assert "POST /_sandbox/faults" in index


async def test_another_process_questions_the_log(account: Account):
    await account.service("rates")
    _, first = await ask(account, "GET", "calls?writes=true")
    assert [(call["operation"], call["parameters"]["name"]) for call in first["calls"]] == [("CreateService", "rates")]
    await account.lattice.list_services()
    _, counted = await ask(account, "GET", f"calls/count?since={first['mark']}")
    assert counted["operations"] == {"ListServices": 1}
    assert (await ask(account, "GET", "calls?operation=ListService"))[0] == 400
    await ask(account, "DELETE", "calls")
    assert (await ask(account, "GET", "calls"))[1]["calls"] == []


async def test_another_process_puts_faults_and_limits_in_force(account: Account):
    fault = {"operation": "CreateService", "effect": {"kind": "throttle", "retry_after": 1}, "match": {"name": "bad"}}
    assert (await ask(account, "POST", "faults", fault))[0] == 200
    await account.service("good")
    with pytest.raises(account.lattice.exceptions.ThrottlingException):
        await account.service("bad")
    _, shown = await ask(account, "GET", "faults")
    assert [(entry["matched"], entry["happened"]) for entry in shown["faults"]] == [(1, 1)]
    await ask(account, "DELETE", "faults")
    await account.service("bad")
    await ask(account, "PUT", "limits", {"*": {"per_second": 1, "burst": 1}})
    await account.lattice.list_services()
    with pytest.raises(account.lattice.exceptions.ThrottlingException):
        await account.lattice.list_services()
    assert (await ask(account, "GET", "limits"))[1] == {"*": {"per_second": 1, "burst": 1}}


@pytest.mark.parametrize(
    "fault",
    [
        [],
        {"effect": {"kind": "reset"}},
        {"operation": "ListServices"},
        {"operation": "ListServices", "effect": {"kind": "explode"}},
        {"operation": "ListServices", "effect": {"kind": "reset", "when": 1}},
        {"operation": "ListServices", "effect": {"kind": "reset"}, "often": True},
        {"operation": "ListServices", "effect": {"kind": "reset"}, "times": "twice"},
        {"operation": "ListServices", "effect": {"kind": "reset"}, "times": 0},
        {"operation": "ListServices", "effect": {"kind": "reset"}, "first": 0},
        {"operation": "ListServices", "effect": {"kind": "error", "status": "500"}},
        {"operation": "ListServices", "effect": {"kind": "error", "status": 200}},
        {"operation": "ListServices", "effect": {"kind": "delay", "seconds": -1}},
        {"operation": "ListServices", "effect": {"kind": "throttle", "retry_after": -1}},
        {"operation": "RegisterTargets", "effect": {"kind": "partial", "positions": []}},
        {"operation": "RegisterTargets", "effect": {"kind": "partial", "positions": ["a"]}},
        {"operation": "ListService", "effect": {"kind": "reset"}},
        {"operation": "ListServices", "effect": {"kind": "partial"}},
        {"operation": "GetService", "effect": {"kind": "fail"}},
    ],
    ids=str,
)
async def test_a_fault_that_makes_no_sense_is_refused(account: Account, fault):
    status, answer = await ask(account, "POST", "faults", fault)
    assert (status, bool(answer["message"])) == (400, True)
    assert (await ask(account, "GET", "faults"))[1] == {"faults": []}


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ({"kind": "throttle", "retry_after": 2, "quota_code": "L-1"}, Throttle(2, "L-1")),
        (
            {"kind": "error", "code": "ConflictException", "status": 409, "message": "no", "after": True},
            Refuse("ConflictException", 409, "no", after=True),
        ),
        ({"kind": "reset", "after": True}, Reset(after=True)),
        ({"kind": "hang"}, Hang()),
        ({"kind": "delay", "seconds": 0.5}, Delay(0.5)),
        ({"kind": "partial", "positions": [0, 2]}, Partial((0, 2))),
        ({"kind": "fail", "code": "Broken", "message": "no"}, Fail("Broken", "no")),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_every_effect_can_be_said_in_json(effect, expected):
    operation = "RegisterTargets" if effect["kind"] == "partial" else "CreateService"
    document = {"operation": operation, "effect": effect, "match": {"name": "bad"}, "first": 2, "times": 3}
    fault = fault_from_json(document)
    assert (fault.effect, fault.first, fault.times) == (expected, 2, 3)
    assert fault.when is not None
    assert [fault.when({"name": name}) for name in ("bad", "good")] == [True, False]


async def test_another_process_makes_what_no_operation_makes(account: Account):
    _, certificate = await ask(account, "POST", "certificates", {"domain": "rates.example.com"})
    await account.service(customDomainName="rates.example.com", certificateArn=certificate["arn"])
    _, network = await ask(account, "POST", "shared-networks", {"name": "shared", "account": "999999999999"})
    await account.lattice.create_service_network_vpc_association(
        serviceNetworkIdentifier=network["arn"], vpcIdentifier=VPC
    )
    _, state = await ask(account, "GET", "state")
    assert (state["services"], state["vpcAssociations"], state["changesUnderWay"]) == (1, 1, 1)
    assert (await ask(account, "GET", "nothing"))[0] == 404


async def test_another_process_gives_a_health_checks_verdict_on_a_target_that_is_checked(account: Account):
    group, service = await account.group(), await account.service()
    target = {"id": "10.0.0.1", "port": 80}
    await account.lattice.register_targets(targetGroupIdentifier=group["id"], targets=[target])
    verdict = {"targetGroup": group["id"], "ip": "10.0.0.1", "port": 80, "healthy": True}
    status, answer = await ask(account, "POST", "health", verdict)
    assert (status, "UNUSED" in answer["message"]) == (400, True)
    await account.listener(service, defaultAction=forward(group))
    assert await ask(account, "POST", "health", verdict) == (200, {"status": "HEALTHY"})
    unhealthy = verdict | {"healthy": False, "reason": "Refused"}
    assert await ask(account, "POST", "health", unhealthy) == (200, {"status": "UNHEALTHY"})
    for wrong in ({"ip": "10.0.0.2"}, {"targetGroup": "tg-0"}, {"healthy": "yes"}):
        assert (await ask(account, "POST", "health", verdict | wrong))[0] == 400


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("certificates", {"domain": 1}),
        ("certificates", {"domain": "a.example.com", "status": "FINE"}),
        ("certificates", {"domain": "a.example.com", "alternativeNames": ["not a name"]}),
        ("shared-networks", {"name": "Shared", "account": "999999999999"}),
        ("shared-networks", {"name": "shared", "account": 999999999999}),
    ],
    ids=str,
)
async def test_what_no_account_could_have_is_not_made(account: Account, path, document):
    status, answer = await ask(account, "POST", path, document)
    assert (status, bool(answer["message"])) == (400, True)
    assert (len(account.server.state.networks), len(account.server.state.certificates)) == (0, 0)


async def test_another_process_sets_latencies_times_quotas_and_consistency(account: Account):
    server = account.server
    uniform = {"ListServices": {"kind": "uniform", "low": 0.0, "high": 0.0}}
    assert (await ask(account, "PUT", "latencies", uniform))[0] == 200
    assert (await ask(account, "GET", "latencies"))[1] == uniform
    await ask(account, "PUT", "timings", {"service_create": [1, 2]})
    assert server.state.timings.service_create == (1.0, 2.0)
    await ask(account, "PUT", "quotas", {"services": 1})
    await account.service("one")
    with pytest.raises(account.lattice.exceptions.ServiceQuotaExceededException):
        await account.service("two")
    await ask(account, "PUT", "consistency", {"seconds": [3, 4]})
    assert server.state.visibility.span == (3.0, 4.0)
    assert (await ask(account, "PUT", "consistency", {"seconds": None}))[1] == {"seconds": None}
    for path, document in (
        ("latencies", {"*": 1}),
        ("latencies", {"ListService": {"kind": "constant", "seconds": 1}}),
        ("limits", {"ListService": {"per_second": 1, "burst": 1}}),
        ("timings", {"tea": [1, 2]}),
        ("quotas", {"services": "many"}),
        ("consistency", {"seconds": [2, 1]}),
    ):
        assert (await ask(account, "PUT", path, document))[0] == 400


async def test_a_fault_falls_on_a_share_of_the_calls_and_the_seed_says_on_which():
    def struck(seed: int) -> list[int]:
        server = LatticeServer(seed=seed)
        server.faults.add("*", Refuse(), share=0.25)
        return [number for number in range(400) if server.faults.strike("ListServices", {}) is not None]

    assert struck(1) == struck(1) != struck(2)
    assert 60 < len(struck(1)) < 140
    with pytest.raises(ValueError, match="share"):
        fault_from_json({"operation": "*", "effect": {"kind": "reset"}, "share": 0})
