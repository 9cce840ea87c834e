"""The controller as the service account that `deploy/` makes: its rights are enough for a whole life, a missing one is
told by its name, and a server that has no seat for its requests only delays it.
"""

import logging
import signal
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from controller.kube.reflector import Reflector
from sandbox.lattice import Refuse
from tests.deploy.manifests import KUBECTL, NAMESPACE, needs_kubectl
from tests.e2e.bad_input_seen import condition, event_texts, is_gone, is_programmed
from tests.e2e.bad_input_time import LOOKS, RETRIES, shortened
from tests.e2e.harness import PATIENCE, AnyWorld, eventually
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grpc_route,
    listener,
    route,
    rule,
    service,
    tls_route,
)
from tests.e2e.test_convergence import check_lattice, settled
from tests.e2e.test_replicas import add_route, leads, replica
from tests.e2e.test_route_kinds import programmed
from tests.real import audit
from tests.real.definitions import install, remove
from tests.real.proxy import Proxy, proxy
from tests.real.rights import ACCOUNT, Right, grant, granted
from tests.real.world import OURS, RealWorld, world
from tests.support.external_dns import DEFINITION, NAME
from tests.support.kube_apiserver import KubeApiserver

pytestmark = [pytest.mark.anyio, needs_kubectl]

HOTEL = gateway(
    "my-hotel",
    listener(),
    listener("https", 443, "HTTPS"),
    listener("tls", 8443, "TLS", tls={"mode": "Passthrough"}),
)
OTHER_KINDS = (
    grpc_route("calls", {"backendRefs": [backend("rates")]}),
    tls_route("sealed", "sealed.example.com", backend("rates")),
)
RATES = (service("rates"), endpoints("rates", ["10.0.0.1"]), route("rates", rule(backend("rates"))))


@pytest.fixture(scope="module", autouse=True)
def external_dns(server: KubeApiserver) -> Iterator[None]:
    """Its kind is installed: there are rights that nothing needs where it is not."""
    install(server, DEFINITION)
    yield
    remove(server, NAME)


async def test_life_of_a_route_with_the_rights_of_the_base(server: KubeApiserver, account: str, tmp_path: Path) -> None:
    async with world(server, tmp_path, token=account) as one:
        since = audit.mark(server)
        one.make_network("my-hotel")
        async with replica(one, tmp_path, "only") as process:
            await eventually(lambda: leads(one, "only"))
            await one.apply(gateway_class(), HOTEL, route("lost", rule(backend("nowhere"))), *RATES, *OTHER_KINDS)
            await eventually(lambda: is_programmed(one, "rates"))
            await eventually(lambda: _published(one, "sealed.example.com", of="sealed"))
            for kind, name in (("GRPCRoute", "calls"), ("TLSRoute", "sealed")):
                await eventually(lambda kind=kind, name=name: programmed(one, kind, name))
                await one.delete(kind, name)
            await eventually(lambda: is_told(one, "lost"))
            await one.apply(endpoints("rates", ["10.0.0.2"]))
            for name in ("rates", "lost"):
                await one.delete("HTTPRoute", name)
            await eventually(lambda: is_gone(one, "rates"))
            await one.delete("Gateway", "my-hotel")
            await one.delete("GatewayClass", "amazon-vpc-lattice")
            await eventually(lambda: has_nothing(one))
            assert await process.end(signal.SIGTERM) == 0
        done = audit.done(server, since)
    assert [each for each in done if each.code >= 400 and each.code != 409 and each.resource != "leases"] == []
    assert [each for each in done if each.code in {401, 403}] == []
    assert {each.verb for each in done if each.resource == "leases"} == {"create", "get", "patch"}
    assert {each.resource for each in done} >= {
        "httproutes/status",
        "grpcroutes/status",
        "tlsroutes/status",
        "gateways/status",
        "gatewayclasses/status",
        "events",
        "dnsendpoints",
    }


def is_told(one: RealWorld, name: str) -> None:
    assert condition(one, "ResolvedRefs", name)["reason"] == "BackendNotFound"
    assert event_texts(one, "HTTPRoute", name)


def has_nothing(one: RealWorld) -> None:
    assert [obj for kind in OURS for obj in one.all(kind)] == []
    assert list(one.lattice.state.target_groups) == []


# Priority and fairness

SQUEEZED = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "PriorityLevelConfiguration",
    "metadata": {"name": "squeezed"},
    "spec": {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    },
}
"""A level with no seat of its own: a request is served if it is the only one, and what else comes meanwhile is not."""

ITS_REQUESTS = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "FlowSchema",
    "metadata": {"name": "squeezed"},
    "spec": {
        "priorityLevelConfiguration": {"name": "squeezed"},
        "matchingPrecedence": 50,
        "rules": [
            {
                "subjects": [{"kind": "ServiceAccount", "serviceAccount": {"namespace": NAMESPACE, "name": ACCOUNT}}],
                "resourceRules": [
                    {
                        "verbs": ["*"],
                        "apiGroups": ["*"],
                        "resources": ["*"],
                        "namespaces": ["*"],
                        "clusterScope": True,
                    }
                ],
            }
        ],
    },
}
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"


async def test_answers_429_of_priority_and_fairness(server: KubeApiserver, account: str, tmp_path: Path) -> None:
    """At the start, with nothing known yet; and later, with writes and with watches that begin anew."""
    server.apply(SQUEEZED, path=f"{FLOWS}/prioritylevelconfigurations")
    async with proxy(server) as between, world(server, tmp_path, url=between.url, token=account) as one:
        one.make_network("my-hotel")
        await one.apply(gateway_class(), gateway(), *RATES)
        async with squeezed(server, account):
            since = audit.mark(server)
            await one.start()
            with anyio.fail_after(PATIENCE):
                while not refused(server, "patch", since):
                    await add_route(one, f"parking-{len(one.all('HTTPRoute'))}")
            await one.delete("HTTPRoute", "rates")
            between.go_away()
            between.come_back()
            await one.apply(endpoints("parking-1", ["10.0.0.7"]))
            await settled(one, check_lattice)
        await eventually(lambda: is_gone(one, "rates"))


@asynccontextmanager
async def squeezed(server: KubeApiserver, account: str) -> AsyncIterator[None]:
    """The controller's requests have the level without seats."""
    schema = server.request("POST", f"{FLOWS}/flowschemas", ITS_REQUESTS)
    request = urllib.request.Request(f"{server.url}/api/v1/namespaces", headers={"Authorization": f"Bearer {account}"})

    def counts() -> None:
        with urllib.request.urlopen(request, context=server.tls) as answer:
            assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema["metadata"]["uid"]

    try:
        await eventually(counts)
        yield
    finally:
        server.request("DELETE", f"{FLOWS}/flowschemas/squeezed")


def refused(server: KubeApiserver, verb: str, since: int) -> list[audit.Done]:
    return [each for each in audit.done(server, since) if (each.verb, each.code) == (verb, 429)]


# Each right in turn


class Stage(NamedTuple):
    """A world and what stands between it and the controller."""

    one: RealWorld
    between: Proxy


@pytest.fixture(scope="module")
async def stage(server: KubeApiserver, account: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    with shortened(LOOKS, RETRIES):
        async with proxy(server) as between, world(server, directory, url=between.url, token=account) as one:
            one.make_network("my-hotel")
            yield Stage(one, between)


@pytest.fixture
def taken_away(server: KubeApiserver, account: str) -> Iterator[Callable[[Right], None]]:
    """Takes a right away, and gives it back in the end."""
    yield lambda right: grant(server, without=right)
    grant(server)


async def life(stage: Stage) -> None:
    """From nothing to programmed: all that the controller usually writes."""
    await stage.one.apply(gateway_class(), gateway(), *RATES)


async def life_of_all_kinds(stage: Stage) -> None:
    await stage.one.apply(gateway_class(), HOTEL, *RATES, *OTHER_KINDS)


async def conflict_of_calls(stage: Stage) -> None:
    await _conflict_of_another_kind(stage, "GRPCRoute", "calls", "grpcroutes")


async def conflict_of_sealed(stage: Stage) -> None:
    await _conflict_of_another_kind(stage, "TLSRoute", "sealed", "tlsroutes")


async def _conflict_of_another_kind(stage: Stage, kind: str, name: str, plural: str) -> None:
    await life_of_all_kinds(stage)
    await eventually(lambda: programmed(stage.one, kind, name))
    await stage.one.quiet()
    await _change_unseen(stage, kind, name, plural)
    await stage.one.delete("Service", "rates")


async def conflict_of_a_class(stage: Stage) -> None:
    """The class is changed by somebody without the controller's seeing it, and has to be written."""
    await _conflict(stage, "GatewayClass", "amazon-vpc-lattice", "gatewayclasses")
    await stage.one.delete("HTTPRoute", "rates")
    await stage.one.delete("Gateway", "my-hotel")


async def conflict_of_a_gateway(stage: Stage) -> None:
    await _conflict(stage, "Gateway", "my-hotel", "gateways")
    await stage.one.apply(route("another", rule(backend("rates"))))


async def conflict_of_a_route(stage: Stage) -> None:
    await _conflict(stage, "HTTPRoute", "rates", "httproutes")
    await stage.one.delete("Service", "rates")


async def _conflict(stage: Stage, kind: str, name: str, plural: str) -> None:
    await life(stage)
    await eventually(lambda: is_programmed(stage.one, "rates"))
    await stage.one.quiet()
    await _change_unseen(stage, kind, name, plural)


async def _change_unseen(stage: Stage, kind: str, name: str, plural: str) -> None:
    stage.between.hold(plural)
    await stage.one.patch(kind, name, {"metadata": {"labels": {"somebody": "was-here"}}})


async def failure(stage: Stage) -> None:
    """Something to tell, again and again."""
    stage.one.lattice.faults.add("CreateTargetGroup", Refuse())
    await life(stage)
    await stage.one.apply(service("unlucky"), route("unlucky", rule(backend("unlucky"))))


async def record(stage: Stage) -> None:
    """A DNS record of a route's hostname."""
    await life(stage)
    await _name(stage, "shop.example.com")


async def changed_record(stage: Stage) -> None:
    await record(stage)
    await eventually(lambda: _published(stage.one, "shop.example.com"))
    await _name(stage, "web.example.com")


async def removed_record(stage: Stage) -> None:
    await record(stage)
    await eventually(lambda: _published(stage.one, "shop.example.com"))
    await _name(stage, None)


async def conflict_of_a_record(stage: Stage) -> None:
    await record(stage)
    await eventually(lambda: _published(stage.one, "shop.example.com"))
    await stage.one.quiet()
    await _change_unseen(stage, "DNSEndpoint", "rates-dns", "dnsendpoints")
    await _name(stage, "web.example.com")


async def _name(stage: Stage, hostname: str | None) -> None:
    await stage.one.patch("HTTPRoute", "rates", {"spec": {"hostnames": [hostname] if hostname else None}})


def _published(one: RealWorld, hostname: str, of: str = "rates") -> None:
    made = one.get("DNSEndpoint", f"{of}-dns")
    assert made is not None
    assert [each["dnsName"] for each in made["spec"]["endpoints"]] == [hostname]


ACTS: dict[tuple[str, str], Callable[[Stage], Awaitable[None]]] = {
    ("gatewayclasses", "get"): conflict_of_a_class,
    ("gateways", "get"): conflict_of_a_gateway,
    ("httproutes", "get"): conflict_of_a_route,
    ("grpcroutes", "get"): conflict_of_calls,
    ("tlsroutes", "get"): conflict_of_sealed,
    ("grpcroutes", "patch"): life_of_all_kinds,
    ("grpcroutes/status", "patch"): life_of_all_kinds,
    ("tlsroutes", "patch"): life_of_all_kinds,
    ("tlsroutes/status", "patch"): life_of_all_kinds,
    ("dnsendpoints", "get"): conflict_of_a_record,
    ("dnsendpoints", "create"): record,
    ("dnsendpoints", "patch"): changed_record,
    ("dnsendpoints", "delete"): removed_record,
    ("events", "create"): failure,
    ("events", "patch"): failure,
}
"""What makes the controller use a right, where a usual life does not."""

RIGHTS = granted() if KUBECTL is not None else []


def named(right: Right) -> str:
    return f"{right.verb} {right.resource}"


@pytest.mark.parametrize("right", [right for right in RIGHTS if right.role == "ClusterRole"], ids=named)
async def test_missing_right_is_named(
    right: Right,
    stage: Stage,
    taken_away: Callable[[Right], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    taken_away(right)
    if right.verb == "list":
        # A server that streams lists is never asked for one.
        monkeypatch.setattr(Reflector, "_list_streamed", no_stream)
    await stage.one.empty()
    await stage.one.start()
    try:
        await ACTS.get((right.resource, right.verb), life)(stage)
        await eventually(lambda: is_named(right, stage.one, caplog.records))
    finally:
        stage.between.let_pass()
        stage.one.lattice.faults.clear()
        await stage.one.crash()


async def no_stream(_: object) -> None:
    """A server that does not stream lists."""


def is_named(right: Right, one: AnyWorld, records: list[logging.LogRecord]) -> None:
    lines = [f"{record.getMessage()} {record.__dict__}" for record in records if record.levelno >= logging.WARNING]
    told = [each.get("note", "") for each in one.all("Event")]
    assert any(right.denial in text for text in (*lines, *told)), "\n".join((*lines, *told))


@pytest.mark.parametrize("right", [right for right in RIGHTS if right.role == "Role"], ids=named)
async def test_missing_right_to_the_lease_is_named(
    right: Right, server: KubeApiserver, account: str, taken_away: Callable[[Right], None], tmp_path: Path
) -> None:
    taken_away(right)
    async with world(server, tmp_path, token=account) as one, replica(one, tmp_path, "only") as process:

        def is_told() -> None:
            lines = [str(line) for line in process.lines() if line["level"] in {"warning", "error"}]
            assert any(right.denial in line for line in lines), lines

        await eventually(is_told)
