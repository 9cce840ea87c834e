"""Tags: Lattice's own operations and the Resource Groups Tagging API see the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.lattice import LatticeServer
from sandbox.lattice.state import Call
from sandbox.lattice.tagging import get_resources
from tests.sandbox.lattice.harness import Account, prefix

pytestmark = pytest.mark.anyio

OWNER = "application-networking.k8s.aws/ManagedBy"


async def arns(account: Account, **query: object) -> list[str]:
    pages = account.tagging.get_paginator("get_resources").paginate(**query)
    return [found["ResourceARN"] async for page in pages for found in page["ResourceTagMappingList"]]


async def test_tags_are_set_replaced_removed_and_listed(account: Account):
    service = await account.service(tags={"a": "1", "b": "2"})
    where = {"resourceArn": service["arn"]}
    await account.lattice.tag_resource(**where, tags={"b": "3", "c": ""})
    await account.lattice.untag_resource(**where, tagKeys=["a", "absent"])
    assert (await account.lattice.list_tags_for_resource(**where))["tags"] == {"b": "3", "c": ""}


async def test_every_kind_of_resource_can_have_tags(account: Account):
    tags = {"tags": {"a": "1"}}
    network, service = await account.network(**tags), await account.service(**tags)
    group = await account.lattice.create_target_group(name="function", type="LAMBDA", **tags)
    listener = await account.listener(service, **tags)
    rule = await account.rule(listener, "one", 1, match=prefix("/"), **tags)
    association = await account.lattice.create_service_network_service_association(
        serviceIdentifier=service["id"], serviceNetworkIdentifier=network["id"], **tags
    )
    subscription = await account.lattice.create_access_log_subscription(
        resourceIdentifier=service["id"], destinationArn="arn:aws:s3:::access-logs-bucket", **tags
    )
    everything = [network, service, group, listener, rule, association, subscription]
    for resource in everything:
        listed = await account.lattice.list_tags_for_resource(resourceArn=resource["arn"])
        assert listed["tags"] == {"a": "1"}
    assert await arns(account) == [resource["arn"] for resource in everything]


@pytest.mark.parametrize("tags", [{"aws:a": "1"}, {"AWS:a": "1"}, {"a!": "1"}, {"a": "{}"}], ids=str)
async def test_tags_that_are_not_allowed_are_refused_everywhere(account: Account, tags):
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.service(tags=tags)
    service = await account.service()
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.tag_resource(resourceArn=service["arn"], tags=tags)
    answer = await account.tagging.tag_resources(ResourceARNList=[service["arn"]], Tags=tags)
    assert list(answer["FailedResourcesMap"]) == [service["arn"]]


async def test_a_resource_has_at_most_fifty_tags(account: Account):
    service = await account.service(tags={f"key{number}": "" for number in range(49)})
    await account.lattice.tag_resource(resourceArn=service["arn"], tags={"key49": ""})
    with pytest.raises(account.lattice.exceptions.ValidationException):
        await account.lattice.tag_resource(resourceArn=service["arn"], tags={"key50": ""})
    await account.lattice.tag_resource(resourceArn=service["arn"], tags={"key49": "other"})


async def test_resources_are_found_by_tags_and_types_across_pages(account: Account):
    ours = [await account.service(f"ours{number}", tags={OWNER: "us", "n": str(number)}) for number in range(5)]
    await account.service("theirs", tags={OWNER: "them"})
    network = await account.network(tags={OWNER: "us"})
    await account.service("nobodys")
    owner = {"Key": OWNER, "Values": ["us"]}
    expected = [service["arn"] for service in ours]
    assert await arns(account, TagFilters=[owner], ResourceTypeFilters=["vpc-lattice:service"]) == expected
    assert await arns(account, TagFilters=[owner], ResourcesPerPage=2) == [*expected, network["arn"]]
    assert await arns(account, TagFilters=[owner, {"Key": "n", "Values": ["1", "3"]}]) == [expected[1], expected[3]]
    assert await arns(account, TagFilters=[{"Key": "n"}]) == expected
    assert await arns(account, TagFilters=[owner], ResourceTypeFilters=["ec2:instance"]) == []
    assert len(await arns(account, ResourceTypeFilters=["vpc-lattice"])) == 7


async def test_resources_are_looked_up_by_arn_and_the_absent_are_left_out(account: Account):
    service = await account.service(tags={"a": "1"})
    absent = service["arn"][:-1] + "x"
    assert await arns(account, ResourceARNList=[absent, service["arn"]]) == [service["arn"]]
    with pytest.raises(account.tagging.exceptions.InvalidParameterException):
        await account.tagging.get_resources(ResourceARNList=[absent], TagFilters=[{"Key": "a"}])


async def test_the_tagging_api_tags_and_untags_many_and_says_which_failed(account: Account):
    service, network = await account.service(), await account.network()
    absent = service["arn"][:-1] + "x"
    both = [service["arn"], network["arn"], absent]
    answer = await account.tagging.tag_resources(ResourceARNList=both, Tags={"a": "1"})
    assert list(answer["FailedResourcesMap"]) == [absent]
    assert await arns(account, TagFilters=[{"Key": "a"}]) == both[:2]
    await account.tagging.untag_resources(ResourceARNList=both[:1], TagKeys=["a"])
    assert await arns(account, TagFilters=[{"Key": "a"}]) == both[1:2]


async def test_a_deleted_resource_is_no_longer_found(account: Account):
    network = await account.network(tags={"a": "1"})
    await account.lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
    assert await arns(account, TagFilters=[{"Key": "a"}]) == []
    with pytest.raises(account.lattice.exceptions.ResourceNotFoundException):
        await account.lattice.list_tags_for_resource(resourceArn=network["arn"])


KEYS, VALUES = st.sampled_from("abc"), st.sampled_from("123")
TAGS = st.dictionaries(KEYS, VALUES, max_size=3)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.one_of(TAGS, st.lists(KEYS, max_size=2))), max_size=12),
    st.lists(st.tuples(KEYS, st.lists(VALUES, max_size=2)), max_size=2),
    st.integers(1, 3),
)
def test_filters_agree_with_a_look_at_every_resource(changes, filters, size):
    state = LatticeServer().state
    networks = [state.share_network(f"network{number}", state.account) for number in range(4)]
    for network in networks:
        state.register(network)
    for index, change in changes:
        if isinstance(change, dict):
            state.set_tags(networks[index], change)
        else:
            state.remove_tags(networks[index], change)
    expected = [
        network.arn
        for network in networks
        if network.tags
        and all(key in network.tags and (not values or network.tags[key] in values) for key, values in filters)
    ]
    params = {"TagFilters": [{"Key": key, "Values": values} for key, values in filters], "ResourcesPerPage": size}
    found, token = [], "first"
    while token:
        answer = get_resources(state, Call("GetResources", params))
        found += [mapping["ResourceARN"] for mapping in answer["ResourceTagMappingList"]]
        assert len(answer["ResourceTagMappingList"]) <= size
        token = params["PaginationToken"] = answer["PaginationToken"]
    assert found == expected
