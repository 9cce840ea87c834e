"""A Kubernetes API that refuses, answers nothing, or lacks a kind: told, survived, and never a reason to delete."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.api.resources import DNS_ENDPOINTS
from sandbox.kube import bundled_crds
from tests.e2e.bad_input_kubernetes import OPEN_GATEWAY, REFUSED, Refused
from tests.e2e.bad_input_routes import GOOD, good
from tests.e2e.bad_input_seen import (
    condition,
    event_texts,
    gateway_condition,
    is_programmed,
    leaves_lattice_alone,
    rests,
)
from tests.e2e.harness import Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway_class, grant, namespace, route, rule, service

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("shorter_patience")]

BESIDE = (gateway_class(), OPEN_GATEWAY, service(GOOD), endpoints(GOOD, ["10.0.0.1"]), good(GOOD))

GRANTED = (
    namespace("elsewhere"),
    service(GOOD, namespace="elsewhere"),
    endpoints(GOOD, ["10.0.4.1"], namespace="elsewhere"),
    grant("elsewhere", "default"),
    route("granted", rule(backend(GOOD, namespace="elsewhere"))),
)
"""A route to another namespace, and the grant that permits it."""

each = pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)


@pytest.fixture(scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world in which all the refusals happen, each to the route of another namespace."""
    async with world(tmp_path_factory.mktemp("world")) as made:
        made.make_network("my-hotel")
        await made.apply(*BESIDE)
        for refused in REFUSED:
            await made.apply(*refused.objects)
            refused.happens_in(made)
        await made.start()
        yield made


async def test_all_but_a_busy_api_are_logged_in_a_line_each(refusing: World, caplog: pytest.LogCaptureFixture) -> None:
    def logged() -> None:
        lines = [f"{record.getMessage()} {getattr(record, 'error', '')}" for record in caplog.records]
        for refused in REFUSED:
            told = any(all(words in line for words in refused.words) for line in lines)
            assert told or refused.code == 429, refused.name

    await eventually(logged)
    assert [record for record in caplog.records if record.exc_info] == []


@each
async def test_the_author_is_told_of(refused: Refused, refusing: World) -> None:
    def told() -> None:
        texts = event_texts(refusing, "HTTPRoute", GOOD, refused.namespace)
        warnings = [text for kind, reason, text in texts if (kind, reason) == ("Warning", refused.event)]
        assert any(all(words in text for words in refused.words) for text in warnings) or refused.event is None, texts

    await eventually(told)


async def test_a_route_beside_them_is_served(refusing: World) -> None:
    await eventually(lambda: is_programmed(refusing, GOOD))


async def test_lattice_has_what_may_be_written_for(refusing: World) -> None:
    wanted = {"good-default", *(f"good-{refused.namespace}" for refused in REFUSED if refused.served)}

    def just_those() -> None:
        assert {one.name for one in refusing.lattice.state.services} == wanted

    await eventually(just_those)


async def test_all_are_served_once_the_api_lets_them(refusing: World) -> None:
    refusing.kube.faults.clear()
    for refused in REFUSED:
        namespace = refused.namespace
        await eventually(lambda: is_programmed(refusing, GOOD, namespace))  # noqa: B023 -- called before the next turn
    await rests(refusing)


KINDS = [
    "namespaces",
    "services",
    "endpointslices.discovery.k8s.io",
    "gatewayclasses.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
    "grpcroutes.gateway.networking.k8s.io",
    "tlsroutes.gateway.networking.k8s.io",
    "referencegrants.gateway.networking.k8s.io",
]


@pytest.fixture(scope="module")
async def programmed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world with a route in Lattice and no controller."""
    async with world(tmp_path_factory.mktemp("world")) as made:
        made.make_network("my-hotel")
        await made.apply(*BESIDE, *GRANTED)
        await made.start()
        await eventually(lambda: is_programmed(made, GOOD))
        await eventually(lambda: is_programmed(made, "granted"))
        await made.stop()
        yield made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.split(".")[0])
async def test_a_kind_that_may_not_be_listed_changes_nothing_until_it_may(
    kind: str, programmed: World, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [programmed.kube.faults.forbid(kind, verb=verb) for verb in ("list", "watch")]
    before = in_lattice(programmed)
    mark = programmed.lattice.calls.mark()
    await programmed.start()
    assert programmed.controller is not None
    doubts = programmed.controller.work.cluster.doubts()
    assert len(doubts) == 1
    assert [record for record in caplog.records if "without knowing all kinds" in record.getMessage()]
    await leaves_lattice_alone(programmed)
    assert in_lattice(programmed) == before
    assert [record.operation for record in programmed.lattice.calls.since(mark) if record.write] == []

    for fault in faults:
        programmed.kube.faults.remove(fault)
    address = f"10.0.3.{KINDS.index(kind) + 1}"
    await programmed.apply(endpoints(GOOD, ["10.0.0.1", address]))
    await eventually(lambda: has_target(programmed, address))
    await eventually(lambda: has_no_doubts(programmed))
    await programmed.stop()


def in_lattice(world: World) -> list[tuple[str, list[str]]]:
    """Groups with their targets, but those that drain, and services with their networks."""
    state = world.lattice.state
    groups = [
        (group.name, sorted(target.id for target in group.targets.values() if not target.draining))
        for group in state.target_groups
    ]
    return groups + [(service.name, sorted(service.associations)) for service in state.services]


def has_target(world: World, address: str) -> None:
    assert address in {ip for group in world.lattice.state.target_groups for ip, _ in group.targets}


def has_no_doubts(world: World) -> None:
    assert world.controller is not None
    assert world.controller.work.cluster.doubts() == {}


async def test_a_token_that_expires_loses_nothing(programmed: World) -> None:
    await programmed.start()
    await programmed.quiet()
    before = in_lattice(programmed)
    programmed.kube.faults.token_expired = True
    programmed.kube.faults.cut_watches()
    await eventually(lambda: all_in_doubt(programmed))
    assert in_lattice(programmed) == before
    programmed.kube.apply(endpoints(GOOD, ["10.0.0.9"]))
    programmed.kube.faults.token_expired = False
    await eventually(lambda: has_no_doubts(programmed))
    await eventually(lambda: has_target(programmed, "10.0.0.9"))
    await programmed.stop()


def all_in_doubt(world: World) -> None:
    assert world.controller is not None
    doubts = world.controller.work.cluster.doubts()
    # The one definition that is not installed here is asked for now and then, so it may be in doubt as well, or not.
    installed = {kind.kind for kind in world.controller.work.cluster.resources if kind is not DNS_ENDPOINTS}
    assert installed <= doubts.keys()
    assert all("401 Unauthorized" in reason for reason in doubts.values())


def crds_without(*plurals: str) -> list[Json]:
    return [crd for crd in bundled_crds() if crd["spec"]["names"]["plural"] not in plurals]


def crd_of(plural: str) -> Json:
    return next(crd for crd in bundled_crds() if crd["spec"]["names"]["plural"] == plural)


async def test_routes_are_served_once_their_definition_is_installed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(tmp_path, crds=crds_without("httproutes")) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE[:-1])
        await one.start()
        assert one.controller is not None
        assert "the kind is not installed" in one.controller.work.cluster.doubts()["HTTPRoute"]
        await leaves_lattice_alone(one)
        one.kube.apply(crd_of("httproutes"))
        await one.apply(good(GOOD))
        await eventually(lambda: is_programmed(one, GOOD))
        await eventually(lambda: is_true(gateway_condition(one, "Programmed")))


def is_true(found: Json) -> None:
    assert found["status"] == "True", found["message"]


async def test_without_their_definition_there_are_no_grants_and_then_there_are(tmp_path: Path) -> None:
    async with world(tmp_path, crds=crds_without("referencegrants")) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE, *GRANTED[:-2], GRANTED[-1])
        await one.start()
        await eventually(lambda: is_programmed(one, GOOD))

        def refused() -> None:
            assert condition(one, "ResolvedRefs", "granted")["reason"] == "RefNotPermitted"

        await eventually(refused)
        one.kube.apply(crd_of("referencegrants"))
        await one.apply(GRANTED[-2])
        await eventually(lambda: is_programmed(one, "granted"))
