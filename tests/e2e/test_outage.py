"""What worked before an outage of AWS is not taken back because of it, also not by a controller that starts in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.lattice.faults import Refuse, Reset
from tests.e2e.bad_input_routes import GOOD, good
from tests.e2e.bad_input_seen import event_texts, gateway_condition, is_programmed
from tests.e2e.harness import Json, World, eventually, world
from tests.e2e.objects import endpoints, gateway, gateway_class, service

pytestmark = pytest.mark.anyio

DENIED = Refuse("AccessDeniedException", 403, "not authorized to perform: tag:GetResources")


@pytest.fixture
async def programmed(tmp_path: Path) -> AsyncIterator[World]:
    """A route that is served, and the controller stopped."""
    async with world(tmp_path) as made:
        made.make_network("my-hotel")
        await made.apply(gateway_class(), gateway(), service(GOOD), endpoints(GOOD, ["10.0.0.1"]), good(GOOD))
        await made.start()
        await eventually(lambda: is_programmed(made, GOOD))
        await made.quiet()
        await made.stop()
        yield made


def seen(one: World) -> list[Json | None]:
    return [one.get("HTTPRoute", GOOD), one.get("Gateway", "my-hotel")]


@pytest.mark.parametrize("outage", [Reset(), DENIED], ids=["unreachable", "denied"])
async def test_a_start_in_an_outage_changes_no_status_and_says_why_in_events(
    programmed: World, outage: Refuse | Reset
) -> None:
    before = seen(programmed)
    programmed.lattice.faults.add("GetResources", outage)
    await programmed.start()

    def told() -> None:
        for kind, name in (("HTTPRoute", GOOD), ("Gateway", "my-hotel")):
            assert [text for level, reason, text in event_texts(programmed, kind, name) if level == "Warning"], kind

    await eventually(told)
    assert seen(programmed) == before
    programmed.lattice.faults.clear()
    await programmed.stop()
    await programmed.start()
    await programmed.quiet()
    assert seen(programmed) == before
    assert gateway_condition(programmed, "Programmed")["status"] == "True"
