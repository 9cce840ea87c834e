"""The routing view: what the data plane sees of what the API was told."""

import pytest

from sandbox.lattice.directory import FixedResponse, Forward, HeaderMatch, Match
from tests.sandbox.lattice.harness import Account, forward, prefix

pytestmark = pytest.mark.anyio


async def test_a_service_is_found_by_both_domains_once_it_is_active(account: Account):
    created = await account.lattice.create_service(name="rates", customDomainName="Rates.example.com")
    domain = created["dnsEntry"]["domainName"]
    find = account.server.directory.service_by_domain
    assert find(domain) is None
    account.settle()
    assert find(domain.upper()) is find("rates.EXAMPLE.com") is not None
    await account.lattice.delete_service(serviceIdentifier=created["id"])
    assert find(domain) is None
    account.settle()
    assert find("rates.example.com") is None


async def test_a_network_counts_while_its_association_is_active(account: Account):
    service, network = await account.service(), await account.network()
    domain = service["dnsEntry"]["domainName"]
    find = account.server.directory.service_by_domain
    association = await account.lattice.create_service_network_service_association(
        serviceIdentifier=service["id"], serviceNetworkIdentifier=network["id"]
    )
    assert find(domain).networks == frozenset()
    account.settle()
    assert find(domain).networks == {network["id"]}
    await account.lattice.delete_service_network_service_association(
        serviceNetworkServiceAssociationIdentifier=association["id"]
    )
    assert find(domain).networks == frozenset()


async def test_rules_are_in_order_of_priority_with_their_matches_and_weights(account: Account):
    service, one, two = await account.service(), await account.group("one"), await account.group("two")
    listener = await account.listener(service)
    await account.rule(listener, "late", 20, match=prefix("/"), action=forward(one, two, weights=(9, 1)))
    match = {
        "httpMatch": {
            "method": "GET",
            "pathMatch": {"match": {"exact": "/a"}},
            "headerMatches": [
                {"name": "x-one", "match": {"exact": "1"}, "caseSensitive": True},
                {"name": "x-two", "match": {"contains": "2"}},
            ],
        }
    }
    rule = await account.rule(listener, "early", 10, match=match)
    view = account.server.directory.service_by_domain(service["dnsEntry"]["domainName"]).listeners[80]
    assert view.default_action == FixedResponse(404)
    assert [rule.priority for rule in view.rules] == [10, 20]
    assert view.rules[0].match == Match(
        method="GET",
        path_exact="/a",
        headers=(HeaderMatch("x-one", exact="1", case_sensitive=True), HeaderMatch("x-two", contains="2")),
    )
    assert view.rules[1].match == Match(path_prefix="/", path_case_sensitive=True)
    assert view.rules[1].action == Forward({one["id"]: 9, two["id"]: 1})
    await account.lattice.update_rule(
        serviceIdentifier=service["id"], listenerIdentifier=listener["id"], ruleIdentifier=rule["id"], priority=30
    )
    view = account.server.directory.service_by_domain(service["dnsEntry"]["domainName"]).listeners[80]
    assert [rule.priority for rule in view.rules] == [20, 30]


async def test_a_groups_view_follows_its_use_targets_and_health_check(account: Account):
    group = await account.group(healthCheck={"path": "/health", "matcher": {"httpCode": "200-299"}})
    directory = account.server.directory
    view = directory.target_group(group["id"])
    assert (view.used, view.targets, view.health_check.path, view.health_check.matcher) == (
        False,
        (),
        "/health",
        "200-299",
    )
    await account.lattice.register_targets(targetGroupIdentifier=group["id"], targets=[{"id": "10.0.0.1"}])
    service = await account.service()
    listener = await account.listener(service, defaultAction=forward(group))
    (view,) = directory.target_groups()
    assert (view.used, [(target.ip, target.port, target.status) for target in view.targets]) == (
        True,
        [("10.0.0.1", 80, "INITIAL")],
    )
    directory.report_health(group["id"], "10.0.0.1", 80, healthy=True, reason="")
    assert directory.target_group(group["id"]).targets[0].status == "HEALTHY"
    await account.lattice.update_target_group(targetGroupIdentifier=group["id"], healthCheck={"enabled": False})
    view = directory.target_group(group["id"])
    assert (view.health_check.enabled, view.targets[0].status) == (False, "UNAVAILABLE")
    await account.lattice.deregister_targets(targetGroupIdentifier=group["id"], targets=[{"id": "10.0.0.1"}])
    assert directory.target_group(group["id"]).targets[0].status == "DRAINING"
    account.settle()
    assert directory.target_group(group["id"]).targets == ()
    await account.lattice.delete_listener(serviceIdentifier=service["id"], listenerIdentifier=listener["id"])
    assert directory.target_group(group["id"]).used is False
