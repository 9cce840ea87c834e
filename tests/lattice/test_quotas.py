"""Quotas: what replaces something needs room for both, unless what goes may go first."""

import pytest
from msgspec.structs import replace

from controller.lattice.errors import RetryError, TerminalError
from controller.lattice.model import Match
from sandbox.lattice import Quotas
from tests.lattice.here import Here
from tests.lattice.world import group, listener, rule, service

pytestmark = pytest.mark.anyio

FULL = 2


@pytest.fixture
async def here() -> Here:
    """A service whose listener has as many rules as it may. The seed has the create sent before the delete."""
    made = Here(2)
    made.lattice.state.quotas = Quotas(rules_per_listener=FULL)
    await made.settle(wanted("/a", "/b"), [group("v1")])
    made.log.clear()
    return made


def wanted(*paths: str):
    rules = [replace(rule(path, "v1"), match=Match(path_exact=path)) for path in paths]
    return service(listener(*rules), networks=())


async def test_a_rule_that_goes_makes_room_for_another_that_serves_other_requests(here: Here) -> None:
    with pytest.raises(RetryError, match="tried again"):
        await here.service_pass(wanted("/b", "/c"))
    applied = await here.service_pass(wanted("/b", "/c"))
    assert applied.done
    assert here.lattice.writes == ["CreateRule", "DeleteRule", "CreateRule"]


async def test_a_rule_is_switched_to_another_group_though_the_quota_has_no_room_to_have_it_checked_before() -> None:
    here = Here(2)
    here.lattice.state.quotas = Quotas(target_groups_per_service=FULL)
    groups = [group(name, f"10.0.0.{n}") for n, name in enumerate(("v1", "v2", "v3"))]
    await here.settle(service(listener(rule("/a", "v1"), rule("/b", "v2")), networks=()), groups)
    here.log.clear()
    await here.settle(service(listener(rule("/a", "v1"), rule("/b", "v3")), networks=()), groups)
    assert here.lattice.writes == ["UpdateRule", "UpdateRule"], "the first is refused"


async def test_one_rule_too_many_is_refused_for_good(here: Here) -> None:
    with pytest.raises(TerminalError):
        await here.service_pass(wanted("/a", "/b", "/c"))
