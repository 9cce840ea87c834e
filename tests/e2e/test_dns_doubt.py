"""DNS records where not all is known, or not all is this controller's: what is there stays, and routes go on."""

from pathlib import Path

import pytest

from controller.kube.lease_marks import EVERYTHING
from tests.e2e.bad_input_seen import event_texts, is_gone, is_programmed
from tests.e2e.bad_input_time import LOOKS, RETRIES, shortened
from tests.e2e.harness import PREFIX, World, eventually
from tests.e2e.test_dns import SHOP, WEB, hotel, is_published, published, rates, writes

pytestmark = pytest.mark.anyio


async def test_what_another_controller_published_goes_when_its_work_is_released(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.quiet()
        await one.stop()
        before = published(one)
        one.left = EVERYTHING
        await one.apply(rates(WEB))
        await one.start()
        await eventually(lambda: is_published_too(one, before))
        await one.quiet()
        is_published_too(one, before)
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}take-over": "released"}}})
        await eventually(lambda: is_published(one, WEB))
        await one.quiet()
        assert writes(one)["delete"] == 0


def is_published_too(one: World, before: dict[str, list[str]]) -> None:
    """The new hostname, beside the record that there was."""
    (made,) = (each for each in one.lattice.state.services if each.custom_domain == WEB)
    assert published(one) == {**before, WEB: [made.domain]}


async def test_where_the_kind_may_not_be_read_routes_are_served_and_told_and_deleted(tmp_path: Path) -> None:
    with shortened(LOOKS, RETRIES):
        async with hotel(tmp_path) as one:
            await one.stop()
            one.kube.faults.forbid("dnsendpoints.externaldns.k8s.io")
            await one.start()
            await one.apply(rates(SHOP))
            await eventually(lambda: is_programmed(one, "rates"))
            await eventually(lambda: is_told(one))
            assert not writes(one)
            await one.delete("HTTPRoute", "rates")
            await eventually(lambda: is_gone(one, "rates"))


def is_told(one: World) -> None:
    assert any(
        "dnsendpoints" in note and "forbidden" in note.lower() for _, _, note in event_texts(one, "HTTPRoute", "rates")
    )
