"""Where the sandbox and moto answer differently, who is right by the documentation, and the page that says so.

Each row stands for the differences that fit it: the operations, the member of the answer (`[]` for any item of a
list), and what kind of difference it is. `test_moto.py` fails for a difference that fits no row, and for a row, or an
operation named in one, that no difference fits any more. Of a row whose judge is `nobody` the documentation says
nothing.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

Kind = Literal["only in the sandbox", "only in moto", "value", "type", "outcome", "status"]
Judge = Literal["sandbox", "moto", "nobody"]

LATTICE = "https://docs.aws.amazon.com/vpc-lattice/latest"
API, GUIDE = f"{LATTICE}/APIReference/API_", f"{LATTICE}/ug/"


@dataclass(frozen=True, slots=True)
class Difference:
    """One member of one answer, or the outcome of one call."""

    operation: str
    member: str
    kind: Kind
    sandbox: Any
    moto: Any


ANY = ("*",)


@dataclass(frozen=True, slots=True)
class Row:
    """Differences of one cause."""

    operations: tuple[str, ...]
    member: str
    kind: Kind
    right: Judge
    why: str
    page: str
    moto: str | None = None
    """What moto's values look like, where the member alone does not tell the cause."""

    def fits(self, difference: Difference) -> bool:
        return (
            difference.kind == self.kind
            and (self.moto is None or re.search(self.moto, str(difference.moto)) is not None)
            and (self.operations == ANY or difference.operation in self.operations)
            and fnmatchcase(difference.member, self.member.replace("[]", "[[]]"))
        )


ACM = "https://docs.aws.amazon.com/acm/latest/APIReference/API_"
ASSUME = "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html"
IAM_IDS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"
TAGGING = "https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_"

_SERVICE = ("CreateService", "GetService")
_NETWORK = ("CreateServiceNetwork", "GetServiceNetwork")
_GROUP = ("CreateTargetGroup", "GetTargetGroup")
_LINK = ("GetServiceNetworkServiceAssociation", "ListServiceNetworkServiceAssociations")
_DOMAINS = (*_SERVICE, "ListServices", "CreateServiceNetworkServiceAssociation", *_LINK)
_DATED = ("GetService", "ListServices", "GetServiceNetwork", "ListServiceNetworks")


def _rows(*members: str, **of: Any) -> tuple[Row, ...]:
    """A row for each of several members that differ for one reason."""
    return tuple(Row(member=member, **of) for member in members)


ROWS: tuple[Row, ...] = (
    Row(
        ANY,
        "*",
        "value",
        "sandbox",
        "identifiers are a prefix and 17 letters or digits; moto's have hyphens",
        f"{API}GetService.html (`id`)",
        r"\b(svc|sn|tg|listener|rule|snsa|snva|als)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{3}['/]",
    ),
    Row(
        (
            "CreateService",
            "CreateServiceNetwork",
            "CreateTargetGroup",
            "CreateListener",
            "CreateRule",
            "CreateAccessLogSubscription",
        ),
        "",
        "status",
        "sandbox",
        "creation answers 201",
        f"{API}CreateService.html (Response Syntax)",
    ),
    Row(
        ("DeleteAccessLogSubscription", "DeleteAuthPolicy", "DeleteResourcePolicy"),
        "",
        "status",
        "sandbox",
        "deletion answers 204",
        f"{API}DeleteAuthPolicy.html (Response Syntax)",
    ),
    Row(
        ("GetService", "GetTargetGroup", "GetAuthPolicy"),
        "",
        "status",
        "sandbox",
        "`ResourceNotFoundException` has the status 404",
        f"{API}GetService.html (Errors)",
    ),
    Row(
        ("CreateService",),
        "",
        "outcome",
        "sandbox",
        "a name is unique in the account, and of small letters, digits and hyphens",
        f"{API}CreateService.html (`name`)",
        "success",
    ),
    Row(
        ("PutAuthPolicy",),
        "",
        "outcome",
        "sandbox",
        "a policy is JSON",
        f"{API}PutAuthPolicy.html (`policy`)",
        "success",
    ),
    Row(
        ("CreateAccessLogSubscription",),
        "",
        "outcome",
        "sandbox",
        "a resource is given by its ID or its ARN",
        f"{API}CreateAccessLogSubscription.html (`resourceIdentifier`)",
        "ValidationException",
    ),
    *_rows(
        "*dnsEntry.domainName",
        operations=_DOMAINS,
        kind="value",
        right="sandbox",
        why="a generated domain name is made of name, id, partition and region, under `on.aws`",
        page=f"{GUIDE}service-custom-domain-name.html",
    ),
    *_rows(
        "*dnsEntry.hostedZoneId",
        operations=_DOMAINS,
        kind="value",
        right="nobody",
        why="the id of a hosted zone is of no documented form",
        page=f"{API}DnsEntry.html (`hostedZoneId`)",
    ),
    *_rows(
        "status",
        operations=(
            "CreateService",
            "CreateTargetGroup",
            "CreateServiceNetworkServiceAssociation",
            "CreateServiceNetworkVpcAssociation",
        ),
        kind="value",
        right="sandbox",
        why="creation is asynchronous and begins with CREATE_IN_PROGRESS",
        page=f"{API}GetService.html (`status`)",
    ),
    *_rows(
        "authType",
        operations=(*_SERVICE, *_NETWORK),
        kind="only in the sandbox",
        right="sandbox",
        why="the authentication type is NONE where none was given",
        page=f"{API}CreateService.html (`authType`)",
    ),
    *_rows(
        "certificateArn",
        operations=_SERVICE,
        kind="only in moto",
        right="nobody",
        why="whether a service without a certificate has an empty one",
        page=f"{API}GetService.html (`certificateArn`)",
    ),
    *_rows(
        "*customDomainName",
        operations=_DOMAINS,
        kind="only in moto",
        right="sandbox",
        why="a service has a custom domain name only if it was given one, of 3 characters or more",
        page=f"{API}GetService.html (`customDomainName`)",
    ),
    *_rows(
        "idleTimeoutSeconds",
        operations=_SERVICE,
        kind="only in the sandbox",
        right="sandbox",
        why="a service has an idle timeout, 60 seconds by default",
        page=f"{API}CreateService.html (`idleTimeoutSeconds`)",
    ),
    *_rows(
        "*createdAt",
        "*lastUpdatedAt",
        operations=_DATED,
        kind="only in the sandbox",
        right="sandbox",
        why="the answer has the time",
        page=f"{API}GetService.html, {API}GetServiceNetwork.html (Response Elements)",
    ),
    *_rows(
        "*numberOfAssociated*",
        operations=("GetServiceNetwork", "ListServiceNetworks"),
        kind="only in the sandbox",
        right="sandbox",
        why="a service network counts its associations",
        page=f"{API}GetServiceNetwork.html, {API}ServiceNetworkSummary.html",
    ),
    *_rows(
        "sharingConfig",
        operations=_NETWORK,
        kind="only in moto",
        right="nobody",
        why="whether a network without a sharing configuration has an empty one",
        page=f"{API}GetServiceNetwork.html (`sharingConfig`)",
    ),
    *_rows(
        "config.healthCheck.*",
        "config.ipAddressType",
        "config.protocolVersion",
        operations=_GROUP,
        kind="only in the sandbox",
        right="sandbox",
        why="what was not given has its default",
        page=f"{API}TargetGroupConfig.html, {API}HealthCheckConfig.html",
    ),
    *_rows(
        "items[].port",
        "items[].protocol",
        "items[].ipAddressType",
        operations=("ListTargetGroups",),
        kind="only in the sandbox",
        right="sandbox",
        why="a list shows protocol, port and type of addresses",
        page=f"{API}TargetGroupSummary.html",
    ),
    *_rows(
        "*serviceArns",
        operations=("GetTargetGroup", "ListTargetGroups"),
        kind="only in the sandbox",
        right="nobody",
        why="whether a group that no service uses has an empty list",
        page=f"{API}GetTargetGroup.html (`serviceArns`)",
    ),
    *_rows(
        "*serviceArn",
        "*serviceName",
        "*serviceNetworkArn",
        "*serviceNetworkName",
        operations=_LINK,
        kind="only in the sandbox",
        right="sandbox",
        why="an association names both its sides",
        page=f"{API}GetServiceNetworkServiceAssociation.html (Response Elements)",
    ),
    *_rows(
        "*createdBy",
        operations=("CreateServiceNetworkVpcAssociation", "ListServiceNetworkVpcAssociations"),
        kind="value",
        right="sandbox",
        why="`createdBy` is the account",
        page=f"{API}GetServiceNetworkVpcAssociation.html (`createdBy`)",
        moto="user",
    ),
    *_rows(
        "*serviceNetworkLogType",
        operations=(
            "CreateAccessLogSubscription",
            "GetAccessLogSubscription",
            "ListAccessLogSubscriptions",
        ),
        kind="only in moto",
        right="sandbox",
        why="the log type is one of a service network's subscription; these are of a service",
        page=f"{API}CreateAccessLogSubscription.html (`serviceNetworkLogType`)",
    ),
    *_rows(
        "nextToken",
        operations=("ListAccessLogSubscriptions",),
        kind="only in moto",
        right="sandbox",
        why="a token is there if there is another page",
        page=f"{API}ListAccessLogSubscriptions.html (`nextToken`)",
    ),
    *_rows(
        "PaginationToken",
        operations=("GetResources",),
        kind="only in the sandbox",
        right="nobody",
        why="whether the last page has an empty token or none",
        page=f"{TAGGING}GetResources.html (`PaginationToken`)",
    ),
    *_rows(
        "Arn",
        "UserId",
        operations=("GetCallerIdentity",),
        kind="value",
        right="sandbox",
        why="a user's ARN is of IAM, and a user's id begins with AIDA",
        page=IAM_IDS,
    ),
    *_rows(
        "AssumedRoleUser.AssumedRoleId",
        operations=("AssumeRoleWithWebIdentity",),
        kind="value",
        right="sandbox",
        why="a role's id begins with AROA",
        page=IAM_IDS,
    ),
    *_rows(
        "Audience",
        "Provider",
        "SubjectFromWebIdentityToken",
        operations=("AssumeRoleWithWebIdentity",),
        kind="only in the sandbox",
        right="sandbox",
        why="the answer tells what the token says",
        page=f"{ASSUME} (Response Elements)",
    ),
    *_rows(
        "Credentials.*",
        operations=("AssumeRoleWithWebIdentity",),
        kind="value",
        right="nobody",
        why="credentials are random",
        page=ASSUME,
    ),
    *_rows(
        "PackedPolicySize",
        operations=("AssumeRoleWithWebIdentity",),
        kind="only in moto",
        right="nobody",
        why="whether a session without policies tells their size",
        page=f"{ASSUME} (`PackedPolicySize`)",
    ),
    *_rows(
        "Tags*",
        operations=("DescribeTags",),
        kind="only in the sandbox",
        right="nobody",
        why="the sandbox has an instance, moto's account has none",
        page="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html",
    ),
    *_rows(
        "Tags",
        operations=("DescribeTags",),
        kind="only in moto",
        right="nobody",
        why="the same",
        page="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html",
    ),
    *_rows(
        "Certificate.IssuedAt",
        "Certificate.Issuer",
        "Certificate.Not*",
        "Certificate.Serial",
        operations=("DescribeCertificate",),
        kind="only in moto",
        right="sandbox",
        why="a certificate that waits for its validation has not been issued",
        page=f"{ACM}CertificateDetail.html (`IssuedAt`, `Issuer`, `NotBefore`, `Serial`)",
    ),
    *_rows(
        "Certificate.DomainValidationOptions*",
        "Certificate.ExtendedKeyUsages",
        "Certificate.Options.*",
        "Certificate.RenewalEligibility",
        "Certificate.SignatureAlgorithm",
        "Certificate.Subject",
        operations=("DescribeCertificate",),
        kind="only in moto",
        right="moto",
        why="the sandbox tells names, status, type, key and times: what a client of VPC Lattice reads",
        page=f"{ACM}CertificateDetail.html",
    ),
)
