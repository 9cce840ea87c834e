"""Plans as data: their operations, their order, and what they wait for."""

import json

import pytest
from msgspec.structs import replace

from controller.lattice.model import (
    MANAGED_BY,
    DesiredService,
    FixedResponse,
    Forward,
    HeaderMatch,
    HealthCheck,
    Match,
    Target,
)
from controller.lattice.observed import (
    NetworkAmbiguous,
    NetworkFound,
    NetworkLookup,
    NetworkMissing,
    NetworkUnknown,
)
from controller.lattice.plan import (
    Active,
    AssociationOf,
    Gone,
    Plan,
    Reference,
    Registered,
    Settled,
    Unused,
    plan_service,
    plan_target_group,
)
from controller.lattice.plan.wire import health_check_shape, match_shape
from controller.lattice.refs import ResourceRef
from tests.lattice.observed import (
    NETWORK,
    OWNED,
    context,
    observed_association,
    observed_group,
    observed_listener,
    observed_rule,
    observed_service,
)
from tests.lattice.world import IDENTITY, KEY, forward, group, group_key, listener, rule, service


def calls(plan: Plan) -> list[str]:
    return [operation.call for operation in plan.operations]


def test_from_nothing_a_plan_shows_the_whole_set_with_references_for_ids() -> None:
    plan = plan_service(service(listener(rule("/", "parking"))), None, context())
    assert calls(plan) == ["CreateService", "CreateServiceNetworkServiceAssociation", "CreateListener", "CreateRule"]
    create, associate, listen, forwarding = plan.operations
    assert create.arguments["tags"][MANAGED_BY] == IDENTITY.owner
    assert associate.arguments["serviceIdentifier"] == Reference(to=KEY)
    assert associate.after == (0,)
    assert Active(KEY) in listen.needs
    assert forwarding.after == (2,)
    assert forwarding.needs == (Registered(group_key("parking")),)
    assert forwarding.arguments["name"] == f"k8s-1800000000-rule-{forwarding.arguments['priority']}"


def test_a_plan_is_plain_json() -> None:
    plan = plan_service(service(listener(rule("/", "parking"))), None, context())
    shown = json.loads(json.dumps(plan.to_json()))
    assert shown["operations"][0]["call"] == "CreateService"
    assert shown["operations"][3]["description"] == "/*: forward to default/parking:80"
    assert shown["operations"][1]["arguments"]["serviceIdentifier"] == "(id of Service/HTTPRoute/default/rates)"


def test_nothing_desired_and_nothing_there_is_nothing_to_do() -> None:
    assert plan_service(None, None, context()) == Plan()
    assert plan_target_group(None, None, context()) == Plan()


def test_what_is_not_ours_is_never_deleted() -> None:
    for tags in ({}, {MANAGED_BY: "1/other/vpc-2"}):
        assert plan_service(None, observed_service(tags=tags), context()) == Plan()
        assert plan_target_group(None, observed_group(tags=tags), context()) == Plan()


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_FAILED"])
@pytest.mark.parametrize(
    ("owner", "desired"), [({}, service()), ({MANAGED_BY: "1/o/v"}, service(takeover_from="1/o/v"))]
)
def test_what_failed_and_is_not_ours_is_not_replaced(
    status: str, owner: dict[str, str], desired: DesiredService
) -> None:
    plan = plan_service(desired, observed_service(tags=owner, status=status, associations={}), context())
    assert plan.operations == ()
    assert [problem.reason for problem in plan.problems] == ["Conflicted"]


def test_a_service_is_deleted_when_its_associations_are_gone() -> None:
    plan = plan_service(None, observed_service(), context())
    assert calls(plan) == ["DeleteServiceNetworkServiceAssociation", "DeleteService"]
    assert plan.operations[1].after == (0,)
    assert plan.operations[1].needs == (Gone(ResourceRef("service_association", "snsa-sn-1")),)
    assert plan.needs == (Gone(ResourceRef("service", "svc-1")),)


def test_what_is_being_created_is_deleted_when_that_has_ended() -> None:
    plan = plan_service(None, observed_service(status="CREATE_IN_PROGRESS", associations={}), context())
    assert plan.operations[0].needs == (Settled(ResourceRef("service", "svc-1")),)
    plan = plan_target_group(None, observed_group(status="CREATE_IN_PROGRESS"), context())
    assert Settled(ResourceRef("target_group", "tg-parking")) in plan.operations[0].needs


def test_what_is_being_deleted_is_waited_for_and_not_changed() -> None:
    plan = plan_service(service(), observed_service(status="DELETE_IN_PROGRESS"), context())
    assert plan == Plan(needs=(Gone(ResourceRef("service", "svc-1")),), whole=False)
    group_plan = plan_target_group(group(), observed_group(status="DELETE_IN_PROGRESS"), context())
    assert group_plan == Plan(needs=(Gone(ResourceRef("target_group", "tg-parking")),), whole=False)


def test_a_name_that_a_former_hostname_of_the_route_holds_is_waited_for() -> None:
    desired = service(custom_domain="new.example.com")
    plan = plan_service(desired, observed_service(custom_domain="old.example.com"), context())
    assert plan == Plan(needs=(Gone(ResourceRef("service", "svc-1")),), whole=False)


def test_while_a_former_hostname_of_the_route_holds_the_name_another_is_used() -> None:
    desired = service(custom_domain="new.example.com", alternative_name="rates-default-1234567")
    for status in ("ACTIVE", "DELETE_IN_PROGRESS"):
        plan = plan_service(desired, observed_service(custom_domain="old.example.com", status=status), context())
        assert plan.operations[0].arguments["name"] == "rates-default-1234567"
    plan = plan_service(desired, None, context())
    assert plan.operations[0].arguments["name"] == "rates-default"


def test_a_service_that_is_named_after_a_route_which_left_it_makes_that_route_use_its_alternative_name() -> None:
    tags = {**OWNED, **{key: value.replace("rates", "older") for key, value in service().tags.items()}}
    desired = service(custom_domain="new.example.com", alternative_name="rates-default-1234567")
    plan = plan_service(desired, observed_service(custom_domain="old.example.com", tags=tags), context())
    assert plan.operations[0].arguments["name"] == "rates-default-1234567"
    for wanted in (replace(desired, alternative_name=None), desired):
        other = {MANAGED_BY: "1/other/vpc-2"} if wanted is desired else {}
        plan = plan_service(
            wanted, observed_service(custom_domain="old.example.com", tags={**tags, **other}), context()
        )
        assert [problem.reason for problem in plan.problems] == ["Conflicted"]


def test_a_service_whose_owning_route_went_is_tagged_for_the_next() -> None:
    desired = service(custom_domain="rates.example.com")
    tags = {key: value.replace("rates", "older") for key, value in desired.tags.items()}
    observed = observed_service(custom_domain="rates.example.com", tags={**OWNED, **tags})
    plan = plan_service(desired, observed, context())
    assert calls(plan) == ["TagResource"]
    assert "rates" in plan.operations[0].arguments["tags"].values()


NOT_THERE = (NetworkUnknown(), NetworkMissing(), NetworkAmbiguous(ids=("sn-1", "sn-2")))
FLEET = {"sn-9": observed_association("sn-9", "fleet")}


@pytest.mark.parametrize("lookup", NOT_THERE)
@pytest.mark.parametrize("name", ["my-hotel", "fleet"])
def test_no_association_is_removed_while_a_network_is_unknown_missing_or_ambiguous(
    lookup: NetworkLookup, name: str
) -> None:
    observed = observed_service(associations={"sn-9": observed_association("sn-9", name)})
    plan = plan_service(service(), observed, context(lookup))
    assert plan.operations == ()
    assert len(plan.problems) == 1


@pytest.mark.parametrize("lookup", NOT_THERE)
def test_no_association_is_removed_while_any_network_is_not_found_and_those_that_are_found_are_added(
    lookup: NetworkLookup,
) -> None:
    found = {"inn": NetworkFound(network=replace(NETWORK, id="sn-2", name="inn"))}
    known = replace(context(), network=lambda name: found.get(name, lookup))
    plan = plan_service(service(networks=("inn", "my-hotel")), observed_service(associations=FLEET), known)
    assert calls(plan) == ["CreateServiceNetworkServiceAssociation"]
    assert plan.operations[0].arguments["serviceNetworkIdentifier"] == "sn-2"
    assert Gone(ResourceRef("service_association", "snsa-sn-9")) not in plan.needs


@pytest.mark.parametrize("lookup", NOT_THERE)
def test_the_listeners_of_an_association_that_is_held_stay_with_it(lookup: NetworkLookup) -> None:
    observed = observed_service(observed_listener(), observed_listener(port=443), associations=FLEET)
    plan = plan_service(service(listener(port=8080), listener(port=443, protocol="HTTPS")), observed, context(lookup))
    assert calls(plan) == ["CreateListener"]
    assert plan.operations[0].arguments["port"] == 8080


def test_a_network_that_is_not_there_besides_the_others_holds_no_listener() -> None:
    known = replace(
        context(), network=lambda name: NetworkMissing() if name == "inn" else NetworkFound(network=NETWORK)
    )
    observed = observed_service(observed_listener(), observed_listener(port=8080))
    plan = plan_service(service(listener(), networks=("inn", "my-hotel")), observed, known)
    assert calls(plan) == ["DeleteListener"]
    assert plan.operations[0].needs == ()


def test_an_association_and_its_listeners_go_when_the_one_that_takes_their_place_is_active() -> None:
    observed = observed_service(observed_listener(), observed_listener(port=443), associations=FLEET)
    desired = service(listener(port=8080), listener(port=443, protocol="HTTPS"))
    plan = plan_service(desired, observed, context())
    going = [operation for operation in plan.operations if operation.call.startswith("Delete")]
    assert [operation.call for operation in going] == [
        "DeleteServiceNetworkServiceAssociation",
        "DeleteListener",
        "DeleteListener",
    ]
    assert all(Active(AssociationOf(KEY, "sn-1")) in operation.needs for operation in going)


def test_a_network_that_is_named_twice_is_associated_once() -> None:
    plan = plan_service(service(networks=("my-hotel", "sn-1")), None, context())
    assert calls(plan).count("CreateServiceNetworkServiceAssociation") == 1


def test_an_association_that_is_being_removed_is_made_anew_when_it_is_gone() -> None:
    associations = {"sn-1": observed_association(status="DELETE_IN_PROGRESS")}
    plan = plan_service(service(), observed_service(associations=associations), context())
    assert calls(plan) == ["CreateServiceNetworkServiceAssociation"]
    assert Gone(ResourceRef("service_association", "snsa-sn-1")) in plan.operations[0].needs


def test_a_listener_of_another_protocol_is_replaced_when_its_groups_are_ready() -> None:
    desired = service(listener(rule("/", "parking"), protocol="HTTPS"))
    observed = observed_service(observed_listener(observed_rule("/", "tg-old")))
    plan = plan_service(desired, observed, context())
    assert calls(plan) == ["DeleteListener", "CreateListener", "CreateRule"]
    assert Registered(group_key("parking")) in plan.operations[0].needs
    assert plan.operations[1].after == (0,)


def test_a_listener_that_nothing_asks_for_goes_when_the_new_one_is_whole() -> None:
    desired = service(listener(rule("/", "parking"), port=8080))
    plan = plan_service(desired, observed_service(observed_listener()), context())
    assert calls(plan) == ["CreateListener", "CreateRule", "DeleteListener"]
    assert plan.operations[2].after == (0, 1)


def test_a_default_action_is_changed_in_place() -> None:
    observed = observed_service(replace(observed_listener(), default_action=FixedResponse(status_code=500)))
    plan = plan_service(service(listener()), observed, context())
    assert calls(plan) == ["UpdateListener"]


def test_a_group_in_use_by_the_service_need_not_be_registered_again() -> None:
    observed = observed_service(observed_listener(observed_rule("/", "tg-parking")))
    desired = service(listener(rule("/", "parking", "review", weights=(9, 1))))
    plan = plan_service(desired, observed, context(None, observed_group("parking"), observed_group("review")))
    assert calls(plan) == ["UpdateRule"]
    assert plan.operations[0].needs == (Registered(group_key("review")),)


def test_a_rule_that_the_model_cannot_express_is_removed_last() -> None:
    foreign = replace(observed_rule("/", "tg-parking", priority=1), match=None)
    desired = service(listener(rule("/", "parking")))
    plan = plan_service(desired, observed_service(observed_listener(foreign)), context(None, observed_group("parking")))
    assert calls(plan) == ["CreateRule", "DeleteRule"]
    assert plan.operations[1].after == (0,)


def test_a_surplus_rule_becomes_a_new_one_where_both_are_more_than_the_quota_allows() -> None:
    team = [HeaderMatch(name="x-team", value=color) for color in ("blue", "red")]
    rules = [replace(rule("/", "parking"), match=Match(path_prefix="/a", headers=(one,))) for one in team]
    others = [rule(f"/b/{number}", "parking") for number in range(9)]
    held = [observed_rule(f"/b/{number}", "tg-parking", priority=1000 + number) for number in range(9)]
    old = replace(observed_rule("/a", "tg-parking", priority=1), match=rules[0].match)
    groups = observed_group("parking")
    plan = plan_service(
        service(listener(rules[1], *others)), observed_service(observed_listener(old, *held)), context(None, groups)
    )
    assert calls(plan) == ["UpdateRule"]
    assert plan.operations[0].arguments["ruleIdentifier"] == old.id
    assert plan.operations[0].arguments["match"] == match_shape(rules[1].match)
    few = plan_service(service(listener(rules[1])), observed_service(observed_listener(old)), context(None, groups))
    assert calls(few) == ["CreateRule", "DeleteRule"]


def test_updates_that_wait_for_different_groups_do_not_hold_each_other_up() -> None:
    observed = observed_service(
        observed_listener(observed_rule("/a", "tg-x", priority=1), observed_rule("/b", "tg-x", priority=2))
    )
    desired = service(listener(rule("/a", "parking"), rule("/b", "review")))
    plan = plan_service(desired, observed, context(None, observed_group("parking"), observed_group("review")))
    assert calls(plan) == ["UpdateRule", "UpdateRule"]


def test_an_external_group_is_the_same_by_id_and_by_arn() -> None:
    observed = observed_service(observed_listener(observed_rule("/", "tg-theirs")))
    arn = "arn:aws:vpc-lattice:us-west-2:1:targetgroup/tg-theirs"
    for name in ("tg-theirs", arn):
        theirs = replace(rule("/"), action=Forward(weights=((name, 1),)))
        assert plan_service(service(listener(theirs)), observed, context()).operations == ()


def test_users_tags_reach_the_children_before_the_service() -> None:
    observed = observed_service(observed_listener(observed_rule("/", "tg-parking")))
    desired = service(listener(rule("/", "parking")), user_tags={"team": "blue"})
    plan = plan_service(desired, observed, context(None, observed_group("parking")))
    assert calls(plan) == ["TagResource"] * 4
    assert plan.operations[3].arguments["resourceArn"] == "arn:svc-1"
    assert plan.operations[3].after == (0, 1, 2)


def test_only_tags_that_this_process_wrote_are_removed() -> None:
    tags = {**OWNED, **service().tags, "mine": "1", "theirs": "1"}
    observed = observed_service(tags=tags, written_tags=frozenset({MANAGED_BY, "mine"}))
    plan = plan_service(service(), observed, context())
    assert {tuple(operation.arguments["tagKeys"]) for operation in plan.operations} == {("mine",)}


def test_a_new_certificate_updates_the_service() -> None:
    plan = plan_service(service(certificate_arn="arn:new"), observed_service(), context())
    assert calls(plan) == ["UpdateService"]
    assert plan.operations[0].arguments["certificateArn"] == "arn:new"


def test_a_certificate_that_does_as_well_is_kept() -> None:
    desired = service(certificate_arn="arn:new", certificates_as_well=frozenset({"arn:old"}))
    assert calls(plan_service(desired, observed_service(certificate_arn="arn:old"), context())) == []
    assert calls(plan_service(desired, observed_service(certificate_arn="arn:other"), context())) == ["UpdateService"]


def test_no_wish_for_a_certificate_takes_none_away() -> None:
    assert calls(plan_service(service(), observed_service(certificate_arn="arn:old"), context())) == []


def test_a_group_from_nothing_is_created_and_filled_when_active() -> None:
    plan = plan_target_group(group("parking", "10.0.0.1"), None, context())
    assert calls(plan) == ["CreateTargetGroup", "RegisterTargets"]
    assert plan.operations[1].needs == (Active(group_key("parking")),)
    assert plan.operations[1].arguments["targetGroupIdentifier"] == Reference(to=group_key("parking"))


def test_a_group_for_tcp_has_neither_protocol_version_nor_health_check() -> None:
    desired = group(protocol="TCP", protocol_version="", health_check=HealthCheck(enabled=False))
    config = plan_target_group(desired, None, context()).operations[0].arguments["config"]
    assert "protocolVersion" not in config
    assert config["healthCheck"] == {"enabled": False}


def test_a_listener_that_is_new_for_https_waits_for_the_certificate() -> None:
    desired = service(listener(), listener(port=443, protocol="HTTPS"), certificate_arn="arn:new")
    plan = plan_service(desired, observed_service(observed_listener()), context())
    assert calls(plan) == ["UpdateService", "CreateListener"]
    assert plan.operations[1].after == (0,)


def test_a_group_whose_targets_all_change_has_the_new_ones_before_it_loses_the_old() -> None:
    old, kept = Target(ip="10.0.0.1", port=8090), Target(ip="10.0.0.2", port=8090)
    plan = plan_target_group(group("parking", "10.0.0.3"), observed_group(targets={old: "HEALTHY"}), context())
    assert calls(plan) == ["RegisterTargets", "DeregisterTargets"]
    assert plan.operations[1].after == (0,)
    observed = observed_group(targets={old: "HEALTHY", kept: "HEALTHY"})
    plan = plan_target_group(group("parking", "10.0.0.2", "10.0.0.3"), observed, context())
    assert calls(plan) == ["RegisterTargets", "DeregisterTargets"]
    assert plan.operations[1].after == ()


def test_draining_targets_are_not_deregistered_and_are_registered_when_wanted_again() -> None:
    draining, wanted = Target(ip="10.0.0.1", port=8090), Target(ip="10.0.0.2", port=8090)
    observed = observed_group(targets={draining: "DRAINING", wanted: "DRAINING"})
    plan = plan_target_group(group("parking", "10.0.0.2"), observed, context())
    assert calls(plan) == ["RegisterTargets"]
    assert plan.operations[0].arguments["targets"] == [{"id": "10.0.0.2", "port": 8090}]


def test_a_group_is_emptied_and_deleted_when_unused() -> None:
    observed = observed_group(targets={Target(ip="10.0.0.1", port=8090): "HEALTHY"})
    plan = plan_target_group(None, observed, context())
    assert calls(plan) == ["DeregisterTargets", "DeleteTargetGroup"]
    assert all(Unused("tg-parking") in operation.needs for operation in plan.operations)


def test_what_lattice_failed_to_create_is_told_in_its_words() -> None:
    observed = observed_service(status="CREATE_FAILED", failure="out of luck", associations={})
    plan = plan_service(service(), observed, context())
    assert calls(plan) == ["DeleteService"]
    assert "out of luck" in plan.problems[0].message


def test_more_rules_than_lattice_has_priorities_for_is_a_problem_and_changes_no_rule() -> None:
    many = [rule(f"/{number}", "parking") for number in range(2001)]
    plan = plan_service(service(listener(*many)), observed_service(observed_listener()), context())
    assert plan.operations == ()
    assert [problem.reason for problem in plan.problems] == ["NoPriority"]


def test_matches_on_the_wire() -> None:
    match = Match(method="GET", path_exact="/a", headers=(HeaderMatch(name="x-team", value="blue"),))
    assert match_shape(match) == {
        "httpMatch": {
            "method": "GET",
            "pathMatch": {"match": {"exact": "/a"}, "caseSensitive": True},
            "headerMatches": [{"name": "x-team", "match": {"exact": "blue"}, "caseSensitive": True}],
        }
    }
    anything = {"httpMatch": {"pathMatch": {"match": {"prefix": "/"}, "caseSensitive": True}}}
    assert match_shape(Match()) == anything


def test_a_health_check_on_another_port_says_so() -> None:
    assert health_check_shape(HealthCheck(port=8081))["port"] == 8081
    assert "port" not in health_check_shape(HealthCheck())


def test_the_same_desire_and_observation_give_the_same_plan() -> None:
    desired = service(listener(rule("/a", "parking"), replace(rule("/b"), action=forward("review"))))
    assert plan_service(desired, None, context()) == plan_service(desired, None, context())
