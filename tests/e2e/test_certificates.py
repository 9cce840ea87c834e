"""Certificates: found in ACM by name, at a cost that does not grow, and taken away by nothing but a better one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.lattice.faults import Refuse
from sandbox.lattice.resources import Certificate, Service
from tests.e2e.harness import Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, route, rule, service
from tests.e2e.test_explain import said_by
from tests.e2e.test_lifecycle import conditions, nothing_in_lattice, ours, programmed

pytestmark = pytest.mark.anyio

HTTPS = listener("https", 443, "HTTPS", tls={"mode": "Terminate", "options": {"example.com/unused": "x"}})
NAME = "a.example.com"
DENIED = Refuse("AccessDeniedException", 400, "not authorized")


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is a moment."""
    monkeypatch.setattr("controller.reconcile.certificates.FRESH", 0.1)


async def apply_all(one: World, *routes: Json) -> None:
    one.make_network("my-hotel")
    objects = (gateway_class(), gateway("my-hotel", HTTPS), service("rates"), endpoints("rates", ["10.0.0.1"]))
    await one.apply(*objects, *(routes or (secured(),)))


def secured(name: str = "rates", hostname: str = NAME) -> Json:
    return route(name, rule(backend("rates")), hostnames=[hostname])


def served(one: World, hostname: str = NAME) -> Service:
    [found] = [each for each in one.lattice.state.services if each.custom_domain == hostname]
    return found


def certificate_of(one: World, hostname: str = NAME) -> str | None:
    return served(one, hostname).certificate_arn


def refused(one: World) -> None:
    assert conditions(ours(one))["Accepted"] == ("False", "CertificateNotFound")


async def test_a_service_gets_the_certificate_that_acm_has_for_its_name(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.lattice.state.add_certificate("*.example.com")
        exact = one.lattice.state.add_certificate(NAME)
        await apply_all(one)
        await one.start()
        await eventually(lambda: programmed(one))
        assert certificate_of(one) == exact.arn
        assert not {"DescribeCertificate", "ImportCertificate"} & one.lattice_calls().keys()


async def test_fifty_services_are_looked_up_by_one_call(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        wildcard = one.lattice.state.add_certificate("*.example.com")
        names = [f"r{number}" for number in range(50)]
        await apply_all(one, *(secured(name, f"{name}.example.com") for name in names))
        await one.start()
        await eventually(lambda: [programmed(one, name) for name in names])
        assert {each.certificate_arn for each in one.lattice.state.services} == {wildcard.arn}
        assert one.lattice_calls()["ListCertificates"] == 1


async def test_a_change_of_a_service_with_a_certificate_reads_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.lattice.state.add_certificate(NAME)
        await apply_all(one)
        await one.start()
        await eventually(lambda: programmed(one))
        await one.quiet()
        mark = one.lattice.calls.mark()
        await one.apply(route("rates", rule(backend("rates"), matches=[{"method": "GET"}]), hostnames=[NAME]))
        await eventually(lambda: one.lattice_calls(mark)["CreateRule"])
        await one.quiet()
        assert "ListCertificates" not in one.lattice_calls(mark)


async def test_a_fleet_without_custom_names_over_https_never_asks_acm(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await apply_all(one, route("rates", rule(backend("rates"))))
        await one.start()
        await eventually(lambda: programmed(one))
        await one.quiet()
        assert "ListCertificates" not in one.lattice_calls()


async def test_what_has_no_certificate_is_refused_until_there_is_one(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await apply_all(one)
        await one.start()
        await eventually(lambda: refused(one))
        [message] = [each["message"] for each in ours(one)["conditions"] if each["type"] == "Accepted"]
        assert NAME in message
        assert list(one.lattice.state.services) == []
        found = one.lattice.state.add_certificate(NAME)
        await eventually(lambda: programmed(one))
        assert certificate_of(one) == found.arn


async def test_a_refused_route_goes_without_a_trace(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await apply_all(one)
        await one.start()
        await eventually(lambda: refused(one))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: gone(one))
        nothing_in_lattice(one)


async def test_a_second_certificate_changes_nothing_and_takes_over_before_the_first_one_ends(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        first = one.lattice.state.add_certificate(NAME)
        await apply_all(one)
        await one.start()
        await eventually(lambda: programmed(one))
        second = one.lattice.state.add_certificate(NAME)
        await restarted(one)
        assert certificate_of(one) == first.arn
        first.not_after = (datetime.now(UTC) + timedelta(days=20)).timestamp()
        await restarted(one)
        assert certificate_of(one) == second.arn


async def test_a_service_whose_certificate_has_ended_goes_on_as_it_is_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        first = one.lattice.state.add_certificate(NAME)
        await apply_all(one)
        await one.start()
        await eventually(lambda: programmed(one))
        await one.stop()
        expire(first)
        await one.start()
        await eventually(lambda: refused(one))
        assert certificate_of(one) == first.arn
        assert len(one.lattice.state.target_groups) == 1


async def test_an_acm_that_cannot_be_asked_takes_nothing_away_and_holds_up_no_endpoint(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        first = one.lattice.state.add_certificate(NAME)
        await apply_all(one)
        await one.start()
        await eventually(lambda: programmed(one))
        one.lattice.faults.add("ListCertificates", Refuse())
        await one.stop()
        await one.start()
        await one.apply(endpoints("rates", ["10.0.0.2"]))
        await eventually(lambda: has_target(one, "10.0.0.2"))
        programmed(one)
        assert certificate_of(one) == first.arn


async def test_a_certificate_that_lattice_does_not_know_any_more_is_looked_for_again(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        first = one.lattice.state.add_certificate("*.example.com")
        await apply_all(one)
        await one.start()
        await eventually(lambda: programmed(one))
        await one.quiet()
        one.lattice.state.unregister(one.lattice.state.certificates.pop(first.arn))
        second = one.lattice.state.add_certificate("*.example.com")
        await one.apply(secured("more", "b.example.com"))
        await eventually(lambda: programmed(one, "more"))
        assert certificate_of(one, "b.example.com") == second.arn


async def test_a_role_that_may_not_ask_acm_is_told_what_to_allow(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.lattice.faults.add("ListCertificates", DENIED)
        await apply_all(one)
        await one.start()
        await eventually(lambda: told_of(one, "acm:ListCertificates"))


def told_of(one: World, words: str) -> None:
    [accepted] = [each for each in ours(one)["conditions"] if each["type"] == "Accepted"]
    assert (accepted["status"], accepted["reason"]) == ("Unknown", "Pending")
    assert words in accepted["message"]


def gone(one: World) -> None:
    assert one.get("HTTPRoute", "rates") is None


def expire(certificate: Certificate) -> None:
    certificate.not_after = (datetime.now(UTC) - timedelta(days=1)).timestamp()


async def restarted(one: World) -> None:
    await one.stop()
    await one.start()
    await one.quiet()


def has_target(one: World, ip: str) -> None:
    [group] = one.lattice.state.target_groups
    assert ip in {address for address, _ in group.targets}


async def test_plan_and_explain_foresee_what_acm_has(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await apply_all(one)
        planned = await said_by(one, tmp_path, "plan", "-o", "json", code=2)
        assert '"CertificateNotFound"' in planned
        assert '"CreateService"' not in planned
        told = await said_by(one, tmp_path, "explain", "httproute", "rates", code=2)
        assert "CertificateNotFound" in told
        found = one.lattice.state.add_certificate(NAME)
        planned = await said_by(one, tmp_path, "plan", "-o", "json", code=2)
        assert found.arn in planned
