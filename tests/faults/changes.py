"""Every field of every kind that is read, changed while a route is programmed: one short story for each."""

from typing import Any

from tests.e2e.harness import PREFIX, Json
from tests.e2e.objects import (
    CLASS,
    backend,
    endpoints,
    gateway,
    grant,
    listener,
    namespace,
    prefix,
    rule,
    service,
)
from tests.faults.scenarios import (
    ADDRESSES,
    HOSTNAME,
    Scenario,
    Step,
    applies,
    both_ports,
    checkout,
    found,
    started,
    with_hostname,
    with_route,
)
from tests.faults.worlds import FaultWorld

PROTECT = {"PROTECT_FROM_DELETION": "true"}


def changes(name: str, *objects: Json, before: Step = with_route, **more: Any) -> Scenario:
    return Scenario(f"change: {name}", before, applies(*objects), **more)


def deletes(kind: str, name: str, **more: Any) -> Step:
    async def act(one: FaultWorld) -> None:
        await one.delete(kind, name, **more)

    return act


def with_listener(**more: Any) -> Json:
    return gateway("my-hotel", listener(**more))


def annotated(**annotations: str) -> Json:
    """The route, with annotations of ours, their names' underscores being hyphens."""
    return checkout(annotations={PREFIX + name.replace("_", "-"): value for name, value in annotations.items()})


def exact(value: str) -> Json:
    return {"path": {"type": "Exact", "value": value}}


CART = rule(backend("blue"), matches=[prefix("/cart")])
CART_EXACTLY = rule(backend("blue"), matches=[exact("/cart")])
REST = rule(backend("blue", weight=9), backend("green", weight=1))
REVIEWS = rule(backend("green"), matches=[prefix("/reviews")])

GRANT = grant("stock", "default", name="routes")


def starting_with(*objects: Json) -> Step:
    """The world of `with_route` with these objects made or changed before the controller is at rest."""

    async def before(one: FaultWorld) -> None:
        await with_route(one)
        await one.quiet(0.1)
        await one.apply(*objects)

    return before


async def ungranted(one: FaultWorld) -> None:
    """A backend in another namespace, which nothing allows to be referred to."""
    await found(one)
    await one.apply(
        namespace("stock"), service("red", namespace="stock"), endpoints("red", ADDRESSES[:1], namespace="stock")
    )
    await one.start()
    await one.apply(checkout(rule(backend("red", namespace="stock")), CART))


async def granted(one: FaultWorld) -> None:
    await ungranted(one)
    await one.apply(GRANT)


async def deleted(one: FaultWorld) -> None:
    """A route that is deleted, where that is not enough."""
    await with_route(one)
    await one.quiet(0.1)
    await one.delete("HTTPRoute", "checkout")


async def delete_all(one: FaultWorld) -> None:
    """From above: the class and the Gateway have to stay for as long as they are needed."""
    await one.delete("GatewayClass", CLASS)
    await one.delete("Gateway", "my-hotel")
    await one.delete("Gateway", "annex")
    await one.quiet(0.05)
    await one.delete("HTTPRoute", "checkout")


def terminating() -> Json:
    ends = endpoints("blue", ADDRESSES[:2])
    ends["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    return ends


CHANGES = (
    changes("path", checkout(rule(backend("blue"), matches=[prefix("/basket")]))),
    changes("path, PathPrefix to Exact", checkout(CART_EXACTLY, REST)),
    changes("path, Exact to PathPrefix", checkout(), before=starting_with(checkout(CART_EXACTLY, REST))),
    changes("a rule more", checkout(CART, REVIEWS, REST)),
    changes("a rule less", checkout(), before=starting_with(checkout(CART, REVIEWS, REST))),
    changes(
        "method and header",
        checkout(
            rule(
                backend("blue"),
                matches=[prefix("/cart", method="POST", headers=[{"name": "canary", "value": "1"}])],
            ),
            REST,
        ),
    ),
    changes(
        "weights of three rules",
        checkout(
            rule(backend("blue", weight=2), backend("green"), matches=[prefix("/cart")]),
            rule(backend("green", weight=2), backend("blue"), matches=[prefix("/reviews")]),
            rule(backend("blue", weight=1), backend("green", weight=9)),
        ),
        before=starting_with(checkout(CART, REVIEWS, REST)),
    ),
    changes("backend", checkout(rule(backend("wide"), matches=[prefix("/cart")]), rule(backend("green")))),
    changes("backend's port", checkout(rule(backend("wide", port=8080))), before=both_ports),
    changes("hostname", checkout(hostnames=["www.example.com"]), before=with_hostname),
    changes(
        "parents",
        checkout(parents=[{"name": "annex"}, {"name": "my-hotel"}], hostnames=[HOSTNAME]),
        before=with_hostname,
    ),
    changes("annotation standalone", annotated(standalone="true")),
    changes("annotation tags", annotated(tags="team=red,stage=one")),
    Scenario("create: a service-name-override", started, applies(annotated(service_name_override="till"))),
    changes("annotation rule-0-priority", annotated(rule_0_priority="77")),
    changes(
        "annotation paused, and the rest",
        {**checkout(REVIEWS), "metadata": annotated(paused="true")["metadata"]},
        stays=True,
    ),
    changes(
        "annotation paused, taken away",
        checkout(REVIEWS),
        before=starting_with({**checkout(REVIEWS), "metadata": annotated(paused="true")["metadata"]}),
        behind=True,
    ),
    Scenario(
        "delete: protected", with_route, deletes("HTTPRoute", "checkout"),
        settings=PROTECT, stays=True, lingering=("checkout",),
    ),
    changes(
        "annotation allow-deletion", annotated(allow_deletion="true"),
        before=deleted, settings=PROTECT, behind=True,
    ),
    changes("Gateway: listener's port", with_listener(port=8080)),
    changes("Gateway: listener's hostname", with_listener(hostname=HOSTNAME)),
    changes(
        "Gateway: allowedRoutes",
        with_listener(
            allowedRoutes={"namespaces": {"from": "Selector", "selector": {"matchLabels": {"nobody": "has it"}}}}
        ),
    ),
    Scenario("delete: the Gateway of a route", with_route, deletes("Gateway", "my-hotel"), lingering=("my-hotel",)),
    Scenario("delete: class, Gateway, route", with_route, delete_all),
    changes("Service: port", service("blue", port=8081)),
    changes(
        "Service: targetPort",
        {**service("blue"), "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 9090}]}},
        endpoints("blue", ADDRESSES[:2], port=9090),
    ),
    Scenario("delete: a Service", with_route, deletes("Service", "blue")),
    changes("EndpointSlice: ports", endpoints("blue", ADDRESSES[:2], port=9090)),
    changes("EndpointSlice: an endpoint terminates", terminating()),
    Scenario("delete: an EndpointSlice", with_route, deletes("EndpointSlice", "blue-1")),
    changes("ReferenceGrant: given", GRANT, before=ungranted),
    Scenario("delete: a ReferenceGrant", granted, deletes("ReferenceGrant", "routes", namespace="stock")),
)  # fmt: skip
