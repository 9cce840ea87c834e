"""Taking over from another replica: where to look is known, what was seen there is not believed."""

import pytest

from controller.lattice.inventory import Inventory
from tests.lattice.here import Here
from tests.lattice.world import IDENTITY, KEY, ROUTE, group, group_key, listener, rule, service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here() -> Here:
    """A follower that has loaded what there is: one service with one group."""
    made = Here()
    await made.network()
    await made.settle(service(listener(rule("/", "parking"))), [group("parking", "10.0.0.1")])
    made.restart()
    await made.inventory.ensure_loaded()
    return made


async def leads_elsewhere(here: Here, *groups: str) -> None:
    """Another replica makes it so, unseen by ours."""
    ours = here.inventory
    here.restart()
    await here.settle(service(listener(rule("/", *groups))), [group(one, "10.0.0.2") for one in groups])
    here.inventory = ours


async def test_a_group_that_is_known_is_read_alone_and_anew(here: Here) -> None:
    await leads_elsewhere(here, "parking")
    here.inventory.doubt()
    here.log.clear()
    observed = await here.inventory.observe_target_group(group_key(), group("parking", "10.0.0.2"))
    assert observed is not None
    assert [target.ip for target in observed.targets or ()] == ["10.0.0.2"]
    assert sorted(here.log) == ["GetTargetGroup", "ListTagsForResource", "ListTargets"]


async def test_a_group_that_is_not_known_is_looked_for_by_a_load(here: Here) -> None:
    await leads_elsewhere(here, "parking", "rates")
    here.inventory.doubt()
    here.log.clear()
    assert await here.inventory.observe_target_group(group_key("rates"), group("rates", "10.0.0.2")) is not None
    assert "GetResources" in here.log


async def test_a_group_that_has_gone_is_absent_only_after_a_load(here: Here) -> None:
    wanted = group("parking", "10.0.0.1")
    known = await here.inventory.observe_target_group(group_key(), wanted)
    assert known is not None
    await leads_elsewhere(here, "rates")
    await here.client.call("DeleteTargetGroup", {"targetGroupIdentifier": known.id})
    here.inventory.doubt()
    here.log.clear()
    assert await here.inventory.observe_target_group(group_key(), wanted) is None
    assert "GetResources" in here.log


async def test_what_is_to_be_absent_is_asked_after_a_load(here: Here) -> None:
    await leads_elsewhere(here, "parking", "rates")
    here.inventory.doubt()
    here.log.clear()
    assert len(await here.inventory.services_of(ROUTE)) == 1
    assert "GetResources" in here.log
    assert len(here.inventory.target_groups_of(ROUTE)) == 2


async def test_a_service_is_read_anew_with_all_below_it(here: Here) -> None:
    desired = service(listener(rule("/", "parking")))
    before = await here.inventory.observe_service(KEY, desired)
    await leads_elsewhere(here, "rates")
    here.inventory.doubt()
    after = await here.inventory.observe_service(KEY, desired)
    assert before is not None
    assert after is not None
    assert not set(before.groups()) & set(after.groups())


async def test_nothing_is_known_before_the_first_load() -> None:
    here = Here()
    inventory = Inventory(here.client, IDENTITY, here.clock)
    inventory.doubt()
    assert await inventory.observe_target_group(group_key(), group("parking")) is None
    assert "GetResources" in here.log
