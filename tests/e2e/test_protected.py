"""What protects from deletion keeps what a deleted route has in Lattice, and nothing else, until it may go."""

from pathlib import Path

import pytest

from tests.e2e.bad_input_seen import event_texts, is_gone, is_programmed
from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service
from tests.e2e.observed import groups, services

pytestmark = pytest.mark.anyio

PROTECT = {"PROTECT_FROM_DELETION": "true"}
ALLOW = {"metadata": {"annotations": {f"{PREFIX}allow-deletion": "true"}}}


async def prepare(one: World) -> None:
    one.make_network("my-hotel")
    await one.start()
    await one.apply(gateway_class(), gateway("my-hotel"))
    for name, address in (("parking", "10.0.0.1"), ("review", "10.0.0.2")):
        await one.apply(service(name), endpoints(name, [address]))
    await one.apply(route("rates", rule(backend("parking"))))
    await eventually(lambda: is_programmed(one, "rates"))
    await one.quiet()


def told(one: World) -> bool:
    return any(reason == "DeletionProtected" for _, reason, _ in event_texts(one, "HTTPRoute", "rates"))


async def test_a_deleted_route_serves_on_until_its_deletion_is_allowed_also_over_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, settings=PROTECT) as one:
        await prepare(one)
        before, mark = (services(one.lattice), groups(one.lattice)), one.lattice.calls.mark()
        await one.delete("HTTPRoute", "rates")
        await one.quiet()
        await one.crash()
        await one.start()
        await one.quiet()
        assert one.lattice.calls.writes(mark) == []
        assert (services(one.lattice), groups(one.lattice)) == before
        assert one.get("HTTPRoute", "rates") is not None
        assert told(one)
        await one.patch("HTTPRoute", "rates", ALLOW)
        await eventually(lambda: is_gone(one, "rates"))


async def test_a_deletion_that_was_allowed_before_goes_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, settings=PROTECT) as one:
        await prepare(one)
        await one.patch("HTTPRoute", "rates", ALLOW)
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))
        assert not told(one)


async def test_a_changed_route_loses_what_it_does_not_ask_for_any_more(tmp_path: Path) -> None:
    async with world(tmp_path, settings=PROTECT) as one:
        await prepare(one)
        [parking] = groups(one.lattice)
        await one.patch("HTTPRoute", "rates", {"spec": {"rules": [rule(backend("review"))]}})
        await eventually(lambda: replaced(one, parking))


def replaced(one: World, group: str) -> None:
    assert len(groups(one.lattice)) == 1
    assert group not in groups(one.lattice)
