"""GRPCRoutes and TLSRoutes from the object to VPC Lattice and back, beside HTTPRoutes."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.kube.bundled import bundled_crds
from tests.e2e import observed
from tests.e2e.harness import PREFIX, AnyWorld, Json, World, eventually, world
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grpc_route,
    listener,
    parent,
    route,
    rule,
    service,
    tls_route,
)
from tests.e2e.test_explain import said_by
from tests.e2e.test_lifecycle import conditions, nothing_in_lattice

pytestmark = pytest.mark.anyio

FINALIZERS = {
    "HTTPRoute": "httproute.k8s.aws/resources",
    "GRPCRoute": "grpcroute.k8s.aws/resources",
    "TLSRoute": "tlsroute.k8s.aws/resources",
}
GOOD = {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}
GET = {"method": {"service": "hotel.Rates", "method": "Get"}}
CALLS = grpc_route("calls", rule(backend("rates"), matches=[GET, {"method": {"service": "hotel.Guests"}}]))
SEALED = tls_route("sealed", "sealed.example.com", backend("rates", weight=3), backend("parking", weight=1))


@asynccontextmanager
async def hotel(directory: Path, *objects: Json, **options: object) -> AsyncGenerator[World]:
    """A Gateway with a listener of each protocol, two Services, and these objects."""
    async with world(directory, **options) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(
            gateway_class(),
            gateway(
                "my-hotel",
                listener("http", 80),
                listener("https", 443, "HTTPS"),
                listener("tls", 8443, "TLS", tls={"mode": "Passthrough"}),
            ),
            *(service(name) for name in ("rates", "parking")),
            *(endpoints(name, ["10.0.0.1", "10.0.0.2"]) for name in ("rates", "parking")),
            *objects,
        )
        yield one


def entry(one: AnyWorld, kind: str, name: str) -> Json:
    """A route's status as its only parent has it."""
    found = one.get(kind, name)
    assert found is not None
    [parent_status] = found["status"]["parents"]
    return parent_status


def programmed(one: AnyWorld, kind: str, name: str) -> None:
    assert conditions(entry(one, kind, name)) == GOOD
    found = one.get(kind, name)
    assert found is not None
    assert found["metadata"]["finalizers"] == [FINALIZERS[kind]]
    assert found["metadata"]["annotations"][f"{PREFIX}lattice-service-arn"]


def gone(one: World, kind: str) -> None:
    assert one.all(kind) == []
    nothing_in_lattice(one)


async def test_a_grpc_route_is_programmed_and_leaves_nothing(tmp_path: Path) -> None:
    async with hotel(tmp_path, CALLS) as one:
        await eventually(lambda: programmed(one, "GRPCRoute", "calls"))
        await one.quiet()
        [made] = one.lattice.state.services
        assert made.tags[f"{PREFIX}RouteType"] == "grpc"
        [served] = made.listeners.values()
        assert (served.port, served.protocol) == (443, "HTTPS")
        rules = sorted((each for each in served.rules.values() if not each.is_default), key=lambda each: each.priority)
        assert [each.match["httpMatch"] for each in rules] == [
            {"method": "POST", "pathMatch": {"match": {"prefix": "/hotel.Guests/"}, "caseSensitive": True}},
            {"method": "POST", "pathMatch": {"match": {"exact": "/hotel.Rates/Get"}, "caseSensitive": True}},
        ]
        [group] = one.lattice.state.target_groups
        assert (group.config["protocol"], group.config["protocolVersion"]) == ("HTTP", "GRPC")
        assert group.config["healthCheck"]["enabled"] is False
        assert len(group.targets) == 2
        counts = {
            each["name"]: each["attachedRoutes"] for each in one.get("Gateway", "my-hotel")["status"]["listeners"]
        }
        assert counts == {"http": 0, "https": 1, "tls": 0}
        await one.delete("GRPCRoute", "calls")
        await eventually(lambda: gone(one, "GRPCRoute"))


async def test_a_tls_route_is_programmed_and_leaves_nothing(tmp_path: Path) -> None:
    async with hotel(tmp_path, SEALED) as one:
        await eventually(lambda: programmed(one, "TLSRoute", "sealed"))
        await one.quiet()
        [made] = one.lattice.state.services
        assert (made.tags[f"{PREFIX}RouteType"], made.custom_domain) == ("tls", "sealed.example.com")
        [served] = made.listeners.values()
        assert (served.port, served.protocol, len(served.rules)) == (8443, "TLS_PASSTHROUGH", 1)
        assert {
            group.tags[f"{PREFIX}ServiceName"]: (group.config["protocol"], group.config.get("protocolVersion"))
            for group in one.lattice.state.target_groups
        } == {"rates": ("TCP", None), "parking": ("TCP", None)}
        weights = [each["weight"] for each in served.default_rule.action.describe()["forward"]["targetGroups"]]
        assert sorted(weights) == [1, 3]
        await one.delete("TLSRoute", "sealed")
        await eventually(lambda: gone(one, "TLSRoute"))


async def test_nobody_listens_for_a_tls_route_while_no_backend_takes_connections(tmp_path: Path) -> None:
    async with hotel(tmp_path, tls_route("sealed", "sealed.example.com", backend("nowhere"))) as one:

        def listening(*ports: int) -> None:
            [made] = one.lattice.state.services
            assert sorted(each.port for each in made.listeners.values()) == list(ports)

        def unresolved() -> None:
            assert conditions(entry(one, "TLSRoute", "sealed")) == {
                "Accepted": ("True", "Accepted"),
                "ResolvedRefs": ("False", "BackendNotFound"),
            }
            listening()

        await eventually(unresolved)
        await one.apply(SEALED)
        await eventually(lambda: (programmed(one, "TLSRoute", "sealed"), listening(8443)))
        await one.delete("Service", "parking")
        await one.delete("Service", "rates")
        await eventually(unresolved)
        await eventually(lambda: assert_groups(one))


def assert_groups(one: World, *names: str) -> None:
    assert sorted(group.tags[f"{PREFIX}ServiceName"] for group in one.lattice.state.target_groups) == sorted(names)


async def test_a_restart_writes_nothing_for_any_kind(tmp_path: Path) -> None:
    pages = route("pages", rule(backend("rates")), parents=[parent(sectionName="http")])
    async with hotel(tmp_path, pages, CALLS, SEALED) as one:
        for kind, name in (("HTTPRoute", "pages"), ("GRPCRoute", "calls"), ("TLSRoute", "sealed")):
            await eventually(lambda kind=kind, name=name: programmed(one, kind, name))
        await one.quiet()
        before = observed.services(one.lattice)
        assert len(before) == 3
        await one.stop()
        mark, requests = one.lattice.calls.mark(), len(one.kube.requests)
        await one.start()
        await one.quiet()
        assert one.lattice.calls.writes(mark) == []
        assert one.kubernetes_writes(requests) == []
        assert observed.services(one.lattice) == before


async def test_a_hostname_passes_from_an_http_route_to_a_grpc_route(tmp_path: Path) -> None:
    both = [parent(sectionName="http"), parent(sectionName="https")]
    pages = route("pages", rule(backend("rates")), parents=both[:1], hostnames=["a.example.com"])
    calls = grpc_route("calls", rule(backend("parking"), matches=[GET]), parents=both[1:], hostnames=["a.example.com"])
    async with hotel(tmp_path, pages) as one:
        certificate = {"options": {f"{PREFIX}certificate-arn": one.lattice.state.add_certificate("a.example.com").arn}}
        secure = gateway("my-hotel", listener("http", 80), listener("https", 443, "HTTPS", tls=certificate))
        await eventually(lambda: programmed(one, "HTTPRoute", "pages"))
        await one.apply(secure, calls)

        def refused() -> None:
            assert conditions(entry(one, "GRPCRoute", "calls"))["Accepted"] == ("False", "Conflicted")

        await eventually(refused)
        await one.delete("HTTPRoute", "pages")
        await eventually(lambda: programmed(one, "GRPCRoute", "calls"))
        await one.quiet()
        [made] = one.lattice.state.services
        assert (made.tags[f"{PREFIX}RouteType"], made.custom_domain) == ("grpc", "a.example.com")
        assert_groups(one, "parking")


async def test_kinds_that_are_installed_later_are_served_without_a_restart(tmp_path: Path) -> None:
    later = [crd for crd in bundled_crds() if crd["spec"]["names"]["kind"] in {"GRPCRoute", "TLSRoute"}]
    assert len(later) == 2
    first = [crd for crd in bundled_crds() if crd not in later]
    pages = route("pages", rule(backend("rates")), parents=[parent(sectionName="http")])
    async with hotel(tmp_path, pages, crds=first) as one:
        await eventually(lambda: programmed(one, "HTTPRoute", "pages"))
        await one.apply(*later)
        await one.apply(CALLS, SEALED)
        await eventually(lambda: programmed(one, "GRPCRoute", "calls"))
        await eventually(lambda: programmed(one, "TLSRoute", "sealed"))


async def test_a_kind_that_is_uninstalled_takes_its_routes_with_it_and_does_not_stop_the_others(tmp_path: Path) -> None:
    async with hotel(tmp_path, SEALED, route("pages", rule(backend("rates")), hostnames=["a.example.com"])) as one:
        await one.apply(
            gateway("my-hotel", listener("http", 80), listener("tls", 8443, "TLS", tls={"mode": "Passthrough"}))
        )
        await eventually(lambda: programmed(one, "HTTPRoute", "pages"))
        await eventually(lambda: programmed(one, "TLSRoute", "sealed"))
        await one.delete("CustomResourceDefinition", "tlsroutes.gateway.networking.k8s.io")

        def absent() -> None:
            assert one.controller is not None
            states = {mirror.kind: mirror.state.phase for mirror in one.controller.work.cluster.mirrors()}
            assert states["TLSRoute"] == "absent"

        await eventually(absent)
        assert [made.custom_domain for made in one.lattice.state.services] == ["a.example.com"]
        await one.apply(route("pages", rule(backend("parking")), hostnames=["b.example.com"]))

        def moved() -> None:
            assert [made.custom_domain for made in one.lattice.state.services] == ["b.example.com"]
            programmed(one, "HTTPRoute", "pages")

        await eventually(moved)


async def test_explain_and_plan_know_all_kinds(tmp_path: Path) -> None:
    async with hotel(tmp_path, CALLS, SEALED) as one:
        await eventually(lambda: programmed(one, "GRPCRoute", "calls"))
        await eventually(lambda: programmed(one, "TLSRoute", "sealed"))
        await one.quiet()
        calls = await said_by(one, tmp_path, "explain", "grpcroute", "calls", code=0)
        assert "✓ GRPCRoute default/calls: served by 1 Lattice service" in calls
        assert "✓ match POST path /hotel.Rates/Get: place 2 of 2; priority" in calls
        sealed = await said_by(one, tmp_path, "explain", "TLSRoute", "sealed", code=0)
        assert "✓ match all connections: place 1 of 1; the default action on port 8443" in sealed
        assert "✓ backend Service default/rates:80: weight 3 asked, 3 in VPC Lattice" in sealed
        used = await said_by(one, tmp_path, "explain", "service", "rates", code=0)
        assert "2 routes refer to it" in used
        assert "✓ TLSRoute default/sealed: accepted" in used
        nothing = json.loads(await said_by(one, tmp_path, "plan", "-o", "json", code=0))
        assert nothing == {"operations": [], "remarks": []}
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps(tls_route("sealed", "sealed.example.com", backend("rates"))))
        planned = json.loads(await said_by(one, tmp_path, "plan", "-o", "json", "-f", str(changed), code=2))
        assert {operation["route"] for operation in planned["operations"]} == {"TLSRoute/default/sealed"}
        assert "UpdateListener" in {operation["call"] for operation in planned["operations"]}
