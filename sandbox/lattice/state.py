"""The state of the emulated account, and what all resource families do with it.

`State` holds the tables and indexes and makes identities and times. It knows what every family needs (tags,
asynchronous changes, paging); what a family allows and forbids is in the family's own module. All of it is
synchronous: a request is served in one step of the event loop, so that no request ever sees half of another.
"""

import base64
import binascii
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from random import Random
from typing import Any, TypeVar

from sandbox.lattice.credentials import Credentials
from sandbox.lattice.errors import access_denied, conflict, invalid
from sandbox.lattice.quotas import Quotas
from sandbox.lattice.resources import (
    AccessLogSubscription,
    Certificate,
    Described,
    Evolving,
    Resource,
    Service,
    ServiceAssociation,
    ServiceNetwork,
    Table,
    TargetGroup,
    VpcAssociation,
)
from sandbox.lattice.timings import Span, Timings
from sandbox.lattice.transitions import Transitions
from sandbox.lattice.visibility import Visibility

AMAZON_VALIDITY = 395 * 86_400.0
"""Seconds for which a certificate of Amazon's is good (ACM user guide, "Certificate characteristics")."""

PAGE_SIZE = 100
"""The most that a list answers at once, and what it answers unasked (API: `MaxResults`)."""

MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class AsyncFailure:
    """How an asynchronous change is made to end, instead of well: `CREATE_FAILED` and its kin."""

    code: str = "InternalFailure"
    message: str = "the change failed"


@dataclass(slots=True)
class Call:
    """One request on its way through a handler."""

    operation: str
    params: dict[str, Any]
    failure: AsyncFailure | None = None
    """If set, the asynchronous change that this call begins ends in failure."""
    spoiled: frozenset[int] = field(default=frozenset())
    """Positions of the items of a batch that are to fail."""
    caller: str = ""
    """The id of the key that the request was signed with."""


Handler = Callable[["State", Call], Described]

P = TypeVar("P")


class State:
    """Everything that the emulated account holds in its region."""

    def __init__(
        self,
        *,
        account: str,
        region: str,
        seed: int,
        timings: Timings,
        quotas: Quotas,
        clock: Callable[[], float],
        credentials: Credentials | None = None,
    ) -> None:
        self.account = account
        self.region = region
        self.timings = timings
        self.quotas = quotas
        self.random = Random(seed)  # noqa: S311 - reproducible identities, not secrets
        self.transitions = Transitions(clock)
        self.visibility = Visibility(clock, seed)
        self.credentials = credentials or Credentials(account)
        self.health_checked = False
        """Whether a health checker is at work; only its verdicts count then."""
        self._clock = clock
        self._created = 0

        self.services = Table(Service)
        self.target_groups = Table(TargetGroup)
        self.networks = Table(ServiceNetwork)
        self.service_associations = Table(ServiceAssociation)
        self.vpc_associations = Table(VpcAssociation)
        self.log_subscriptions = Table(AccessLogSubscription)

        self.service_names: dict[str, Service] = {}
        self.group_names: dict[str, TargetGroup] = {}
        self.network_names: dict[str, ServiceNetwork] = {}
        """Own networks only: another account's may have the same name."""
        self.domains: dict[str, Service] = {}
        self.custom_domains: dict[str, dict[str, Service]] = {}
        """Custom domain, in lower case → services by id: a custom domain is unique only within a network."""
        self.vpcs: dict[str, VpcAssociation] = {}
        """VPC id → its one association."""
        self.logs: dict[str, dict[str, AccessLogSubscription]] = {}
        """Id of a service or network → its access log subscriptions by id."""
        self.auth_policies: dict[str, Described] = {}
        """Id of a service or network → its policy and times."""
        self.resource_policies: dict[str, str] = {}
        """ARN → policy."""
        self.certificates: dict[str, Certificate] = {}
        """By ARN."""
        self.tagged: dict[str, Resource] = {}
        """Every resource that can have tags, by ARN."""
        self.by_tag: dict[tuple[str, str], dict[str, Resource]] = {}
        """(key, value) of a tag → resources by ARN."""
        self.by_tag_key: dict[str, Counter[str]] = {}
        """Key of a tag → how many resources have each value."""

    # Identity and time

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def now(self) -> str:
        """The time as the API writes it."""
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def hexadecimal(self) -> str:
        """Seventeen random hexadecimal digits, as in the ids of the API."""
        return f"{self.random.getrandbits(68):017x}"

    def arn(self, path: str, account: str | None = None) -> str:
        return f"arn:aws:vpc-lattice:{self.region}:{account or self.account}:{path}"

    def identity(self, prefix: str, path: str, tags: dict[str, str] | None = None, **of: Any) -> dict[str, Any]:
        """The members that every new resource begins with: number, id `prefix-…`, ARN `…:path/prefix-…`, times, tags.

        `of` may give `hexadecimal`, where the id appears elsewhere too, and `account`, for another account's resource.
        Raises `ValidationException` for tags that are not allowed.
        """
        check_tags(tags or {})
        identifier = f"{prefix}-{of.get('hexadecimal') or self.hexadecimal()}"
        self._created += 1
        now = self.now()
        return {
            "number": self._created,
            "id": identifier,
            "arn": self.arn(f"{path}/{identifier}", of.get("account")),
            "created_at": now,
            "updated_at": now,
            "tags": dict(tags or {}),
        }

    def next_number(self) -> int:
        self._created += 1
        return self._created

    # Tags

    def register(self, record: Resource) -> None:
        """Make a new resource known to the tag operations."""
        self.tagged[record.arn] = record
        self.visibility.created(record)
        for key, value in record.tags.items():
            self._index_tag(record, key, value)

    def unregister(self, record: Resource) -> None:
        """Forget a resource, with its tags."""
        del self.tagged[record.arn]
        self.visibility.deleted(record)
        for key, value in record.tags.items():
            self._unindex_tag(record, key, value)

    def set_tags(self, record: Resource, tags: dict[str, str]) -> None:
        """Add or replace tags. Raises `ValidationException` for tags that are not allowed, or too many."""
        check_tags(tags)
        if len(record.tags | tags) > MAX_TAGS:
            raise invalid("tags", f"a resource has at most {MAX_TAGS} tags")
        self.visibility.retagged(record)
        self.remove_tags(record, tags)
        for key, value in tags.items():
            record.tags[key] = value
            self._index_tag(record, key, value)

    def remove_tags(self, record: Resource, keys: Iterable[str]) -> None:
        """Remove the tags with these keys, as far as they are there."""
        self.visibility.retagged(record)
        for key in keys:
            value = record.tags.pop(key, None)
            if value is not None:
                self._unindex_tag(record, key, value)

    def _index_tag(self, record: Resource, key: str, value: str) -> None:
        self.by_tag.setdefault((key, value), {})[record.arn] = record
        self.by_tag_key.setdefault(key, Counter())[value] += 1

    def _unindex_tag(self, record: Resource, key: str, value: str) -> None:
        holders, values = self.by_tag[key, value], self.by_tag_key[key]
        del holders[record.arn]
        values[value] -= 1
        if not holders:
            del self.by_tag[key, value], values[value]
        if not values:
            del self.by_tag_key[key]

    # Asynchronous changes

    def evolve(
        self, record: Evolving, status: str, span: Span, done: Callable[[], None], failure: AsyncFailure | None
    ) -> None:
        """Put a resource into an `…_IN_PROGRESS` status, and after a time drawn from `span` carry out `done`.

        With a `failure` the resource ends in `…_FAILED` instead, and `done` never happens.
        """
        self.visibility.changing(record)
        record.status = status
        record.failure_code = record.failure_message = None

        def complete() -> None:
            self.visibility.changing(record)
            record.updated_at = self.now()
            if failure is None:
                done()
            else:
                record.status = status.replace("_IN_PROGRESS", "_FAILED")
                record.failure_code, record.failure_message = failure.code, failure.message
            self.rerouted(record)

        self.transitions.after(self.random.uniform(*span), complete)
        self.rerouted(record)

    def rerouted(self, record: Resource) -> None:
        """Note that the routing view of what the record belongs to has changed."""
        if isinstance(record, ServiceAssociation):
            record.service.routing = None
        elif isinstance(record, Service | TargetGroup):
            record.routing = None

    # Direct set-up of what no emulated operation makes

    def share_network(self, name: str, account: str, *, listed: bool = True) -> ServiceNetwork:
        """Make another account's service network usable here, as AWS RAM does when it is shared.

        It is in lists unless `listed` is False, can be associated with by its ARN, and cannot be changed.
        """
        members = self.identity("sn", "servicenetwork", account=account)
        network = ServiceNetwork(name=name, account=account, listed=listed, **members)
        self.networks.add(network)
        return network

    def add_certificate(self, domain: str, *alternative_names: str, status: str = "ISSUED") -> Certificate:
        """Put a certificate of Amazon's into AWS Certificate Manager; the domain is always one of its names."""
        now = self._clock()
        return self.new_certificate(
            {},
            domain=domain,
            alternative_names=tuple(dict.fromkeys((domain, *alternative_names))),
            status=status,
            origin="AMAZON_ISSUED",
            key_algorithm="RSA_2048",
            not_before=now,
            not_after=now + AMAZON_VALIDITY,
        )

    def new_certificate(self, tags: dict[str, str], **of: Any) -> Certificate:
        """Put a certificate with these members into AWS Certificate Manager, made now."""
        digits = f"{self.random.getrandbits(128):032x}"
        uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        certificate = Certificate(
            number=self.next_number(),
            id=uuid,
            arn=f"arn:aws:acm:{self.region}:{self.account}:certificate/{uuid}",
            created_at=self.now(),
            updated_at=self.now(),
            tags=tags,
            made=self._clock(),
            **of,
        )
        self.certificates[certificate.arn] = certificate
        self.register(certificate)
        return certificate


def require_active(record: Evolving) -> None:
    """Raise `ConflictException` unless the resource is ACTIVE: what is in creation or deletion cannot be used."""
    if record.status not in {"ACTIVE", "UPDATE_FAILED"}:
        raise conflict(record.kind, record.id, f"{record.kind} {record.id} is in status {record.status}")


def own_network(state: State, identifier: str) -> ServiceNetwork:
    """The network, to be changed; raises `AccessDeniedException` for another account's."""
    network = state.networks.find(identifier)
    if network.account != state.account:
        raise access_denied(f"service network {network.arn} belongs to account {network.account}")
    return network


def check_tags(tags: dict[str, str]) -> None:
    """Raise `ValidationException` for tags that are not allowed (API: `TagMap`).

    Letters, digits, white space and `_ . : / = + - @`; no key begins with `aws:`; at most 50 a resource.
    """
    if len(tags) > MAX_TAGS:
        raise invalid("tags", f"a resource has at most {MAX_TAGS} tags")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise invalid(f"tags[{key!r}]", "a tag key may not begin with aws:")
        for text in (key, value):
            if not all(character.isalnum() or character.isspace() or character in "_.:/=+-@" for character in text):
                raise invalid(f"tags[{key!r}]", "only letters, digits, white space and _ . : / = + - @ are allowed")


def page(call: Call, records: Iterable[P], describe: Callable[[P], Described]) -> Described:
    """One page of a list (API: `maxResults`, `nextToken`): what was created after the last of the page before.

    Nothing that exists throughout is left out or shown twice, whatever is created or deleted between two pages.
    Raises `ValidationException` for a token that this operation has not given.
    """
    ordered = list(records)
    start = 0
    token = call.params.get("nextToken")
    if token is not None:
        start = bisect_right(ordered, _token_position(call.operation, token), key=attrgetter("number"))
    end = start + call.params.get("maxResults", PAGE_SIZE)
    answer: Described = {"items": [describe(record) for record in ordered[start:end]]}
    if end < len(ordered):
        last = attrgetter("number")(ordered[end - 1])
        answer["nextToken"] = make_token(call.operation, last)
    return answer


def make_token(operation: str, position: int) -> str:
    """A page token, opaque to the client."""
    return base64.urlsafe_b64encode(f"{operation}:{position}".encode()).decode()


def token_position(operation: str, token: str) -> int | None:
    """The position in a page token of this operation; None for any other text."""
    try:
        position = int(base64.urlsafe_b64decode(token.encode()).decode().rpartition(":")[2])
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return position if make_token(operation, position) == token else None


def _token_position(operation: str, token: str) -> int:
    position = token_position(operation, token)
    if position is None:
        raise invalid("nextToken", "is not a token of this list")
    return position
