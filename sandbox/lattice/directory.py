"""What the data plane knows of the control plane: a routing view of the emulated VPC Lattice.

The control plane (`sandbox.lattice`) keeps the state that its API shows; the data plane (`sandbox.dataplane`) needs a
small part of it, in a form that is quick to match against. `Directory` is that part. The control plane implements it,
the data plane and its health checker use it, and neither imports the other's inside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

TargetStatus = Literal["INITIAL", "HEALTHY", "UNHEALTHY", "UNAVAILABLE", "UNUSED", "DRAINING"]


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A header condition of a rule (API: `HeaderMatch`); exactly one of the three operators is set."""

    name: str
    exact: str | None = None
    prefix: str | None = None
    contains: str | None = None
    case_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A rule's condition (API: `HttpMatch`); what is None or empty matches everything."""

    method: str | None = None
    path_exact: str | None = None
    path_prefix: str | None = None
    path_case_sensitive: bool = False
    headers: tuple[HeaderMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Forward:
    """Send to one of the target groups, by weight (API: `ForwardAction`)."""

    weights: Mapping[str, int]
    """Target group id → weight, 0–999."""


@dataclass(frozen=True, slots=True)
class FixedResponse:
    """Answer with this status and no body (API: `FixedResponseAction`)."""

    status_code: int


@dataclass(frozen=True, slots=True)
class Rule:
    rule_id: str
    priority: int
    match: Match
    action: Forward | FixedResponse


@dataclass(frozen=True, slots=True)
class Listener:
    listener_id: str
    port: int
    protocol: Literal["HTTP", "HTTPS", "TLS_PASSTHROUGH"]
    rules: tuple[Rule, ...]
    """By ascending priority: the first that matches serves the request."""
    default_action: Forward | FixedResponse


@dataclass(frozen=True, slots=True)
class Service:
    service_id: str
    name: str
    domain: str
    custom_domain: str | None
    networks: frozenset[str]
    """Ids of the service networks with which the service has an ACTIVE association."""
    listeners: Mapping[int, Listener]
    certificate_arn: str | None = None
    """The certificate for the custom domain."""
    idle_timeout: float = 60
    """Seconds for which a connection may be idle."""


class KeyPair(NamedTuple):
    """A certificate with what stands above it, and its private key, as PEM."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of AWS Certificate Manager."""

    arn: str
    names: tuple[str, ...]
    """The domains that it is for, which may be wildcards."""
    imported: KeyPair | None = None
    """What was imported; None for one that ACM issued itself."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a group's targets are checked (API: `HealthCheckConfig`), its defaults filled in; times in seconds."""

    enabled: bool
    protocol: str = "HTTP"
    protocol_version: str = "HTTP1"
    path: str = "/"
    port: int | None = None
    """None: the port on which the target receives traffic."""
    interval: int = 30
    timeout: int = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"
    """`HttpCode` of the API: codes and ranges, such as `200,202-204`."""


@dataclass(frozen=True, slots=True)
class Target:
    ip: str
    port: int
    status: TargetStatus


@dataclass(frozen=True, slots=True)
class TargetGroup:
    group_id: str
    protocol: str
    protocol_version: str | None
    health_check: HealthCheck
    used: bool
    """Whether a rule or a default action of a service refers to it: only then are its targets checked."""
    targets: tuple[Target, ...] = field(default=())


class Directory(Protocol):
    """The routing view. Every answer is a snapshot of this moment; nothing here does I/O."""

    def service_by_domain(self, domain: str) -> Service | None:
        """The service, ACTIVE, that answers to this generated or custom domain (any case, no port)."""

    def target_group(self, group_id: str) -> TargetGroup | None:
        """The group of that id."""

    def certificate(self, arn: str) -> Certificate | None:
        """The issued certificate of that ARN, as it is now: an import under the same ARN replaces it."""

    def target_groups(self) -> Iterable[TargetGroup]:
        """All groups, for the health checker."""

    def health_is_checked(self) -> None:
        """Tell the control plane that a health checker is at work: it decides on all targets from now on."""

    def report_health(self, group_id: str, ip: str, port: int, *, healthy: bool, reason: str) -> None:
        """Tell the control plane a target's verdict; of no effect for a target that is gone or draining."""
