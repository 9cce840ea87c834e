"""The observed side of the Lattice model: what was last seen of our corner of VPC Lattice, as frozen data.

The inventory makes these from Lattice's answers; the plan compares them with the desired side
(`controller.lattice.model`). A field that is `None` where a collection belongs was not read yet, which is never taken
for empty. Actions are those of the desired model, with the ids of target groups in place of keys; ids are the short
ones (`svc-…`, `tg-…`), never ARNs.

Names of fields and states are those of the VPC Lattice API reference.
"""

from collections.abc import Mapping

from controller.lattice.model import MANAGED_BY, Action, Forward, Frozen, HealthCheck, Match, Target
from controller.lattice.refs import ResourceRef

ACTIVE = "ACTIVE"
CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
CREATE_FAILED = "CREATE_FAILED"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
DELETE_FAILED = "DELETE_FAILED"
DRAINING = "DRAINING"
INITIAL = "INITIAL"
UNHEALTHY = "UNHEALTHY"


class ObservedNetwork(Frozen, frozen=True):
    id: str
    arn: str
    name: str

    @property
    def account(self) -> str:
        """The account that owns the network; another than ours where it is shared through RAM."""
        return self.arn.split(":")[4]


class NetworkFound(Frozen, frozen=True):
    network: ObservedNetwork


class NetworkMissing(Frozen, frozen=True):
    """No network of that name or id is visible to this account."""


class NetworkAmbiguous(Frozen, frozen=True):
    """Several networks bear the name; only the id can tell them apart."""

    ids: tuple[str, ...]


class NetworkUnknown(Frozen, frozen=True):
    """The networks were not read yet, or could not be read."""


NetworkLookup = NetworkFound | NetworkMissing | NetworkAmbiguous | NetworkUnknown


class ObservedAssociation(Frozen, frozen=True):
    """The association of a service with a service network."""

    id: str
    arn: str
    status: str
    network_id: str
    network_name: str = ""
    failure: str = ""
    """Why the state is CREATE_FAILED or DELETE_FAILED, in Lattice's words, where it was asked."""

    @property
    def ref(self) -> ResourceRef:
        return ResourceRef("service_association", self.id)


class ObservedRule(Frozen, frozen=True):
    id: str
    arn: str
    name: str
    priority: int
    match: Match | None
    """None for a match that the model cannot express, which therefore equals nothing desired."""
    action: Action


class ObservedListener(Frozen, frozen=True):
    id: str
    arn: str
    name: str
    port: int
    protocol: str
    default_action: Action | None
    """None for an action that the model cannot express, which therefore equals nothing desired."""
    rules: Mapping[str, ObservedRule]
    """By id, without the default rule."""


class ObservedService(Frozen, frozen=True):
    id: str
    arn: str
    name: str
    status: str
    domain: str | None
    """The domain name that Lattice assigned (API: `dnsEntry.domainName`)."""
    custom_domain: str | None
    certificate_arn: str | None
    auth_type: str
    tags: Mapping[str, str]
    written_tags: frozenset[str] = frozenset()
    """Keys of the tags that this process wrote: the only ones outside our prefix that it may remove."""
    associations: Mapping[str, ObservedAssociation] | None = None
    """By the id of the service network."""
    listeners: Mapping[int, ObservedListener] | None = None
    """By port."""
    young: bool = False
    """Whether this process made it and has never yet had all of it as desired: nobody relies on what it answers."""
    failure: str = ""

    @property
    def ref(self) -> ResourceRef:
        return ResourceRef("service", self.id)

    @property
    def owner(self) -> str | None:
        return self.tags.get(MANAGED_BY)

    def groups(self) -> frozenset[str]:
        """Ids of the target groups to which its listeners and rules forward, as far as they were read."""
        found: set[str] = set()
        for listener in (self.listeners or {}).values():
            for action in (listener.default_action, *(rule.action for rule in listener.rules.values())):
                if isinstance(action, Forward):
                    found.update(group for group, _ in action.weights if isinstance(group, str))
        return frozenset(found)


class ObservedTargetGroup(Frozen, frozen=True):
    id: str
    arn: str
    name: str
    status: str
    port: int
    protocol: str
    protocol_version: str
    """Empty for TCP, and for a group that was only listed and has no tag that says it."""
    ip_address_type: str
    vpc: str
    tags: Mapping[str, str]
    written_tags: frozenset[str] = frozenset()
    """Keys of the tags that this process wrote: the only ones outside our prefix that it may remove."""
    health_check: HealthCheck | None = None
    """None when not read."""
    service_arns: tuple[str, ...] = ()
    """The services that use the group, as last read."""
    targets: Mapping[Target, str | None] | None = None
    """The registered targets with their last read status; a status None was not read since we registered it."""
    registered: bool = False
    """Whether this process has seen all desired targets registered once, so that rules may point here."""
    failure: str = ""

    @property
    def ref(self) -> ResourceRef:
        return ResourceRef("target_group", self.id)
