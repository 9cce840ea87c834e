"""The model: addresses, readers, checks and projections compiled from botocore's service model."""

import re
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel as BotocoreModel
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.lattice.dispatch import LATTICE_HANDLERS
from sandbox.lattice.errors import ApiError
from sandbox.lattice.model import read_json_object, service_model

BOTOCORE = BotocoreModel(Loader().load_service_model("vpc-lattice", "service-2"), "vpc-lattice")
MODEL = service_model("vpc-lattice")

ARN = "arn:aws:vpc-lattice:us-west-2:123456789012:service/svc-0123456789abcdef0"
EXAMPLES = {
    "ServiceIdentifier": "svc-0123456789abcdef0",
    "TargetGroupIdentifier": "tg-0123456789abcdef0",
    "RuleName": "one",
    "VpcId": "vpc-0123456789abcdef0",
    "PathMatchPrefix": "/a",
    "PathMatchExact": "/a/b",
    "ListenerIdentifier": "listener-0123456789abcdef0",
    "ClientToken": "token",
}


def problems(operation: str, **params: Any) -> dict[str, str]:
    found = MODEL.operations[operation].problems(params)
    return {problem.name: problem.message for problem in found}


@pytest.mark.parametrize("name", sorted(MODEL.operations))
def test_every_address_leads_to_its_operation_and_back_to_its_labels(name):
    operation = MODEL.operations[name]
    labels = re.findall(r"\{(\w+)\}", operation.template)
    path = operation.template
    for label in labels:
        path = path.replace(f"{{{label}}}", ARN.replace(":", "%3A").replace("/", "%2F"))
    found = MODEL.route(operation.method, path)
    assert found is not None
    assert found[0] is operation
    assert found[1] == dict.fromkeys(labels, ARN)


@pytest.mark.parametrize("path", ["/", "/nothing", "/services/a/b", "/services/", "/services/a/listeners/b/rules/c/d"])
def test_there_is_nothing_at_other_addresses(path):
    assert MODEL.route("PATCH", path) is None


@pytest.mark.parametrize("name", sorted(LATTICE_HANDLERS))
def test_every_emulated_operation_is_in_the_model_and_its_checks_compile(name):
    operation = MODEL.operations[name]
    assert operation.output_problems({"surprise": 1})[-1].message == "unknown member"
    operation.problems({})


def test_parameters_come_from_path_query_and_body():
    listing = MODEL.operations["ListTargets"]
    params = listing.read(
        {"targetGroupIdentifier": "tg"}, "maxResults=5&nextToken=a%2Fb", b'{"targets": [], "x": null}'
    )
    assert params == {"targetGroupIdentifier": "tg", "maxResults": 5, "nextToken": "a/b", "targets": []}
    untag = MODEL.operations["UntagResource"]
    assert untag.read({"resourceArn": ARN}, "tagKeys=a&tagKeys=b", b"")["tagKeys"] == ["a", "b"]


def test_a_query_that_is_not_of_its_type_is_refused_by_name():
    params = MODEL.operations["ListServices"].read({}, "maxResults=many", b"")
    assert "maxResults" in problems("ListServices", **params)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_not_an_object_cannot_be_parsed(body):
    with pytest.raises(ApiError) as raised:
        read_json_object(body)
    assert raised.value.members["reason"] == "cannotParse"


@pytest.mark.parametrize(
    ("operation", "params", "field"),
    [
        ("CreateService", {}, "name"),
        ("CreateService", {"name": 5}, "name"),
        ("CreateService", {"name": "ab"}, "name"),
        ("CreateService", {"name": "a" * 41}, "name"),
        ("CreateService", {"name": "Rates"}, "name"),
        ("CreateService", {"name": "svc-rates"}, "name"),
        ("CreateService", {"name": "rates-"}, "name"),
        ("CreateService", {"name": "ra--tes"}, "name"),
        ("CreateService", {"name": "rates\n"}, "name"),
        ("CreateService", {"name": "rates", "authType": "aws_iam"}, "authType"),
        ("CreateService", {"name": "rates", "idleTimeoutSeconds": 59}, "idleTimeoutSeconds"),
        ("CreateService", {"name": "rates", "idleTimeoutSeconds": True}, "idleTimeoutSeconds"),
        ("CreateService", {"name": "rates", "colour": "red"}, "colour"),
        ("CreateService", {"name": "rates", "tags": {"": "x"}}, "tags key ''"),
        ("CreateService", {"name": "rates", "tags": []}, "tags"),
        ("ListServices", {"maxResults": 101}, "maxResults"),
        ("ListServices", {"maxResults": 0}, "maxResults"),
        ("UpdateListener", {"defaultAction": {}}, "defaultAction"),
        (
            "UpdateListener",
            {"defaultAction": {"fixedResponse": {"statusCode": 404}, "forward": {"targetGroups": []}}},
            "defaultAction",
        ),
        ("UpdateRule", {"priority": 2001}, "priority"),
        ("UpdateRule", {"match": {"httpMatch": {"pathMatch": {"match": {"prefix": "a b"}}}}},
         "match.httpMatch.pathMatch.match.prefix"),
        ("RegisterTargets", {"targets": [{"port": 1}]}, "targets[0].id"),
        ("RegisterTargets", {"targets": [{"id": "10.0.0.1"}] * 101}, "targets"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_member_that_is_wrong(operation, params, field):
    assert field in problems(operation, **params)


def values(shape: Any) -> st.SearchStrategy[Any]:
    """Values that are often right for a shape, and often only nearly."""
    if shape.type_name == "structure":
        members = {name: values(member) for name, member in shape.members.items()}
        return st.fixed_dictionaries({}, optional=members)
    if shape.type_name == "list":
        return st.lists(values(shape.member), max_size=2)
    if shape.type_name == "map":
        return st.dictionaries(values(shape.key), values(shape.value), max_size=2)
    if shape.type_name == "boolean":
        return st.one_of(st.booleans(), st.just("true"))
    if shape.type_name in {"integer", "long"}:
        return st.one_of(st.integers(-1, 2), st.just("1"))
    known = [EXAMPLES[shape.name]] if shape.name in EXAMPLES else []
    return st.sampled_from([*shape.metadata.get("enum", ()), *known, "abc", "", 7])


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_botocores_own_validator_refuses_is_refused(data):
    name = data.draw(st.sampled_from(sorted(LATTICE_HANDLERS)))
    shape = BOTOCORE.operation_model(name).input_shape
    params = data.draw(values(shape))
    if ParamValidator().validate(params, shape).has_errors():
        assert MODEL.operations[name].problems(params)


def test_an_answer_keeps_only_what_its_shape_has():
    project = MODEL.operations["ListRules"].project
    rule = {"id": "rule-1", "match": {"httpMatch": {}}, "priority": None, "isDefault": False}
    assert project({"items": [rule], "other": 1}) == {"items": [{"id": "rule-1", "isDefault": False}]}
