"""What is wrong with a route is told on the route, all else goes on, and a mended route is served.

All the mistakes are made at once, beside a route without any; then all are mended; then all routes are deleted.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.bad_input_routes import GOOD, MISTAKES, NETWORKS, OVERRIDE, WORLD, Mistake, good
from tests.e2e.bad_input_seen import condition, event_texts, is_gone, is_programmed, rests
from tests.e2e.bad_input_time import LOOKS, shortened
from tests.e2e.harness import World, eventually, world

pytestmark = pytest.mark.anyio

each = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)


@pytest.fixture(autouse=True, scope="module")
def shorter_patience() -> Iterator[None]:
    with shortened(LOOKS):
        yield


@pytest.fixture(scope="module")
async def wrong(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world in which all the mistakes are made, beside a route without any that was there before."""
    async with world(tmp_path_factory.mktemp("world")) as made:
        for network in NETWORKS:
            made.make_network(network)
        await made.apply(*WORLD, good(GOOD))
        await made.start()
        await eventually(lambda: is_programmed(made, GOOD))
        for mistake in MISTAKES:
            await made.apply(*mistake.wrong)
        yield made


@pytest.fixture(scope="module")
async def mended(wrong: World) -> World:
    """That world with every mistake mended by whose it is."""
    for mistake in MISTAKES:
        await wrong.apply(*mistake.mended)
    return wrong


def is_refused(world: World, route: str, reason: str) -> None:
    found = condition(world, "Accepted", route)
    assert (found["status"], found["reason"]) == ("False", reason)


@each
async def test_the_author_is_told_of(mistake: Mistake, wrong: World) -> None:
    def told() -> None:
        found = condition(wrong, mistake.condition, mistake.route_name, mistake.namespace)
        assert (found["status"], found["reason"]) == ("False", mistake.reason), found["message"]
        assert [words for words in mistake.words if words not in found["message"]] == [], found["message"]
        accepted = condition(wrong, "Accepted", mistake.route_name, mistake.namespace)
        assert accepted["status"] == str(mistake.served), accepted["message"]
        texts = event_texts(wrong, "HTTPRoute", mistake.route_name, mistake.namespace)
        assert [
            text for kind, _, text in texts if kind == "Warning" and all(words in text for words in mistake.words)
        ], texts

    await eventually(told)


async def test_a_route_beside_them_is_served(wrong: World) -> None:
    await eventually(lambda: is_programmed(wrong, GOOD))


async def test_what_cannot_be_served_has_nothing_in_lattice(wrong: World) -> None:
    served = {GOOD, *(mistake.route_name for mistake in MISTAKES if mistake.served)}

    def only_those() -> None:
        tags = [service.tags for service in wrong.lattice.state.services]
        assert sorted(each["application-networking.k8s.aws/RouteName"] for each in tags) == sorted(served)

    await eventually(only_those)


async def test_nothing_is_tried_again_and_again(wrong: World) -> None:
    await rests(wrong)


@each
async def test_who_mends_it_is_served(mistake: Mistake, mended: World) -> None:
    await eventually(lambda: is_programmed(mended, mistake.route_name, mistake.namespace))


async def test_a_route_that_wanted_anothers_service_takes_nothing_with_it(mended: World) -> None:
    before = [service.id for service in mended.lattice.state.services if service.name == f"{GOOD}-default"]
    wrong = next(mistake for mistake in MISTAKES if mistake.reason == "Conflicted")
    impostor = good("impostor", annotations={OVERRIDE: f"{GOOD}-default"})
    await mended.apply(impostor)
    await eventually(lambda: is_refused(mended, "impostor", wrong.reason))
    await mended.delete("HTTPRoute", "impostor")
    await eventually(lambda: is_gone(mended, "impostor"))
    assert [service.id for service in mended.lattice.state.services if service.name == f"{GOOD}-default"] == before
    is_programmed(mended, GOOD)


async def test_deleted_routes_leave_nothing(mended: World) -> None:
    for mistake in MISTAKES:
        await mended.delete("HTTPRoute", mistake.route_name, namespace=mistake.namespace)
    await mended.delete("HTTPRoute", GOOD)

    def nothing() -> None:
        assert mended.all("HTTPRoute") == []
        assert list(mended.lattice.state.services) == []
        assert list(mended.lattice.state.target_groups) == []

    await eventually(nothing)
    await mended.quiet()
