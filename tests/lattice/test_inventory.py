"""The inventory: what it reads, when, and by how few calls; what it never takes for granted."""

import anyio
import pytest

from controller.api.keys import ServiceKey
from controller.lattice.errors import RetryError
from controller.lattice.inventory import Inventory
from controller.lattice.inventory.mirror import Claims, Index, Mirror
from controller.lattice.inventory.once import Once
from controller.lattice.model import MANAGED_BY, HeaderMatch, Match
from controller.lattice.observed import NetworkFound, NetworkMissing, NetworkUnknown
from controller.lattice.plan.wire import action_of, match_of
from controller.lattice.refs import ResourceRef
from tests.lattice.here import Here
from tests.lattice.inprocess import InProcess
from tests.lattice.world import IDENTITY, KEY, ROUTE, VPC, group, group_key, listener, rule, service

pytestmark = pytest.mark.anyio


@pytest.fixture
def here() -> Here:
    return Here()


async def two_services(here: Here, *, theirs: int = 0) -> None:
    for number in range(theirs):
        await here.client.call("CreateService", {"name": f"theirs-{number}"})
    await here.network()
    await here.settle(service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")])
    other = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))
    desired = service(key=other, name="rates-default-2", custom_domain="rates.example.com")
    await here.settle(desired, key=other)
    here.restart()
    here.log.clear()


async def test_a_load_is_one_tag_query_and_states_by_the_fewest_calls(here: Here) -> None:
    await two_services(here)
    await here.inventory.ensure_loaded()
    assert sorted(here.log) == ["GetResources", "GetTargetGroup", "ListServiceNetworks", "ListServices"]


async def test_a_load_is_shared_by_all_who_want_it(here: Here) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(here.inventory.ensure_loaded)
    await here.inventory.ensure_loaded()
    assert here.log.count("GetResources") == 1


async def test_a_load_that_fails_fails_for_all_and_is_tried_again(here: Here) -> None:
    class Down(InProcess):
        async def tagged(self, *arguments, **more):
            await super().tagged(*arguments, **more)
            raise RetryError("GetResources", "Timeout", "no answer")

    down = Down(0)
    inventory = Inventory(down, IDENTITY, here.clock)
    failed: list[RetryError] = []

    async def want() -> None:
        with pytest.raises(RetryError) as raised:
            await inventory.ensure_loaded()
        failed.append(raised.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(want)
    assert len(failed) == 3
    assert down.log.count("GetResources") == 1
    await want()
    assert down.log.count("GetResources") == 2


async def test_without_the_tagging_api_the_tags_of_each_are_read(here: Here) -> None:
    await two_services(here, theirs=2)
    here.restart(use_tagging_api=False)
    await here.inventory.ensure_loaded()
    assert "GetResources" not in here.log
    assert here.log.count("ListTagsForResource") == 5
    found = await here.inventory.services_of(ROUTE)
    assert sorted(one.name for one in found.values()) == ["rates-default", "rates-default-2"]


async def test_services_of_a_route_come_with_the_keys_whose_they_are(here: Here) -> None:
    await two_services(here)
    found = await here.inventory.services_of(ROUTE)
    assert set(found) == {KEY, ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))}


async def test_a_key_for_which_nothing_is_desired_finds_its_own_service_only(here: Here) -> None:
    await two_services(here)
    elsewhere = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("other",))
    assert await here.inventory.observe_service(elsewhere, None) is None
    own = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))
    found = await here.inventory.observe_service(own, None)
    assert found is not None
    assert found.custom_domain == "rates.example.com"


async def test_a_service_that_another_key_claims_is_never_found_for_deletion(here: Here) -> None:
    await two_services(here)
    heir = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel", "other"))
    desired = service(key=heir, name="rates-default-2", custom_domain="rates.example.com")
    assert await here.inventory.observe_service(heir, desired) is not None
    former = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))
    assert await here.inventory.observe_service(former, None) is None


async def test_a_group_passes_to_the_key_that_desires_its_identity(here: Here) -> None:
    await here.settle(None, [group("parking")])
    heir = group("parking")
    key = group_key("parking", ServiceKey(kind="HTTPRoute", hostname="rates.example.com"))
    found = await here.inventory.observe_target_group(key, heir)
    assert found is not None
    assert await here.inventory.observe_target_group(group_key("parking"), None) is None


async def test_groups_that_differ_by_a_tag_of_our_own_are_told_apart(here: Here) -> None:
    other = ServiceKey(kind="HTTPRoute", hostname="rates.example.com")
    await here.settle(None, [group("parking", owner=other), group("parking")])
    ids = {
        one.key: here.inventory.target_group(one.key).id for one in (group("parking"), group("parking", owner=other))
    }
    assert len(set(ids.values())) == 2
    here.restart()
    for one in (group("parking"), group("parking", owner=other)):
        found = await here.inventory.observe_target_group(one.key, one)
        assert found is not None
        assert found.id == ids[one.key]


async def test_children_are_read_when_first_needed_and_never_again(here: Here) -> None:
    await two_services(here)
    await here.inventory.ensure_loaded()
    here.log.clear()
    desired = service(listener(rule("/", "parking")))
    await here.inventory.observe_service(KEY, desired)
    read = ["GetListener", "GetRule", "ListListeners", "ListRules", "ListServiceNetworkServiceAssociations"]
    assert sorted(here.log) == read
    await here.inventory.observe_service(KEY, desired)
    assert sorted(here.log) == read


async def test_what_is_suspect_is_read_anew_once(here: Here) -> None:
    await two_services(here)
    desired = service(listener(rule("/", "parking")))
    seen = await here.inventory.observe_service(KEY, desired)
    assert seen is not None
    await here.client.call("TagResource", {"resourceArn": seen.arn, "tags": {"theirs": "1"}})
    here.inventory.mark_suspect(seen.ref)
    again = await here.inventory.observe_service(KEY, desired)
    assert again is not None
    assert again.tags["theirs"] == "1"
    here.log.clear()
    await here.inventory.observe_service(KEY, desired)
    assert here.log == []


async def test_forgetting_reads_everything_anew(here: Here) -> None:
    await two_services(here)
    await here.inventory.ensure_loaded()
    (one,) = [item for item in await here.listed("ListServices") if item["name"] == "rates-default-2"]
    here.inventory.forget()
    assert here.inventory.state(ResourceRef("service", one["id"])) is None
    assert isinstance(here.inventory.network("my-hotel"), NetworkUnknown)
    assert len(await here.inventory.services_of(ROUTE)) == 2


async def test_a_network_that_only_this_vpcs_association_shows_is_found(here: Here) -> None:
    made = await here.network("shared")
    await here.client.call(
        "CreateServiceNetworkVpcAssociation", {"serviceNetworkIdentifier": made, "vpcIdentifier": VPC}
    )
    here.lattice.hidden = "ListServiceNetworks"
    await here.inventory.ensure_loaded()
    assert isinstance(here.inventory.network("shared"), NetworkMissing)
    await here.inventory.refresh_networks("shared")
    assert isinstance(here.inventory.network("shared"), NetworkFound)
    here.log.clear()
    await here.inventory.refresh_networks("shared", "nowhere")
    assert here.log == []


async def test_the_poller_sees_a_deletion_by_get_and_by_list(here: Here) -> None:
    await here.network()
    await here.settle(service(), [group("parking")])
    for kind, look in (("target_group", here.inventory.get), ("service", None)):
        held = here.inventory.service(KEY) if kind == "service" else here.inventory.target_group(group_key("parking"))
        assert held is not None
        applied = await (here.service_pass(None) if kind == "service" else here.group_pass(None, group_key("parking")))
        while here.inventory.state(held.ref) is not None:
            assert applied.waits
            for ref in applied.waits:
                await (look(ref) if look is not None else here.inventory.list(ref.type))
            if kind == "service":
                applied = await here.service_pass(None)
        assert here.inventory.pages(held.ref.type) >= 1


async def test_a_list_that_does_not_show_what_was_just_made_does_not_make_it_vanish(here: Here) -> None:
    await here.network()
    await here.settle(service())
    here.lattice.hidden = "ListServices"
    held = here.inventory.service(KEY)
    assert held is not None
    await here.inventory.list("service")
    assert here.inventory.state(held.ref) == "ACTIVE"
    here.log.clear()
    assert await here.inventory.observe_service(KEY, service()) is not None
    assert "GetService" in here.log


async def test_a_waiter_takes_over_the_work_of_one_who_was_cancelled() -> None:
    once, started, done = Once(), anyio.Event(), []

    async def work() -> None:
        started.set()
        if not done:
            done.append("begun")
            await anyio.sleep_forever()
        done.append("whole")

    async def waiter() -> None:
        await started.wait()
        await once.run(work)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(waiter)

            async def cancel() -> None:
                await started.wait()
                await anyio.lowlevel.checkpoint()
                scope.cancel()

            tasks.start_soon(cancel)
            await once.run(work)
    assert done == ["begun", "whole"]


def test_an_index_follows_what_changes_and_what_goes() -> None:
    index: Index[str, list[str]] = Index(lambda labels: labels)
    index.put("1", ["a", "b"])
    index.put("2", ["b"])
    index.put("1", ["b", "c"])
    assert (index["a"], index["b"], index["c"]) == ((), ("2", "1"), ("1",))
    index.drop("2")
    assert index["b"] == ("1",)
    assert sorted(index.labels()) == ["b", "c"]


def test_of_two_claims_the_last_wins() -> None:
    claims: Claims[str] = Claims()
    claims.claim("old", "svc-1")
    claims.claim("new", "svc-1")
    assert claims.id_of("old") is None
    assert claims.key_of("svc-1") == "new"
    claims.claim("new", "svc-2")
    assert claims.key_of("svc-1") is None


async def test_other_owners_and_untagged_services_of_a_route_are_not_ours(here: Here) -> None:
    await here.client.call("CreateService", {"name": "rates-default", "tags": dict(service().tags)})
    theirs = {**service().tags, MANAGED_BY: "123456789012/other/vpc-1"}
    await here.client.call("CreateService", {"name": "rates-default-2", "tags": theirs})
    assert await here.inventory.services_of(ROUTE) == {}
    assert await here.inventory.observe_service(KEY, None) is None


def test_a_mirror_that_was_not_read_knows_no_network() -> None:
    assert isinstance(Mirror(IDENTITY).network("my-hotel"), NetworkUnknown)


async def test_a_service_keeps_the_name_that_it_was_made_with(here: Here) -> None:
    await two_services(here)
    renamed = service(name="rates-renamed")
    found = await here.inventory.observe_service(KEY, renamed)
    assert found is not None
    assert found.name == "rates-default"
    own = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))
    found = await here.inventory.observe_service(own, service(key=own, name="x", custom_domain="rates.example.com"))
    assert found is not None
    assert found.name == "rates-default-2"


def test_a_rule_that_another_controller_wrote_for_headers_in_any_case_equals_none_of_ours() -> None:
    header = {"name": "X-Team", "match": {"exact": "blue"}, "caseSensitive": False}
    path = {"match": {"prefix": "/"}, "caseSensitive": True}
    assert match_of({"httpMatch": {"pathMatch": path, "headerMatches": [header]}}) is None
    ours = match_of({"httpMatch": {"pathMatch": path, "headerMatches": [{**header, "caseSensitive": True}]}})
    assert ours == Match(path_prefix="/", headers=(HeaderMatch(name="x-team", value="blue"),))


def test_a_path_in_any_case_and_an_unknown_action_are_kept_as_inexpressible() -> None:
    path = {"match": {"prefix": "/"}, "caseSensitive": False}
    assert match_of({"httpMatch": {"pathMatch": path}}) is None
    assert action_of({"new": {}}) is None
    assert action_of(None) is None
