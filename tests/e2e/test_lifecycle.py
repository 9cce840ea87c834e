"""The life of Gateways, classes and routes: what they say while they are there, and that nothing stays when they go."""

from itertools import permutations
from pathlib import Path

import pytest

from sandbox.lattice.services import create_service
from sandbox.lattice.state import Call
from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import (
    CLASS,
    backend,
    endpoints,
    gateway,
    gateway_class,
    listener,
    namespace,
    parent,
    route,
    rule,
    service,
)

pytestmark = pytest.mark.anyio

ROUTE_FINALIZER = "httproute.k8s.aws/resources"
OTHERS_CONTROLLER = "example.com/another-controller"


def conditions(entry: Json) -> dict[str, tuple[str, str]]:
    """Type to status and reason."""
    return {one["type"]: (one["status"], one["reason"]) for one in entry["conditions"]}


def ours(one: World, name: str = "rates", namespace: str = "default") -> Json:
    """The entry of a route's status that this controller wrote."""
    found = one.get("HTTPRoute", name, namespace=namespace)
    assert found is not None
    [entry] = [entry for entry in found["status"]["parents"] if entry["controllerName"] != OTHERS_CONTROLLER]
    return entry


def gateway_status(one: World, name: str = "my-hotel") -> Json:
    found = one.get("Gateway", name)
    assert found is not None
    return found["status"]


def programmed(one: World, name: str = "rates", namespace: str = "default") -> None:
    assert conditions(ours(one, name, namespace)) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
    }
    found = one.get("HTTPRoute", name, namespace=namespace)
    assert found is not None
    assert f"{PREFIX}lattice-assigned-domain-name" in found["metadata"]["annotations"]


def nothing_in_lattice(one: World) -> None:
    one.lattice.state.transitions.run_due()
    assert [service.name for service in one.lattice.state.services] == []
    assert [group.name for group in one.lattice.state.target_groups] == []
    assert list(one.lattice.state.service_associations) == []


async def ask_for_a_route(one: World, *listeners: Json) -> None:
    """The route `rates`, with all that it needs in Kubernetes."""
    await one.apply(
        gateway_class(),
        gateway("my-hotel", *listeners),
        service("rates"),
        endpoints("rates", ["10.0.0.1"]),
        route("rates", rule(backend("rates"))),
    )


async def serve_a_route(one: World, *listeners: Json) -> None:
    one.make_network("my-hotel")
    await ask_for_a_route(one, *listeners)
    await one.start()
    await eventually(lambda: programmed(one))
    await one.quiet()


async def test_a_gateway_and_its_class_say_what_they_are(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        unsupported = listener("tcp", 9000, "TCP")
        await serve_a_route(one, listener("http", 80), listener("other", 8080), unsupported)
        [network] = one.lattice.state.networks
        found = one.get("GatewayClass", CLASS)
        assert found is not None
        assert conditions(found["status"])["Accepted"] == ("True", "Accepted")
        status = gateway_status(one)
        assert conditions(status) == {"Accepted": ("True", "ListenersNotValid"), "Programmed": ("True", "Programmed")}
        [told] = [entry["message"] for entry in status["conditions"] if entry["type"] == "Programmed"]
        assert told == f"aws-service-network-arn: {network.arn}"
        [served] = one.lattice.state.services
        assert status["addresses"] == [{"type": "Hostname", "value": served.domain}]
        good = {
            "Accepted": ("True", "Accepted"),
            "Programmed": ("True", "Programmed"),
            "ResolvedRefs": ("True", "ResolvedRefs"),
            "Conflicted": ("False", "NoConflicts"),
        }
        bad = {**good, "Accepted": ("False", "UnsupportedProtocol"), "Programmed": ("False", "Invalid")}
        listeners = {entry["name"]: entry for entry in status["listeners"]}
        assert {name: conditions(entry) for name, entry in listeners.items()} == {
            "http": good,
            "other": good,
            "tcp": bad,
        }
        assert {name: entry["attachedRoutes"] for name, entry in listeners.items()} == {"http": 1, "other": 1, "tcp": 0}
        assert [kind["kind"] for kind in listeners["http"]["supportedKinds"]] == ["HTTPRoute"]


async def test_attached_routes_follow_the_routes(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await serve_a_route(one)
        for name in ("parking", "review"):
            await one.apply(route(name, rule(backend("rates"))))
        await eventually(lambda: attached(one, 3))
        await one.delete("HTTPRoute", "parking")
        await eventually(lambda: attached(one, 2))


def attached(one: World, count: int) -> None:
    assert [entry["attachedRoutes"] for entry in gateway_status(one)["listeners"]] == [count]


async def test_whatever_is_deleted_first_nothing_is_left(tmp_path: Path) -> None:
    orders = list(permutations(("HTTPRoute", "Gateway", "GatewayClass", "Service")))
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.start()
        for place in (f"set-{number}" for number in range(len(orders))):
            await one.apply(
                namespace(place),
                gateway_class(place),
                gateway("my-hotel", gateway_class_name=place, namespace=place),
                service("rates", namespace=place),
                endpoints("rates", ["10.0.0.1"], namespace=place),
                route("rates", rule(backend("rates")), namespace=place),
            )
        await eventually(lambda: all_programmed(one, len(orders)))
        names = {"HTTPRoute": "rates", "Gateway": "my-hotel", "Service": "rates"}
        for number, order in enumerate(orders):
            for kind in order:
                await one.delete(kind, names.get(kind, f"set-{number}"), namespace=f"set-{number}")
        await eventually(lambda: all_gone(one, *orders[0]))
        nothing_in_lattice(one)


def all_programmed(one: World, count: int) -> None:
    for number in range(count):
        programmed(one, namespace=f"set-{number}")


def all_gone(one: World, *kinds: str) -> None:
    for kind in kinds:
        assert [obj["metadata"] for obj in one.all(kind) if obj["metadata"]["name"] != "kubernetes"] == []


async def test_a_deleted_namespace_takes_its_route_with_it(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await serve_a_route(one, listener(allowedRoutes={"namespaces": {"from": "All"}}))
        await one.apply(
            namespace("shop"),
            service("cart", namespace="shop"),
            endpoints("cart", ["10.0.0.2"], namespace="shop"),
            route("cart", rule(backend("cart")), namespace="shop", parents=[parent(namespace="default")]),
        )
        await eventually(lambda: programmed(one, "cart", "shop"))
        await one.delete("Namespace", "shop")
        await eventually(lambda: without(one, "Namespace", "shop"))
        assert [found.name for found in one.lattice.state.services] == ["rates-default"]
        assert len(one.lattice.state.target_groups) == 1


def without(one: World, kind: str, name: str) -> None:
    assert one.get(kind, name) is None


async def test_a_route_that_is_detached_leaves_nothing_in_lattice_and_is_free(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await serve_a_route(one)
        await one.delete("Gateway", "my-hotel")
        await one.apply(route("rates", rule(backend("rates")), parents=[parent("elsewhere")]))
        await eventually(lambda: free(one, "rates"))
        nothing_in_lattice(one)
        assert conditions(ours(one))["Accepted"] == ("False", "NoMatchingParent")
        await eventually(lambda: all_gone(one, "Gateway"))


def free(one: World, name: str) -> None:
    found = one.get("HTTPRoute", name)
    assert found is not None
    assert ROUTE_FINALIZER not in found["metadata"].get("finalizers", [])


def gateway_programmed(one: World) -> None:
    assert conditions(gateway_status(one))["Programmed"] == ("True", "Programmed")


async def test_a_service_network_that_comes_later_is_found(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await ask_for_a_route(one)
        await one.start()
        await eventually(lambda: not_programmed(one))
        one.make_network("my-hotel")
        await eventually(lambda: programmed(one))
        await eventually(lambda: gateway_programmed(one))
        await one.quiet()
        [association] = one.lattice.state.service_associations
        assert association.network.name == "my-hotel"


def not_programmed(one: World) -> None:
    assert conditions(gateway_status(one)) == {"Accepted": ("True", "Accepted"), "Programmed": ("False", "Pending")}
    assert conditions(ours(one))["Accepted"] == ("Unknown", "Pending")


async def test_what_belongs_to_another_controller_is_left_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("theirs")
        await one.apply(
            gateway_class("theirs", OTHERS_CONTROLLER),
            gateway("theirs", gateway_class_name="theirs"),
            service("rates"),
            route("rates", rule(backend("rates")), parents=[parent("theirs")]),
        )
        await one.start()
        await one.quiet()
        assert one.kubernetes_writes() == []
        nothing_in_lattice(one)


async def test_another_controllers_entry_in_a_routes_status_stays_word_for_word(tmp_path: Path) -> None:
    theirs = {
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "theirs"},
        "controllerName": OTHERS_CONTROLLER,
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "as they put it",
                "lastTransitionTime": "2020-02-02T02:02:02Z",
                "observedGeneration": 1,
            }
        ],
    }
    async with world(tmp_path) as one:
        await one.apply(
            gateway_class("theirs", OTHERS_CONTROLLER),
            gateway("theirs", gateway_class_name="theirs"),
            route("rates", rule(backend("rates")), parents=[parent(), parent("theirs")]),
        )
        await one.patch("HTTPRoute", "rates", {"status": {"parents": [theirs]}}, sub="status")
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway(), service("rates"), endpoints("rates", ["10.0.0.1"]))
        await one.start()
        await eventually(lambda: programmed(one))
        await one.quiet()
        found = one.get("HTTPRoute", "rates")
        assert found is not None
        assert theirs in found["status"]["parents"]
        assert len(found["status"]["parents"]) == 2


def make_service(one: World, name: str, **tags: str) -> str:
    """A Lattice service that somebody else made; its id."""
    tagged = {PREFIX + key: value for key, value in tags.items()}
    return str(create_service(one.lattice.state, Call("CreateService", {"name": name, "tags": tagged}))["id"])


async def test_a_name_that_another_owner_has_is_conflicted_with_advice_and_theirs_is_untouched(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        owner = "123456789012/another-cluster/vpc-11111111"
        theirs = make_service(one, "rates-default", ManagedBy=owner)
        await ask_for_a_route(one)
        await one.start()
        await eventually(lambda: conflicted(one))
        [entry] = [entry for entry in ours(one)["conditions"] if entry["type"] == "Accepted"]
        assert owner in entry["message"]
        assert f"{PREFIX}service-name-override" in entry["message"]
        assert f"{PREFIX}allow-takeover-from" in entry["message"]
        [found] = one.lattice.state.services
        assert (found.id, found.tags, found.listeners) == (theirs, {f"{PREFIX}ManagedBy": owner}, {})

        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: all_gone(one, "HTTPRoute"))
        assert [found.id for found in one.lattice.state.services] == [theirs]
        assert list(one.lattice.state.target_groups) == []


def conflicted(one: World) -> None:
    assert conditions(ours(one))["Accepted"] == ("False", "Conflicted")


async def test_a_service_without_owner_is_adopted_by_tagging(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        found = make_service(one, "rates-default", colour="blue")
        await serve_a_route(one)
        [adopted] = one.lattice.state.services
        assert adopted.id == found
        assert adopted.tags == {
            f"{PREFIX}ManagedBy": one.owner,
            f"{PREFIX}RouteName": "rates",
            f"{PREFIX}RouteNamespace": "default",
            f"{PREFIX}RouteType": "http",
            f"{PREFIX}colour": "blue",
        }


async def test_resources_of_others_are_never_touched(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        make_service(one, "unowned")
        make_service(one, "theirs", ManagedBy="123456789012/another-cluster/vpc-11111111")
        await serve_a_route(one)
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: all_gone(one, "HTTPRoute"))
        await one.stop()
        await one.start()
        await one.quiet()
        assert sorted(found.name for found in one.lattice.state.services) == ["theirs", "unowned"]
