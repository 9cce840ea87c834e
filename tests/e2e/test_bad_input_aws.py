"""What AWS refuses or fails to do is told where people look, all else goes on, and it is made up for in the end."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from sandbox.lattice.faults import Refuse, Reset, Throttle
from sandbox.lattice.quotas import Quotas
from tests.e2e.bad_input_aws import DENIED, FAILURES, Failure
from tests.e2e.bad_input_routes import GOOD, good
from tests.e2e.bad_input_seen import condition, event_texts, gateway_condition, is_gone, is_programmed, rests
from tests.e2e.harness import Json, World, eventually, world
from tests.e2e.objects import endpoints, gateway, gateway_class, service

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("shorter_patience")]

BESIDE = (gateway_class(), gateway(), service(GOOD), endpoints(GOOD, ["10.0.0.1"]), good(GOOD))

each = pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)


@pytest.fixture(scope="module")
async def failing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world in which all the failures happen, each to a route of its own."""
    async with world(tmp_path_factory.mktemp("world")) as made:
        made.make_network("my-hotel")
        for failure in FAILURES:
            failure.happens_in(made)
            await made.apply(*failure.objects)
        await made.apply(*BESIDE)
        await made.start()
        yield made


@each
async def test_the_author_is_told_of(failure: Failure, failing: World) -> None:
    def told() -> None:
        found = condition(failing, "Accepted", failure.of)
        assert (found["status"], found["reason"]) == (failure.status, failure.reason), found["message"]
        assert [words for words in failure.words if words not in found["message"]] == [], found["message"]
        texts = event_texts(failing, "HTTPRoute", failure.of)
        assert [
            text
            for kind, reason, text in texts
            if (kind, reason) == ("Warning", failure.event) and all(words in text for words in failure.words)
        ], texts

    await eventually(told)


async def test_a_route_beside_them_is_served(failing: World) -> None:
    await eventually(lambda: is_programmed(failing, GOOD))


async def test_all_are_served_once_aws_does_its_part(failing: World) -> None:
    failing.lattice.faults.clear()
    for failure in FAILURES:
        await eventually(lambda: is_programmed(failing, failure.of))  # noqa: B023 -- called before the next turn
    await rests(failing)


async def test_a_route_whose_service_may_not_be_deleted_says_so_while_it_waits(failing: World) -> None:
    failing.lattice.faults.add("DeleteService", DENIED)
    await failing.delete("HTTPRoute", FAILURES[0].of)

    def told() -> None:
        texts = [text for kind, _, text in event_texts(failing, "HTTPRoute", FAILURES[0].of) if kind == "Warning"]
        assert [text for text in texts if "vpc-lattice:DeleteService" in text], texts

    await eventually(told)
    failing.lattice.faults.clear()
    await eventually(lambda: is_gone(failing, FAILURES[0].of))


async def test_a_quota_that_is_used_up_is_told_by_its_code_and_a_higher_one_is_enough(failing: World) -> None:
    state = failing.lattice.state
    state.quotas = Quotas(services=len(list(state.services)))
    await failing.apply(good("one-too-many"))

    def told() -> None:
        found = condition(failing, "Accepted", "one-too-many")
        assert (found["status"], found["reason"]) == ("False", "QuotaExceeded")
        assert "service quota L-620C821E is used up" in found["message"]

    await eventually(told)
    is_programmed(failing, GOOD)
    state.quotas = Quotas()
    await eventually(lambda: is_programmed(failing, "one-too-many"))


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Reset(), "cannot reach 127.0.0.1"),
        (
            Refuse("UnrecognizedClientException", 403, "The security token is invalid"),
            "AWS does not know the credentials",
        ),
        (Refuse("AccessDeniedException", 403, "not authorized"), "the controller's IAM role may not do"),
    ],
    ids=["unreachable", "wrong credentials", "no permissions"],
)
async def test_an_aws_that_answers_nothing_useful(effect: Refuse | Reset, words: str, tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        one.lattice.faults.add("*", effect)
        await one.apply(*BESIDE)
        await one.start()

        def told() -> None:
            programmed = gateway_condition(one, "Programmed")
            assert (programmed["status"], programmed["reason"]) == ("False", "Pending")
            assert words in programmed["message"]
            accepted = condition(one, "Accepted", GOOD)
            assert accepted["status"] != "True"
            assert words in accepted["message"]

        await eventually(told)
        one.lattice.faults.clear()
        await eventually(lambda: is_programmed(one, GOOD))
        await eventually(lambda: is_true(gateway_condition(one, "Programmed")))


def is_true(found: Json) -> None:
    assert found["status"] == "True", found["message"]


async def test_an_aws_that_throttles_is_no_failure_of_anybodys_and_is_not_pressed(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        one.lattice.faults.add("*", Throttle(retry_after=1))
        await one.apply(*BESIDE)
        await one.start()
        await eventually(lambda: was_throttled(one))
        mark = one.lattice.calls.mark()
        await anyio.sleep(1.5)
        assert len(one.lattice.calls.since(mark)) <= 2 * len(one.lattice_calls())

        one.lattice.faults.clear()
        await eventually(lambda: is_programmed(one, GOOD))
        assert [event for event in event_texts(one, "HTTPRoute", GOOD) if event[0] == "Warning"] == []


def was_throttled(world: World) -> None:
    assert len(world.lattice.calls.since(0)) > 0
