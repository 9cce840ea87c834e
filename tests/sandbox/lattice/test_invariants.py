"""Whatever is asked, in whatever order: answers fit the model, and the state stays consistent.

Requests are drawn from the operations' own input shapes, with identifiers of what exists, serialised by botocore, and
served with every answer held against the service model.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.lattice import Quotas, Timings
from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.routing import StateDirectory
from sandbox.lattice.state import State
from tests.sandbox.lattice.direct import MODEL, Direct

POLICY = '{"Statement": []}'
OPERATIONS = sorted(LATTICE_HANDLERS)
CHANGES = [name for name in OPERATIONS if name.startswith(("Create", "Register", "Update", "Batch"))]

TEXTS = {
    "ServiceName": ["one", "two"],
    "ServiceNetworkName": ["one", "two"],
    "TargetGroupName": ["one", "two", "three"],
    "ListenerName": ["one", "two"],
    "RuleName": ["one", "two", "three"],
    "VpcId": ["vpc-01234567", "vpc-89abcdef"],
    "SecurityGroupId": ["sg-01234567"],
    "ServiceCustomDomainName": ["a.example.com", "b.example.com"],
    "CertificateArn": [""],
    "PathMatchPrefix": ["/"],
    "PathMatchExact": ["/a"],
    "TargetIdString": ["10.0.0.1", "10.0.0.2"],
    "TagKey": ["a", "b"],
    "TagValue": ["1", "2"],
    "AuthPolicyString": [POLICY],
    "PolicyString": [POLICY],
    "AccessLogDestinationArn": ["arn:aws:s3:::access-logs-bucket", "arn:aws:logs:us-west-2:123456789012:log-group:a"],
    "TargetGroupProtocol": ["HTTP", "HTTP", "TCP"],
    "TargetGroupType": ["IP", "IP", "IP", "LAMBDA"],
    "ListenerProtocol": ["HTTP", "HTTP", "TLS_PASSTHROUGH"],
    "HttpMethod": ["GET"],
}
NUMBERS = {"HttpStatusCode": [404, 500], "Port": [80, 81], "RulePriority": [1, 2, 3], "TargetGroupWeight": [0, 1]}
WANTED = {"port", "config", "protocol", "vpcIdentifier", "httpMatch", "pathMatch", "weight", "priority"}
"""Optional members without which a request seldom does anything."""


class Sandbox(Direct):
    """An account, and what is known of it to draw requests from."""

    def __init__(self) -> None:
        super().__init__(
            Timings(**dict.fromkeys(Timings.__dataclass_fields__, (0.0, 2.0))),
            Quotas(target_groups_per_service=2, rules_per_listener=2),
        )

    def identifiers(self, shape: str) -> list[str] | None:
        listeners = [listener for service in self.state.services for listener in service.listeners.values()]
        known = {
            "ServiceIdentifier": list(self.state.services),
            "ServiceNetworkIdentifier": list(self.state.networks),
            "ServiceNetworkIdentifierWithoutRegex": list(self.state.networks),
            "TargetGroupIdentifier": list(self.state.target_groups),
            "ListenerIdentifier": listeners,
            "RuleIdentifier": [rule for listener in listeners for rule in listener.rules.values()],
            "ServiceNetworkServiceAssociationIdentifier": list(self.state.service_associations),
            "ServiceNetworkVpcAssociationIdentifier": list(self.state.vpc_associations),
            "AccessLogSubscriptionIdentifier": list(self.state.log_subscriptions),
            "ResourceIdentifier": [*self.state.services, *self.state.networks],
        }.get(shape)
        return None if known is None else [resource.id for resource in known]

    def arns(self) -> list[str]:
        return list(self.state.tagged)


def draw(data: st.DataObject, sandbox: Sandbox, shape: Any) -> Any:
    """A value for a shape: nearly always a good one."""
    if shape.type_name == "structure":
        names = list(shape.members)
        if shape.metadata.get("union"):
            chosen = {data.draw(st.sampled_from(names))}
        else:
            required = set(shape.metadata.get("required", ()))
            chosen = {name for name in names if name in required | WANTED or data.draw(st.integers(0, 4)) == 0}
        chosen -= {"clientToken", "nextToken", "dnsOptions", "lambdaEventStructureVersion"}
        return {name: draw(data, sandbox, shape.members[name]) for name in names if name in chosen}
    if shape.type_name == "list":
        return [draw(data, sandbox, shape.member) for _ in range(data.draw(st.integers(1, 2)))]
    if shape.type_name == "map":
        return {"a": data.draw(st.sampled_from(["1", "2"]))}
    if shape.type_name == "boolean":
        return data.draw(st.booleans())
    if shape.type_name in {"integer", "long"}:
        return data.draw(st.sampled_from(NUMBERS.get(shape.name, [shape.metadata.get("max", 1)])))
    known = sandbox.identifiers(shape.name)
    if known is None and shape.name in {"Arn", "ResourceArn"}:
        known = sandbox.arns()
    choices = known or TEXTS.get(shape.name) or shape.metadata.get("enum") or ["nothing-of-this-name"]
    return data.draw(st.sampled_from(list(choices)))


def check(state: State) -> None:
    """What must hold of the state between any two requests, found by looking at everything."""
    state.transitions.run_due()
    used: dict[str, set[str]] = {}
    for service in state.services:
        counts: dict[str, int] = {}
        for listener in service.listeners.values():
            rules = list(listener.rules.values())
            assert [rule for rule in rules if rule.is_default] == [listener.default_rule]
            assert {rule.name: rule for rule in rules} == listener.names
            assert {rule.priority: rule for rule in rules if not rule.is_default} == listener.priorities
            assert len(listener.priorities) == len(rules) - 1 <= 2
            for rule in rules:
                for group, _ in rule.action.forward:
                    counts[group.id] = counts.get(group.id, 0) + 1
        assert service.groups == counts
        assert len(counts) <= 2
        for group_id in counts:
            used.setdefault(group_id, set()).add(service.id)
        for association in service.associations.values():
            assert association.network.services[service.id] is association
            assert state.service_associations.find(association.id) is association
    for group in state.target_groups:
        assert used.pop(group.id, set()) == ({group.service.id} if group.service else set())
    assert not used
    for network in state.networks:
        domains = [
            association.service.custom_domain
            for association in network.services.values()
            if association.service.custom_domain
        ]
        assert len(domains) == len(set(domains))
        assert all(state.vpcs[vpc] is association for vpc, association in network.vpcs.items())
    assert {arn for holders in state.by_tag.values() for arn in holders} == {
        arn for arn, resource in state.tagged.items() if resource.tags
    }
    directory = StateDirectory(state)
    for service in state.services:
        view = directory.service_by_domain(service.domain)
        if view is not None:
            assert set(view.listeners) == {listener.port for listener in service.listeners.values()}
            assert view.networks == {
                network for network, link in service.associations.items() if link.status == "ACTIVE"
            }
    assert [view.used for view in directory.target_groups()] == [bool(group.service) for group in state.target_groups]


def absent(shape: Any) -> Any:
    """A value for a shape that is as modelled, and names nothing that there is."""
    if shape.type_name == "structure":
        names = shape.metadata.get("required", ()) or list(shape.members)[:1]
        return {name: absent(shape.members[name]) for name in names}
    if shape.type_name == "list":
        return [absent(shape.member)]
    if shape.type_name == "map":
        return {"a": "1"}
    if shape.type_name == "boolean":
        return True
    if shape.type_name in {"integer", "long"}:
        return NUMBERS.get(shape.name, [shape.metadata.get("max", 1)])[0]
    choices = ABSENT.get(shape.name) or TEXTS.get(shape.name) or shape.metadata["enum"]
    return choices[0]


NONE = "0" * 17
ARN = f"arn:aws:vpc-lattice:us-west-2:123456789012:service/svc-{NONE}"
ABSENT = {
    "ServiceIdentifier": [f"svc-{NONE}"],
    "ServiceNetworkIdentifier": [f"sn-{NONE}"],
    "ServiceNetworkIdentifierWithoutRegex": [f"sn-{NONE}"],
    "TargetGroupIdentifier": [f"tg-{NONE}"],
    "ListenerIdentifier": [f"listener-{NONE}"],
    "RuleIdentifier": [f"rule-{NONE}"],
    "ServiceNetworkServiceAssociationIdentifier": [f"snsa-{NONE}"],
    "ServiceNetworkVpcAssociationIdentifier": [f"snva-{NONE}"],
    "AccessLogSubscriptionIdentifier": [f"als-{NONE}"],
    "ResourceIdentifier": [f"svc-{NONE}"],
    "Arn": [ARN],
    "ResourceArn": [ARN],
}
ALONE = {"CreateService", "CreateServiceNetwork", "CreateTargetGroup"} | {
    "ListServices",
    "ListServiceNetworks",
    "ListTargetGroups",
}
"""What names nothing that must be there."""


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in ALONE])
def test_what_names_something_that_is_not_there_is_answered_as_the_model_has_it(operation):
    shape = MODEL.operation_model(operation).input_shape
    filters = {name: absent(member) for name, member in shape.members.items() if name.endswith("Identifier")}
    status, answer = Sandbox().ask(operation, absent(shape) | filters)
    listed = {error.error_code for error in MODEL.operation_model(operation).error_shapes}
    if "ResourceNotFoundException" in listed:
        assert status == 404, answer
    else:
        assert (status, answer) == (200, {"items": []})


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_sequence_of_requests_leaves_a_consistent_state(data):
    sandbox = Sandbox()
    for _ in range(data.draw(st.integers(5, 40))):
        operation = data.draw(st.sampled_from([*OPERATIONS, *CHANGES, *CHANGES]))
        params = draw(data, sandbox, MODEL.operation_model(operation).input_shape)
        status, answer = sandbox.ask(operation, params)
        assert status < 500, (operation, params, answer)
        sandbox.clock.advance(data.draw(st.sampled_from([0.0, 1.0, 3.0])))
        check(sandbox.state)
