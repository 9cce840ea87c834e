"""Plans on an emulated account: what is created, what a change costs, and what every kind of trouble ends in."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from controller.api.keys import RouteRef, ServiceKey, TargetGroupKey
from controller.lattice.apply import Applier
from controller.lattice.client import LatticeClient
from controller.lattice.errors import FencedError, LatticeError, RetryError, TerminalError
from controller.lattice.inventory.mirror import Mirror
from controller.lattice.inventory.warmth import DEADLINE
from controller.lattice.limits import Lane, Limits, Rate
from controller.lattice.model import MANAGED_BY, TAG_PREFIX, HeaderMatch, HealthCheck, Match
from controller.lattice.observed import NetworkAmbiguous, NetworkFound, NetworkMissing, ObservedNetwork
from controller.lattice.plan import plan_target_group
from controller.lattice.refs import ResourceRef
from sandbox.lattice import Fail, Partial, Refuse, Reset, Throttle
from tests.lattice.world import IDENTITY, KEY, ROUTE, World, group, group_key, listener, rule, service
from tests.lattice_client.clocks import HastyClock

pytestmark = pytest.mark.anyio

SIX = [
    "CreateListener",
    "CreateRule",
    "CreateService",
    "CreateServiceNetworkServiceAssociation",
    "CreateTargetGroup",
    "RegisterTargets",
]


async def test_a_simple_route_costs_six_writes_and_no_read_but_of_states(world: World) -> None:
    await world.network()
    await world.inventory.ensure_loaded()
    mark = world.mark
    applied = await world.settle(service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")])
    assert applied.done
    assert sorted(world.writes(mark)) == SIX
    reads = {call for call in world.calls(mark) if call not in SIX}
    assert reads <= {"GetService", "GetTargetGroup", "GetServiceNetworkServiceAssociation"}


async def test_what_is_as_desired_costs_nothing(world: World) -> None:
    await world.network()
    desired, groups = service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")]
    await world.settle(desired, groups)
    mark = world.mark
    await world.settle(desired, groups)
    assert world.calls(mark) == []


async def test_what_another_process_made_is_found_and_left_as_it_is(world: World) -> None:
    await world.network()
    desired = service(listener(rule("/", "parking"), rule("/review", "review")), user_tags={"team": "blue"})
    groups = [group("parking", "10.0.0.1"), group("review", user_tags={"team": "blue"})]
    await world.settle(desired, groups)
    world.restart()
    mark = world.mark
    await world.settle(desired, groups)
    assert world.writes(mark) == []


async def test_an_endpoint_that_comes_and_one_that_goes_cost_a_call_each(world: World) -> None:
    await world.network()
    desired = service(listener(rule("/", "parking")))
    await world.settle(desired, [group("parking", "10.0.0.1", "10.0.0.2")])
    mark = world.mark
    await world.settle(desired, [group("parking", "10.0.0.1", "10.0.0.3")])
    assert sorted(world.calls(mark)) == ["DeregisterTargets", "RegisterTargets"]


async def test_targets_go_in_calls_of_a_hundred(world: World) -> None:
    await world.inventory.ensure_loaded()
    many = group("parking", *(f"10.0.{n // 200}.{n % 200}" for n in range(250)))
    await world.settle(None, [many])
    assert world.writes().count("RegisterTargets") == 3
    found = await world.listed("ListTargets", targetGroupIdentifier=world.inventory.target_group(many.key).id)
    assert len(found) == 250


async def test_a_changed_weight_costs_one_update_for_each_listener_that_carries_it(world: World) -> None:
    await world.network()
    groups = [group("v1", "10.0.0.1"), group("v2", "10.0.0.2")]

    def both(*weights: int):
        rules = rule("/", "v1", "v2", weights=weights)
        return service(listener(rules), listener(rules, port=8080))

    await world.settle(both(90, 10), groups)
    mark = world.mark
    await world.settle(both(50, 50), groups)
    assert world.calls(mark) == ["UpdateRule", "UpdateRule"]


async def test_rules_that_change_together_are_updated_in_one_batch(world: World) -> None:
    await world.network()
    groups = [group("v1"), group("v2")]
    await world.settle(service(listener(*(rule(f"/{n}", "v1") for n in range(4)))), groups)
    mark = world.mark
    await world.settle(service(listener(*(rule(f"/{n}", "v2") for n in range(4)))), groups)
    assert world.calls(mark) == ["BatchUpdateRule"]


async def test_a_rule_waits_until_its_group_has_its_targets(world: World) -> None:
    await world.network()
    desired = service(listener(rule("/", "parking")))
    applied = await world.service_pass(desired)
    await world.inventory.get(applied.waits[0])
    applied = await world.service_pass(desired)
    assert "CreateRule" not in world.writes()
    assert not applied.done
    assert applied.holds == (group_key("parking"),)


async def test_everything_is_deleted_the_group_after_the_service(world: World) -> None:
    await world.network()
    await world.settle(service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")])
    held = await world.group_pass(None, group_key("parking"))
    assert held.holds == (KEY,)
    assert held.calls == 0
    await world.settle(None, gone=[group_key("parking")])
    assert await world.listed("ListServices") == []
    assert await world.listed("ListTargetGroups") == []
    assert await world.inventory.services_of(ROUTE) == {}
    assert world.inventory.target_groups_of(ROUTE) == {}


async def test_what_a_predecessor_left_of_a_route_is_found_and_deleted(world: World) -> None:
    await world.network()
    await world.settle(service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")])
    world.restart()
    services = await world.inventory.services_of(ROUTE)
    assert list(services) == [KEY]
    await world.settle(None, gone=list(world.inventory.target_groups_of(ROUTE)))
    assert await world.listed("ListServices") == []
    assert await world.listed("ListTargetGroups") == []


async def test_a_left_over_group_is_told_from_one_that_is_wanted(world: World) -> None:
    await world.settle(None, [group("parking"), group("review")])
    world.restart()
    await world.inventory.ensure_loaded()
    groups = world.inventory.target_groups_of(ROUTE, [group("review")])
    assert group_key("review") in groups
    (left,) = [key for key in groups if key != group_key("review")]
    await world.settle(None, [group("review")], gone=[left])
    assert [one["name"] for one in await world.listed("ListTargetGroups")] == [group("review").name]


async def test_what_somebody_else_deleted_is_made_again(world: World) -> None:
    await world.network()
    desired, groups = service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")]
    await world.settle(desired, groups)
    (one,) = await world.listed("ListServices")
    (listening,) = await world.listed("ListListeners", serviceIdentifier=one["id"])
    where = {"serviceIdentifier": one["id"], "listenerIdentifier": listening["id"]}
    await world.client.call("DeleteListener", where)
    changed = service(listener(rule("/", "parking"), rule("/new", "parking")))
    world.clock.advance(DEADLINE)
    assert (await world.settle(changed, groups)).done
    (listening,) = await world.listed("ListListeners", serviceIdentifier=one["id"])
    where = {"serviceIdentifier": one["id"], "listenerIdentifier": listening["id"]}
    assert len(await world.listed("ListRules", **where)) == 3


async def test_deleting_what_is_gone_already_is_no_error(world: World) -> None:
    await world.settle(None, [group("parking")])
    (one,) = await world.listed("ListTargetGroups")
    await world.client.call("DeleteTargetGroup", {"targetGroupIdentifier": one["id"]})
    applied = await world.group_pass(None, group_key("parking"))
    assert applied.done
    assert world.inventory.target_group(group_key("parking")) is None


async def test_an_association_is_added_before_the_old_one_goes(world: World) -> None:
    await world.network("my-hotel")
    await world.network("other")
    desired = service(listener(rule("/", "parking")))
    await world.settle(desired, [group("parking")])
    mark = world.mark
    await world.settle(service(*desired.listeners, networks=("other",)), [group("parking")])
    assert world.writes(mark) == ["CreateServiceNetworkServiceAssociation", "DeleteServiceNetworkServiceAssociation"]
    (one,) = await world.listed("ListServices")
    (left,) = await world.listed("ListServiceNetworkServiceAssociations", serviceIdentifier=one["id"])
    assert left["serviceNetworkName"] == "other"


async def test_an_association_whose_deletion_fails_is_deleted_again(world: World) -> None:
    await world.network("my-hotel")
    await world.network("other")
    desired = service(listener(rule("/", "parking")))
    await world.settle(desired, [group("parking")])
    world.server.faults.add("DeleteServiceNetworkServiceAssociation", Fail(), times=1)
    await world.settle(service(*desired.listeners, networks=("other",)), [group("parking")])
    (one,) = await world.listed("ListServices")
    (left,) = await world.listed("ListServiceNetworkServiceAssociations", serviceIdentifier=one["id"])
    assert left["serviceNetworkName"] == "other"


async def test_listeners_change_their_ports_though_the_quota_has_no_room_for_both(world: World) -> None:
    """By default a service has at most two."""
    await world.network()
    old, new = ([listener(rule("/", "parking"), port=port) for port in ports] for ports in ((80, 443), (8080, 8443)))
    await world.settle(service(*old), [group("parking", "10.0.0.1")])
    with pytest.raises(RetryError, match="Listeners per service"):
        await world.settle(service(*new), [group("parking", "10.0.0.1")])
    await world.settle(service(*new), [group("parking", "10.0.0.1")])
    (one,) = await world.listed("ListServices")
    listening = await world.listed("ListListeners", serviceIdentifier=one["id"])
    assert {found["port"] for found in listening} == {8080, 8443}


async def test_a_match_changes_though_the_quota_has_no_room_for_both_rules(world: World) -> None:
    """By default a listener has at most ten."""
    await world.network()
    others = [rule(f"/b/{number}", "parking") for number in range(9)]
    for color in ("blue", "red"):
        match = Match(path_prefix="/a", headers=(HeaderMatch(name="x-team", value=color),))
        desired = service(listener(msgspec.structs.replace(rule("/", "parking"), match=match), *others))
        mark = world.mark
        await world.settle(desired, [group("parking", "10.0.0.1")])
    assert world.writes(mark) == ["UpdateRule"]
    world.restart()
    mark = world.mark
    await world.settle(desired, [group("parking", "10.0.0.1")])
    assert world.writes(mark) == []


async def test_a_missing_network_is_a_problem_and_the_rest_is_done(world: World) -> None:
    desired = service(listener(rule("/", "parking")), networks=("nowhere",))
    applied = await world.settle(desired, [group("parking")])
    assert [problem.reason for problem in applied.problems] == ["NetworkNotFound"]
    assert "CreateRule" in world.writes()


async def test_a_network_that_was_made_meanwhile_is_found_by_refreshing(world: World) -> None:
    await world.inventory.ensure_loaded()
    made = await world.network("late")
    assert isinstance(world.inventory.network("late"), NetworkMissing)
    await world.inventory.refresh_networks("late")
    assert isinstance(world.inventory.network("late"), NetworkMissing), "not again so soon"
    world.clock.advance(10)
    await world.inventory.refresh_networks("late")
    found = world.inventory.network("late")
    assert isinstance(found, NetworkFound)
    assert found == world.inventory.network(made)


async def test_two_networks_of_one_name_are_ambiguous() -> None:
    mirror = Mirror(IDENTITY)
    mirror.networks = {ident: ObservedNetwork(id=ident, arn="", name="shared") for ident in ("sn-2", "sn-1")}
    assert mirror.network("shared") == NetworkAmbiguous(ids=("sn-1", "sn-2"))
    assert isinstance(mirror.network("sn-2"), NetworkFound)


async def test_a_service_without_an_owner_is_adopted_by_tagging_it(world: World) -> None:
    await world.network()
    old = await world.client.call("CreateService", {"name": "rates-default"})
    await world.settle(service(listener(rule("/", "parking"))), [group("parking")])
    assert [one["id"] for one in await world.listed("ListServices")] == [old["id"]]
    assert (await world.tags(old["arn"]))[MANAGED_BY] == IDENTITY.owner


async def test_another_owners_service_is_a_conflict_and_stays_untouched(world: World) -> None:
    await world.network()
    tags = {MANAGED_BY: "123456789012/other/vpc-1"}
    await world.client.call("CreateService", {"name": "rates-default", "tags": tags})
    applied = await world.again(world.service_pass, service(listener(rule("/", "parking"))))
    assert [problem.reason for problem in applied.problems] == ["Conflicted"]
    assert "123456789012/other/vpc-1" in applied.problems[0].message
    assert world.writes() == ["CreateServiceNetwork", "CreateService", "CreateService"]
    await world.settle(None)
    assert len(await world.listed("ListServices")) == 1


async def test_another_owners_service_is_taken_over_where_the_route_says_so(world: World) -> None:
    await world.network()
    tags = {MANAGED_BY: "123456789012/other/vpc-1"}
    old = await world.client.call("CreateService", {"name": "rates-default", "tags": tags})
    desired = service(listener(rule("/", "parking")), takeover_from="123456789012/other/vpc-1")
    await world.settle(desired, [group("parking")])
    assert (await world.tags(old["arn"]))[MANAGED_BY] == IDENTITY.owner


async def test_another_routes_service_is_a_conflict(world: World) -> None:
    await world.network()
    await world.settle(service(listener(rule("/", "parking"))), [group("parking")])
    other = ServiceKey(kind="HTTPRoute", route=RouteRef("HTTPRoute", "default", "rates2"))
    rival = msgspec.structs.replace(
        service(listener(rule("/", "parking"))), key=other, tags={**service().tags, TAG_PREFIX + "RouteName": "rates2"}
    )
    applied = await world.service_pass(rival, other)
    assert [problem.reason for problem in applied.problems] == ["Conflicted"]
    assert "default/rates" in applied.problems[0].message


async def test_users_tags_are_changed_and_removed_and_others_are_left(world: World) -> None:
    await world.network()
    rules = listener(rule("/", "parking"))
    await world.settle(service(rules, user_tags={"team": "blue", "cost": "1"}), [group("parking")])
    (one,) = await world.listed("ListServices")
    await world.client.call("TagResource", {"resourceArn": one["arn"], "tags": {"theirs": "stays"}})
    world.inventory.mark_suspect(ResourceRef("service", one["id"]))
    await world.settle(service(rules, user_tags={"team": "red"}), [group("parking")])
    tags = await world.tags(one["arn"])
    assert (tags["team"], tags["theirs"], "cost" in tags) == ("red", "stays", False)
    (listening,) = await world.listed("ListListeners", serviceIdentifier=one["id"])
    assert await world.tags(listening["arn"]) == {MANAGED_BY: IDENTITY.owner, "team": "red"}


async def test_a_health_check_is_changed_in_place(world: World) -> None:
    await world.settle(None, [group("parking")])
    mark = world.mark
    await world.settle(None, [group("parking", health_check=HealthCheck(path="/healthz", interval=10))])
    assert world.calls(mark) == ["UpdateTargetGroup"]
    mark = world.mark
    await world.settle(None, [group("parking", health_check=HealthCheck(enabled=False))])
    await world.settle(None, [group("parking", health_check=HealthCheck(enabled=False))])
    assert world.calls(mark) == ["UpdateTargetGroup"]


async def test_targets_that_could_not_be_registered_are_named_and_tried_again(world: World) -> None:
    world.server.faults.add("RegisterTargets", Partial((1,)), times=1)
    desired = group("parking", "10.0.0.1", "10.0.0.2")
    with pytest.raises(RetryError, match=r"10\.0\.0\.2:8090"):
        await world.settle(None, [desired])
    mark = world.mark
    await world.settle(None, [desired])
    (again,) = world.server.calls.of("RegisterTargets", mark)
    assert [target["id"] for target in again.parameters["targets"]] == ["10.0.0.2"]


async def test_each_write_is_told_with_its_key_and_lane_also_where_the_plan_fails(world: World) -> None:
    told: list[tuple[ServiceKey | TargetGroupKey, Lane]] = []
    applier = Applier(world.client, world.inventory, acknowledged=lambda key, lane: told.append((key, lane)))
    await world.settle(None, [group("parking")])
    world.server.faults.add("RegisterTargets", Partial((1,)), times=1)
    desired = group("parking", "10.0.0.1", "10.0.0.2", health_check=HealthCheck(path="/healthz"))
    observed = await world.inventory.observe_target_group(desired.key, desired)
    plan = plan_target_group(desired, observed, world.inventory.context(world.now))
    with pytest.raises(RetryError):
        await applier.apply(plan, key=desired.key, lane=Lane.BULK)
    assert told == [(desired.key, Lane.BULK)] * 2


async def test_targets_that_went_without_an_answer_are_not_deregistered_for_ever(world: World) -> None:
    await world.settle(None, [group("parking", "10.0.0.1", "10.0.0.2")])
    world.server.faults.add("DeregisterTargets", Refuse(after=True), times=1)
    desired = group("parking", "10.0.0.1")
    with pytest.raises(RetryError, match="not registered"):
        await world.settle(None, [desired])
    await world.settle(None, [desired])
    assert await world.inventory.observe_target_group(desired.key, desired) is not None
    (one,) = await world.listed("ListTargetGroups")
    targets = await world.listed("ListTargets", targetGroupIdentifier=one["id"])
    assert [target["id"] for target in targets if target["status"] != "DRAINING"] == ["10.0.0.1"]


async def test_a_batch_that_was_done_in_part_is_finished_by_the_next_plan(world: World) -> None:
    await world.network()
    groups = [group("v1"), group("v2")]
    await world.settle(service(listener(*(rule(f"/{n}", "v1") for n in range(4)))), groups)
    world.server.faults.add("BatchUpdateRule", Partial((2,)), times=1)
    wanted = service(listener(*(rule(f"/{n}", "v2") for n in range(4))))
    mark = world.mark
    with pytest.raises(RetryError, match="1 of 4"):
        await world.settle(wanted, groups)
    await world.settle(wanted, groups)
    assert world.calls(mark) == ["BatchUpdateRule", "UpdateRule"]


@pytest.mark.parametrize("create", ["CreateService", "CreateTargetGroup", "CreateServiceNetworkServiceAssociation"])
async def test_what_failed_to_be_created_is_reported_deleted_and_made_again(world: World, create: str) -> None:
    await world.network()
    world.server.faults.add(create, Fail(message="no capacity"), times=1)
    desired, groups = service(listener(rule("/", "parking"))), [group("parking")]
    problems: set[str] = set()
    for _ in range(12):
        passes = [await world.group_pass(one, one.key) for one in groups]
        passes.append(await world.service_pass(desired))
        problems |= {problem.message for applied in passes for problem in applied.problems}
        if all(applied.done and not applied.problems for applied in passes):
            break
        for ref in [ref for applied in passes for ref in applied.waits]:
            await world.inventory.get(ref)
    assert all(applied.done for applied in passes)
    assert any("no capacity" in message for message in problems)


@pytest.mark.parametrize("sent", [False, True], ids=["before a call", "before its answer"])
async def test_a_crash_at_any_write_leaves_nothing_that_the_next_run_does_not_finish(world: World, sent: bool) -> None:
    await world.network()
    desired = service(listener(rule("/", "parking"), rule("/review", "review")))
    groups = [group("parking", "10.0.0.1"), group("review", "10.0.0.2")]
    for survived in range(10):
        world.restart()
        world.applier = Applier(Crashing(world.client, survived, sent), world.inventory)
        with contextlib.suppress(RetryError):
            await world.settle(desired, groups)
        world.restart()
        await world.settle(desired, groups)
        assert len(await world.listed("ListServices")) == 1
        assert len(await world.listed("ListTargetGroups")) == 2
        (one,) = await world.listed("ListServices")
        (listening,) = await world.listed("ListListeners", serviceIdentifier=one["id"])
        where = {"serviceIdentifier": one["id"], "listenerIdentifier": listening["id"]}
        assert len(await world.listed("ListRules", **where)) == 3
        world.restart()
        world.applier = Applier(Crashing(world.client, survived, sent), world.inventory)
        await world.inventory.ensure_loaded()
        with contextlib.suppress(RetryError):
            await world.settle(None, gone=list(world.inventory.target_groups_of(ROUTE)))
        world.restart()
        await world.inventory.ensure_loaded()
        await world.settle(None, gone=list(world.inventory.target_groups_of(ROUTE)))
        assert await world.listed("ListServices") == []
        assert await world.listed("ListTargetGroups") == []


class Crashing:
    """A client whose process dies after some writes, before the next is sent or before it is answered."""

    def __init__(self, client: LatticeClient, survived: int, sent: bool) -> None:
        self._client = client
        self._left = survived
        self._sent = sent

    async def call(self, operation: str, params: Any, **more: Any) -> dict[str, Any]:
        if not operation.startswith(("Get", "List")):
            self._left -= 1
            if self._left == -1 and self._sent:
                await self._client.call(operation, params, **more)
            if self._left < 0:
                raise RetryError(operation, "Crashed", "the process died")
        return await self._client.call(operation, params, **more)


@contextlib.asynccontextmanager
async def led_until(world: World, *last: str) -> AsyncGenerator[list[str]]:
    """The world with a client that loses the lease, if `last` names an operation, after the first attempt at it, unless
    the list that is yielded, which holds that name, is emptied; retries wait no real time."""
    clock, fenced = HastyClock(), list(last)
    async with LatticeClient(
        region="us-west-2",
        endpoint_url=None,
        limits=Limits(clock, default=Rate(10_000, 10_000)),
        clock=clock,
        fence=lambda _: not any(map(world.server.calls.count, fenced)),
    ) as client:
        world.client = client
        world.restart()
        yield fenced


ENDINGS: dict[str, tuple[Refuse | Throttle | None, type[LatticeError]]] = {
    "no permission": (Refuse("AccessDeniedException", 403), TerminalError),
    "a quota": (Refuse("ServiceQuotaExceededException", 402), TerminalError),
    "throttles without end": (Throttle(retry_after=20), RetryError),
    "a fence": (None, FencedError),
}


@pytest.mark.parametrize("create", ["CreateService", "CreateTargetGroup"])
@pytest.mark.parametrize(("ending", "raised"), ENDINGS.values(), ids=ENDINGS)
async def test_what_an_attempt_without_an_answer_made_is_found_however_the_call_ended(
    world: World, create: str, ending: Refuse | Throttle | None, raised: type[LatticeError]
) -> None:
    async with led_until(world, *([create] if ending is None else [])) as fenced:
        await world.inventory.find_missed(ROUTE)
        world.server.faults.add(create, Reset(after=True), times=1)
        if ending is not None:
            world.server.faults.add(create, ending)
        with pytest.raises(raised):
            await world.settle(service(networks=()), [group("parking")])
        world.server.faults.clear()
        fenced.clear()
        assert await world.inventory.find_missed(ROUTE)
        await world.settle(None, gone=list(world.inventory.target_groups_of(ROUTE)))
        assert await world.listed("ListServices") == []
        assert await world.listed("ListTargetGroups") == []


async def test_what_was_refused_for_certain_leaves_nothing_to_look_for(world: World) -> None:
    async with led_until(world):
        await world.inventory.find_missed(ROUTE)
        world.server.faults.add("CreateService", Refuse("AccessDeniedException", 403))
        with pytest.raises(TerminalError):
            await world.settle(service(networks=()))
        assert not await world.inventory.find_missed(ROUTE)
