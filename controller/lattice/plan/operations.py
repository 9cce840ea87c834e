"""Operations as data: what a plan is made of, what `apply` runs and what `lattice-controller plan` prints.

An operation is one call of the VPC Lattice API with its arguments. Where an argument is the id or ARN of something that
does not exist yet, it holds a `Reference` instead, which `apply` resolves when the operation's turn has come. `after`
orders operations within a plan; `needs` are conditions on what changes by itself or is another key's work. An operation
whose needs do not hold when its turn comes is not run, nor is any that comes after it: the pass ends there, and the
next pass plans anew.
"""

from collections.abc import Mapping
from typing import Any, Literal

from controller.api.keys import ServiceKey, TargetGroupKey
from controller.lattice.model import Frozen
from controller.lattice.observed import (
    CREATE_IN_PROGRESS,
    ObservedAssociation,
    ObservedService,
    ObservedTargetGroup,
)
from controller.lattice.refs import ResourceRef


class ListenerOf(Frozen, frozen=True, cache_hash=True):
    """The listener of a service on a port."""

    service: ServiceKey
    port: int

    def __str__(self) -> str:
        return f"Listener/{self.port}@{self.service}"


class AssociationOf(Frozen, frozen=True, cache_hash=True):
    """The association of a service with a service network, the latter by id."""

    service: ServiceKey
    network_id: str

    def __str__(self) -> str:
        return f"Association/{self.network_id}@{self.service}"


Resource = ServiceKey | TargetGroupKey | ListenerOf | AssociationOf


class Reference(Frozen, frozen=True):
    """Stands in an argument for what Lattice has yet to give."""

    to: Resource
    attribute: Literal["id", "arn"] = "id"

    def __str__(self) -> str:
        return f"({self.attribute} of {self.to})"


class Active(Frozen, frozen=True):
    """The resource exists and is ACTIVE."""

    resource: Resource

    def __str__(self) -> str:
        return f"{self.resource} is ACTIVE"


class Settled(Frozen, frozen=True):
    """The resource is no longer being created: what is cannot be deleted."""

    ref: ResourceRef

    def __str__(self) -> str:
        return f"{self.ref} is no longer being created"


class Gone(Frozen, frozen=True):
    """The resource no longer exists."""

    ref: ResourceRef

    def __str__(self) -> str:
        return f"{self.ref} is gone"


class Registered(Frozen, frozen=True):
    """The group exists and its key has reported its first registration in this process."""

    group: TargetGroupKey

    def __str__(self) -> str:
        return f"{self.group} has its targets registered"


class Warm(Frozen, frozen=True):
    """A service uses the group, and its targets may have requests: one has passed its first health check.

    Also what is not known to be otherwise, and what has failed to do so for long, is warm: nothing waits for ever.
    """

    group: TargetGroupKey | str
    """A group of ours by its key; somebody else's by its id or ARN."""

    def __str__(self) -> str:
        return f"{self.group} has a healthy target"


class Unused(Frozen, frozen=True):
    """No service forwards to the target group of this id."""

    group_id: str

    def __str__(self) -> str:
        return f"no service uses {self.group_id}"


def settled(observed: ObservedService | ObservedAssociation | ObservedTargetGroup) -> tuple[Settled, ...]:
    """What a delete has to wait for."""
    return (Settled(observed.ref),) if observed.status == CREATE_IN_PROGRESS else ()


Need = Active | Settled | Gone | Registered | Warm | Unused


class Operation(Frozen, frozen=True):
    call: str
    """The API operation, such as `CreateService`."""
    arguments: Mapping[str, Any]
    """As in the API, but for `Reference` in place of what is not known yet; without client token."""
    resource: str
    """The kind and name of what it writes, for people."""
    description: str
    after: tuple[int, ...] = ()
    """Indexes of the operations in the plan that must have succeeded before."""
    needs: tuple[Need, ...] = ()
    creates: Resource | None = None
    """What the answer's id and ARN belong to, for the references to it."""
    makes_room: bool = False
    """Whether it runs also after what a quota has refused, which may then be done by the next plan."""
    dispensable: bool = False
    """Whether what comes after it runs also where a quota has refused it, and then awaits no `Warm`."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; references and needs as text."""
        return {
            "call": self.call,
            "resource": self.resource,
            "description": self.description,
            "arguments": _plain(self.arguments),
            "after": list(self.after),
            "needs": [str(need) for need in self.needs],
        }


ProblemReason = Literal[
    "NetworkNotFound",
    "NetworkAmbiguous",
    "NetworkUnknown",
    "Conflicted",
    "NoPriority",
    "CreateFailed",
    "DeleteFailed",
    "CertificateNotFound",
]


class Problem(Frozen, frozen=True):
    """Why a plan cannot bring all that is desired; meant for a condition of the route.

    The plan does the rest. `CreateFailed` and `DeleteFailed` are met by trying again, which should be done with
    backoff.
    """

    reason: ProblemReason
    message: str


class Plan(Frozen, frozen=True):
    """From observed to desired. Empty `operations` and `problems` with `needs` that hold: there is nothing to do."""

    operations: tuple[Operation, ...] = ()
    """Each comes after all those in its `after`, so to run them in order is right; concurrency is an option."""
    needs: tuple[Need, ...] = ()
    """What must hold when all operations have run, for the key's work to be done."""
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    """False if more is to be planned once these operations have run."""

    def to_json(self) -> dict[str, Any]:
        return {
            "operations": [operation.to_json() for operation in self.operations],
            "needs": [str(need) for need in self.needs],
            "problems": [{"reason": problem.reason, "message": problem.message} for problem in self.problems],
        }


def _plain(value: Any) -> Any:
    match value:
        case Reference():
            return str(value)
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
