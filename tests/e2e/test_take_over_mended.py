"""What users mend while it is held back is taken over without a release: it is as desired then, and nothing changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.kube.lease_marks import EVERYTHING
from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, parent, prefix, route, rule, service
from tests.e2e.test_take_over import GRANT, condition, harm, namespace, paths

pytestmark = pytest.mark.anyio

FIXED = {f"{PREFIX}rule-0-priority": "1", f"{PREFIX}rule-1-priority": "2"}
LEFT = "HTTPRoute/default/shuffled,HTTPRoute/default/ungranted,HTTPRoute/default/unmatched"


def shuffled(annotations: dict[str, str] | None = None) -> Json:
    """Its first rule takes everything, if it is tried first."""
    rules = rule(backend("v1")), rule(backend("v2"), matches=[prefix("/special")])
    return route("shuffled", *rules, parents=[parent(sectionName="http")], annotations=annotations)


def listening(hostname: str | None = None) -> Json:
    named = {} if hostname is None else {"hostname": hostname}
    return gateway("my-hotel", listener(), listener("named", 8080, **named))


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[World]:
    """A backend that no grant permits, a hostname that no listener has, and rules in the order in which they were
    written, as the other controller serves them.
    """
    async with world(tmp_path) as made:
        made.make_network("my-hotel")
        await made.apply(namespace("payments", {}), gateway_class(), listening(), GRANT)
        await made.apply(service("v1"), service("v2"), service("pay", namespace="payments"))
        await made.apply(endpoints("v1", ["10.0.0.1"]), endpoints("v2", ["10.0.0.2"]))
        await made.apply(endpoints("pay", ["10.0.0.3"], namespace="payments"))
        http, named = [parent(sectionName="http")], [parent(sectionName="named")]
        await made.apply(
            route("ungranted", rule(backend("pay", namespace="payments")), parents=http),
            route("unmatched", rule(backend("v1")), parents=named, hostnames=["b.example.com"]),
            shuffled(FIXED),
        )
        await made.start()
        await made.quiet()
        await made.stop()
        made.left = EVERYTHING
        await made.delete("ReferenceGrant", "all", namespace="payments")
        await made.apply(listening("*.example.org"), shuffled())
        await made.start()
        await made.quiet()
        assert made.left == LEFT
        yield made


def targets(one: World, name: str) -> set[str]:
    """The addresses to which something is sent for a Service."""
    return {
        target.id
        for group in one.lattice.state.target_groups
        if f"-{name}-" in group.name
        for target in group.targets.values()
        if not target.draining
    }


async def mend(one: World, name: str, *objects: Json) -> None:
    """By these the route is taken over, and nothing changes for its clients."""
    mark = one.lattice.calls.mark()
    await one.apply(*objects)
    await one.quiet()
    assert harm(one, mark) == {}
    assert condition(one, name) is None


async def test_a_grant_is_all_that_a_reference_needs(one: World) -> None:
    await mend(one, "ungranted", GRANT)
    assert one.left == "HTTPRoute/default/shuffled,HTTPRoute/default/unmatched"


async def test_a_listener_is_all_that_a_hostname_needs(one: World) -> None:
    await mend(one, "unmatched", listening("*.example.com"))
    assert one.left == "HTTPRoute/default/shuffled,HTTPRoute/default/ungranted"


async def test_an_order_that_is_to_stay_is_fixed_by_priorities(one: World) -> None:
    assert paths(one, "shuffled-default") == ["/", "/special"]
    await mend(one, "shuffled", shuffled(FIXED))
    assert one.left == "HTTPRoute/default/ungranted,HTTPRoute/default/unmatched"


async def test_what_is_held_back_follows_its_endpoints(one: World) -> None:
    """All at once, too: where no target is left to tell the port, the route does."""
    mark = one.lattice.calls.mark()
    for addresses in (["10.0.1.1", "10.0.1.2"], [], ["10.0.2.1"]):
        await one.apply(endpoints("v1", addresses), endpoints("pay", addresses, namespace="payments"))
        await eventually(lambda addresses=addresses: follows(one, set(addresses)))
    assert harm(one, mark).keys() <= {"DeregisterTargets"}
    assert one.left == LEFT


def follows(one: World, addresses: set[str]) -> None:
    assert targets(one, "v1") == addresses
    assert targets(one, "pay") == addresses
