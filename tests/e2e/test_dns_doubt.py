"""DNS records where not all is known, or not all is this controller's: what is there stays, and routes go on."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.kube.lease_marks import EVERYTHING
from sandbox.kube.faults import Fault
from tests.e2e.bad_input_seen import event_texts, is_gone, is_programmed
from tests.e2e.bad_input_time import LOOKS, RETRIES, shortened
from tests.e2e.harness import PREFIX, Json, World, eventually
from tests.e2e.test_dns import SHOP, WEB, hotel, is_absent, is_published, published, rates, writes
from tests.e2e.test_explain import checked, said_by

pytestmark = pytest.mark.anyio

RESOURCE = "dnsendpoints.externaldns.k8s.io"


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


@asynccontextmanager
async def unread(directory: Path, *objects: Json) -> AsyncGenerator[tuple[World, Fault]]:
    """A controller that has begun to work where it may not read the kind, as long as the fault is there."""
    with shortened(LOOKS, RETRIES):
        async with hotel(directory, *objects) as one:
            for each in objects:
                await eventually(lambda name=each["metadata"]["name"]: is_programmed(one, name))
            await one.quiet()
            await one.stop()
            fault = one.kube.faults.forbid(RESOURCE)
            await one.start()
            yield one, fault


async def test_where_the_kind_may_not_be_read_routes_are_served_and_deleted_and_it_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with unread(tmp_path) as (one, _):
        (told,) = (each for each in caplog.records if each.message == "goes on without knowing all kinds")
        assert "forbidden" in vars(told)["unknown"]["DNSEndpoint"].lower()
        await one.apply(rates(SHOP))
        await eventually(lambda: is_programmed(one, "rates"))
        await one.quiet()
        assert not [note for type_, _, note in event_texts(one, "HTTPRoute", "rates") if type_ == "Warning"]
        assert not writes(one)
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))


async def test_what_waits_for_the_right_to_read_the_kind_is_done_when_it_is_there(tmp_path: Path) -> None:
    async with unread(tmp_path, rates(SHOP, name="former")) as (one, fault):
        await one.apply(rates(WEB))
        await eventually(lambda: is_programmed(one, "rates"))
        await one.patch("HTTPRoute", "former", {"spec": {"parentRefs": [{"name": "elsewhere"}]}})
        await eventually(lambda: served(one, WEB))
        await one.quiet()
        assert one.get("DNSEndpoint", "former-dns") is not None
        assert finalizers(one, "former"), "without it, nothing tells that there is an object of ours"
        one.kube.faults.remove(fault)
        await eventually(lambda: is_published(one, WEB))
        await eventually(lambda: is_absent(one, "former-dns"))
        await eventually(lambda: released(one, "former"))


async def test_who_may_not_read_the_kind_is_told_the_rest(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await eventually(lambda: checked(one))
        await one.quiet()
        one.kube.faults.forbid(RESOURCE)
        assert "Nothing to do" in await said_by(one, tmp_path, "plan", code=0)
        text = await said_by(one, tmp_path, "explain", "httproute", "rates", code=0)
        assert "DNS records rates: not known: DNSEndpoint" in " ".join(text.split())


async def test_a_kind_that_is_going_and_takes_no_new_objects_is_no_failure_of_a_route(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        one.kube.faults.fail(405, verb="create", resource=RESOURCE)
        await one.apply(rates(SHOP))
        await eventually(lambda: is_published(one, SHOP))
        assert not [note for type_, _, note in event_texts(one, "HTTPRoute", "rates") if type_ == "Warning"]


async def test_of_a_route_that_is_gone_it_is_not_remembered_that_its_object_was_refused(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        assert one.controller is not None
        unpublished = one.controller.work._env.unpublished
        one.kube.faults.forbid(RESOURCE, verb="create")
        await one.apply(rates(SHOP))
        await eventually(lambda: holds(bool(unpublished)))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))
        await eventually(lambda: holds(not unpublished))


def holds(condition: bool) -> None:
    assert condition


def served(one: World, hostname: str) -> None:
    assert [each.custom_domain for each in one.lattice.state.services] == [hostname]


def finalizers(one: World, name: str) -> list[str]:
    found = one.get("HTTPRoute", name)
    assert found is not None
    return list(found["metadata"].get("finalizers", ()))


def released(one: World, name: str) -> None:
    assert not finalizers(one, name)
