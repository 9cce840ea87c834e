"""Calls that together use every emulated operation, for clients that are not ours.

The same stories are told by the AWS CLI (`test_cli.py`) and, as far as moto has the operations, to moto and to the
sandbox side by side (`test_moto.py`). A step names its operation and parameters as the service model does; a text such
as `{network[arn]}` stands for a member of an earlier answer that was kept. What moto lacks is passed over there, so a
story takes away what it made only at its end.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.certificates import issue

VPC = "vpc-0123456789abcdef0"
POLICY = '{"Version":"2012-10-17","Statement":[]}'
BUCKET, GROUP = "arn:aws:s3:::access-logs-bucket", "arn:aws:logs:us-west-2:123456789012:log-group:access"
_REFERENCE = re.compile(r"\{(\w+)\[(\w+)\]\}")


@dataclass(frozen=True, slots=True)
class Step:
    """One call, what of its answer must be so, and the name under which it is kept; or the error that it ends in."""

    operation: str
    params: dict[str, Any] = field(default_factory=dict)
    keep: str | None = None
    shows: dict[str, Any] = field(default_factory=dict)
    fails: str | None = None
    service: str = "vpc-lattice"

    def filled(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The parameters, with what earlier answers have for the references in them."""
        return {name: _fill(value, kept) for name, value in self.params.items()}


def _fill(value: Any, kept: dict[str, Any]) -> Any:
    if isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        return kept[found[1]][found[2]]
    if isinstance(value, dict):
        return {name: _fill(item, kept) for name, item in value.items()}
    return [_fill(item, kept) for item in value] if isinstance(value, list) else value


def _prefix(path: str) -> dict[str, Any]:
    return {"httpMatch": {"pathMatch": {"match": {"prefix": path}, "caseSensitive": True}}}


NETWORK, SERVICE = "{network[id]}", "{service[id]}"
LOG = {"accessLogSubscriptionIdentifier": "{log[id]}"}
LINK = {"serviceNetworkServiceAssociationIdentifier": "{link[id]}"}
BY_VPC = {"serviceNetworkVpcAssociationIdentifier": "{vpc[id]}"}

NETWORKS = (
    Step("CreateServiceNetwork", {"name": "my-hotel", "tags": {"team": "one"}}, "network", {"authType": "NONE"}),
    Step("GetServiceNetwork", {"serviceNetworkIdentifier": NETWORK}, shows={"name": "my-hotel"}),
    Step("ListServiceNetworks"),
    Step("UpdateServiceNetwork", {"serviceNetworkIdentifier": NETWORK, "authType": "AWS_IAM"}),
    Step("CreateService", {"name": "parking"}, "service", {"name": "parking"}),
    Step("GetService", {"serviceIdentifier": SERVICE}, shows={"status": "ACTIVE"}),
    Step("ListServices"),
    Step("UpdateService", {"serviceIdentifier": SERVICE, "authType": "AWS_IAM"}, shows={"authType": "AWS_IAM"}),
    Step(
        "CreateServiceNetworkServiceAssociation",
        {"serviceNetworkIdentifier": NETWORK, "serviceIdentifier": SERVICE},
        "link",
    ),
    Step("GetServiceNetworkServiceAssociation", LINK, shows={"status": "ACTIVE"}),
    Step("ListServiceNetworkServiceAssociations", {"serviceIdentifier": SERVICE}),
    Step(
        "CreateServiceNetworkVpcAssociation",
        {"serviceNetworkIdentifier": NETWORK, "vpcIdentifier": VPC, "securityGroupIds": ["sg-0123456789abcdef0"]},
        "vpc",
    ),
    Step("GetServiceNetworkVpcAssociation", BY_VPC, shows={"vpcId": VPC}),
    Step("ListServiceNetworkVpcAssociations", {"vpcIdentifier": VPC}),
    Step("UpdateServiceNetworkVpcAssociation", BY_VPC | {"securityGroupIds": ["sg-0fedcba9876543210"]}),
    Step("DeleteServiceNetworkVpcAssociation", BY_VPC, shows={"status": "DELETE_IN_PROGRESS"}),
    Step("DeleteServiceNetworkServiceAssociation", LINK, shows={"status": "DELETE_IN_PROGRESS"}),
    Step("DeleteServiceNetwork", {"serviceNetworkIdentifier": NETWORK}),
)

HELD = {"resourceIdentifier": "{held[id]}"}

POLICIES = (
    Step("CreateService", {"name": "policies", "authType": "AWS_IAM"}, "held", {"authType": "AWS_IAM"}),
    Step("PutAuthPolicy", HELD | {"policy": POLICY}, shows={"state": "Active"}),
    Step("GetAuthPolicy", HELD, shows={"policy": POLICY}),
    Step("DeleteAuthPolicy", HELD),
    Step("PutResourcePolicy", {"resourceArn": "{held[arn]}", "policy": POLICY}),
    Step("GetResourcePolicy", {"resourceArn": "{held[arn]}"}, shows={"policy": POLICY}),
    Step("DeleteResourcePolicy", {"resourceArn": "{held[arn]}"}),
    Step("CreateAccessLogSubscription", HELD | {"destinationArn": BUCKET}, "log", {"destinationArn": BUCKET}),
    Step("GetAccessLogSubscription", LOG, shows={"destinationArn": BUCKET}),
    Step("ListAccessLogSubscriptions", HELD),
    Step("UpdateAccessLogSubscription", LOG | {"destinationArn": GROUP}, shows={"destinationArn": GROUP}),
    Step("DeleteAccessLogSubscription", LOG),
    Step("TagResource", {"resourceArn": "{held[arn]}", "tags": {"team": "one", "floor": "2"}}),
    Step("ListTagsForResource", {"resourceArn": "{held[arn]}"}, shows={"tags": {"team": "one", "floor": "2"}}),
    Step("UntagResource", {"resourceArn": "{held[arn]}", "tagKeys": ["floor"]}),
    Step("ListTagsForResource", {"resourceArn": "{held[arn]}"}, shows={"tags": {"team": "one"}}),
    Step(
        "TagResources",
        {"ResourceARNList": ["{held[arn]}"], "Tags": {"wing": "west"}},
        shows={"FailedResourcesMap": {}},
        service="resourcegroupstaggingapi",
    ),
    Step(
        "GetResources",
        {"TagFilters": [{"Key": "wing", "Values": ["west"]}], "ResourceTypeFilters": ["vpc-lattice:service"]},
        service="resourcegroupstaggingapi",
    ),
    Step(
        "UntagResources",
        {"ResourceARNList": ["{held[arn]}"], "TagKeys": ["wing"]},
        shows={"FailedResourcesMap": {}},
        service="resourcegroupstaggingapi",
    ),
)

SUBJECT = "system:serviceaccount:aws-application-networking-system:gateway-api-controller"


def web_identity(**changes: Any) -> str:
    """A token of a pod's service account, which expires in the year 2100; its signature is nobody's."""
    claims = {"iss": "https://oidc.example", "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "exp": 4_102_444_800}
    parts = ({"alg": "RS256"}, {name: value for name, value in (claims | changes).items() if value is not None})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join((*encoded, "c2lnbmF0dXJl"))


LISTENER = {"serviceIdentifier": "{routed[id]}", "listenerIdentifier": "{listener[id]}"}
RULE = LISTENER | {"ruleIdentifier": "{rule[id]}"}
FIXED = {"fixedResponse": {"statusCode": 404}}

ROUTING = (
    Step("CreateService", {"name": "routed"}, "routed"),
    Step(
        "CreateListener",
        {"serviceIdentifier": "{routed[id]}", "name": "http", "protocol": "HTTP", "port": 80, "defaultAction": FIXED},
        "listener",
        {"port": 80},
    ),
    Step("GetListener", LISTENER, shows={"defaultAction": FIXED}),
    Step("ListListeners", {"serviceIdentifier": "{routed[id]}"}),
    Step("UpdateListener", LISTENER | {"defaultAction": {"fixedResponse": {"statusCode": 500}}}),
    Step(
        "CreateRule",
        LISTENER | {"name": "one", "priority": 10, "match": _prefix("/a"), "action": FIXED},
        "rule",
        {"priority": 10, "match": _prefix("/a")},
    ),
    Step("GetRule", RULE, shows={"match": _prefix("/a"), "isDefault": False}),
    Step("ListRules", LISTENER),
    Step("UpdateRule", RULE | {"match": _prefix("/b")}, shows={"match": _prefix("/b")}),
    Step(
        "BatchUpdateRule",
        LISTENER | {"rules": [{"ruleIdentifier": "{rule[id]}", "priority": 20}]},
        shows={"unsuccessful": []},
    ),
    Step("DeleteRule", RULE),
    Step("DeleteListener", LISTENER),
    Step("DeleteService", {"serviceIdentifier": "{routed[id]}"}, shows={"status": "DELETE_IN_PROGRESS"}),
)

TARGETS = {"targetGroupIdentifier": "{group[id]}"}
TARGET = {"id": "10.0.0.1", "port": 8080}
CONFIG = {"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC}

TARGET_GROUPS = (
    Step("CreateTargetGroup", {"name": "group", "type": "IP", "config": CONFIG}, "group", {"type": "IP"}),
    Step("GetTargetGroup", TARGETS, shows={"status": "ACTIVE"}),
    Step("ListTargetGroups", {"vpcIdentifier": VPC, "targetGroupType": "IP"}),
    Step("UpdateTargetGroup", TARGETS | {"healthCheck": {"path": "/ready"}}),
    Step("RegisterTargets", TARGETS | {"targets": [TARGET]}, shows={"successful": [TARGET]}),
    Step("ListTargets", TARGETS | {"targets": [TARGET]}),
    Step("DeregisterTargets", TARGETS | {"targets": [TARGET]}, shows={"successful": [TARGET]}),
    Step("DeleteTargetGroup", TARGETS, shows={"status": "DELETE_IN_PROGRESS"}),
)

OWN = issue("own.example.com")
IMPORTED = {"CertificateArn": "{own[CertificateArn]}"}

OTHERS = (
    Step("GetCallerIdentity", shows={"Account": "123456789012"}, service="sts"),
    Step(
        "AssumeRoleWithWebIdentity",
        {
            "RoleArn": "arn:aws:iam::123456789012:role/controller",
            "RoleSessionName": "pod",
            "WebIdentityToken": web_identity(),
            "DurationSeconds": 900,
        },
        shows={"SubjectFromWebIdentityToken": SUBJECT},
        service="sts",
    ),
    Step("ListCertificates", {"CertificateStatuses": ["ISSUED"]}, service="acm"),
    Step("DescribeCertificate", {"CertificateArn": "{certificate[arn]}"}, service="acm"),
    Step(
        "ImportCertificate",
        {"Certificate": OWN.certificate, "PrivateKey": OWN.key, "Tags": [{"Key": "team", "Value": "one"}]},
        "own",
        service="acm",
    ),
    Step("AddTagsToCertificate", IMPORTED | {"Tags": [{"Key": "stage", "Value": "test"}]}, service="acm"),
    Step("ListTagsForCertificate", IMPORTED, service="acm"),
    Step("ImportCertificate", IMPORTED | {"Certificate": OWN.certificate, "PrivateKey": OWN.key}, service="acm"),
    Step("DeleteCertificate", IMPORTED, service="acm"),
    Step("DescribeTags", {"Filters": [{"Name": "resource-type", "Values": ["instance"]}]}, service="ec2"),
    Step("ListServiceQuotas", {"ServiceCode": "vpc-lattice"}, service="service-quotas"),
)

REFUSED = (
    Step("GetService", {"serviceIdentifier": "svc-00000000000000000"}, fails="ResourceNotFoundException"),
    Step("GetTargetGroup", {"targetGroupIdentifier": "tg-00000000000000000"}, fails="ResourceNotFoundException"),
    Step("CreateService", {"name": "parking"}, fails="ConflictException"),
    Step("CreateService", {"name": "Not-A-Name"}, fails="ValidationException"),
    Step("PutAuthPolicy", HELD | {"policy": "{"}, fails="ValidationException"),
    Step("ListResourceGateways", fails="NotEmulatedException"),
    Step("DescribeVpcs", fails="NotEmulatedException", service="ec2"),
    Step("GetSessionToken", fails="NotEmulatedException", service="sts"),
    Step("RequestCertificate", {"DomainName": "example.com"}, fails="NotEmulatedException", service="acm"),
)

BY_ARN = (
    Step("GetService", {"serviceIdentifier": "{held[arn]}"}, shows={"name": "policies"}),
    Step("GetAuthPolicy", {"resourceIdentifier": "{held[arn]}"}, fails="ResourceNotFoundException"),
    Step("CreateAccessLogSubscription", {"resourceIdentifier": "{held[arn]}", "destinationArn": BUCKET}),
)

STORIES = (NETWORKS, ROUTING, TARGET_GROUPS, POLICIES + OTHERS + BY_ARN)
"""Each stands by itself; `REFUSED` follows them."""
