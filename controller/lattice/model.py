"""The Lattice model: what is desired, and what was observed, as plain frozen data.

`controller.translate` makes the desired side from Kubernetes objects; `controller.lattice.inventory` owns the observed
side; `controller.lattice.plan` compares the two. Desired refers to target groups by key and to service networks by
name, because ids exist only once Lattice has given them.

Limits and names are those of the VPC Lattice API reference.
"""

from collections.abc import Mapping

import msgspec

from controller.api.keys import ServiceKey, TargetGroupKey

TAG_PREFIX = "application-networking.k8s.aws/"
MANAGED_BY = TAG_PREFIX + "ManagedBy"


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the model's structs."""


class Identity(Frozen, frozen=True):
    """Who this controller is: the account, cluster and VPC it works for."""

    account: str
    region: str
    cluster: str
    vpc: str

    @property
    def owner(self) -> str:
        """The value of the owner tag (`MANAGED_BY`) on all that this controller creates."""
        return f"{self.account}/{self.cluster}/{self.vpc}"


class HeaderMatch(Frozen, frozen=True, order=True):
    """An exact header condition: the name in any case, the value as written."""

    name: str
    value: str


class Match(Frozen, frozen=True):
    """A rule's condition. At most one of the paths is set; none means any path; method None means any method."""

    method: str | None = None
    path_exact: str | None = None
    path_prefix: str | None = None
    headers: tuple[HeaderMatch, ...] = ()
    """Sorted by name, at most 5 (API: `HttpMatch`)."""


class FixedResponse(Frozen, frozen=True):
    """Answer with this status: 404 or 500, all that Lattice has (API: `FixedResponseAction`)."""

    status_code: int


class Forward(Frozen, frozen=True):
    """Send to one of these groups by weight, 0-999; 1 to 10 groups (API: `ForwardAction`)."""

    weights: tuple[tuple[TargetGroupKey | str, int], ...]
    """A group of ours by its key; somebody else's by its id or ARN."""


Action = Forward | FixedResponse


class DesiredRule(Frozen, frozen=True):
    match: Match
    action: Action
    priority: int | None = None
    """The Lattice priority that the user fixed by annotation; None leaves it to the plan, in the order of the rules."""


class DesiredListener(Frozen, frozen=True):
    name: str
    port: int
    protocol: str
    """HTTP, HTTPS or TLS_PASSTHROUGH."""
    default_action: Action
    rules: tuple[DesiredRule, ...] = ()
    """In order of precedence: the first that matches a request serves it."""


class DesiredService(Frozen, frozen=True):
    key: ServiceKey
    name: str
    tags: Mapping[str, str]
    """All tags but `MANAGED_BY`: Route tags and the user's."""
    user_tags: Mapping[str, str] = {}
    """The user's tags alone, which listeners, rules and associations carry too."""
    custom_domain: str | None = None
    certificate_arn: str | None = None
    """None leaves it the certificate that it has."""
    certificates_as_well: frozenset[str] = frozenset()
    """Others that do as well: it keeps the one of these that it has."""
    networks: tuple[str, ...] = ()
    """Names of the service networks with which it is associated; none for a standalone service."""
    listeners: tuple[DesiredListener, ...] = ()
    alternative_name: str | None = None
    """What it is called if, when it is made, the route's service for another custom domain still has the name."""
    takeover_from: str | None = None
    """An owner tag's value from whom the service may be taken over (`allow-takeover-from`)."""


class HealthCheck(Frozen, frozen=True):
    """Health check of a group, all values explicit (API: `HealthCheckConfig`); times in seconds."""

    enabled: bool = True
    protocol: str = "HTTP"
    protocol_version: str = "HTTP1"
    path: str = "/"
    port: int | None = None
    """None: the port of the target."""
    interval: int = 30
    timeout: int = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"


class Target(Frozen, frozen=True, order=True):
    ip: str
    port: int


class DesiredTargetGroup(Frozen, frozen=True):
    key: TargetGroupKey
    name: str
    """Deterministic: from identity and fixed fields."""
    port: int
    protocol: str
    protocol_version: str
    """Empty for TCP."""
    ip_address_type: str
    vpc: str
    health_check: HealthCheck
    identity_tags: Mapping[str, str]
    """By which the group is found again: all of them equal (contract, "Names and tags")."""
    tags: Mapping[str, str]
    """All tags but `MANAGED_BY`: the identity's and the user's."""
    targets: frozenset[Target] = frozenset()
    alternative_name: str | None = None
    """What it is called if, when it is made, the group of that name serves the route's other custom domain, or holds
    another backend's targets."""
    alternative_tags: Mapping[str, str] = {}
    """Its identity then: `identity_tags` and what sets it apart."""
