"""DNSEndpoints, of which external-dns makes records: what a route publishes, for how long, and what it leaves alone."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.kube.bundled import bundled_crds
from sandbox.lattice import Refuse
from tests.e2e.bad_input_seen import event_texts, is_gone, is_programmed, leaves_lattice_alone
from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, route, rule, service, tls_route
from tests.e2e.test_paused import PAUSED
from tests.support.external_dns import DEFINITION, NAME

pytestmark = pytest.mark.anyio

SHOP, WEB, API = "shop.example.com", "web.example.com", "api.example.com"
TLS = listener("tls", 8443, "TLS", tls={"mode": "Passthrough"})


@asynccontextmanager
async def hotel(directory: Path, *objects: Json, installed: bool = True) -> AsyncGenerator[World]:
    """A world with a Gateway and a Service, where external-dns's kind is installed, and a controller at work."""
    definitions = [*bundled_crds(), *([DEFINITION] if installed else [])]
    async with world(directory, crds=definitions) as one:
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway("my-hotel", listener(), TLS))
        await one.apply(service("parking"), endpoints("parking", ["10.0.0.1"]), *objects)
        await one.start()
        yield one


def rates(*hostnames: str, name: str = "rates", **more: Any) -> Json:
    return route(
        name,
        rule(backend("parking")),
        parents=[{"name": "my-hotel", "sectionName": "http"}],
        hostnames=hostnames,
        **more,
    )


def sealed(hostname: str) -> Json:
    """A route of another kind with the same name."""
    return tls_route("rates", hostname, backend("parking"), parents=[{"name": "my-hotel", "sectionName": "tls"}])


def domain(one: World, hostname: str) -> str:
    """What Lattice assigned to the service of this hostname."""
    (made,) = (each for each in one.lattice.state.services if each.custom_domain == hostname)
    return str(made.domain)


def published(one: World, name: str = "rates-dns") -> dict[str, list[str]]:
    """The records of an object, of which each is as all are."""
    obj = one.get("DNSEndpoint", name)
    assert obj is not None, [each["metadata"]["name"] for each in one.all("DNSEndpoint")]
    records = obj["spec"]["endpoints"]
    assert all((each["recordType"], each["recordTTL"]) == ("CNAME", 300) for each in records)
    return {each["dnsName"]: each["targets"] for each in records}


def is_published(one: World, *hostnames: str, name: str = "rates-dns") -> None:
    assert published(one, name) == {hostname: [domain(one, hostname)] for hostname in hostnames}


def is_absent(one: World, name: str = "rates-dns") -> None:
    assert one.get("DNSEndpoint", name) is None


def writes(one: World, since: int = 0) -> Counter[str]:
    """The controller's writes of DNSEndpoints."""
    found = one.kubernetes_writes(since)
    return Counter(each.verb for each in found if each.resource.startswith("dnsendpoints"))


def refusals(one: World, kind: str, name: str) -> list[str]:
    return [note for _, reason, note in event_texts(one, kind, name) if reason == "FailedDeployModel"]


def owned(owner: Mapping[str, Any] | None, *records: Json, name: str = "rates-dns") -> Json:
    """An object as others make it; with an owner, as the AWS Gateway API Controller does."""
    meta: Json = {"name": name, "namespace": "default"}
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": "gateway.networking.k8s.io/v1beta1",
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return {
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": "DNSEndpoint",
        "metadata": meta,
        "spec": {"endpoints": list(records)},
    }


def cname(hostname: str, target: str, **more: Any) -> Json:
    return {"dnsName": hostname, "recordType": "CNAME", "recordTTL": 300, "targets": [target], **more}


# What is published


async def test_each_hostname_leads_to_the_domain_of_its_service_and_costs_one_write(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        await one.apply(rates(SHOP, WEB))
        await eventually(lambda: is_published(one, SHOP, WEB))
        await one.quiet()
        made = one.get("DNSEndpoint", "rates-dns")
        of = one.get("HTTPRoute", "rates")
        assert made is not None
        assert of is not None
        assert made["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "name": "rates",
                "uid": of["metadata"]["uid"],
                "controller": True,
            }
        ]
        assert sum(writes(one).values()) <= 2, "one for each service that is programmed, at most"
        since = len(one.kube.requests)
        await one.apply(endpoints("parking", ["10.0.0.1", "10.0.0.2"]))
        await one.apply(rates(WEB, SHOP))
        await one.quiet()
        assert not writes(one, since)


@pytest.mark.parametrize("end", ["stop", "crash"])
async def test_a_restart_writes_nothing(tmp_path: Path, end: str) -> None:
    async with hotel(tmp_path, rates(SHOP, WEB), rates(SHOP, name="second")) as one:
        await eventually(lambda: is_published(one, SHOP, WEB))
        await eventually(lambda: is_programmed(one, "second"))
        await one.quiet()
        since = len(one.kube.requests)
        await (one.stop() if end == "stop" else one.crash())
        await one.start()
        await one.quiet()
        assert not one.kubernetes_writes(since)


async def test_a_route_without_a_hostname_publishes_nothing(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates()) as one:
        await eventually(lambda: is_programmed(one, "rates"))
        await one.quiet()
        assert one.all("DNSEndpoint") == []


async def test_a_hostname_without_a_service_has_no_record(tmp_path: Path) -> None:
    async with hotel(tmp_path) as one:
        refused = one.lattice.faults.add("CreateService", Refuse("AccessDeniedException", 403, "not allowed"))
        await one.apply(rates(SHOP))
        await eventually(lambda: _refused(one))
        await leaves_lattice_alone(one)
        assert one.all("DNSEndpoint") == []
        one.lattice.faults.remove(refused)
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}tags": "a=b"}}})
        await eventually(lambda: is_published(one, SHOP))


def _refused(one: World) -> None:
    assert [call for call in one.lattice.calls if call.error and call.operation == "CreateService"]


def _told(one: World) -> None:
    assert refusals(one, "HTTPRoute", "rates")


# Changes


async def test_a_changed_hostname_keeps_its_record_until_the_new_one_is_served(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.quiet()
        before, since = published(one), len(one.kube.requests)
        refused = one.lattice.faults.add("CreateService", Refuse("AccessDeniedException", 403, "not allowed"))
        await one.apply(rates(WEB))
        await eventually(lambda: _refused(one))
        await leaves_lattice_alone(one)
        assert published(one) == before
        one.lattice.faults.remove(refused)
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {f"{PREFIX}tags": "a=b"}}})
        await eventually(lambda: is_published(one, WEB))
        await one.quiet()
        assert writes(one, since).keys() == {"patch"}


async def test_the_record_goes_with_the_last_hostname(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP, WEB)) as one:
        await eventually(lambda: is_published(one, SHOP, WEB))
        await one.apply(rates(WEB))
        await eventually(lambda: is_published(one, WEB))
        await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": None}})
        await eventually(lambda: is_absent(one))
        await one.quiet()
        assert writes(one)["delete"] == 1


async def test_the_record_goes_when_no_parent_accepts_the_route_any_more(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.apply(gateway("my-hotel", listener("other", 8080)))
        await eventually(lambda: is_absent(one))
        await one.apply(gateway("my-hotel", listener()))
        await eventually(lambda: is_published(one, SHOP))


async def test_a_route_that_moves_to_another_controller_takes_its_record_back_first(tmp_path: Path) -> None:
    elsewhere = gateway_class("other", "example.com/other"), gateway("theirs", gateway_class_name="other")
    async with hotel(tmp_path, rates(SHOP), *elsewhere) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.patch("HTTPRoute", "rates", {"spec": {"parentRefs": [{"name": "theirs"}]}})
        await eventually(lambda: is_absent(one))
        await eventually(lambda: _without_finalizer(one))
        theirs = owned(one.get("HTTPRoute", "rates"), cname(SHOP, "theirs.example.net"))
        await one.apply(theirs)
        await one.stop()
        await one.start()
        await one.quiet()
        assert published(one) == {SHOP: ["theirs.example.net"]}


def _without_finalizer(one: World) -> None:
    of = one.get("HTTPRoute", "rates")
    assert of is not None
    assert not of["metadata"].get("finalizers")


async def test_what_is_paused_keeps_its_records(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {PAUSED: "true"}}})
        await one.patch("HTTPRoute", "rates", {"spec": {"hostnames": None}})
        await one.quiet()
        is_published(one, SHOP)
        await one.patch("HTTPRoute", "rates", {"metadata": {"annotations": {PAUSED: None}}})
        await eventually(lambda: is_absent(one))


async def test_a_deleted_route_takes_its_records_with_it(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))
        await eventually(lambda: is_absent(one))
        assert writes(one) == {"create": 1}
        await one.apply(rates(SHOP))
        await eventually(lambda: is_published(one, SHOP))


async def test_what_is_changed_or_deleted_by_hand_is_put_right(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.delete("DNSEndpoint", "rates-dns")
        await eventually(lambda: is_published(one, SHOP))
        of = one.get("DNSEndpoint", "rates-dns")
        assert of is not None
        more = {"providerSpecific": [{"name": "aws/weight", "value": "100"}], "setIdentifier": "blue"}
        wrong = [cname(SHOP, "elsewhere.example.net", **more), cname(WEB, "elsewhere.example.net")]
        await one.patch("DNSEndpoint", "rates-dns", {"spec": {"endpoints": wrong}})
        await eventually(lambda: is_published(one, SHOP))
        of = one.get("DNSEndpoint", "rates-dns")
        assert of is not None
        assert of["spec"]["endpoints"] == [cname(SHOP, domain(one, SHOP), **more)]


async def test_what_external_dns_says_of_an_object_is_no_change(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.quiet()
        since = len(one.kube.requests)
        await one.patch("DNSEndpoint", "rates-dns", {"status": {"observedGeneration": 1}}, sub="status")
        await one.quiet()
        assert not one.kubernetes_writes(since)


# Shared services


async def test_of_routes_that_share_a_service_the_oldest_publishes(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP, name="a")) as one:
        await eventually(lambda: is_published(one, SHOP, name="a-dns"))
        await one.apply(rates(SHOP, WEB, name="b"))
        await eventually(lambda: is_published(one, WEB, name="b-dns"))
        await one.quiet()
        is_published(one, SHOP, name="a-dns")


@pytest.mark.parametrize("restart", [False, True], ids=["live", "while nobody is there"])
async def test_when_the_oldest_goes_the_next_has_the_record_before(tmp_path: Path, restart: bool) -> None:
    async with hotel(tmp_path, rates(SHOP, name="a")) as one:
        await eventually(lambda: is_published(one, SHOP, name="a-dns"))
        await one.apply(rates(SHOP, name="b"))
        await eventually(lambda: is_programmed(one, "b"))
        await one.quiet()
        if restart:
            await one.crash()
        since = len(one.kube.requests)
        await one.delete("HTTPRoute", "a")
        if restart:
            await one.start()
        await eventually(lambda: is_gone(one, "a"))
        is_published(one, SHOP, name="b-dns")
        is_absent(one, "a-dns")
        order = [(each.resource.partition(".")[0], each.verb) for each in one.kubernetes_writes(since)]
        assert order.index(("dnsendpoints", "create")) < max(
            place for place, each in enumerate(order) if each == ("httproutes", "patch")
        ), "the record was there before the finalizer went"


async def test_a_route_that_leaves_keeps_the_record_until_the_next_has_it(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP, name="a")) as one:
        await eventually(lambda: is_published(one, SHOP, name="a-dns"))
        await one.apply(rates(SHOP, name="b"))
        await eventually(lambda: is_programmed(one, "b"))
        await one.quiet()
        since = len(one.kube.requests)
        await one.apply(rates(name="a"))
        await eventually(lambda: is_absent(one, "a-dns"))
        is_published(one, SHOP, name="b-dns")
        assert [each.verb for each in one.kubernetes_writes(since) if each.resource.startswith("dns")] == [
            "create",
            "delete",
        ]
        await one.apply(rates(SHOP, name="a"))
        await eventually(lambda: is_absent(one, "b-dns"))
        is_published(one, SHOP, name="a-dns")


async def test_two_routes_exchange_their_hostnames(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP, name="a"), rates(WEB, name="b")) as one:
        await eventually(lambda: is_published(one, SHOP, name="a-dns"))
        await eventually(lambda: is_published(one, WEB, name="b-dns"))
        await one.patch("HTTPRoute", "a", {"spec": {"hostnames": [WEB]}})
        await one.patch("HTTPRoute", "b", {"spec": {"hostnames": [SHOP]}})
        await eventually(lambda: is_published(one, WEB, name="a-dns"))
        await eventually(lambda: is_published(one, SHOP, name="b-dns"))
        await one.quiet()


# Names that others have


async def test_an_object_of_somebody_else_is_left_alone_and_told(tmp_path: Path) -> None:
    async with hotel(tmp_path, owned(None, cname("by.hand.example.com", "elsewhere.example.net"))) as one:
        await one.apply(rates(SHOP))
        await eventually(lambda: _told(one))
        assert (
            "DNSEndpoint default/rates-dns is not this route's but somebody else's"
            in (refusals(one, "HTTPRoute", "rates")[0])
        )
        await one.quiet()
        assert published(one) == {"by.hand.example.com": ["elsewhere.example.net"]}
        assert not writes(one)
        await one.delete("DNSEndpoint", "rates-dns")
        await eventually(lambda: is_published(one, SHOP))


async def test_a_route_whose_name_is_taken_leaves_the_record_to_the_next(tmp_path: Path) -> None:
    async with hotel(tmp_path, owned(None, name="a-dns"), rates(SHOP, name="a")) as one:
        await eventually(lambda: is_programmed(one, "a"))
        await one.apply(rates(SHOP, name="b"))
        await eventually(lambda: is_published(one, SHOP, name="b-dns"))
        await one.delete("DNSEndpoint", "a-dns")
        await eventually(lambda: is_published(one, SHOP, name="a-dns"))
        await eventually(lambda: is_absent(one, "b-dns"))


async def test_what_another_controller_made_for_the_route_is_kept(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.quiet()
        await one.stop()
        await one.delete("DNSEndpoint", "rates-dns")
        await one.apply(owned(one.get("HTTPRoute", "rates"), cname(SHOP, domain(one, SHOP))))
        kept, since = one.get("DNSEndpoint", "rates-dns"), len(one.kube.requests)
        await one.start()
        await one.quiet()
        assert not one.kubernetes_writes(since)
        await one.apply(rates(SHOP, WEB))
        await eventually(lambda: is_published(one, SHOP, WEB))
        now = one.get("DNSEndpoint", "rates-dns")
        assert kept is not None
        assert now is not None
        assert now["metadata"]["ownerReferences"] == kept["metadata"]["ownerReferences"]


async def test_routes_of_two_kinds_with_one_name_have_an_object_each(tmp_path: Path) -> None:
    async with hotel(tmp_path, sealed(API)) as one:
        await eventually(lambda: is_published(one, API))
        await one.apply(rates(SHOP))
        await eventually(lambda: is_published(one, SHOP, name="rates-httproute-dns"))
        is_published(one, API)
        await one.delete("TLSRoute", "rates")
        await eventually(lambda: is_absent(one))
        await one.stop()
        since = len(one.kube.requests)
        await one.start()
        await one.quiet()
        is_published(one, SHOP, name="rates-httproute-dns")
        assert not one.kubernetes_writes(since)


async def test_two_kinds_at_once(tmp_path: Path) -> None:
    async with hotel(tmp_path, sealed(API), rates(SHOP)) as one:

        def both() -> None:
            found = {name: published(one, name) for name in {obj["metadata"]["name"] for obj in one.all("DNSEndpoint")}}
            assert "rates-dns" in found
            assert sorted(hostname for records in found.values() for hostname in records) == [API, SHOP]
            assert len(found) == 2

        await eventually(both)
        await one.quiet()
        both()


async def test_names_that_are_too_long_are_shortened(tmp_path: Path) -> None:
    names = ["a" * 252 + last for last in "xy"]
    hosts = (SHOP, WEB)
    async with hotel(tmp_path) as one:
        for name, host, last in zip(names, hosts, "xy", strict=True):
            await one.apply(rates(host, name=name, annotations={f"{PREFIX}service-name-override": f"short-{last}"}))

        def both() -> None:
            found = one.all("DNSEndpoint")
            assert sorted(each["dnsName"] for obj in found for each in obj["spec"]["endpoints"]) == sorted(hosts)
            assert all(len(obj["metadata"]["name"]) <= 253 for obj in found)
            assert len(found) == 2

        await eventually(both)


# The kind itself


async def test_without_the_kind_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with hotel(tmp_path, rates(SHOP), installed=False) as one:
        await eventually(lambda: is_programmed(one, "rates"))
        await one.quiet()
        assert one.controller is not None
        assert not one.controller.work.cluster.doubts()
        assert not writes(one)
        assert not refusals(one, "HTTPRoute", "rates")
        assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))


async def test_once_the_kind_is_installed_records_are_published_without_a_restart(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP), rates(WEB, name="web"), installed=False) as one:
        for name in ("rates", "web"):
            await eventually(lambda name=name: is_programmed(one, name))
        await one.quiet()
        since = one.lattice.calls.mark()
        await one.apply(DEFINITION)
        await eventually(lambda: is_published(one, SHOP))
        await eventually(lambda: is_published(one, WEB, name="web-dns"))
        assert not one.lattice.calls.writes(since)


async def test_a_kind_that_is_uninstalled_stops_nobody(tmp_path: Path) -> None:
    async with hotel(tmp_path, rates(SHOP)) as one:
        await eventually(lambda: is_published(one, SHOP))
        await one.delete("CustomResourceDefinition", NAME)
        await one.apply(rates(WEB))
        await eventually(lambda: _served_only(one, WEB))
        await one.delete("HTTPRoute", "rates")
        await eventually(lambda: is_gone(one, "rates"))


def _served_only(one: World, hostname: str) -> None:
    assert [each.custom_domain for each in one.lattice.state.services] == [hostname]
