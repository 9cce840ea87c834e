"""What nothing has shown: creates without an answer, and what was made just before a load, are found before it is said
that there is nothing."""

import anyio
import pytest

from controller.api.keys import RouteRef, ServiceKey
from controller.lattice.apply import Applier
from controller.lattice.errors import RetryError
from controller.lattice.inventory.missed import TAGGING_LAG
from controller.lattice.model import MANAGED_BY
from tests.lattice.here import Here
from tests.lattice.world import KEY, ROUTE, group, group_key, listener, rule, service

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0
"""The emulated account's time."""
HOSTNAME = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))


@pytest.fixture
def here() -> Here:
    return Here()


async def lose(here: Here, operation: str, *work: object) -> None:
    """Do something while the answers to an operation are lost."""
    here.lattice.lost = operation
    with pytest.raises(RetryError, match="no answer"):
        await here.settle(*work)
    here.lattice.lost = ""
    here.log.clear()


async def test_a_group_whose_create_was_not_answered_is_found_when_it_is_not_wanted_any_more(here: Here) -> None:
    await lose(here, "CreateTargetGroup", None, [group("parking")])
    await here.settle(None, gone=[group_key("parking")])
    assert here.lattice.writes == ["DeleteTargetGroup"]
    assert list(here.lattice.state.target_groups) == []


@pytest.mark.parametrize("key", [KEY, HOSTNAME], ids=["of a route", "of a hostname"])
async def test_a_service_whose_create_was_not_answered_is_found_when_it_is_not_wanted_any_more(
    here: Here, key: ServiceKey
) -> None:
    await here.network()
    desired = service(key=key, custom_domain=key.hostname or None)
    await lose(here, "CreateService", desired, (), (), key)
    await here.settle(None, key=key)
    assert here.lattice.writes == ["DeleteService"]
    assert list(here.lattice.state.services) == []


async def test_a_service_whose_create_was_not_answered_is_found_when_it_is_wanted_by_another_name(here: Here) -> None:
    await lose(here, "CreateService", service(networks=()))
    await here.settle(service(networks=(), name="other-name"))
    (one,) = here.lattice.state.services
    assert one.name == "rates-default", "a service keeps the name it was made with"


async def test_what_is_still_wanted_is_made_again_without_a_look_and_met_by_its_name(here: Here) -> None:
    await lose(here, "CreateTargetGroup", None, [group("parking", "10.0.0.1")])
    await here.settle(None, [group("parking", "10.0.0.1")])
    assert here.lattice.writes == ["CreateTargetGroup", "RegisterTargets"]
    assert here.log.count("ListTargetGroups") == 1
    here.log.clear()
    assert await here.inventory.find_missed(ROUTE)
    assert not await here.inventory.find_missed(ROUTE)


async def test_a_route_learns_of_what_unanswered_creates_made(here: Here) -> None:
    await here.inventory.find_missed(ROUTE)
    await lose(here, "CreateTargetGroup", None, [group("parking")])
    await lose(here, "CreateService", service(networks=()))
    assert not await here.inventory.find_missed(RouteRef("HTTPRoute", "default", "another"))
    assert await here.inventory.services_of(ROUTE) == {}
    assert await here.inventory.find_missed(ROUTE)
    assert list(await here.inventory.services_of(ROUTE)) == [KEY]
    assert list(here.inventory.target_groups_of(ROUTE)) == [group_key("parking")]
    here.log.clear()
    assert not await here.inventory.find_missed(ROUTE)
    assert here.log == []


async def test_what_an_unanswered_create_did_not_make_is_no_longer_looked_for(here: Here) -> None:
    await here.inventory.find_missed(ROUTE)
    await lose(here, "CreateService", service(networks=()))
    (one,) = here.lattice.state.services
    await here.lattice.call("DeleteService", {"serviceIdentifier": one.id})
    assert await here.inventory.find_missed(ROUTE)
    assert await here.inventory.services_of(ROUTE) == {}
    assert not await here.inventory.find_missed(ROUTE)


async def test_another_owners_of_the_same_name_stays_untouched(here: Here) -> None:
    theirs = {MANAGED_BY: "123456789012/other/vpc-1"}
    await here.inventory.find_missed(ROUTE)
    await lose(here, "CreateService", service(networks=()))
    (one,) = here.lattice.state.services
    await here.lattice.call("DeleteService", {"serviceIdentifier": one.id})
    await here.client.call("CreateService", {"name": "rates-default", "tags": {**service().tags, **theirs}})
    await here.settle(None)
    assert await here.inventory.services_of(ROUTE) == {}
    assert len(list(here.lattice.state.services)) == 1


async def test_a_create_that_is_cancelled_is_one_without_an_answer(here: Here) -> None:
    class Slow(type(here.lattice)):
        async def call(self, operation, params, **more):
            answer = await here.lattice.call(operation, params)
            if operation == "CreateTargetGroup":
                await anyio.sleep_forever()
            return answer

    here.applier = Applier(Slow(0), here.inventory)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.settle, None, [group("parking")])
        while not here.lattice.writes:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    here.applier = Applier(here.lattice, here.inventory)
    await here.settle(None, gone=[group_key("parking")])
    assert list(here.lattice.state.target_groups) == []


async def crash_after_creating(here: Here) -> None:
    """Another run begins before the tagging API shows what the last one made."""
    await here.settle(service(networks=()), [group("parking", "10.0.0.1")])
    here.lattice.untagged = True


async def test_what_was_made_just_before_a_load_is_found_before_a_route_is_let_go(here: Here) -> None:
    await crash_after_creating(here)
    here.restart(now=lambda: NOW + 10)
    assert await here.inventory.services_of(ROUTE) == {}
    assert await here.inventory.find_missed(ROUTE)
    assert list(await here.inventory.services_of(ROUTE)) == [KEY]
    await here.settle(None, gone=list(here.inventory.target_groups_of(ROUTE)))
    assert (list(here.lattice.state.services), list(here.lattice.state.target_groups)) == ([], [])


async def test_all_routes_share_one_look_for_what_a_load_has_missed(here: Here) -> None:
    await crash_after_creating(here)
    here.restart(now=lambda: NOW + 10)
    await here.inventory.ensure_loaded()
    here.log.clear()
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(here.inventory.find_missed, RouteRef("HTTPRoute", "default", str(number)))
    assert sorted(here.log) == ["ListServices", "ListTagsForResource", "ListTagsForResource", "ListTargetGroups"]
    assert not await here.inventory.find_missed(ROUTE)


async def test_a_new_term_looks_anew(here: Here) -> None:
    await here.inventory.find_missed(ROUTE)
    await crash_after_creating(here)
    here.inventory.forget()
    assert await here.inventory.find_missed(ROUTE)
    assert list(await here.inventory.services_of(ROUTE)) == [KEY]


async def test_what_is_old_enough_for_a_load_to_show_it_is_not_asked_for_its_tags(here: Here) -> None:
    await here.client.call("CreateService", {"name": "theirs"})
    here.restart(now=lambda: NOW + TAGGING_LAG + 1)
    assert await here.inventory.find_missed(ROUTE)
    assert "ListTagsForResource" not in here.log


async def test_a_load_without_the_tagging_api_misses_nothing(here: Here) -> None:
    here.restart(use_tagging_api=False)
    assert not await here.inventory.find_missed(ROUTE)


async def test_what_an_unanswered_write_concerned_is_read_anew(here: Here) -> None:
    """Else what is wanted next would be compared with what is no more: here, back to what it was."""
    before = service(listener(rule("/", "v1")), networks=())
    after = service(listener(rule("/", "v2")), networks=())
    groups = [group("v1"), group("v2")]
    await here.settle(before, groups)
    await lose(here, "UpdateRule", after, groups)
    await here.settle(before, groups)
    assert here.lattice.writes == ["UpdateRule"]


async def test_targets_whose_registration_was_not_answered_are_read_anew(here: Here) -> None:
    await here.settle(None, [group("parking", "10.0.0.1")])
    await lose(here, "RegisterTargets", None, [group("parking", "10.0.0.1", "10.0.0.2")])
    await here.settle(None, [group("parking", "10.0.0.1")])
    assert here.lattice.writes == ["DeregisterTargets"]


async def test_an_association_whose_create_was_not_answered_goes_when_it_is_not_wanted(here: Here) -> None:
    await here.network()
    await here.settle(service(networks=()))
    await lose(here, "CreateServiceNetworkServiceAssociation", service())
    await here.settle(service(networks=()))
    assert here.lattice.writes == ["DeleteServiceNetworkServiceAssociation"]
