"""What a cluster asks for, as short stories: what is there, and what happens then.

A scenario prepares a world without a fault, and then acts; the calls that the controller makes because of that are
where faults are injected.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.harness import PREFIX, Json, World
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, prefix, route, rule, service

Step = Callable[[World], Awaitable[None]]

ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
HOSTNAME = "shop.example.com"


@dataclass(frozen=True)
class Scenario:
    """`before` makes what is there, and the controller is at rest with it when `act` runs."""

    name: str
    before: Step
    act: Step


def wide() -> Json:
    """A Service of two ports."""
    ports = [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("http", 80), ("admin", 8080))]
    return {**service("wide"), "spec": {"ports": ports}}


def wide_endpoints(*addresses: str) -> Json:
    ports = [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("http", 8090), ("admin", 9090))]
    return {**endpoints("wide", addresses), "ports": ports}


async def found(one: World) -> None:
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


async def with_route(one: World) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout())


async def with_hostname(one: World) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout(hostnames=[HOSTNAME]))


def applies(*objects: Json) -> Step:
    async def act(one: World) -> None:
        await one.apply(*objects)

    return act


def changes(name: str, *objects: Json, before: Step = with_route) -> Scenario:
    return Scenario(name, before, applies(*objects))


async def started(one: World) -> None:
    await found(one)
    await one.start()


async def stopped_with_route(one: World) -> None:
    """The route is asked for, and nobody has seen it yet."""
    await found(one)
    await one.apply(checkout())


async def start(one: World) -> None:
    await one.start()


async def scale(one: World) -> None:
    await one.apply(endpoints("blue", ADDRESSES[1:]))
    await one.apply(endpoints("green", ()))


async def delete(one: World) -> None:
    await one.delete("HTTPRoute", "checkout")


async def both_ports(one: World) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout(rule(backend("wide"), backend("wide", port=8080))))


async def left_by_a_crash(one: World) -> None:
    """Two routes are programmed; while nobody is there one of them goes and the other loses most of what it has."""
    await found(one)
    await one.start()
    await one.apply(checkout(), route("reviews", rule(backend("wide"), backend("green"))))


async def change_while_away(one: World) -> None:
    await one.crash()
    await one.apply(checkout(rule(backend("green")), hostnames=[HOSTNAME]))
    await one.delete("HTTPRoute", "reviews")
    await one.start()


async def with_follower(one: World) -> None:
    await with_route(one)
    await one.stand_by()


async def change_and_hand_over(one: World) -> None:
    """The leader ends while it is at work on a change; the other one has followed until then."""
    await one.apply(checkout(rule(backend("wide"), matches=[prefix("/cart")]), rule(backend("green"))))
    if one.controller is not None:
        await one.crash()
    if one.follower is not None:
        one.take_over()


def in_order(*kinds: str) -> Step:
    """Everything that a route needs, kind by kind, the controller having seen each before the next comes."""

    async def act(one: World) -> None:
        objects = [
            gateway_class(), gateway("my-hotel"), gateway("annex"), checkout(),
            service("blue"), service("green"), endpoints("blue", ADDRESSES[:2]), endpoints("green", ADDRESSES[2:]),
        ]  # fmt: skip
        for kind in kinds:
            await one.apply(*(obj for obj in objects if obj["kind"] == kind))
            await one.quiet(0.05)

    return act


async def networks(one: World) -> None:
    for name in ("my-hotel", "annex"):
        one.make_network(name)
    await one.start()


ORDERS = (
    ("EndpointSlice", "Service", "HTTPRoute", "Gateway", "GatewayClass"),
    ("HTTPRoute", "EndpointSlice", "GatewayClass", "Service", "Gateway"),
    ("Gateway", "HTTPRoute", "Service", "GatewayClass", "EndpointSlice"),
)


async def two_contenders(one: World) -> None:
    await found(one)
    await one.start()
    await one.apply(checkout(rule(backend("wide"), backend("wide", port=8080)), hostnames=[HOSTNAME]))
    await one.apply(route("younger", rule(backend("blue")), hostnames=[HOSTNAME]))


SCENARIOS = (
    Scenario("create: a cluster is found", stopped_with_route, start),
    Scenario("create: a route", started, applies(checkout())),
    Scenario("create: a hostname", started, applies(checkout(hostnames=[HOSTNAME]))),
    changes("change: path", checkout(rule(backend("blue"), matches=[prefix("/basket")]))),
    changes(
        "change: method and header",
        checkout(
            rule(
                backend("blue"),
                matches=[prefix("/cart", method="POST", headers=[{"name": "canary", "value": "1"}])],
            ),
            rule(backend("blue", weight=9), backend("green", weight=1)),
        ),
    ),
    changes(
        "change: weights",
        checkout(
            rule(backend("blue", weight=2), matches=[prefix("/cart")]),
            rule(backend("blue", weight=1), backend("green", weight=9)),
        ),
    ),
    changes("change: backend", checkout(rule(backend("wide"), matches=[prefix("/cart")]), rule(backend("green")))),
    changes("change: port", checkout(rule(backend("wide", port=8080))), before=both_ports),
    changes("change: hostname", checkout(hostnames=["www.example.com"]), before=with_hostname),
    changes(
        "change: parents",
        checkout(parents=[{"name": "annex"}, {"name": "my-hotel"}], hostnames=[HOSTNAME]),
        before=with_hostname,
    ),
    changes("change: annotation", checkout(annotations={f"{PREFIX}standalone": "true"})),
    Scenario("scale: endpoints", with_route, scale),
    Scenario("two ports", started, applies(checkout(rule(backend("wide"), backend("wide", port=8080))))),
    Scenario("delete", with_route, delete),
    Scenario("delete: a hostname passes on", two_contenders, delete),
    Scenario("left by a crash", left_by_a_crash, change_while_away),
    Scenario("take-over", with_follower, change_and_hand_over),
    *(Scenario(f"order: {', '.join(kinds)}", networks, in_order(*kinds)) for kinds in ORDERS),
)
