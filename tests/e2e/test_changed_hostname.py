"""A route's hostname changes: what serves the old one stays until the new one's service is complete."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.lattice import Quotas, Refuse
from sandbox.lattice.resources import Service
from tests.e2e.bad_input_seen import condition, is_gone, is_programmed
from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, parent, prefix, route, rule, service
from tests.e2e.test_convergence import check_empty, check_lattice, settled

pytestmark = pytest.mark.anyio

OLD, NEW = "old.example.com", "new.example.com"
HTTPS = listener("https", 443, "HTTPS", tls={"mode": "Terminate", "options": {"example.com/unused": "x"}})
FAILS = Refuse()


@asynccontextmanager
async def hotel(directory: Path, *listeners: Json, **more: Any) -> AsyncGenerator[World]:
    """A world with the route `rates` of the old hostname, programmed."""
    async with world(directory, **more) as one:
        one.make_network("my-hotel")
        one.lattice.state.add_certificate(OLD)
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel", *listeners))
        await one.apply(service("rates"), endpoints("rates", ["10.0.0.1"]))
        await one.apply(route("rates", rule(backend("rates")), hostnames=[OLD]))
        await eventually(lambda: is_programmed(one, "rates"))
        await one.quiet()
        yield one


async def rename(one: World, *hostnames: str) -> None:
    await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": list(hostnames) or None}})


def of(one: World, hostname: str) -> Service:
    [found] = [each for each in one.lattice.state.services if each.custom_domain == hostname]
    return found


def rules_of(one: World, hostname: str) -> list[str]:
    rules = [each for listener in of(one, hostname).listeners.values() for each in listener.rules.values()]
    return [f"{each.id} {each.match} {[(to.id, weight) for to, weight in each.action.forward]}" for each in rules]


def targets(one: World) -> list[list[str]]:
    return sorted(sorted(target.id for target in group.targets.values()) for group in one.lattice.state.target_groups)


def domains(one: World) -> set[str | None]:
    return {each.custom_domain for each in one.lattice.state.services}


async def tried(one: World, call: str, times: int = 1) -> None:
    """Return when a call that is refused was tried so many times more."""
    mark = one.lattice.calls.mark()

    def check() -> None:
        assert one.lattice_calls(mark).get(call, 0) >= times

    await eventually(check)


@pytest.mark.parametrize("hostnames", [[NEW], []], ids=["another", "none"])
async def test_the_old_service_goes_after_all_of_the_new_one_is_there(tmp_path: Path, hostnames: list[str]) -> None:
    async with hotel(tmp_path) as one:
        mark = one.lattice.calls.mark()
        await rename(one, *hostnames)
        await settled(one, check_lattice)
        calls = [record.operation for record in one.lattice.calls.since(mark)]
        first = min(place for place, call in enumerate(calls) if call.startswith("Delete"))
        made = {"CreateService", "CreateServiceNetworkServiceAssociation", "CreateListener", "CreateRule"}
        assert made <= set(calls[:first])
        assert made.isdisjoint(calls[first:])


@pytest.mark.parametrize("what", ["CreateListener", "CreateServiceNetworkServiceAssociation", "CreateTargetGroup"])
async def test_it_stays_as_it_is_while_a_part_of_the_new_one_cannot_be_made(tmp_path: Path, what: str) -> None:
    async with hotel(tmp_path) as one:
        before = rules_of(one, OLD), of(one, OLD).id
        refused = one.lattice.faults.add(what, FAILS)
        await rename(one, NEW)
        await tried(one, what, 2)
        assert (rules_of(one, OLD), of(one, OLD).id) == before
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)
        assert domains(one) == {NEW}


async def test_so_it_does_where_the_new_one_is_to_be_in_a_network_that_is_missing_and_the_route_says_so(
    tmp_path: Path,
) -> None:
    def pending() -> None:
        accepted = condition(one, "Accepted", "rates")
        assert (accepted["status"], accepted["reason"]) == ("Unknown", "Pending")
        assert "no service network named inn" in accepted["message"]
        assert OLD in accepted["message"]

    async with hotel(tmp_path) as one:
        before = rules_of(one, OLD), of(one, OLD).id
        await one.apply(gateway("inn"))
        await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": [NEW], "parentRefs": [parent("inn")]}})
        await eventually(pending)
        await eventually(lambda: rules_of(one, NEW)[0])
        await tried(one, "ListServiceNetworks")
        assert (rules_of(one, OLD), of(one, OLD).id) == before
        assert of(one, OLD).associations
        one.make_network("inn")
        await eventually(lambda: alone(one, NEW))


async def test_so_it_does_across_a_restart(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        refused = one.lattice.faults.add("CreateListener", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateListener")
        before = rules_of(one, OLD)
        await one.crash()
        await one.start()
        await tried(one, "CreateListener")
        assert rules_of(one, OLD) == before
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)
        assert domains(one) == {NEW}


def alone(one: World, hostname: str) -> None:
    assert domains(one) == {hostname}
    assert len(one.lattice.state.target_groups) == 1


def is_told(one: World, reason: str, words: str) -> Json:
    """Why its new hostname is not served; the condition that says so."""
    accepted = condition(one, "Accepted", "rates")
    assert (accepted["status"], accepted["reason"]) == ("False", reason)
    assert words in accepted["message"]
    return accepted


def lacks_certificate(one: World) -> None:
    before = f"goes on serving what the route asked for before: hostname {OLD}."
    accepted = is_told(one, "CertificateNotFound", before)
    assert accepted["observedGeneration"] == one.get("HTTPRoute", "rates")["metadata"]["generation"]  # type: ignore[index]


@pytest.mark.parametrize("restarted", [False, True])
async def test_without_a_certificate_the_old_one_stays_and_follows_its_pods(
    tmp_path: Path, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.reconcile.certificates.FRESH", 0.1)
    async with hotel(tmp_path, HTTPS) as one:
        await rename(one, NEW)
        await eventually(lambda: lacks_certificate(one))
        if restarted:
            await one.crash()
            await one.start()
        await one.apply(endpoints("rates", ["10.0.0.2", "10.0.0.3"]))
        await eventually(lambda: targets(one).index(["10.0.0.2", "10.0.0.3"]))
        await eventually(lambda: lacks_certificate(one))
        assert domains(one) == {OLD}
        one.lattice.state.add_certificate(NEW)
        await eventually(lambda: is_programmed(one, "rates"))
        await eventually(lambda: alone(one, NEW))
        assert OLD not in condition(one, "Accepted", "rates")["message"]


async def test_a_name_that_is_taken_leaves_the_old_one(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        one.lattice.faults.add(
            "CreateServiceNetworkServiceAssociation", Refuse("ValidationException", 400, "the name is taken")
        )
        await rename(one, NEW)
        await eventually(lambda: is_told(one, "Invalid", f"before: hostname {OLD}."))
        assert rules_of(one, OLD)


async def test_going_back_keeps_the_service_as_it_is(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        kept = of(one, OLD).id
        one.lattice.faults.add("CreateListener", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateListener")
        await rename(one, OLD)
        await settled(one, check_lattice)
        assert of(one, OLD).id == kept
        assert domains(one) == {OLD}


@pytest.mark.parametrize("hostnames", [[], [NEW, OLD], [NEW, "third.example.com"]])
async def test_hostnames_come_and_go(tmp_path: Path, hostnames: list[str]) -> None:
    async with hotel(tmp_path) as one:
        await rename(one, *hostnames)
        await settled(one, check_lattice)
        await rename(one, OLD)
        await settled(one, check_lattice)
        await rename(one)
        await settled(one, check_lattice)


async def test_going_back_while_the_old_one_is_taken_apart_waits_until_it_is_complete_again(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        stuck = one.lattice.faults.add("DeleteService", FAILS)
        await rename(one, NEW)
        await tried(one, "DeleteService")
        assert not of(one, OLD).associations
        refused = one.lattice.faults.add("CreateServiceNetworkServiceAssociation", FAILS)
        await rename(one, OLD)
        await tried(one, "CreateServiceNetworkServiceAssociation")
        assert of(one, NEW).associations
        one.lattice.faults.remove(stuck)
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)
        assert domains(one) == {OLD}


async def test_a_deleted_route_takes_both_with_it(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        one.lattice.faults.add("CreateListener", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateListener")
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))
        await settled(one, check_empty)


async def test_whoever_asks_for_the_old_hostname_gets_it(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        refused = one.lattice.faults.add(
            "CreateListener", FAILS, when=lambda params: params["serviceIdentifier"] == of(one, NEW).id
        )
        await rename(one, NEW)
        await tried(one, "CreateListener")
        await one.apply(gateway("annex"))
        one.make_network("annex")
        both = [{"name": "my-hotel"}, {"name": "annex"}]
        await one.apply(route("heir", rule(backend("rates")), hostnames=[OLD], parents=both))
        await eventually(lambda: is_programmed(one, "heir"))
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)


async def test_a_pause_in_the_middle_keeps_both(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        refused = one.lattice.faults.add("CreateListener", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateListener")
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}paused": "true"}}})
        await one.quiet()
        one.lattice.faults.remove(refused)
        await one.crash()
        mark = one.lattice.calls.mark()
        await one.start()
        await one.quiet()
        assert one.lattice.calls.writes(mark) == []
        assert domains(one) == {OLD, NEW}
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}paused": None}}})
        await settled(one, check_lattice)
        assert domains(one) == {NEW}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_service_that_another_route_has_already_is_waited_for_until_it_has_this_ones_rules(
    tmp_path: Path, restarted: bool
) -> None:
    async with hotel(tmp_path) as one:
        await one.apply(route("other", rule(backend("rates"), matches=[prefix("/other")]), hostnames=[NEW]))
        await eventually(lambda: is_programmed(one, "other"))
        await one.quiet()
        before = rules_of(one, OLD)
        refused = one.lattice.faults.add("CreateRule", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateRule", 2)
        if restarted:
            await one.crash()
            await one.start()
            await tried(one, "CreateRule")
        assert rules_of(one, OLD) == before
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)
        assert domains(one) == {NEW}


async def test_so_it_is_when_the_route_had_its_rules_there_once(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.apply(route("other", rule(backend("rates"), matches=[prefix("/other")]), hostnames=[NEW]))
        await rename(one, OLD, NEW)
        await settled(one, check_lattice)
        await rename(one, OLD)
        await settled(one, check_lattice)
        one.lattice.faults.add("CreateRule", FAILS)
        before = rules_of(one, OLD)
        await rename(one, NEW)
        await tried(one, "CreateRule", 2)
        assert rules_of(one, OLD) == before
        one.lattice.faults.clear()
        await settled(one, check_lattice)
        assert domains(one) == {NEW}


async def test_who_has_the_old_hostname_elsewhere_does_not_end_the_stay(tmp_path: Path) -> None:
    """A route of another controller, one on another network, and one that is refused."""
    async with hotel(tmp_path) as one:
        one.make_network("annex")
        await one.apply(gateway_class("nginx", "example.com/nginx"), gateway("proxy", gateway_class_name="nginx"))
        await one.apply(gateway("annex"))
        for name, parents in (("theirs", "proxy"), ("far", "annex"), ("lost", "missing")):
            await one.apply(route(name, rule(backend("rates")), hostnames=[OLD], parents=[parent(parents)]))
        await eventually(lambda: is_programmed(one, "far"))
        (kept,) = [each.id for each in one.lattice.state.services if each.name.startswith("rates")]
        refused = one.lattice.faults.add("CreateListener", FAILS)
        await rename(one, NEW)
        await tried(one, "CreateListener", 2)
        assert kept in {each.id for each in one.lattice.state.services}
        one.lattice.faults.remove(refused)
        await settled(one, check_lattice)
        assert kept not in {each.id for each in one.lattice.state.services}


async def test_at_a_quota_of_the_region_the_old_one_stays_and_the_route_is_told_the_way_out(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        one.lattice.state.quotas = Quotas(services=1)
        before = rules_of(one, OLD)
        await rename(one, NEW)
        words = f"before: hostname {OLD}. That counts too, if it is a quota of the region"
        await eventually(lambda: is_told(one, "QuotaExceeded", words))
        assert rules_of(one, OLD) == before
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))
        await one.apply(route("rates", rule(backend("rates")), hostnames=[NEW]))
        await eventually(lambda: is_programmed(one, "rates"))
        assert domains(one) == {NEW}
