"""The IAM policy: every call that the controller makes is allowed, no other, and none on what somebody else owns.

Calls are found in the code: operations are named by strings, and the service models that botocore ships tell which
strings are operations. What the documentation of IAM says and no model does stands in the tables below.

Sources: Service Authorization Reference, "Actions, resources, and condition keys for Amazon VPC Lattice"; VPC Lattice
User Guide, "Amazon VPC Lattice API permissions".
"""

import ast
import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "deploy" / "iam-policy.json"
TAKEOVER = ROOT / "deploy" / "iam-policy-takeover.json"
IMPORT = ROOT / "deploy" / "iam-policy-import.json"

SERVICES = {
    "vpc-lattice": "vpc-lattice",
    "resourcegroupstaggingapi": "tag",
    "acm": "acm",
    "service-quotas": "servicequotas",
}
"""Service models by botocore's name, and the prefix of their actions. STS needs no permission for GetCallerIdentity."""

CALLERS = {"acm": "acm/", "service-quotas": "lattice/quota_reader.py"}
"""Where those are called from that have operations of the same names as VPC Lattice."""

PERMITTED_BY = {"vpc-lattice:BatchUpdateRule": "vpc-lattice:UpdateRule"}
"""Operations without an action of their own."""

DEPENDENT = {
    "CreateService": {"iam:CreateServiceLinkedRole"},
    "CreateTargetGroup": {"ec2:DescribeVpcs", "iam:CreateServiceLinkedRole"},
    "RegisterTargets": {"ec2:DescribeSubnets", "ec2:DescribeVpcs"},
}
"""What VPC Lattice does for an operation with the caller's permission: it looks where the VPC of a group, and the
addresses of its targets, are (User Guide, "Amazon VPC Lattice API permissions", for targets of type IP), and makes its
service-linked role for the first resource of an account (User Guide, "Using service-linked roles")."""

IMPORTING = {
    "acm:AddTagsToCertificate",
    "acm:DeleteCertificate",
    "acm:ImportCertificate",
    "acm:ListTagsForCertificate",
}
"""What is called only where certificates are imported."""

TAGGED_AT_CREATION = {"CreateListener", "CreateRule", "CreateService", "CreateServiceNetworkServiceAssociation",
                      "CreateTargetGroup"}  # fmt: skip
OWNER_TAG = "application-networking.k8s.aws/ManagedBy"
OWNER = "ACCOUNT_ID/CLUSTER_NAME/VPC_ID"


@cache
def operations(service: str) -> frozenset[str]:
    return frozenset(get_session().get_service_model(service).operation_names)


def actions_in_the_code() -> set[str]:
    """The actions of all operations that the controller's code names."""
    named = {
        f"{prefix}:{word}" for service, prefix in SERVICES.items() for word in words(service) & operations(service)
    }
    return {PERMITTED_BY.get(action, action) for action in named}


@cache
def words(service: str) -> frozenset[str]:
    """The strings in the code that calls a service."""
    return frozenset(
        node.value
        for path in (ROOT / "controller").rglob("*.py")
        if caller(path) == (service if service in CALLERS else None)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def caller(path: Path) -> str | None:
    """The service that a module alone calls, None for all others."""
    module = path.relative_to(ROOT / "controller").as_posix()
    return next((service for service, prefix in CALLERS.items() if module.startswith(prefix)), None)


def statements(path: Path = POLICY) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else found


def allowed(action: str, *, on: str | None = None, asks: str | None = None, path: Path = POLICY) -> bool:
    """What IAM decides for an action on a resource with that owner tag, in a request with that owner tag."""
    context = {f"aws:ResourceTag/{OWNER_TAG}": on, f"aws:RequestTag/{OWNER_TAG}": asks}
    return any(
        any(fnmatchcase(action, pattern) for pattern in actions(statement)) and _holds(statement, context)
        for statement in statements(path)
    )


def _holds(statement: dict[str, Any], context: dict[str, str | None]) -> bool:
    for operator, keys in statement.get("Condition", {}).items():
        assert operator in {"StringEquals", "StringEqualsIfExists"}
        for key, wanted in keys.items():
            has = context.get(key)
            if not (has == wanted or (has is None and operator.endswith("IfExists"))):
                return False
    return True


def test_the_policy_allows_what_the_code_calls_and_nothing_else():
    granted = [action for statement in statements() for action in actions(statement)]
    called = actions_in_the_code()
    needed = {
        needs for operation, actions in DEPENDENT.items() if f"vpc-lattice:{operation}" in called for needs in actions
    }
    assert sorted(granted) == sorted((called - IMPORTING) | needed)


def test_the_policy_for_imports_allows_what_the_code_calls_for_them_and_nothing_else():
    granted = {action for statement in statements(IMPORT) for action in actions(statement)}
    assert granted == IMPORTING
    assert actions_in_the_code() > IMPORTING


@pytest.mark.parametrize("action", sorted(IMPORTING - {"acm:ListTagsForCertificate"}))
def test_certificates_of_others_are_neither_changed_nor_deleted(action):
    assert allowed(action, on=OWNER, path=IMPORT)
    assert not allowed(action, on="somebody else", path=IMPORT)
    assert not allowed(action, on="somebody else", asks=OWNER, path=IMPORT)
    assert not allowed(action, path=IMPORT)


def test_what_is_imported_must_bear_the_owner_tag():
    assert allowed("acm:ImportCertificate", asks=OWNER, path=IMPORT)
    assert not allowed("acm:ImportCertificate", asks="somebody else", path=IMPORT)
    assert not allowed("acm:DeleteCertificate", asks=OWNER, path=IMPORT)


@pytest.mark.parametrize("operation", sorted(DEPENDENT))
def test_what_lattice_does_for_an_operation_is_allowed_whatever_the_tags(operation):
    looks = {action for action in DEPENDENT[operation] if not action.startswith("iam:")}
    assert all(allowed(action) for action in looks)


@pytest.mark.parametrize("path", [POLICY, TAKEOVER, IMPORT], ids=lambda path: path.stem)
def test_a_policy_is_well_formed(path):
    policy = json.loads(path.read_text())
    assert set(policy) == {"Version", "Statement"}
    assert policy["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(names)) == len(names)
    for statement in policy["Statement"]:
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        assert actions(statement) == sorted(set(actions(statement)))
        assert all(re.fullmatch(r"[a-z0-9-]+:[A-Z][A-Za-z]+", action) for action in actions(statement))
    # The most that a managed policy may have; white space does not count.
    assert len(re.sub(r"\s", "", path.read_text())) <= 6144


@pytest.mark.parametrize("path", [POLICY, TAKEOVER, IMPORT], ids=lambda path: path.stem)
def test_a_policy_grants_no_write_without_a_condition(path):
    for statement in statements(path):
        reads = ("Describe", "Get", "List")
        writes = [action for action in actions(statement) if not action.split(":")[1].startswith(reads)]
        assert not writes or statement["Condition"]


@pytest.mark.parametrize("operation", sorted(TAGGED_AT_CREATION))
def test_what_is_created_must_bear_the_owner_tag(operation):
    action = f"vpc-lattice:{operation}"
    assert allowed(action, asks=OWNER)
    assert not allowed(action, asks="somebody else")
    assert not allowed(action)


WRITES = sorted(
    action
    for action in actions_in_the_code()
    if action.startswith("vpc-lattice:") and not action.split(":")[1].startswith(("Get", "List", "Create"))
)


@pytest.mark.parametrize("action", WRITES)
def test_what_is_ours_may_be_changed_and_what_is_another_owners_may_not(action):
    assert allowed(action, on=OWNER)
    assert not allowed(action, on="somebody else")
    assert not allowed(action, on="somebody else", asks=OWNER)


def test_a_service_without_an_owner_can_be_adopted_with_its_listeners_and_rules_but_not_deleted():
    assert allowed("vpc-lattice:TagResource", on=None, asks=OWNER)
    assert allowed("vpc-lattice:UpdateListener", on=None)
    assert allowed("vpc-lattice:DeleteRule", on=None)
    assert not allowed("vpc-lattice:DeleteService", on=None)
    assert not allowed("vpc-lattice:DeleteTargetGroup", on=None)


def test_tags_given_at_creation_are_allowed():
    assert allowed("vpc-lattice:TagResource", asks=OWNER)


def test_the_policy_for_a_take_over_reaches_what_one_other_owner_has_and_deletes_no_service_or_group():
    assert allowed("vpc-lattice:TagResource", on="OTHER_OWNER", asks=OWNER, path=TAKEOVER)
    assert not allowed("vpc-lattice:TagResource", on="a third", asks=OWNER, path=TAKEOVER)
    granted = {action for statement in statements(TAKEOVER) for action in actions(statement)}
    assert granted <= set(WRITES)
    assert not granted & {"vpc-lattice:DeleteService", "vpc-lattice:DeleteTargetGroup"}
