"""What VPC Lattice promises, as tests that could run in any account: each names the page that it takes its claim from.

A contract is a function of the `World`. They run in this order and share what the world makes, because in a real
account every service takes seconds to make and costs a little; each that needs something to itself makes it. What the
documentation leaves open, as the code of some refusals, is not asserted but noted down.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from tests.contract_lattice.account import Account

API = "https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_"
GUIDE = "https://docs.aws.amazon.com/vpc-lattice/latest/ug/"

_NOT_FOUND = "ResourceNotFoundException"

FIXED = {"fixedResponse": {"statusCode": 404}}


@dataclass(frozen=True, slots=True)
class Contract:
    """One claim."""

    name: str
    page: str
    check: Callable[["World"], None]


CONTRACTS: list[Contract] = []


def contract(page: str) -> Callable[[Callable[["World"], None]], Callable[["World"], None]]:
    """Make the function a contract of its name, claimed by this page."""

    def register(check: Callable[["World"], None]) -> Callable[["World"], None]:
        CONTRACTS.append(Contract(check.__name__.replace("_", " "), page, check))
        return check

    return register


def prefix(path: str) -> dict[str, Any]:
    return {"httpMatch": {"pathMatch": {"match": {"prefix": path}, "caseSensitive": True}}}


def forward(group: dict[str, Any]) -> dict[str, Any]:
    return {"forward": {"targetGroups": [{"targetGroupIdentifier": group["id"], "weight": 1}]}}


class World:
    """What the contracts share, made when it is first needed."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.lattice = account.lattice

    @cached_property
    def network(self) -> dict[str, Any]:
        made: dict[str, Any] = self.lattice.create_service_network(name=self.account.name("net"))
        return made

    @cached_property
    def service(self) -> dict[str, Any]:
        return self.new_service("one")

    @cached_property
    def other_service(self) -> dict[str, Any]:
        return self.new_service("two")

    @cached_property
    def group(self) -> dict[str, Any]:
        return self.new_group("one")

    @cached_property
    def listener(self) -> dict[str, Any]:
        return self.new_listener(self.service, "http", defaultAction=FIXED)

    def new_service(self, what: str, **more: Any) -> dict[str, Any]:
        made = self.lattice.create_service(name=self.account.name(what), **more)
        return self.account.settled("service_create", self.lattice.get_service, serviceIdentifier=made["id"])

    def new_group(self, what: str) -> dict[str, Any]:
        made = self.lattice.create_target_group(
            name=self.account.name(what),
            type="IP",
            config={
                "protocol": "HTTP",
                "port": 80,
                "vpcIdentifier": self.account.vpc,
                "healthCheck": {"enabled": False},
            },
        )
        get = self.lattice.get_target_group
        return self.account.settled("target_group_create", get, targetGroupIdentifier=made["id"])

    def new_listener(self, service: dict[str, Any], what: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.lattice.create_listener(
            **{"serviceIdentifier": service["id"], "name": self.account.name(what), "protocol": "HTTP"} | more
        )
        return made

    def new_rule(self, what: str, priority: int, **more: Any) -> dict[str, Any]:
        where = {"serviceIdentifier": self.service["id"], "listenerIdentifier": self.listener["id"]}
        made: dict[str, Any] = self.lattice.create_rule(
            **where
            | {"name": self.account.name(what), "priority": priority, "match": prefix(f"/{what}"), "action": FIXED}
            | more
        )
        return made

    def associate(self, service: dict[str, Any]) -> dict[str, Any]:
        made = self.lattice.create_service_network_service_association(
            serviceIdentifier=service["id"], serviceNetworkIdentifier=self.network["id"]
        )
        return self.account.settled(
            "service_association_create",
            self.lattice.get_service_network_service_association,
            serviceNetworkServiceAssociationIdentifier=made["id"],
        )

    def release(self, link: dict[str, Any]) -> None:
        identifier = {"serviceNetworkServiceAssociationIdentifier": link["id"]}
        self.lattice.delete_service_network_service_association(**identifier)
        get = self.lattice.get_service_network_service_association
        self.account.gone("service_association_delete", get, **identifier)

    def delete_service(self, service: dict[str, Any]) -> None:
        self.lattice.delete_service(serviceIdentifier=service["id"])
        self.account.gone("service_delete", self.lattice.get_service, serviceIdentifier=service["id"])


@contract(f"{API}CreateService.html")
def a_service_has_an_arn_of_its_account_and_a_generated_domain_name(world: World) -> None:
    service, account = world.service, world.account
    assert re.fullmatch(r"svc-[0-9a-z]{17}", service["id"])
    assert service["arn"] == f"arn:aws:vpc-lattice:{account.region}:{account.id}:service/{service['id']}"
    domain = service["dnsEntry"]["domainName"]
    assert domain.startswith(f"{service['name']}-")
    assert domain.endswith(f".vpc-lattice-svcs.{account.region}.on.aws")


@contract(f"{API}CreateService.html")
def a_service_comes_into_lists_and_goes_out_of_them(world: World) -> None:
    made = world.lattice.create_service(name=world.account.name("listed"))

    def shown() -> bool:
        return any(item["id"] == made["id"] for item in world.account.pages("list_services"))

    world.account.lag("listed", shown)
    get = world.lattice.get_service
    world.account.settled("active_after_listed", get, serviceIdentifier=made["id"])
    world.delete_service(made)
    world.account.lag("unlisted", lambda: not shown())


@contract(f"{API}CreateService.html")
def names_are_unique_and_of_their_pattern(world: World) -> None:
    refused, lattice = world.account.refused, world.lattice
    taken, wrong = world.service["name"], "Not_A_Name"
    refused("a service name that is taken", lattice.create_service, "ConflictException", name=taken)
    refused("a service name of other characters", lattice.create_service, "ValidationException", name=wrong)
    taken = world.network["name"]
    refused("a network name that is taken", lattice.create_service_network, "ConflictException", name=taken)
    of_group = {
        "name": world.group["name"],
        "type": "IP",
        "config": {"protocol": "HTTP", "vpcIdentifier": world.account.vpc},
    }
    refused("a target group name that is taken", lattice.create_target_group, "ConflictException", **of_group)


@contract(f"{API}CreateService.html")
def a_client_token_makes_a_repeated_request_do_nothing(world: World) -> None:
    token = f"{world.account.run}-token"
    name = world.account.name("token")
    first = world.lattice.create_service(name=name, clientToken=token)
    answered = time.monotonic()
    assert world.lattice.create_service(name=name, clientToken=token)["id"] == first["id"]
    call = world.lattice.create_service
    world.account.refused("a client token with other parameters", call, name=world.account.name("x"), clientToken=token)
    get = world.lattice.get_service
    world.account.settled("service_create", get, since=answered, serviceIdentifier=first["id"])
    world.delete_service(first)
    assert world.lattice.create_service(name=name, clientToken=token)["id"] == first["id"]
    gone = {"serviceIdentifier": first["id"]}
    world.account.refused("what a token stands for and is deleted", get, _NOT_FOUND, **gone)


@contract(f"{API}GetService.html")
def what_is_not_there_is_not_found(world: World) -> None:
    refused, lattice, none = world.account.refused, world.lattice, "0" * 17
    code = _NOT_FOUND
    refused("an unknown service", lattice.get_service, code, serviceIdentifier=f"svc-{none}")
    refused("an unknown network", lattice.get_service_network, code, serviceNetworkIdentifier=f"sn-{none}")
    refused("an unknown target group", lattice.get_target_group, code, targetGroupIdentifier=f"tg-{none}")
    where = {"serviceIdentifier": world.service["id"], "listenerIdentifier": f"listener-{none}"}
    refused("an unknown listener", lattice.get_listener, code, **where)


@contract(f"{API}ListServices.html")
def lists_have_pages_of_at_most_a_hundred(world: World) -> None:
    both = {world.service["id"], world.other_service["id"]}
    world.account.until("both_listed", lambda: both <= {item["id"] for item in world.account.pages("list_services")})
    first = world.lattice.list_services(maxResults=1)
    assert len(first["items"]) == 1
    second = world.lattice.list_services(maxResults=1, nextToken=first["nextToken"])
    assert second["items"][0]["id"] != first["items"][0]["id"]
    refused, code = world.account.refused, "ValidationException"
    refused("more than 100 a page", world.lattice.list_services, code, maxResults=101)
    refused("a page token of nobody", world.lattice.list_services, code, nextToken="nonsense")
    associations = world.lattice.list_service_network_service_associations
    refused("associations of neither service nor network", associations, code)


@contract(f"{API}CreateListener.html")
def a_listener_has_its_protocols_port_and_a_name_of_its_own(world: World) -> None:
    assert world.listener["port"] == 80
    call, where = world.lattice.create_listener, {"serviceIdentifier": world.service["id"], "protocol": "HTTP"}
    same = {"name": world.listener["name"], "port": 8080, "defaultAction": FIXED}
    world.account.refused("a listener name that is taken", call, "ConflictException", **where, **same)
    port = {"name": world.account.name("port"), "port": 80, "defaultAction": FIXED}
    world.account.refused("a listener port that is taken", call, "ConflictException", **where, **port)


@contract(f"{API}FixedResponseAction.html")
def fixed_responses_are_404_and_500(world: World) -> None:
    action = {"fixedResponse": {"statusCode": 418}}
    where = {"serviceIdentifier": world.service["id"], "listenerIdentifier": world.listener["id"]}
    call = world.lattice.update_listener
    world.account.refused("another fixed response", call, "ValidationException", defaultAction=action, **where)


@contract(f"{API}CreateRule.html")
def rules_have_priorities_and_names_of_their_own(world: World) -> None:
    first, second = world.new_rule("a", 10), world.new_rule("b", 20)
    call = world.lattice.create_rule
    where = {"serviceIdentifier": world.service["id"], "listenerIdentifier": world.listener["id"]}
    rule = where | {"match": prefix("/c"), "action": FIXED}
    taken = rule | {"name": world.account.name("c"), "priority": 10}
    world.account.refused("a priority that is taken", call, "ConflictException", **taken)
    same = rule | {"name": first["name"], "priority": 30}
    world.account.refused("a rule name that is taken", call, "ConflictException", **same)
    swap = [{"ruleIdentifier": first["id"], "priority": 20}, {"ruleIdentifier": second["id"], "priority": 10}]
    answer = world.lattice.batch_update_rule(rules=swap, **where)
    assert (len(answer["successful"]), answer.get("unsuccessful", [])) == (2, [])
    assert world.lattice.get_rule(ruleIdentifier=first["id"], **where)["priority"] == 20
    default = next(item for item in world.account.pages("list_rules", **where) if item["isDefault"])
    call = world.lattice.delete_rule
    world.account.refused("deleting the default rule", call, ruleIdentifier=default["id"], **where)


@contract(f"{API}CreateTargetGroup.html")
def a_target_group_is_used_by_one_service_and_stays_while_it_is_used(world: World) -> None:
    rule = world.new_rule("group", 40, action=forward(world.group))
    call = world.lattice.create_listener
    listener = {"serviceIdentifier": world.other_service["id"], "name": world.account.name("other"), "protocol": "HTTP"}
    world.account.refused("a group that another service uses", call, defaultAction=forward(world.group), **listener)
    delete = world.lattice.delete_target_group
    world.account.refused("deleting a used group", delete, "ConflictException", targetGroupIdentifier=world.group["id"])
    where = {"serviceIdentifier": world.service["id"], "listenerIdentifier": world.listener["id"]}
    world.lattice.delete_rule(ruleIdentifier=rule["id"], **where)


@contract(f"{API}TargetSummary.html")
def targets_have_states_and_drain(world: World) -> None:
    lattice, account = world.lattice, world.account
    group = {"targetGroupIdentifier": world.group["id"]}
    target = {"id": account.target, "port": 80}
    answer = lattice.register_targets(targets=[target], **group)
    assert (answer["successful"], answer.get("unsuccessful", [])) == ([target], [])

    def states() -> list[str]:
        return [item["status"] for item in account.pages("list_targets", **group)]

    account.until("target_unused", lambda: states() == ["UNUSED"])
    rule = world.new_rule("targets", 50, action=forward(world.group))
    account.until("target_used", lambda: states() == ["UNAVAILABLE"])
    lattice.deregister_targets(targets=[target], **group)
    account.until("draining", lambda: not states())
    where = {"serviceIdentifier": world.service["id"], "listenerIdentifier": world.listener["id"]}
    lattice.delete_rule(ruleIdentifier=rule["id"], **where)


@contract(f"{API}CreateServiceNetworkServiceAssociation.html")
def what_is_associated_is_associated_once_and_stays(world: World) -> None:
    link = world.associate(world.service)
    both = {"serviceIdentifier": world.service["id"], "serviceNetworkIdentifier": world.network["id"]}
    refused, lattice, code = world.account.refused, world.lattice, "ConflictException"
    refused("a second association", lattice.create_service_network_service_association, code, **both)
    refused("deleting an associated service", lattice.delete_service, code, serviceIdentifier=world.service["id"])
    network = {"serviceNetworkIdentifier": world.network["id"]}
    refused("deleting an associated network", lattice.delete_service_network, code, **network)
    world.release(link)


@contract(f"{GUIDE}service-custom-domain-name.html")
def a_custom_domain_is_unique_in_a_network(world: World) -> None:
    domain = f"{world.account.run}.fidelity.example.com"
    first, second = (world.new_service(what, customDomainName=domain) for what in ("domain-a", "domain-b"))
    link = world.associate(first)
    call = world.lattice.create_service_network_service_association
    both = {"serviceIdentifier": second["id"], "serviceNetworkIdentifier": world.network["id"]}
    world.account.refused("a second service of the domain in a network", call, **both)
    world.release(link)
    for service in (first, second):
        world.delete_service(service)


@contract(f"{API}PutAuthPolicy.html")
def an_auth_policy_is_json_on_one_line_and_active_with_iam(world: World) -> None:
    lattice, network = world.lattice, world.network["id"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    text = json.dumps(policy)
    put = lattice.put_auth_policy
    assert put(resourceIdentifier=network, policy=text)["state"] == "Inactive"
    lattice.update_service_network(serviceNetworkIdentifier=network, authType="AWS_IAM")
    assert put(resourceIdentifier=network, policy=text)["state"] == "Active"
    assert lattice.get_auth_policy(resourceIdentifier=network)["state"] == "Active"
    broken = json.dumps(policy, indent=1)
    world.account.refused("a policy of several lines", put, resourceIdentifier=network, policy=broken)
    world.account.refused("a policy that is no JSON", put, resourceIdentifier=network, policy="{")
    lattice.delete_auth_policy(resourceIdentifier=network)


@contract("https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html")
def tags_are_found_by_the_tagging_api(world: World) -> None:
    key, arn = "lattice-controller/fidelity-tag", world.service["arn"]
    world.lattice.tag_resource(resourceArn=arn, tags={key: world.account.run})

    def found() -> bool:
        wanted = [{"Key": key, "Values": [world.account.run]}]
        answer = world.account.tagging.get_resources(TagFilters=wanted, ResourceTypeFilters=["vpc-lattice:service"])
        return [entry["ResourceARN"] for entry in answer["ResourceTagMappingList"]] == [arn]

    world.account.until("tag_lag", found)
    world.lattice.untag_resource(resourceArn=arn, tagKeys=[key])
    call = world.lattice.tag_resource
    world.account.refused("a tag of AWS's own", call, resourceArn=arn, tags={"aws:name": "x"})


@contract(f"{API}CreateServiceNetworkVpcAssociation.html")
def a_vpc_has_one_association(world: World) -> None:
    if not world.account.associate_vpc:
        return
    lattice, account = world.lattice, world.account
    both = {"serviceNetworkIdentifier": world.network["id"], "vpcIdentifier": account.vpc}
    made = lattice.create_service_network_vpc_association(**both)
    identifier = {"serviceNetworkVpcAssociationIdentifier": made["id"]}
    account.settled("vpc_association_create", lattice.get_service_network_vpc_association, **identifier)
    call = lattice.create_service_network_vpc_association
    account.refused("a second association of a VPC", call, "ConflictException", **both)
    lattice.delete_service_network_vpc_association(**identifier)
    account.gone("vpc_association_delete", lattice.get_service_network_vpc_association, **identifier)


@contract(f"{API}DeleteTargetGroup.html")
def a_group_that_nothing_uses_can_be_deleted(world: World) -> None:
    get, identifier = world.lattice.get_target_group, {"targetGroupIdentifier": world.group["id"]}

    def begun() -> bool:
        try:
            world.lattice.delete_target_group(**identifier)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":
                raise
            return False
        return True

    world.account.until("group_released", begun)
    world.account.gone("target_group_delete", get, **identifier)


@contract(f"{API}DeleteService.html")
def a_deleted_service_takes_its_listeners_along_and_frees_its_name(world: World) -> None:
    world.delete_service(world.service)
    call = world.lattice.list_listeners
    gone = {"serviceIdentifier": world.service["id"]}
    world.account.refused("listeners of a deleted service", call, _NOT_FOUND, **gone)
    world.delete_service(world.other_service)
