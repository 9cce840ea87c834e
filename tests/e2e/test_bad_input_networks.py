"""A service network that is missing, ambiguous or goes away: told on the Gateway and its routes, and made up for."""

from pathlib import Path

import pytest

from sandbox.lattice.associations import delete_service_association
from sandbox.lattice.networks import delete_service_network
from sandbox.lattice.state import Call
from tests.e2e.bad_input_routes import GOOD, good
from tests.e2e.bad_input_seen import condition, event_texts, gateway_condition, is_programmed
from tests.e2e.harness import World, eventually, world
from tests.e2e.objects import endpoints, gateway, gateway_class, listener, parent, service

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("shorter_patience")]

BESIDE = (gateway_class(), gateway(), service(GOOD), endpoints(GOOD, ["10.0.0.1"]), good(GOOD))


def is_unprogrammed(world: World, gateway: str, reason: str, *words: str) -> None:
    found = gateway_condition(world, "Programmed", gateway)
    assert (found["status"], found["reason"]) == ("False", reason)
    assert [word for word in words if word not in found["message"]] == [], found["message"]


def is_pending(world: World, route: str, *words: str) -> None:
    found = condition(world, "Accepted", route)
    assert (found["status"], found["reason"]) == ("Unknown", "Pending")
    assert [word for word in words if word not in found["message"]] == [], found["message"]


def is_network(world: World, gateway: str) -> None:
    found = gateway_condition(world, "Programmed", gateway)
    assert found["status"] == "True", found["message"]


async def test_one_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE, gateway("inn"), good("waiting", parents=[parent("inn")]))
        await one.start()
        await eventually(lambda: is_unprogrammed(one, "inn", "Pending", "no VPC Lattice service network named inn"))
        await eventually(lambda: is_pending(one, "waiting", "no service network named inn"))
        await eventually(lambda: is_programmed(one, GOOD))

        one.make_network("inn")
        await eventually(lambda: is_network(one, "inn"))
        await eventually(lambda: is_programmed(one, "waiting"))


async def test_two_of_a_name_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        own = one.make_network("twins")
        shared = one.lattice.state.share_network("twins", "210987654321")
        await one.apply(*BESIDE, gateway("twins"), good("torn", parents=[parent("twins")]))
        await one.start()
        await eventually(lambda: is_unprogrammed(one, "twins", "Invalid", own, shared.id, "use the id"))
        await eventually(lambda: is_pending(one, "torn", own, shared.id))
        await eventually(lambda: is_programmed(one, GOOD))

        await one.apply(gateway(own), good("torn", parents=[parent(own)]))
        await eventually(lambda: is_network(one, own))
        await eventually(lambda: is_programmed(one, "torn"))


async def test_one_that_goes_away_is_noticed_when_it_is_needed_and_found_again(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        inn = one.make_network("inn")
        await one.apply(*BESIDE, gateway("inn"), good("guest", parents=[parent("inn")]))
        await one.start()
        await eventually(lambda: is_programmed(one, "guest"))

        tear_down(one, inn)
        await one.apply(good("late", parents=[parent("inn")]))
        await eventually(lambda: is_pending(one, "late", "no service network named inn"))
        await eventually(lambda: is_unprogrammed(one, "inn", "Pending", "no VPC Lattice service network named inn"))
        is_programmed(one, GOOD)

        again = one.make_network("inn")
        await eventually(lambda: is_network(one, "inn"))
        await eventually(lambda: is_programmed(one, "late"))
        await eventually(lambda: are_in(one, again, "guest-default", "late-default"))


async def test_a_route_that_moves_to_one_that_is_missing_stays_reachable_where_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        old = one.make_network("my-hotel")
        await one.apply(*BESIDE, gateway("inn", listener("http", 8080)))
        await one.start()
        await eventually(lambda: is_programmed(one, GOOD))
        await one.patch("HTTPRoute", GOOD, {"spec": {"parentRefs": [parent("inn")]}})
        await eventually(lambda: is_told(one, GOOD, "no service network named inn"))
        await eventually(lambda: listens_on(one, 80, 8080))
        are_in(one, old, f"{GOOD}-default")

        new = one.make_network("inn")
        await eventually(lambda: are_in(one, new, f"{GOOD}-default"))
        await eventually(lambda: are_in(one, old))
        await eventually(lambda: listens_on(one, 8080))


def is_told(world: World, route: str, words: str) -> None:
    assert any(words in text for _, _, text in event_texts(world, "HTTPRoute", route))


def listens_on(world: World, *ports: int) -> None:
    """The account's only service has listeners on just these ports."""
    [one] = world.lattice.state.services
    assert sorted(each.port for each in one.listeners.values()) == sorted(ports)


def are_in(world: World, network: str, *services: str) -> None:
    """The network has just these services."""
    state = world.lattice.state
    assert {state.services.find(ident).name for ident in state.networks.find(network).services} == set(services)


def tear_down(world: World, network: str) -> None:
    """End a service network with all that hangs on it, as somebody does by hand."""
    state = world.lattice.state
    for association in list(state.networks.find(network).services.values()):
        params = {"serviceNetworkServiceAssociationIdentifier": association.id}
        delete_service_association(state, Call("DeleteServiceNetworkServiceAssociation", params))
    state.transitions.run_due()
    delete_service_network(state, Call("DeleteServiceNetwork", {"serviceNetworkIdentifier": network}))
