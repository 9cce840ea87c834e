"""Whose lane a read takes, what is read again and what is not, and what is never taken for ours."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from controller.lattice.errors import RetryError, SuspectError
from controller.lattice.limits import Lane
from controller.lattice.observed import NetworkFound, NetworkMissing
from tests.lattice.here import Here
from tests.lattice.inprocess import InProcess
from tests.lattice.world import KEY, ROUTE, VPC, group, group_key, service

pytestmark = pytest.mark.anyio

STALE = 10.0
"""Seconds after which the service networks are read again when asked for."""


class Watched(InProcess):
    """Notes lanes, shows what others share with this account, and holds a list back."""

    def __init__(self) -> None:
        super().__init__(0)
        self.lanes: set[Lane] = set()
        self.shared: list[dict[str, Any]] = []
        self.held = ""
        self.blind = False
        """Whether no Get finds a service or a group."""
        self.reached, self.release = anyio.Event(), anyio.Event()

    async def call(self, operation: str, params: Mapping[str, Any], *, lane: Lane = Lane.LIVE, **more: Any) -> Any:
        self.lanes.add(lane)
        if self.blind and operation in {"GetService", "GetTargetGroup"}:
            self.log.append(operation)
            raise SuspectError(operation, "ResourceNotFoundException", "not found")
        return await super().call(operation, params, lane=lane, **more)

    async def tagged(self, *arguments: Any, lane: Lane = Lane.LIVE) -> Any:
        self.lanes.add(lane)
        return await super().tagged(*arguments, lane=lane)

    async def pages(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = Lane.LIVE
    ) -> AsyncGenerator[dict[str, Any], None]:
        self.lanes.add(lane)
        if operation == self.held:
            self.held = ""
            self.reached.set()
            await self.release.wait()
        if operation in {"ListServices", "ListTargetGroups"}:
            yield {"items": self.shared, "nextToken": "more"}
        async for page in super().pages(operation, params, lane=lane):
            yield page


class Watching(Here):
    def __init__(self) -> None:
        super().__init__()
        self.lattice = self.client = Watched()
        self.restart()


@pytest.fixture
def here() -> Watching:
    return Watching()


async def test_the_first_load_is_live_works_whoever_asks_for_it(here: Watching) -> None:
    await here.inventory.observe_service(KEY, None, lane=Lane.BULK)
    assert here.lattice.lanes == {Lane.LIVE}
    here.lattice.lanes.clear()
    await here.inventory.look_up(KEY, "rates-default", lane=Lane.BULK)
    assert here.lattice.lanes == {Lane.BULK}


async def test_networks_are_listed_although_associations_are_being_read_for_somebody_else(here: Watching) -> None:
    await here.inventory.ensure_loaded()
    here.clock.advance(STALE)
    here.lattice.held = "ListServiceNetworkVpcAssociations"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.inventory.refresh_networks, "nowhere")
        await here.lattice.reached.wait()
        here.clock.advance(STALE)
        here.log.clear()
        tasks.start_soon(here.inventory.refresh_networks)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        here.lattice.release.set()
    assert here.log.count("ListServiceNetworks") == 1


async def test_a_network_that_only_an_association_showed_is_missing_when_that_is_gone(here: Watching) -> None:
    made = await here.network("shared")
    where = {"serviceNetworkIdentifier": made, "vpcIdentifier": VPC}
    association = await here.client.call("CreateServiceNetworkVpcAssociation", where)
    here.lattice.hidden = "ListServiceNetworks"
    await here.inventory.ensure_loaded()
    await here.inventory.refresh_networks("shared")
    assert isinstance(here.inventory.network("shared"), NetworkFound)
    ended = {"serviceNetworkVpcAssociationIdentifier": association["id"]}
    await here.client.call("DeleteServiceNetworkVpcAssociation", ended)
    here.clock.advance(STALE)
    await here.inventory.refresh_networks("shared")
    assert isinstance(here.inventory.network("shared"), NetworkMissing)


async def test_a_conflict_about_an_association_does_not_make_its_network_missing(here: Watching) -> None:
    network = await here.network()
    await here.settle(service(networks=()))
    (one,) = here.lattice.state.services
    where = {"serviceIdentifier": one.id, "serviceNetworkIdentifier": network}
    await here.client.call("CreateServiceNetworkServiceAssociation", where)
    with pytest.raises(SuspectError):
        await here.service_pass(service())
    assert isinstance(here.inventory.network("my-hotel"), NetworkFound)
    await here.settle(service())


@pytest.mark.parametrize("key", [KEY, group_key("parking")], ids=["service", "target group"])
async def test_what_another_account_shares_under_the_name_is_not_who_has_it(here: Watching, key: Any) -> None:
    name = "rates-default" if key == KEY else group("parking").name
    theirs = f"arn:aws:vpc-lattice:us-west-2:999999999999:{'service/svc' if key == KEY else 'targetgroup/tg'}-0theirs"
    here.lattice.shared = [{"id": theirs.rsplit("/", 1)[1], "arn": theirs, "name": name, "status": "ACTIVE"}]
    assert not await here.inventory.look_up(key, name)
    await (here.settle(service(networks=())) if key == KEY else here.settle(None, [group("parking")]))
    here.restart()
    assert await here.inventory.look_up(key, name)


async def test_what_a_get_does_not_find_though_the_list_shows_it_is_not_forgotten(here: Watching) -> None:
    await here.network()
    await here.settle(service(), [group("parking"), group("inventory")])
    key = group_key("parking")
    found = here.inventory.target_group(key)
    assert found is not None
    here.inventory.mark_suspect(found.ref)
    here.lattice.blind = True
    with pytest.raises(RetryError, match="is in the list"):
        await here.inventory.observe_target_group(key, group("parking"))
    here.lattice.blind = False
    again = await here.inventory.observe_target_group(key, group("parking"))
    assert again is not None
    assert again.id == found.id


async def test_a_load_takes_what_no_get_finds_from_the_list(here: Watching) -> None:
    await here.settle(None, [group("parking")])
    here.restart()
    here.lattice.blind = True
    await here.inventory.ensure_loaded()
    assert here.inventory.target_groups_of(ROUTE)


async def test_all_that_somebody_deleted_shares_a_list(here: Watching) -> None:
    names = [f"b{number}" for number in range(9)]
    await here.settle(None, [group(name) for name in names])
    for item in await here.listed("ListTargetGroups"):
        await here.client.call("DeleteTargetGroup", {"targetGroupIdentifier": item["id"]})
    for name in names:
        held = here.inventory.target_group(group_key(name))
        assert held is not None
        here.inventory.mark_suspect(held.ref)
    here.log.clear()
    here.lattice.held = "ListTargetGroups"
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(here.inventory.observe_target_group, group_key(name), group(name))
        await here.lattice.reached.wait()
        while here.log.count("GetTargetGroup") < 2 * len(names):
            await anyio.lowlevel.checkpoint()
        here.lattice.release.set()
    assert here.log.count("ListTargetGroups") == 1
    assert all(here.inventory.target_group(group_key(name)) is None for name in names)


class Failing(Watched):
    """Reads one operation badly, once."""

    failing = ""

    async def pages(
        self, operation: str, params: Mapping[str, Any], *, lane: Lane = Lane.LIVE
    ) -> AsyncGenerator[dict[str, Any], None]:
        if operation == self.failing:
            self.failing = ""
            raise RetryError(operation, "ThrottlingException", "too many")
        async for page in super().pages(operation, params, lane=lane):
            yield page


async def test_what_could_not_be_read_anew_stays_suspect() -> None:
    here = Here()
    lattice = here.client = Failing()
    here.restart()
    await here.network()
    await here.settle(service(), [group("parking")])
    held, targets = here.inventory.service(KEY), here.inventory.target_group(group_key("parking"))
    assert held is not None
    assert targets is not None
    listener = {
        "name": "another",
        "protocol": "HTTP",
        "port": 8080,
        "defaultAction": {"fixedResponse": {"statusCode": 404}},
    }
    await here.client.call("CreateListener", {"serviceIdentifier": held.id, **listener})
    one = {"targetGroupIdentifier": targets.id, "targets": [{"id": "10.9.9.9", "port": 80}]}
    await here.client.call("RegisterTargets", one)
    here.inventory.mark_suspect(held.ref)
    here.inventory.mark_suspect(targets.ref)
    lattice.failing = "ListListeners"
    with pytest.raises(RetryError):
        await here.inventory.observe_service(KEY, service())
    lattice.failing = "ListTargets"
    with pytest.raises(RetryError):
        await here.inventory.observe_target_group(group_key("parking"), group("parking"))
    again = await here.inventory.observe_service(KEY, service())
    assert again is not None
    assert again.listeners is not None
    assert 8080 in again.listeners
    group_again = await here.inventory.observe_target_group(group_key("parking"), group("parking"))
    assert group_again is not None
    assert "10.9.9.9" in {target.ip for target in group_again.targets or ()}
