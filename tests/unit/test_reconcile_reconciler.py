"""From a key to who reconciles it, and from what that raises to when the key is tried again."""

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.api import resources
from controller.api.keys import Key, ObjectKey, RouteRef, ServiceKey, TargetGroupKey
from controller.api.meta import Object, ObjectMeta, Undecodable
from controller.api.resources import Resource
from controller.gateway.view import UnknownError
from controller.kube.errors import Forbidden, TooManyRequests
from controller.kube.store import Store
from controller.lattice.errors import FencedError, LatticeError, RetryError, SuspectError, TerminalError
from controller.reconcile import route, service, target_group
from controller.reconcile.environment import Environment
from controller.reconcile.gateway_class import GatewayClassReconciler
from controller.reconcile.pass_on import SLOWLY
from controller.reconcile.reconciler import FENCED, Reconciler, controller_of
from tests.support.view import route as route_object
from workqueue import BULK, LIVE, Queue, Result

pytestmark = pytest.mark.anyio

ROUTE = ObjectKey("HTTPRoute", "default", "rates")
CLASS = ObjectKey("GatewayClass", "", "amazon-vpc-lattice")
SERVICE = ServiceKey("HTTPRoute", route=RouteRef("HTTPRoute", "default", "rates"))
GROUP = TargetGroupKey(owner=SERVICE, namespace="default", service="parking", port=80)


@dataclass
class World:
    """An environment of a queue and of stores, and what was seen of reconciles and told as Events."""

    reconciler: Reconciler
    queue: Queue[Key]
    stores: dict[str, Store[Any]]
    seen: list[tuple[str, str, float]] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def taken(self) -> list[tuple[Key, int]]:
        found = []
        while (one := self.queue.take_nowait()) is not None:
            found.append(one)
        return found


@pytest.fixture
def world() -> World:
    queue: Queue[Key] = Queue(name="test")
    stores: dict[str, Store[Any]] = {
        resource.kind: Store() for resource in (resources.GATEWAY_CLASSES, resources.GATEWAYS, resources.HTTP_ROUTES)
    }

    def tell(resource: Resource[Any], obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        made.told.append((f"{resource.kind}/{obj.namespace}/{obj.name}", reason, message))

    def informer(resource: Resource[Any]) -> SimpleNamespace:
        return SimpleNamespace(store=stores[resource.kind])

    def reconciled(controller: str, result: str, seconds: float) -> None:
        made.seen.append((controller, result, seconds))

    env = cast("Environment", SimpleNamespace(queue=queue, tell=tell, cluster=SimpleNamespace(informer=informer)))
    ticks = iter(range(1000))
    made = World(
        Reconciler(env, SimpleNamespace(reconciled=reconciled), monotonic=lambda: float(next(ticks))), queue, stores
    )
    return made


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> list[Result | Exception | None]:
    """What the reconcilers return or raise, one after the other."""
    left: list[Result | Exception | None] = []

    async def reconcile(*_: object) -> Result | None:
        first = left.pop(0)
        if isinstance(first, Exception):
            raise first
        return first

    for owner in (route, service, target_group, GatewayClassReconciler):
        monkeypatch.setattr(owner, "reconcile", reconcile)
    return left


@pytest.mark.parametrize(
    ("key", "controller"),
    [
        (ROUTE, "httproute"),
        (ObjectKey("GRPCRoute", "default", "calls"), "grpcroute"),
        (ObjectKey("TLSRoute", "default", "sealed"), "tlsroute"),
        (CLASS, "gatewayclass"),
        (ObjectKey("Gateway", "default", "my-hotel"), "gateway"),
        (SERVICE, "service"),
        (GROUP, "targetgroup"),
    ],
    ids=str,
)
def test_metrics_name_a_keys_controller(key: Key, controller: str) -> None:
    assert controller_of(key) == controller


@pytest.mark.parametrize("key", [ROUTE, CLASS, SERVICE, GROUP], ids=str)
@pytest.mark.parametrize(
    ("result", "counted"),
    [(None, "success"), (Result(requeue=True), "requeue"), (Result(requeue_after=3.0), "requeue_after")],
    ids=["done", "again", "later"],
)
async def test_a_result_is_passed_on_and_counted(
    key: Key, result: Result | None, counted: str, world: World, outcome: list[Result | Exception | None]
) -> None:
    outcome.append(result)
    assert await world.reconciler.reconcile(key) == result
    assert world.seen == [(controller_of(key), counted, 1.0)]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (FencedError("CreateService"), Result(requeue_after=FENCED)),
        (TerminalError("CreateService", "ValidationException", "no"), Result(requeue_after=SLOWLY)),
        (RetryError("CreateService", "ServiceUnavailable", "busy", after=7.0), Result(requeue_after=7.0)),
        (RetryError("CreateService", "ThrottlingException", "slow", throttled=True), Result(requeue_after=1.0)),
        (TooManyRequests(429, "TooManyRequests", "busy", retry_after=4.0), Result(requeue_after=4.0)),
        (UnknownError("Service", "its list is forbidden"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_what_says_when_to_come_again_is_no_error(
    error: Exception, result: Result | None, world: World, outcome: list[Result | Exception | None]
) -> None:
    outcome.append(error)
    assert await world.reconciler.reconcile(SERVICE) == result


@pytest.mark.parametrize(
    ("error", "traceback"),
    [
        (RetryError("CreateService", "Timeout", "no answer"), False),
        (SuspectError("CreateService", "ConflictException", "exists"), False),
        (Forbidden(403, "Forbidden", "no"), False),
        (KeyError("a defect"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_anything_else_is_raised_for_growing_delays_and_logged(
    error: LatticeError,
    traceback: bool,
    world: World,
    outcome: list[Result | Exception | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome.append(error)
    with pytest.raises(type(error)):
        await world.reconciler.reconcile(SERVICE)
    assert world.seen == [("service", "error", 1.0)]
    world.reconciler.failed(SERVICE, error)
    (record,) = caplog.records
    assert str(error) in record.getMessage()
    assert bool(record.exc_info) is traceback
    assert record.levelno == (logging.ERROR if traceback else logging.WARNING)


async def test_a_key_rests_until_the_kind_in_doubt_is_known(
    world: World, outcome: list[Result | Exception | None]
) -> None:
    outcome += [UnknownError("Service", "its list is forbidden"), UnknownError("Gateway", "not listed yet")]
    await world.reconciler.reconcile(SERVICE)
    await world.reconciler.reconcile(ROUTE)
    world.reconciler.known("HTTPRoute", LIVE)
    assert world.taken() == []
    world.reconciler.known("Service", BULK)
    assert world.taken() == [(SERVICE, BULK)]
    world.reconciler.known("Service", BULK)
    assert world.taken() == []


async def test_a_key_that_is_no_longer_in_doubt_is_not_added_for_it(
    world: World, outcome: list[Result | Exception | None]
) -> None:
    outcome += [UnknownError("Service", "its list is forbidden"), None]
    await world.reconciler.reconcile(SERVICE)
    await world.reconciler.reconcile(SERVICE)
    world.reconciler.known("Service", LIVE)
    assert world.taken() == []


async def test_an_object_whose_key_is_in_doubt_is_told_why(
    world: World, outcome: list[Result | Exception | None]
) -> None:
    world.stores["HTTPRoute"].put(route_object("rates"))
    outcome.append(UnknownError("Service", "its list is forbidden"))
    await world.reconciler.reconcile(ROUTE)
    assert world.told == [
        (
            "HTTPRoute/default/rates",
            "Retry-Reconcile",
            "waits for what is not known: Service: its list is forbidden",
        )
    ]


@pytest.mark.parametrize(
    "held",
    [None, Undecodable(metadata=ObjectMeta(name="rates", namespace="default"), error="Expected `array`")],
    ids=["gone", "undecodable"],
)
async def test_one_that_is_gone_or_was_told_already_is_not(
    held: Undecodable | None, world: World, outcome: list[Result | Exception | None]
) -> None:
    if held is not None:
        world.stores["HTTPRoute"].put(held)
    outcome.append(UnknownError("HTTPRoute", "default/rates cannot be decoded"))
    await world.reconciler.reconcile(ROUTE)
    assert world.told == []
