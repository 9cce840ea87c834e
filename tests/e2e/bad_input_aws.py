"""What AWS does not do: each failure, of one operation for one route, and what that route's author is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.lattice.faults import Effect, Fail, Partial, Refuse, Reset
from tests.e2e.harness import Json, World
from tests.e2e.objects import backend, endpoints, route, rule, service

DENIED = Refuse(
    "AccessDeniedException", 403, "User: arn:aws:sts::123456789012:assumed-role/controller is not authorized"
)
INVALID = Refuse("ValidationException", 400, "not in this region")
FAILURE = Refuse("InternalServerException", 500, "an unexpected error")


@dataclass(frozen=True, slots=True)
class Failure:
    """`operation` has this effect when it is for the route `of`, whose parent then says Accepted `status`, `reason`."""

    operation: str
    effect: Effect
    of: str
    status: str
    reason: str
    words: tuple[str, ...]
    event: str

    @property
    def name(self) -> str:
        kind = getattr(self.effect, "code", type(self.effect).__name__)
        return f"{self.operation} {kind}"

    @property
    def objects(self) -> list[Json]:
        """A route with a Service of its own."""
        address = f"10.0.1.{FAILURES.index(self) + 1}"
        return [service(self.of), endpoints(self.of, [address]), route(self.of, rule(backend(self.of)))]

    def happens_in(self, world: World) -> None:
        """Put it in force."""
        state = world.lattice.state

        def concerns(params: Mapping[str, Any]) -> bool:
            if "serviceIdentifier" in params:
                return state.services.find(params["serviceIdentifier"]).name == f"{self.of}-default"
            if "targetGroupIdentifier" in params:
                return state.target_groups.find(params["targetGroupIdentifier"]).name.startswith(
                    f"k8s-default-{self.of}-"
                )
            name: str = params["name"]
            return name == f"{self.of}-default" or name.startswith(f"k8s-default-{self.of}-")

        world.lattice.faults.add(self.operation, self.effect, when=concerns)


def _refused(operation: str, of: str, effect: Refuse, reason: str, *words: str) -> Failure:
    return Failure(operation, effect, of, "False", reason, ("VPC Lattice refuses", *words), "FailedDeployModel")


def _denied(operation: str, of: str) -> Failure:
    """A missing permission says nothing about the route: it stays undecided."""
    return _failed(operation, of, DENIED, f"vpc-lattice:{operation}", "allow it in the role's policy", "tried again")


def _failed(operation: str, of: str, effect: Effect, *words: str) -> Failure:
    return Failure(operation, effect, of, "Unknown", "Pending", words, "Retry-Reconcile")


FAILURES = [
    _denied("CreateTargetGroup", "denied-group"),
    _denied("RegisterTargets", "denied-targets"),
    _denied("CreateService", "denied-service"),
    _denied("CreateServiceNetworkServiceAssociation", "denied-network"),
    _denied("CreateListener", "denied-listener"),
    _denied("CreateRule", "denied-rule"),
    _refused("CreateListener", "invalid-listener", INVALID, "Invalid", "AWS refuses the request", "not in this region"),
    _failed("CreateService", "failing", FAILURE, "CreateService: AWS failed: an unexpected error", "tried again"),
    _failed("CreateListener", "reset", Reset(), "CreateListener: cannot reach 127.0.0.1", "tried again"),
    _failed("CreateService", "unmade", Fail(message="no address left"), "creating the service unmade-default failed"),
    _failed("RegisterTargets", "in-part", Partial(), "1 of 1 failed for target group", "tried again"),
]
