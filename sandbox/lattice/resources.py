"""What the emulated account holds: a record for each kind of resource, and tables of them.

A record's `describe` gives every member that any operation shows of it; the output shape of each operation picks its
own (`sandbox.lattice.model`). Records refer to each other directly, so that following a reference costs the same in an
empty account and in a full one. What can be computed is not stored: the status of a target, the number of
associations.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from sandbox.lattice import directory
from sandbox.lattice.errors import not_found

Described = dict[str, Any]


@dataclass(slots=True, eq=False, kw_only=True)
class Resource:
    """What all resources have. `number` counts creations: the order of lists. Times are ISO 8601."""

    kind: ClassVar[str] = ""
    """The resource type that errors name."""
    of_service: ClassVar[str] = "vpc-lattice"
    tag_type: ClassVar[str] = ""
    """The resource type by which the tagging API filters, after the service and a colon."""

    number: int
    id: str
    arn: str
    created_at: str
    updated_at: str
    tags: dict[str, str] = field(default_factory=dict)

    def describe(self) -> Described:
        return {
            "id": self.id,
            "arn": self.arn,
            "createdAt": self.created_at,
            "lastUpdatedAt": self.updated_at,
        }


@dataclass(slots=True, eq=False, kw_only=True)
class Evolving(Resource):
    """A resource that is created and deleted asynchronously."""

    status: str = "CREATE_IN_PROGRESS"
    failure_code: str | None = None
    failure_message: str | None = None

    def describe(self) -> Described:
        described = Resource.describe(self)
        described["status"] = self.status
        described["failureCode"] = self.failure_code
        described["failureMessage"] = self.failure_message
        return described


@dataclass(slots=True, eq=False, kw_only=True)
class ServiceNetwork(Resource):
    kind: ClassVar[str] = "SERVICE_NETWORK"
    tag_type: ClassVar[str] = "servicenetwork"

    name: str
    account: str
    auth_type: str = "NONE"
    sharing_config: Described | None = None
    listed: bool = True
    """Whether lists show it; a network that is reached through an association need not be shared with the account."""
    services: "dict[str, ServiceAssociation]" = field(default_factory=dict)
    """Associations by service id."""
    vpcs: "dict[str, VpcAssociation]" = field(default_factory=dict)
    """Associations by VPC id."""

    def describe(self) -> Described:
        return Resource.describe(self) | {
            "name": self.name,
            "authType": self.auth_type,
            "sharingConfig": self.sharing_config,
            "numberOfAssociatedServices": len(self.services),
            "numberOfAssociatedVPCs": len(self.vpcs),
            "numberOfAssociatedResourceConfigurations": 0,
        }


@dataclass(slots=True, eq=False, kw_only=True)
class Service(Evolving):
    kind: ClassVar[str] = "SERVICE"
    tag_type: ClassVar[str] = "service"

    name: str
    domain: str
    hosted_zone_id: str
    custom_domain: str | None
    certificate_arn: str | None
    auth_type: str
    idle_timeout: int
    listeners: "dict[str, Listener]" = field(default_factory=dict)
    associations: "dict[str, ServiceAssociation]" = field(default_factory=dict)
    """By service network id."""
    groups: "dict[str, int]" = field(default_factory=dict)
    """Target group id → how many rules and default actions of this service refer to it."""
    routing: directory.Service | None = None
    """The routing view as last computed; None when something that it shows has changed since."""

    @property
    def dns_entry(self) -> Described:
        return {"domainName": self.domain, "hostedZoneId": self.hosted_zone_id}

    def describe(self) -> Described:
        return Evolving.describe(self) | {
            "name": self.name,
            "dnsEntry": self.dns_entry,
            "customDomainName": self.custom_domain,
            "certificateArn": self.certificate_arn,
            "authType": self.auth_type,
            "idleTimeoutSeconds": self.idle_timeout,
        }


@dataclass(slots=True, eq=False, kw_only=True)
class TargetGroup(Evolving):
    kind: ClassVar[str] = "TARGET_GROUP"
    tag_type: ClassVar[str] = "targetgroup"

    name: str
    type: str
    config: Described
    """As in the API (`TargetGroupConfig`), defaults filled in."""
    service: Service | None = None
    """The service whose rules use it; API: "A target group can only be used by a single service"."""
    targets: "dict[tuple[str, int | None], Target]" = field(default_factory=dict)
    routing: directory.TargetGroup | None = None
    """The routing view as last computed; None when something that it shows has changed since."""

    @property
    def checks_health(self) -> bool:
        return bool(self.config.get("healthCheck", {}).get("enabled", False))

    def describe(self) -> Described:
        config = self.config
        return Evolving.describe(self) | {
            "name": self.name,
            "type": self.type,
            "config": config or None,
            "serviceArns": [self.service.arn] if self.service is not None else [],
            "port": config.get("port"),
            "protocol": config.get("protocol"),
            "ipAddressType": config.get("ipAddressType"),
            "vpcIdentifier": config.get("vpcIdentifier"),
            "lambdaEventStructureVersion": config.get("lambdaEventStructureVersion"),
        }


@dataclass(slots=True, eq=False, kw_only=True)
class Target:
    number: int
    id: str
    port: int | None
    draining: bool = False
    healthy: bool | None = None
    """The verdict of the health checks; None before the first."""
    reason: str | None = None

    def status(self, group: TargetGroup) -> directory.TargetStatus:
        """API: `TargetSummary`."""
        if self.draining:
            return "DRAINING"
        if group.service is None:
            return "UNUSED"
        if not group.checks_health:
            return "UNAVAILABLE"
        if self.healthy is None:
            return "INITIAL"
        return "HEALTHY" if self.healthy else "UNHEALTHY"

    def key(self) -> Described:
        return {"id": self.id, "port": self.port}

    def describe(self, group: TargetGroup) -> Described:
        status = self.status(group)
        reason = "TargetGroupNotInUse" if status == "UNUSED" else self.reason if status == "UNHEALTHY" else None
        return {"id": self.id, "port": self.port, "status": status, "reasonCode": reason}


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule or a listener does with a request (API: `RuleAction`), its target groups resolved."""

    forward: tuple[tuple[TargetGroup, int], ...] = ()
    fixed_response: int | None = None

    def describe(self) -> Described:
        if self.fixed_response is not None:
            return {"fixedResponse": {"statusCode": self.fixed_response}}
        groups = [{"targetGroupIdentifier": group.id, "weight": weight} for group, weight in self.forward]
        return {"forward": {"targetGroups": groups}}


@dataclass(slots=True, eq=False, kw_only=True)
class Rule(Resource):
    kind: ClassVar[str] = "RULE"
    tag_type: ClassVar[str] = "rule"

    name: str
    action: Action
    match: Described | None = None
    """None for a listener's default rule."""
    priority: int | None = None

    @property
    def is_default(self) -> bool:
        return self.priority is None

    def describe(self) -> Described:
        return Resource.describe(self) | {
            "name": self.name,
            "isDefault": self.is_default,
            "match": self.match,
            "priority": self.priority,
            "action": self.action.describe(),
        }


@dataclass(slots=True, eq=False, kw_only=True)
class Listener(Resource):
    kind: ClassVar[str] = "LISTENER"
    tag_type: ClassVar[str] = "listener"

    name: str
    service: Service
    protocol: str
    port: int
    default_rule: Rule
    rules: dict[str, Rule] = field(default_factory=dict)
    """All rules by id, the default rule first."""
    names: dict[str, Rule] = field(default_factory=dict)
    priorities: dict[int, Rule] = field(default_factory=dict)

    def describe(self) -> Described:
        return Resource.describe(self) | {
            "name": self.name,
            "protocol": self.protocol,
            "port": self.port,
            "serviceArn": self.service.arn,
            "serviceId": self.service.id,
            "defaultAction": self.default_rule.action.describe(),
        }


@dataclass(slots=True, eq=False, kw_only=True)
class ServiceAssociation(Evolving):
    kind: ClassVar[str] = "SERVICE_NETWORK_SERVICE_ASSOCIATION"
    tag_type: ClassVar[str] = "servicenetworkserviceassociation"

    service: Service
    network: ServiceNetwork
    created_by: str

    def describe(self) -> Described:
        return Evolving.describe(self) | {
            "createdBy": self.created_by,
            "serviceId": self.service.id,
            "serviceName": self.service.name,
            "serviceArn": self.service.arn,
            "serviceNetworkId": self.network.id,
            "serviceNetworkName": self.network.name,
            "serviceNetworkArn": self.network.arn,
            "dnsEntry": self.service.dns_entry,
            "customDomainName": self.service.custom_domain,
        }


@dataclass(slots=True, eq=False, kw_only=True)
class VpcAssociation(Evolving):
    kind: ClassVar[str] = "SERVICE_NETWORK_VPC_ASSOCIATION"
    tag_type: ClassVar[str] = "servicenetworkvpcassociation"

    vpc_id: str
    network: ServiceNetwork
    created_by: str
    security_groups: list[str]
    private_dns: bool | None
    dns_options: Described | None

    def describe(self) -> Described:
        return Evolving.describe(self) | {
            "createdBy": self.created_by,
            "serviceNetworkId": self.network.id,
            "serviceNetworkName": self.network.name,
            "serviceNetworkArn": self.network.arn,
            "vpcId": self.vpc_id,
            "securityGroupIds": self.security_groups,
            "privateDnsEnabled": self.private_dns,
            "dnsOptions": self.dns_options,
        }


@dataclass(slots=True, eq=False, kw_only=True)
class AccessLogSubscription(Resource):
    kind: ClassVar[str] = "ACCESS_LOG_SUBSCRIPTION"
    tag_type: ClassVar[str] = "accesslogsubscription"

    source: Service | ServiceNetwork
    destination_arn: str
    log_type: str | None

    def describe(self) -> Described:
        return Resource.describe(self) | {
            "resourceId": self.source.id,
            "resourceArn": self.source.arn,
            "destinationArn": self.destination_arn,
            "serviceNetworkLogType": self.log_type,
        }


@dataclass(slots=True, eq=False, kw_only=True)
class Certificate(Resource):
    """A certificate in AWS Certificate Manager; times in seconds since the epoch."""

    kind: ClassVar[str] = "CERTIFICATE"
    of_service: ClassVar[str] = "acm"
    tag_type: ClassVar[str] = "certificate"

    domain: str
    alternative_names: tuple[str, ...]
    status: str
    origin: str
    """AMAZON_ISSUED or IMPORTED (API: `CertificateType`)."""
    key_algorithm: str
    made: float
    """When it was requested, or first imported."""
    imported: float | None = None
    """When it was imported the last time."""
    not_before: float
    not_after: float
    body: bytes = b""
    """The certificate itself, in PEM; empty where the account has no more than the facts about it."""
    chain: bytes = b""
    private_key: bytes = b""


R = TypeVar("R", bound=Resource)


class Table(Generic[R]):
    """The resources of one kind, found by id or ARN, in order of creation."""

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind.kind
        self._by_id: dict[str, R] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[R]:
        return iter(self._by_id.values())

    def add(self, record: R) -> None:
        self._by_id[record.id] = record

    def remove(self, record: R) -> None:
        del self._by_id[record.id]

    def get(self, identifier: str) -> R | None:
        """The resource with this id or ARN."""
        record = self._by_id.get(identifier.rpartition("/")[2])
        if record is None or (identifier != record.id and identifier != record.arn):
            return None
        return record

    def find(self, identifier: str) -> R:
        """The resource with this id or ARN; raises `ResourceNotFoundException`."""
        record = self.get(identifier)
        if record is None:
            raise not_found(self._kind, identifier)
        return record
