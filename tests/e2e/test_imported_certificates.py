"""Certificates of Secrets, from the Secret to the service in VPC Lattice, and that their keys go nowhere else."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.lattice.faults import Refuse
from sandbox.lattice.resources import Certificate
from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grant,
    listener,
    namespace,
    route,
    rule,
    secret,
    service,
)
from tests.e2e.test_certificates import certificate_of, gone, refused
from tests.e2e.test_explain import said_by
from tests.e2e.test_lifecycle import gateway_status, programmed
from tests.support.certificates import Pair, issue, pem, rsa_key

pytestmark = pytest.mark.anyio

ON = {"IMPORT_CERTIFICATES": "true"}
NAME = "a.example.com"
FIRST = issue(NAME, authority=True)
SECOND = issue(NAME, key=rsa_key(number=1))


def of(pair: Pair, name: str = "shop", **more: str) -> Json:
    return secret(name, pair.certificate + pair.chain, pair.key, **more)


def https(**ref: str) -> Json:
    return listener("https", 443, "HTTPS", tls={"mode": "Terminate", "certificateRefs": [{"name": "shop", **ref}]})


async def apply_all(one: World, *more: Json, ref: Json | None = None) -> None:
    one.make_network("my-hotel")
    objects = (gateway_class(), gateway("my-hotel", ref or https()), service("rates"), endpoints("rates", ["10.0.0.1"]))
    await one.apply(*more, *objects, route("rates", rule(backend("rates")), hostnames=[NAME]))


@asynccontextmanager
async def serving(directory: Path) -> AsyncGenerator[World]:
    """A world with a service whose certificate was imported from the first Secret."""
    async with world(directory, settings=ON) as one:
        await apply_all(one, of(FIRST))
        await one.start()
        await eventually(lambda: programmed(one))
        yield one


def imported(one: World) -> Certificate:
    [certificate] = one.lattice.state.certificates.values()
    return certificate


def is_imported(one: World, pair: Pair) -> None:
    found = imported(one)
    assert (found.body, found.chain, found.private_key) == (pair.certificate, pair.chain, pair.key)
    assert found.tags[f"{PREFIX}ManagedBy"] == one.owner
    assert (found.tags[f"{PREFIX}SecretNamespace"], found.tags[f"{PREFIX}SecretName"]) == ("default", "shop")


def resolved(one: World, status: str, reason: str, words: str = "") -> None:
    [entry] = gateway_status(one)["listeners"]
    [told] = [each for each in entry["conditions"] if each["type"] == "ResolvedRefs"]
    assert (told["status"], told["reason"]) == (status, reason)
    assert words in told["message"]


def nothing_imported(one: World) -> None:
    assert not one.lattice.state.certificates


async def test_a_secret_is_imported_and_serves(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        is_imported(one, FIRST)
        assert certificate_of(one) == imported(one).arn
        await eventually(lambda: resolved(one, "True", "ResolvedRefs"))
        assert "ListCertificates" not in one.lattice_calls()


async def test_a_secret_that_changes_is_imported_anew_under_its_arn(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        before = imported(one).arn
        await one.apply(of(SECOND))
        await eventually(lambda: is_imported(one, SECOND))
        assert certificate_of(one) == imported(one).arn == before


async def test_a_secret_that_changed_meanwhile_is_imported_anew_by_the_next_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        before = imported(one).arn
        await one.stop()
        await one.apply(of(SECOND))
        await one.start()
        await eventually(lambda: is_imported(one, SECOND))
        assert imported(one).arn == before


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        await one.quiet()
        await one.stop()
        mark = one.lattice.calls.mark()
        await one.start()
        await one.quiet()
        assert not one.lattice.calls.writes(mark)


async def test_a_secret_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path, settings=ON) as one:
        await apply_all(one)
        await one.start()
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef", "no such Secret"))
        await eventually(lambda: refused(one))
        assert not one.lattice.state.services
        await one.apply(of(FIRST))
        await eventually(lambda: programmed(one))
        await eventually(lambda: resolved(one, "True", "ResolvedRefs"))


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (
            issue(NAME, ends=datetime.now(UTC) - timedelta(days=1), begins=datetime.now(UTC) - timedelta(days=9)),
            "ended",
        ),
        (Pair(FIRST.certificate, pem(rsa_key(number=1))), "not the key"),
        (Pair(b"nothing", FIRST.key), "PEM"),
    ],
    ids=["expired", "another key", "no PEM"],
)
async def test_a_secret_that_breaks_says_so_and_what_was_imported_goes_on(tmp_path: Path, pair: Pair, why: str) -> None:
    async with serving(tmp_path) as one:
        await one.apply(of(pair))
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef", why))
        await one.quiet()
        is_imported(one, FIRST)
        programmed(one)


async def test_a_secret_that_is_deleted_leaves_what_was_imported(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        await one.delete("Secret", "shop")
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef", "no such Secret"))
        await one.quiet()
        is_imported(one, FIRST)
        programmed(one)


async def test_what_nobody_refers_to_any_more_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.reconcile.imports.IN_USE", 0.1)
    async with world(tmp_path, settings=ON) as one:
        await apply_all(one, of(FIRST))
        theirs = one.lattice.state.add_certificate("b.example.com")
        await one.start()
        await eventually(lambda: programmed(one))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: gone(one))
        await one.apply(gateway("my-hotel", listener()))
        await eventually(lambda: only(one, theirs))


def only(one: World, certificate: Certificate) -> None:
    assert list(one.lattice.state.certificates.values()) == [certificate]


async def test_what_nobody_refers_to_any_more_is_removed_by_the_next_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: gone(one))
        await one.stop()
        await one.delete("Gateway", "my-hotel")
        await one.patch("Gateway", "my-hotel", {"metadata": {"finalizers": None}})
        await one.start()
        await eventually(lambda: nothing_imported(one))


async def test_another_certificate_takes_the_place_of_one_that_then_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.reconcile.imports.IN_USE", 0.1)
    async with world(tmp_path, settings=ON) as one:
        await apply_all(one, of(FIRST), of(SECOND, "new"))
        await one.start()
        await eventually(lambda: programmed(one))
        before = certificate_of(one)
        await one.apply(gateway("my-hotel", https(name="new")))
        await eventually(lambda: another(one, before))
        assert imported(one).body == SECOND.certificate


def another(one: World, before: str | None) -> None:
    assert certificate_of(one) == imported(one).arn != before


GRANT = grant("vault", "default", name="certificates", kind="Gateway", to="Secret")


async def test_a_secret_of_another_namespace_is_imported_when_it_is_granted_and_let_go_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.reconcile.imports.IN_USE", 0.1)
    async with world(tmp_path, settings=ON) as one:
        await one.apply(namespace("vault"))
        await apply_all(one, of(FIRST, namespace="vault"), ref=https(namespace="vault"))
        await one.start()
        await eventually(lambda: resolved(one, "False", "RefNotPermitted", "vault"))
        await eventually(lambda: refused(one))
        nothing_imported(one)
        await one.apply(GRANT)
        await eventually(lambda: programmed(one))
        await eventually(lambda: resolved(one, "True", "ResolvedRefs"))
        await one.delete("ReferenceGrant", "certificates", namespace="vault")
        await eventually(lambda: refused(one))
        await eventually(lambda: nothing_imported(one))


async def test_by_default_no_secret_is_read_and_the_listener_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        found = one.lattice.state.add_certificate(NAME)
        await apply_all(one, of(FIRST))
        await one.start()
        await eventually(lambda: programmed(one))
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef", "not read"))
        assert certificate_of(one) == found.arn
        assert not [each for each in one.kube.requests if each.resource == "secrets" and "lattice" in each.user_agent]


async def test_only_secrets_with_certificates_are_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path, settings=ON) as one:
        opaque = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "data": {}}
        await apply_all(one, {**opaque, "metadata": {"name": "shop", "namespace": "default"}})
        await one.start()
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef", "kubernetes.io/tls"))
        assert one.controller is not None
        stores = {
            each.kind: one.controller.work.cluster.informer(each).store
            for each in one.controller.work.cluster.resources
        }
        assert list(stores["Secret"].list()) == []


async def test_an_import_that_is_refused_tells_which_right_is_missing(tmp_path: Path) -> None:
    async with world(tmp_path, settings=ON) as one:
        one.lattice.faults.add("ImportCertificate", Refuse("AccessDeniedException", 400, "not authorized"))
        await apply_all(one, of(FIRST))
        await one.start()
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef", "acm:ImportCertificate"))
        await eventually(lambda: refused(one))


async def test_a_crash_between_import_and_service_leaves_nothing_twice(tmp_path: Path) -> None:
    async with world(tmp_path, settings=ON) as one:
        await apply_all(one, of(FIRST))
        await one.start()
        await eventually(lambda: is_imported(one, FIRST))
        await one.crash()
        await one.start()
        await eventually(lambda: programmed(one))
        is_imported(one, FIRST)
        assert one.lattice_calls()["ImportCertificate"] == 1


async def test_a_certificate_that_somebody_deleted_is_imported_again_when_it_is_missed(tmp_path: Path) -> None:
    async with serving(tmp_path) as one:
        before = imported(one).arn
        await one.quiet()
        one.lattice.state.unregister(one.lattice.state.certificates.pop(before))
        await one.apply(route("more", rule(backend("rates")), hostnames=["b.example.com"]))
        await eventually(lambda: programmed(one, "more"))
        assert imported(one).arn != before
        await eventually(lambda: another(one, before))


async def test_an_import_whose_answer_was_lost_leaves_one_certificate(tmp_path: Path) -> None:
    async with world(tmp_path, settings=ON) as one:
        one.lattice.faults.add("ImportCertificate", Refuse(after=True), times=4)
        await apply_all(one, of(FIRST))
        await one.start()
        await eventually(lambda: programmed(one))
        await eventually(lambda: is_imported(one, FIRST))
        assert certificate_of(one) == imported(one).arn


async def test_no_log_event_status_or_plan_has_anything_of_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPORT_CERTIFICATES", "true")
    caplog.set_level(logging.DEBUG, logger="controller")
    async with world(tmp_path, settings=ON) as one:
        await apply_all(one, of(FIRST))
        planned = await said_by(one, tmp_path, "plan", "-o", "json", code=2)
        await one.start()
        await eventually(lambda: programmed(one))
        await one.apply(of(Pair(FIRST.certificate, SECOND.key)))
        await eventually(lambda: resolved(one, "False", "InvalidCertificateRef"))
        told = [planned, caplog.text, *map(str, (*one.all("Event"), *one.all("Gateway"), *one.all("HTTPRoute")))]
        told += [repr(record.__dict__) for record in caplog.records]
        secrets = [line.decode() for pair in (FIRST, SECOND) for line in pair.key.splitlines()[1:-1]]
        assert [line for line in secrets for text in told if line in text] == []
        assert "ImportCertificate" in planned
        assert "ImportCertificate" in "".join(told[1:])
