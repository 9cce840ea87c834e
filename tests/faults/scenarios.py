"""What a cluster asks for, as short stories: what is there, and what happens then.

A scenario prepares a world without a fault, and then acts; the calls that the controller makes because of that are
where faults are injected. `tests.faults.changes` has the stories of single fields.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.harness import Json, eventually
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, prefix, route, rule, service
from tests.faults.worlds import FaultWorld, LeasedWorld, ProcessWorld

Step = Callable[[FaultWorld], Awaitable[None]]

ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
OTHERS = ("10.0.1.1", "10.0.1.2", "10.0.1.3")
HOSTNAME = "shop.example.com"

EVERYTHING = ""
DEATHS = "crash"
LEASES = "Lease"
LEASES_PATH = "leases.coordination.k8s.io"


@dataclass(frozen=True)
class Scenario:
    """`before` makes what is there, and the controller is at rest with it when `act` runs."""

    name: str
    before: Step
    act: Step
    kind: type[FaultWorld] = FaultWorld
    settings: Mapping[str, str] = field(default_factory=dict)
    starts: bool = False
    """Whether a controller starts in `act`, so that it lists and watches; else only a slow machine makes it do so."""
    behind: bool = False
    """Whether `before` leaves Lattice otherwise than the objects say."""
    stays: bool = False
    """Whether Lattice is in the end as it was before, whatever the objects say by then."""
    lingering: tuple[str, ...] = ()
    """Objects that are deleted and still there in the end, as they should."""
    only: str = EVERYTHING
    """What the names of its faults have in common."""
    why_only: str = ""
    """Why others are left out, for the table."""
    refuses: tuple[str, ...] = ()
    """How calls begin that this world refuses in any case, so that no fault can strike them."""


def wide() -> Json:
    """A Service of two ports."""
    ports = [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("http", 80), ("admin", 8080))]
    return {**service("wide"), "spec": {"ports": ports}}


def wide_endpoints(*addresses: str) -> Json:
    ports = [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("http", 8090), ("admin", 9090))]
    return {**endpoints("wide", addresses), "ports": ports}


async def found(one: FaultWorld) -> None:
    """Networks, Gateways, Services with endpoints; nothing for which Lattice is written to."""
    for name in ("my-hotel", "annex"):
        one.make_network(name)
    await one.apply(
        gateway_class(), gateway("my-hotel"), gateway("annex"), service("blue"), service("green"), wide(),
        endpoints("blue", ADDRESSES[:2]), endpoints("green", ADDRESSES[2:]), wide_endpoints(ADDRESSES[0]),
    )  # fmt: skip


def checkout(*rules: Json, **more: Any) -> Json:
    """The one route of most scenarios."""
    chosen = rules or (
        rule(backend("blue"), matches=[prefix("/cart")]),
        rule(backend("blue", weight=9), backend("green", weight=1)),
    )
    return route("checkout", *chosen, **more)


async def with_route(one: FaultWorld) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout())


async def with_hostname(one: FaultWorld) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout(hostnames=[HOSTNAME]))


def applies(*objects: Json) -> Step:
    async def act(one: FaultWorld) -> None:
        await one.apply(*objects)

    return act


async def started(one: FaultWorld) -> None:
    await found(one)
    await one.start()


async def started_with_follower(one: FaultWorld) -> None:
    await started(one)
    await one.stand_by()


async def stopped_with_route(one: FaultWorld) -> None:
    """The route is asked for, and nobody has seen it yet."""
    await found(one)
    await one.apply(checkout())


async def start(one: FaultWorld) -> None:
    await one.start()


async def scale(one: FaultWorld) -> None:
    """Two endpoints go for three others, and the only one of the other Service for none."""
    await one.apply(endpoints("blue", OTHERS))
    await one.apply(endpoints("green", ()))


async def delete(one: FaultWorld) -> None:
    await one.delete("HTTPRoute", "checkout")


async def both_ports(one: FaultWorld) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout(rule(backend("wide"), backend("wide", port=8080))))


async def left_by_a_crash(one: FaultWorld) -> None:
    """Two routes are programmed; while nobody is there one of them goes and the other loses most of what it has."""
    await found(one)
    await one.start()
    await one.apply(checkout(), route("reviews", rule(backend("wide"), backend("green"))))


async def change_while_away(one: FaultWorld) -> None:
    await one.crash()
    await one.apply(checkout(rule(backend("green")), hostnames=[HOSTNAME]))
    await one.delete("HTTPRoute", "reviews")
    await one.start()


async def with_follower(one: FaultWorld) -> None:
    await with_route(one)
    await one.stand_by()


async def change_and_hand_over(one: FaultWorld) -> None:
    """The leader is told to stop when it is at work on a change; the other one has followed until then."""
    mark = one.lattice.calls.mark()
    await one.apply(*CHANGE)

    def begun() -> None:
        assert one.lattice.calls.mark() > mark

    await eventually(begun)
    if one.leader is not None:
        await one.stop()
    if one.standby is not None:
        one.take_over()


async def keep_the_lease(one: FaultWorld) -> None:
    """Two candidates, one lease, which is renewed twice while a route is made."""
    await found(one)
    await one.start()
    await one.stand_by()
    await one.apply(checkout())

    def renewed() -> None:
        counts = one.kube.counts.items()
        assert sum(count for (verb, resource, _), count in counts if verb == "patch" and resource == LEASES_PATH) > 2

    await eventually(renewed)


def in_order(*kinds: str) -> Step:
    """Everything that a route needs, kind by kind, the controller having seen each before the next comes."""

    async def act(one: FaultWorld) -> None:
        objects = [
            gateway_class(), gateway("my-hotel"), gateway("annex"), checkout(),
            service("blue"), service("green"), endpoints("blue", ADDRESSES[:2]), endpoints("green", ADDRESSES[2:]),
        ]  # fmt: skip
        for kind in kinds:
            await one.apply(*(obj for obj in objects if obj["kind"] == kind))
            await one.quiet(0.05)

    return act


async def networks(one: FaultWorld) -> None:
    for name in ("my-hotel", "annex"):
        one.make_network(name)
    await one.start()


async def nothing(_: FaultWorld) -> None:
    """There is no controller, and no object."""


ORDERS = (
    ("EndpointSlice", "Service", "HTTPRoute", "Gateway", "GatewayClass"),
    ("HTTPRoute", "EndpointSlice", "GatewayClass", "Service", "Gateway"),
    ("Gateway", "HTTPRoute", "Service", "GatewayClass", "EndpointSlice"),
)


async def two_contenders(one: FaultWorld) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout(rule(backend("wide"), backend("wide", port=8080)), hostnames=[HOSTNAME]))
    await one.apply(route("younger", rule(backend("blue")), hostnames=[HOSTNAME]))


async def without_streams(one: FaultWorld) -> None:
    """An API server that refuses to stream a list, as those before 1.32 do."""
    await stopped_with_route(one)
    refusal = one.kube.faults.fail(422, verb="watch", times=None, message="sendInitialEvents is forbidden")
    refusal.when = lambda request: "sendInitialEvents" in request.query


CHANGE = (checkout(rule(backend("wide"), matches=[prefix("/cart")]), rule(backend("green"))),)

_SAME = "the calls are those of the scenario without that, which meets all faults"

STORIES = (
    Scenario("create: a cluster is found", stopped_with_route, start, starts=True),
    Scenario(
        "create: a cluster is found in pages", without_streams, start, starts=True,
        only="Kubernetes: read", why_only=_SAME, refuses=("list, streamed,",),
    ),
    Scenario("create: a route", started, applies(checkout())),
    Scenario("create: a hostname", started, applies(checkout(hostnames=[HOSTNAME]))),
    Scenario("scale: endpoints", with_route, scale),
    Scenario("two ports", started, applies(checkout(rule(backend("wide"), backend("wide", port=8080))))),
    Scenario("delete", with_route, delete),
    Scenario("delete: a hostname passes on", two_contenders, delete),
    Scenario("left by a crash", left_by_a_crash, change_while_away, starts=True),
    Scenario("take-over", with_follower, applies(*CHANGE), only=DEATHS, why_only=_SAME),
    Scenario("take-over: a route is made", started_with_follower, applies(checkout()), only=DEATHS, why_only=_SAME),
    Scenario("take-over: told to stop", with_follower, change_and_hand_over),
    Scenario("take-over by lease", with_follower, applies(*CHANGE), kind=LeasedWorld, only=DEATHS, why_only=_SAME),
    Scenario("lease: two candidates", nothing, keep_the_lease, kind=LeasedWorld, only=LEASES, why_only=_SAME),
    Scenario(
        "SIGKILL: create a hostname", started, applies(checkout(hostnames=[HOSTNAME])),
        kind=ProcessWorld, only=DEATHS, why_only="a process that only SIGKILL ends",
    ),
    Scenario(
        "SIGKILL: delete", with_route, delete,
        kind=ProcessWorld, only=DEATHS, why_only="a process that only SIGKILL ends",
    ),
    *(Scenario(f"order: {', '.join(kinds)}", networks, in_order(*kinds)) for kinds in ORDERS),
)  # fmt: skip
