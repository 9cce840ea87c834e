"""What a route costs, call by call: to create, to change an endpoint or a weight, to find unchanged on a new start."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.harness import PREFIX, Json, World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, listener, prefix, route, rule, service

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def cluster(directory: Path, *listeners: Json, routes: tuple[str, ...] = ("rates",)) -> AsyncGenerator[World]:
    """A controller that has programmed these routes, each to the two endpoints of a Service of its own, and rests."""
    async with world(directory) as one:
        one.make_network("my-hotel")
        await one.start()
        await one.apply(gateway_class(), gateway("my-hotel", *listeners))
        for name in routes:
            await one.apply(
                service(name),
                endpoints(name, ["10.0.0.1", "10.0.0.2"]),
                route(name, rule(backend(name))),
            )
        await eventually(lambda: programmed(one, *routes))
        await one.quiet()
        yield one


def programmed(one: World, *names: str) -> None:
    for name in names:
        found = one.get("HTTPRoute", name)
        assert found is not None
        assert found["metadata"].get("annotations", {}).get(f"{PREFIX}lattice-service-arn")
        [entry] = found["status"]["parents"]
        assert {condition["type"]: condition["status"] for condition in entry["conditions"]} == {
            "Accepted": "True",
            "ResolvedRefs": "True",
        }


def writes(one: World, since: int = 0) -> Counter[str]:
    return Counter(call.operation for call in one.lattice.calls.writes(since))


def reads(one: World, since: int = 0) -> Counter[str]:
    return Counter(call.operation for call in one.lattice.calls.since(since) if not call.write)


async def test_a_route_takes_six_writes_and_no_call_but_the_load_and_the_waits_for_states(tmp_path: Path) -> None:
    async with cluster(tmp_path) as one:
        assert writes(one) == {
            "CreateTargetGroup": 1,
            "RegisterTargets": 1,
            "CreateService": 1,
            "CreateServiceNetworkServiceAssociation": 1,
            "CreateListener": 1,
            "CreateRule": 1,
        }
        loading = {"GetResources": 1, "ListServiceNetworks": 1, "ListServiceQuotas": 1}
        waiting = {"GetTargetGroup": 1, "GetService": 1, "GetServiceNetworkServiceAssociation": 1}
        assert reads(one) == {**loading, **waiting}
        assert not [call for call in one.lattice.calls if call.error]


async def test_a_route_is_written_three_times_finalizer_annotations_status(tmp_path: Path) -> None:
    async with cluster(tmp_path) as one:
        of_route = [call for call in one.kubernetes_writes() if call.resource.startswith("httproutes")]
        assert [(call.verb, call.resource.partition(".")[0], call.resource.partition("/")[2]) for call in of_route] == [
            ("patch", "httproutes", ""),
            ("patch", "httproutes", ""),
            ("patch", "httproutes", "status"),
        ]
        assert {call.code for call in of_route} == {200}


@pytest.mark.parametrize(
    ("addresses", "cost"),
    [
        pytest.param(["10.0.0.1", "10.0.0.2", "10.0.0.3"], {"RegisterTargets": 1}, id="one-more"),
        pytest.param(["10.0.0.1"], {"DeregisterTargets": 1}, id="one-less"),
        pytest.param(["10.0.0.1", "10.0.0.3"], {"RegisterTargets": 1, "DeregisterTargets": 1}, id="one-replaced"),
        pytest.param([], {"DeregisterTargets": 1}, id="none-left"),
    ],
)
async def test_changed_endpoints_cost_one_call_each_way_and_no_read(
    tmp_path: Path, addresses: list[str], cost: dict[str, int]
) -> None:
    async with cluster(tmp_path) as one:
        before, kubernetes = one.lattice.calls.mark(), len(one.kube.requests)
        await one.apply(endpoints("rates", addresses))
        await eventually(lambda: registered(one, addresses))
        await one.quiet()
        assert writes(one, before) == cost
        assert not reads(one, before)
        assert not one.kubernetes_writes(kubernetes)


def registered(one: World, addresses: list[str]) -> None:
    [group] = one.lattice.state.target_groups
    assert sorted(target.id for target in group.targets.values() if not target.draining) == addresses


async def test_a_changed_weight_costs_one_update_of_the_rule_a_listener_and_no_read(tmp_path: Path) -> None:
    async with cluster(tmp_path, listener("http", 80), listener("other", 8080)) as one:
        await one.apply(service("blue"), endpoints("blue", ["10.0.1.1"]))
        await one.apply(route("rates", rule(backend("rates", weight=90), backend("blue", weight=10))))
        await eventually(lambda: weighted(one, 90, 10))
        await one.quiet()
        before = one.lattice.calls.mark()
        await one.apply(route("rates", rule(backend("rates", weight=50), backend("blue", weight=50))))
        await eventually(lambda: weighted(one, 50, 50))
        await one.quiet()
        assert writes(one, before) == {"UpdateRule": 2}
        assert not reads(one, before)


def weighted(one: World, *weights: int) -> None:
    [found] = one.lattice.state.services
    for each in found.listeners.values():
        [only] = [entry for entry in each.rules.values() if not entry.is_default]
        assert sorted(weight for _, weight in only.action.forward) == sorted(weights)


async def test_a_further_rule_costs_what_it_adds(tmp_path: Path) -> None:
    async with cluster(tmp_path) as one:
        before = one.lattice.calls.mark()
        await one.apply(
            route("rates", rule(backend("rates")), rule(backend("rates"), matches=[prefix("/", method="GET")]))
        )
        await eventually(lambda: ruled(one, 2))
        await one.quiet()
        assert writes(one, before) == {"CreateRule": 1}
        assert not reads(one, before)


def ruled(one: World, count: int) -> None:
    [found] = one.lattice.state.services
    [only] = found.listeners.values()
    assert len([entry for entry in only.rules.values() if not entry.is_default]) == count


async def test_a_change_costs_the_same_however_many_routes_there_are(tmp_path: Path) -> None:
    async with cluster(tmp_path, routes=tuple(f"route-{number}" for number in range(12))) as one:
        before, kubernetes = one.lattice.calls.mark(), len(one.kube.requests)
        await one.apply(endpoints("route-7", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]))
        await eventually(lambda: counted(one, "RegisterTargets", before, 1))
        await one.quiet()
        assert one.lattice.calls.count(since=before) == 1
        assert not one.kubernetes_writes(kubernetes)


def counted(one: World, operation: str, since: int, count: int) -> None:
    assert one.lattice.calls.count(operation, since) == count


@pytest.mark.parametrize("end", ["stop", "crash"])
async def test_a_restart_with_nothing_changed_writes_nothing_anywhere(tmp_path: Path, end: str) -> None:
    async with cluster(tmp_path, routes=("rates", "parking", "review")) as one:
        await (one.stop() if end == "stop" else one.crash())
        before, kubernetes = one.lattice.calls.mark(), len(one.kube.requests)
        await one.start()
        await one.quiet()
        assert not writes(one, before)
        assert not one.kubernetes_writes(kubernetes)


@pytest.mark.parametrize("count", [2, 9])
async def test_a_restart_reads_pages_and_once_what_hangs_below_each_route(tmp_path: Path, count: int) -> None:
    async with cluster(tmp_path, routes=tuple(f"route-{number}" for number in range(count))) as one:
        await one.stop()
        before = one.lattice.calls.mark()
        await one.start()
        await one.quiet()
        pages = ("GetResources", "ListServiceNetworks", "ListServiceQuotas", "ListServices", "ListTargetGroups")
        below_the_service = ("ListServiceNetworkServiceAssociations", "ListListeners", "GetListener")
        below_the_listener = ("ListRules", "GetRule")
        below_the_group = ("GetTargetGroup", "ListTargets")
        each = (*below_the_service, *below_the_listener, *below_the_group)
        assert reads(one, before) == {**dict.fromkeys(pages, 1), **dict.fromkeys(each, count)}
