"""How long changes take to reach Lattice is told of all that led to a write, be it seen live or found by a start."""

from functools import partial
from pathlib import Path

import pytest

from tests.e2e.bad_input_seen import is_gone, is_programmed
from tests.e2e.harness import World, eventually, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, route, rule, service

pytestmark = pytest.mark.anyio

Timed = dict[tuple[str, str], float]


def timed(one: World) -> Timed:
    """How many changes this run of the controller has timed, by kind and lane."""
    assert one.controller is not None
    return {
        (sample.labels["kind"], sample.labels["lane"]): sample.value
        for family in one.controller.metrics.collect()
        for sample in family.samples
        if sample.name == "lattice_programmed_seconds_count"
    }


async def prepare(one: World) -> None:
    one.make_network("my-hotel")
    await one.start()
    await one.apply(gateway_class(), gateway("my-hotel"))
    for name, address in (("parking", "10.0.0.1"), ("review", "10.0.0.2")):
        await one.apply(service(name), endpoints(name, [address]), route(name, rule(backend(name))))
    for name in ("parking", "review"):
        await eventually(partial(is_programmed, one, name))
    await one.quiet()


async def test_changes_are_timed_by_kind_and_lane_and_a_start_that_finds_none_times_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await prepare(one)
        assert timed(one) == {("service", "live"): 2, ("targetgroup", "live"): 2}
        await one.apply(endpoints("parking", ["10.0.0.1", "10.0.0.3"]))
        await one.quiet()
        assert timed(one)["targetgroup", "urgent"] == 1
        await one.stop()
        await one.start()
        await one.quiet()
        assert timed(one) == {}


async def test_what_was_changed_and_deleted_meanwhile_is_timed_as_what_a_start_found(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        await prepare(one)
        await one.stop()
        await one.apply(endpoints("parking", ["10.0.0.1", "10.0.0.3"]))
        await one.delete("HTTPRoute", "review")
        await one.start()
        await eventually(lambda: is_gone(one, "review"))
        await one.quiet()
        assert timed(one) == {("service", "bulk"): 1, ("targetgroup", "bulk"): 2}
