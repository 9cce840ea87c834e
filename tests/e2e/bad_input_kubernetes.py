"""What the Kubernetes API does not let the controller do, each in a namespace of its own, and what is seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.bad_input_routes import FROM_ALL, GOOD
from tests.e2e.harness import Json, World
from tests.e2e.objects import backend, endpoints, gateway, listener, namespace, parent, route, rule, service

ROUTES = "httproutes.gateway.networking.k8s.io"

OPEN_GATEWAY = gateway("my-hotel", listener(allowedRoutes=FROM_ALL))


@dataclass(frozen=True, slots=True)
class Refused:
    """Requests of this verb to this resource get this status in the namespace; all others go well.

    `event` and `words` are of the Event on the route that says so; without, the log alone can. With `served`, Lattice
    is programmed all the same.
    """

    namespace: str
    verb: str
    resource: str
    code: int
    event: str | None
    words: Sequence[str]
    served: bool

    @property
    def name(self) -> str:
        return f"{self.code} for {self.verb} {self.resource.split('.')[0]}{self.resource.partition('/')[1]}"

    @property
    def objects(self) -> list[Json]:
        return [
            namespace(self.namespace),
            service(GOOD, namespace=self.namespace),
            endpoints(GOOD, [f"10.0.2.{REFUSED.index(self) + 1}"], namespace=self.namespace),
            route(
                GOOD,
                rule(backend(GOOD)),
                namespace=self.namespace,
                parents=[parent(namespace="default")],
            ),
        ]

    def happens_in(self, world: World) -> None:
        world.kube.faults.fail(self.code, verb=self.verb, resource=self.resource, namespace=self.namespace, times=None)


_FORBIDDEN = ("403 Forbidden", "cannot patch resource")

REFUSED = [
    Refused("no-finalizers", "patch", ROUTES, 403, "FailedAddFinalizer", _FORBIDDEN, served=False),
    Refused("no-token", "patch", ROUTES, 401, "FailedAddFinalizer", ("401 Unauthorized",), served=False),
    Refused("full", "patch", ROUTES, 500, "FailedAddFinalizer", ("500 InternalError",), served=False),
    Refused("no-status", "patch", f"{ROUTES}/status", 403, "Retry-Reconcile", _FORBIDDEN, served=True),
    Refused("busy", "patch", f"{ROUTES}/status", 429, "Retry-Reconcile", ("429 TooManyRequests",), served=True),
    Refused("contested", "patch", f"{ROUTES}/status", 409, "Retry-Reconcile", ("409 Conflict",), served=True),
    Refused("no-events", "create", "events", 403, None, ("event not written", "cannot create resource"), served=True),
]
