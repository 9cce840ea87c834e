"""One resource, two keys: it passes from one to the other between their passes only, and nobody loses it unheard."""

from typing import Any

import anyio
import pytest

from controller.api.keys import Key, ServiceKey
from controller.lattice.apply import Applier
from controller.lattice.errors import SuspectError
from controller.lattice.inventory import Inventory, TakenError
from controller.lattice.inventory.mirror import Claims
from controller.lattice.inventory.turns import Turns
from controller.lattice.plan import plan_service
from tests.lattice.here import Here
from tests.lattice.world import IDENTITY, ROUTE, group, group_key, listener, rule, service

pytestmark = pytest.mark.anyio

NARROW = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel",))
WIDE = ServiceKey(kind="HTTPRoute", hostname="rates.example.com", networks=("my-hotel", "other"))
"""The same hostname's keys, offered through one network and through two."""


class Turning(Here):
    """A world whose inventory wakes keys."""

    def restart(self, **settings: Any) -> None:
        self.woken: list[Key] = []
        self.inventory = Inventory(self.client, IDENTITY, self.clock, wake=self.woken.append, **settings)
        self.applier = Applier(self.client, self.inventory)


@pytest.fixture
def here() -> Turning:
    return Turning()


def hostname_service(key: ServiceKey, *ports: int) -> Any:
    listeners = [listener(rule("/", owner=key), port=port) for port in ports]
    return service(*listeners, key=key, custom_domain=key.hostname, networks=key.networks)


async def test_who_wants_what_a_pass_uses_is_turned_away_and_woken_when_it_has_ended(here: Turning) -> None:
    await here.network()
    await here.network("other")
    await here.settle(hostname_service(NARROW, 80), key=NARROW)
    with here.inventory.pass_of(NARROW):
        await here.inventory.observe_service(NARROW, hostname_service(NARROW, 80, 8080))
        with pytest.raises(TakenError):
            await here.inventory.observe_service(WIDE, hostname_service(WIDE, 80))
        assert here.woken == []
        assert here.inventory.service(NARROW) is not None
    assert here.woken == [WIDE]


async def test_a_key_at_rest_that_loses_what_it_claimed_is_woken_to_see_it(here: Turning) -> None:
    await here.network()
    await here.network("other")
    await here.settle(hostname_service(NARROW, 80), key=NARROW)
    await here.settle(hostname_service(WIDE, 80), key=WIDE)
    assert here.woken == [NARROW]
    assert here.inventory.service(NARROW) is None


async def test_while_one_reads_a_service_that_may_become_its_own_nobody_works_on_it(here: Turning) -> None:
    await here.network()
    await here.network("other")
    await here.settle(hostname_service(NARROW, 80), key=NARROW)
    held = here.inventory.service(NARROW)
    assert held is not None
    here.inventory.mark_suspect(held.ref)
    reads, go_on = anyio.Event(), anyio.Event()
    call = here.client.call

    async def slow(operation: str, *arguments: Any, **more: Any) -> Any:
        if operation == "GetListener":
            reads.set()
            await go_on.wait()
        return await call(operation, *arguments, **more)

    here.client.call = slow

    async def wide() -> None:
        with here.inventory.pass_of(WIDE):
            await here.service_pass(hostname_service(WIDE, 80), WIDE)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wide)
        await reads.wait()
        with here.inventory.pass_of(NARROW), pytest.raises(TakenError):
            await here.service_pass(hostname_service(NARROW, 80, 8080), NARROW)
        go_on.set()
    assert NARROW in here.woken
    assert here.inventory.service(NARROW) is None
    found = here.inventory.service(WIDE)
    assert found is not None
    assert found.id == held.id


def test_what_was_created_is_not_claimed_while_another_key_that_met_its_name_reads_it() -> None:
    turns, claims = Turns(lambda _: None), Claims[ServiceKey]()
    with turns.pass_of(NARROW), turns.pass_of(WIDE):
        with turns.reading(WIDE, "svc-1"):
            turns.keep(claims, NARROW, "svc-1")
        assert claims.key_of("svc-1") is None
        turns.keep(claims, NARROW, "svc-1")
        assert claims.key_of("svc-1") == NARROW


async def test_listeners_of_a_pass_that_was_under_way_are_not_left_behind_by_the_key_that_follows(
    here: Turning,
) -> None:
    """The pass of the first key still creates a listener that the second does not want when it comes."""
    await here.network()
    await here.network("other")
    await here.settle(hostname_service(NARROW, 80), key=NARROW)

    async def narrow() -> None:
        with here.inventory.pass_of(NARROW):
            await here.service_pass(hostname_service(NARROW, 80, 8080), NARROW)

    async def wide() -> None:
        with here.inventory.pass_of(WIDE), pytest.raises(TakenError):
            await here.service_pass(hostname_service(WIDE, 80), WIDE)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(narrow)
        tasks.start_soon(wide)
    assert WIDE in here.woken
    await here.settle(hostname_service(WIDE, 80), key=WIDE)
    (one,) = here.lattice.state.services
    assert [each.port for each in one.listeners.values()] == [80]


async def test_a_group_that_is_being_deleted_is_not_taken_over_by_the_key_that_now_has_its_identity(
    here: Turning,
) -> None:
    of_one_port, of_another = group_key("parking"), group_key("parking", owner=NARROW)
    await here.settle(None, [group("parking", "10.0.0.1")])
    same = group("parking", "10.0.0.1", key=of_another)
    with here.inventory.pass_of(of_one_port):
        await here.inventory.observe_target_group(of_one_port, None)
        with pytest.raises(TakenError):
            await here.inventory.observe_target_group(of_another, same)
    assert here.woken == [of_another]


async def test_a_group_that_its_deleting_key_found_by_its_id_is_not_taken_over_meanwhile(here: Turning) -> None:
    await here.settle(None, [group("parking", "10.0.0.1")])
    here.restart()
    await here.inventory.ensure_loaded()
    (left,) = here.inventory.target_groups_of(ROUTE)
    with here.inventory.pass_of(left):
        assert await here.inventory.observe_target_group(left, None) is not None
        with pytest.raises(TakenError):
            await here.inventory.observe_target_group(group_key("parking"), group("parking"))


async def test_what_was_created_stays_with_who_met_its_name_before_the_answer_and_is_at_work_on_it(
    here: Turning,
) -> None:
    await here.settle(None, [group("parking")])
    (one,) = here.lattice.state.target_groups
    with here.inventory.pass_of(group_key("parking")):
        answer = {"id": one.id, "arn": one.arn, "name": one.name, "status": "ACTIVE"}
        late = group_key("parking", owner=NARROW)
        here.inventory.record("CreateTargetGroup", {"name": one.name, "tags": dict(one.tags)}, answer, late)
        assert here.inventory.target_group(late) is None
        assert here.inventory.target_group(group_key("parking")) is not None


async def test_what_points_to_something_that_has_gone_is_not_sent_but_planned_again(here: Turning) -> None:
    await here.network()
    await here.settle(hostname_service(NARROW, 80), key=NARROW)
    observed = await here.inventory.observe_service(NARROW, hostname_service(NARROW, 80, 8080))
    plan = plan_service(hostname_service(NARROW, 80, 8080), observed, here.inventory.context(here.now))
    here.lattice.wrote = lambda: here.inventory.absent("DeleteService", {"serviceIdentifier": one.id})
    (one,) = here.lattice.state.services
    here.log.clear()
    with pytest.raises(SuspectError, match="gone"):
        await here.applier.apply(plan, key=NARROW)
    assert here.log == ["CreateListener"]
