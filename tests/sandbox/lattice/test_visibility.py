"""Lists that lag, if asked for: what was created comes late, what was deleted goes late, in every list."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from sandbox.lattice import LatticeServer, Timings
from tests.sandbox.lattice.harness import VPC, Account, Clock, connect

pytestmark = pytest.mark.anyio

LAG = 5.0
LOGS = "arn:aws:s3:::access-logs-bucket"


@pytest.fixture
async def lagging() -> AsyncIterator[Account]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        server = LatticeServer(timings=Timings.instant(), clock=clock, validate_answers=True, consistency=(LAG, LAG))
        await stack.enter_async_context(server)
        yield await connect(stack, server, clock)


class World:
    """One of each, and its lists."""

    def __init__(self, account: Account) -> None:
        self.account = account

    async def create(self) -> None:
        lattice = self.account.lattice
        tags = {"world": "1"}
        self.network = await lattice.create_service_network(name="net", tags=tags)
        self.service = await lattice.create_service(name="rates", tags=tags)
        self.group = await lattice.create_target_group(
            name="group", type="IP", config={"protocol": "HTTP", "vpcIdentifier": VPC}, tags=tags
        )
        self.listener = await self.account.listener(self.service, tags=tags)
        self.rule = await self.account.rule(self.listener, "one", 1, tags=tags)
        both = {"serviceNetworkIdentifier": self.network["id"]}
        self.link = await lattice.create_service_network_service_association(
            serviceIdentifier=self.service["id"], tags=tags, **both
        )
        self.vpc = await lattice.create_service_network_vpc_association(vpcIdentifier=VPC, tags=tags, **both)
        self.log = await lattice.create_access_log_subscription(
            resourceIdentifier=self.service["id"], destinationArn=LOGS, tags=tags
        )

    async def delete(self) -> None:
        lattice = self.account.lattice
        await lattice.delete_access_log_subscription(accessLogSubscriptionIdentifier=self.log["id"])
        await lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=self.vpc["id"])
        await lattice.delete_service_network_service_association(
            serviceNetworkServiceAssociationIdentifier=self.link["id"]
        )
        where = {"serviceIdentifier": self.service["id"], "listenerIdentifier": self.listener["id"]}
        await lattice.delete_rule(ruleIdentifier=self.rule["id"], **where)
        await lattice.delete_target_group(targetGroupIdentifier=self.group["id"])

    async def lists(self) -> dict[str, int]:
        """How many of ours each list shows; the default rule is no resource of ours."""
        service, network = self.service["id"], self.network["id"]
        where = {"serviceIdentifier": service, "listenerIdentifier": self.listener["id"]}
        all_of = self.account.all_of
        tagged = await self.account.tagging.get_resources(TagFilters=[{"Key": "world", "Values": ["1"]}])
        return {
            "rules": len([rule for rule in await all_of("list_rules", **where) if not rule["isDefault"]]),
            "groups": len(await all_of("list_target_groups", vpcIdentifier=VPC)),
            "links": len(await all_of("list_service_network_service_associations", serviceIdentifier=service)),
            "links of both": len(
                await all_of(
                    "list_service_network_service_associations",
                    serviceIdentifier=service,
                    serviceNetworkIdentifier=network,
                )
            ),
            "vpcs": len(await all_of("list_service_network_vpc_associations", vpcIdentifier=VPC)),
            "vpcs of the network": len(
                await all_of("list_service_network_vpc_associations", serviceNetworkIdentifier=network)
            ),
            "logs": len(await all_of("list_access_log_subscriptions", resourceIdentifier=service)),
            "tagged": len(tagged["ResourceTagMappingList"]),
            "services": len(await all_of("list_services")),
            "listeners": len(await all_of("list_listeners", serviceIdentifier=service)),
            "networks": len(await all_of("list_service_networks")),
        }


async def test_every_list_comes_to_show_what_was_created_and_to_miss_what_was_deleted(lagging: Account):
    world = World(lagging)
    await world.create()
    assert set((await world.lists()).values()) == {0}
    lagging.clock.advance(LAG)
    full = await world.lists()
    assert full == dict.fromkeys(full, 1) | {"tagged": 8}
    await world.delete()
    assert await world.lists() == full
    lagging.clock.advance(LAG)
    left = {"services", "listeners", "networks"}
    assert await world.lists() == {name: int(name in left) for name in full} | {"tagged": 3}


async def test_what_is_read_by_its_identifier_does_not_lag(lagging: Account):
    service = await lagging.lattice.create_service(name="rates")
    found = await lagging.lattice.get_service(serviceIdentifier=service["id"])
    assert found["name"] == "rates"
    await lagging.lattice.delete_service(serviceIdentifier=service["id"])
    with pytest.raises(lagging.lattice.exceptions.ResourceNotFoundException):
        await lagging.lattice.get_service(serviceIdentifier=service["id"])


async def test_what_was_deleted_before_it_was_shown_is_never_shown(lagging: Account):
    network = await lagging.network()
    await lagging.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    for _ in range(3):
        assert await lagging.all_of("list_service_networks") == []
        lagging.clock.advance(LAG / 2)


async def test_lists_know_a_changed_status_late_and_gets_at_once(lagging: Account):
    lattice, state = lagging.lattice, lagging.server.state
    state.timings = Timings(**dict.fromkeys(Timings.__dataclass_fields__, (2 * LAG, 2 * LAG)))
    service = await lattice.create_service(name="rates")
    where = {"serviceIdentifier": service["id"]}

    async def statuses() -> tuple[str, list[str]]:
        got = await lattice.get_service(**where)
        return got["status"], [item["status"] for item in await lagging.all_of("list_services")]

    lagging.clock.advance(LAG)
    assert await statuses() == ("CREATE_IN_PROGRESS", ["CREATE_IN_PROGRESS"])
    lagging.clock.advance(LAG)
    assert await statuses() == ("ACTIVE", ["CREATE_IN_PROGRESS"])
    lagging.clock.advance(LAG)
    assert await statuses() == ("ACTIVE", ["ACTIVE"])
    await lattice.delete_service(**where)
    assert await statuses() == ("DELETE_IN_PROGRESS", ["ACTIVE"])
    lagging.clock.advance(LAG)
    assert await statuses() == ("DELETE_IN_PROGRESS", ["DELETE_IN_PROGRESS"])
    group = await lattice.create_target_group(
        name="group", type="IP", config={"protocol": "HTTP", "vpcIdentifier": VPC}
    )
    lagging.clock.advance(2 * LAG)
    (listed,) = await lagging.all_of("list_target_groups")
    shown = await lattice.get_target_group(targetGroupIdentifier=group["id"])
    assert (shown["status"], listed["status"]) == ("ACTIVE", "CREATE_IN_PROGRESS")


async def test_lists_of_associations_know_a_changed_status_late(lagging: Account):
    lattice = lagging.lattice
    world = World(lagging)
    await world.create()
    lagging.clock.advance(LAG)
    await world.lists()
    lagging.clock.advance(LAG)
    network = {"serviceNetworkIdentifier": world.network["id"]}
    lagging.server.state.timings = Timings()
    await lattice.delete_service_network_service_association(
        serviceNetworkServiceAssociationIdentifier=world.link["id"]
    )
    await lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=world.vpc["id"])
    for lists in ("list_service_network_service_associations", "list_service_network_vpc_associations"):
        assert [item["status"] for item in await lagging.all_of(lists, **network)] == ["ACTIVE"]


async def test_the_tagging_api_knows_changed_tags_late_and_lattice_at_once(lagging: Account):
    network = await lagging.network(tags={"owner": "a", "kept": "1"})
    arn = network["arn"]
    lagging.clock.advance(LAG)

    async def tagged(**condition: object) -> list[dict[str, str]]:
        answer = await lagging.tagging.get_resources(**condition)
        found = answer["ResourceTagMappingList"]
        assert [entry["ResourceARN"] for entry in found] in ([], [arn])
        return [{tag["Key"]: tag["Value"] for tag in entry["Tags"]} for entry in found]

    def owner(value: str) -> dict[str, object]:
        return {"TagFilters": [{"Key": "owner", "Values": [value]}]}

    await lagging.lattice.tag_resource(resourceArn=arn, tags={"owner": "b"})
    lagging.clock.advance(LAG / 2)
    await lagging.lattice.untag_resource(resourceArn=arn, tagKeys=["kept"])
    assert (await lagging.lattice.list_tags_for_resource(resourceArn=arn))["tags"] == {"owner": "b"}
    before = {"owner": "a", "kept": "1"}
    assert await tagged(**owner("a")) == await tagged(ResourceARNList=[arn]) == await tagged() == [before]
    assert await tagged(**owner("b")) == []
    lagging.clock.advance(LAG)
    assert await tagged(**owner("b")) == await tagged(ResourceARNList=[arn]) == await tagged() == [{"owner": "b"}]
    assert await tagged(**owner("a")) == []
    await lagging.lattice.tag_resource(resourceArn=arn, tags={"owner": "c"})
    lagging.clock.advance(LAG)
    await lagging.lattice.tag_resource(resourceArn=arn, tags={"owner": "b"})
    assert await tagged() == [{"owner": "c"}]
    lagging.clock.advance(LAG)
    await lagging.lattice.untag_resource(resourceArn=arn, tagKeys=["owner"])
    assert await tagged() == [{"owner": "b"}]
    await lagging.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    lagging.clock.advance(LAG)
    assert await tagged() == []


async def test_nothing_lags_once_it_is_no_longer_asked_for(lagging: Account):
    await lagging.network("late")
    lagging.server.state.visibility.span = None
    await lagging.network("soon")
    assert [network["name"] for network in await lagging.all_of("list_service_networks")] == ["soon"]
    lagging.clock.advance(LAG)
    assert len(await lagging.all_of("list_service_networks")) == 2
