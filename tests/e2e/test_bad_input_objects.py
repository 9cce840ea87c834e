"""Objects of any shape that an API server lets pass: too big, with a status by somebody else, or not to be read."""

from pathlib import Path

import pytest

from sandbox.kube import bundled_crds
from tests.e2e.bad_input_routes import GOOD, good
from tests.e2e.bad_input_seen import (
    event_texts,
    gateway_condition,
    is_gone,
    is_programmed,
    leaves_lattice_alone,
    parents_of,
    rests,
)
from tests.e2e.harness import CONTROLLER, Json, World, eventually, world
from tests.e2e.objects import endpoints, gateway, gateway_class, service

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("shorter_patience")]

BESIDE = (gateway_class(), gateway(), service(GOOD), endpoints(GOOD, ["10.0.0.1"]), good(GOOD))


def permissive(*plurals: str) -> list[Json]:
    """Gateway API's definitions, of which some let any spec and any status pass, as those of other versions may."""
    crds = bundled_crds()
    for crd in crds:
        if crd["spec"]["names"]["plural"] in plurals:
            for version in crd["spec"]["versions"]:
                version["schema"]["openAPIV3Schema"] = {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                }
    return crds


def unreadable(obj: Json) -> Json:
    """The object with something else than the list that its spec should have."""
    field = {"HTTPRoute": "rules", "Gateway": "listeners"}[obj["kind"]]
    return {**obj, "spec": {**obj["spec"], field: "a word"}}


def foreign(number: int, message: str) -> Json:
    """What another controller writes into a route's status."""
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        "controllerName": "example.com/other",
        "parentRef": {"name": f"other-{number}"},
        "conditions": [condition],
    }


def entries_of(world: World, route: str) -> list[Json]:
    found = world.get("HTTPRoute", route)
    assert found is not None
    return list(found["status"]["parents"])


async def test_a_route_of_a_mebibyte_is_served_and_loses_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE, good("big"))
        status = {"parents": [foreign(number, "x" * 32768) for number in range(31)]}
        await one.patch("HTTPRoute", "big", {"status": status}, sub="status")
        others = entries_of(one, "big")
        await one.start()
        await eventually(lambda: is_programmed(one, "big"))
        await eventually(lambda: is_programmed(one, GOOD))
        assert entries_of(one, "big")[:31] == others
        await one.delete("HTTPRoute", "big")
        await eventually(lambda: is_gone(one, "big"))
        is_programmed(one, GOOD)


FOREIGN = foreign(0, "yes") | {"parentRef": 7, "conditions": "a word"}

STATUSES: list[object] = [
    {"parents": "a word"},
    {"parents": {"a": "map"}},
    {"parents": [7, "a word", {}]},
    {"parents": [FOREIGN]},
    {"parents": [{"controllerName": CONTROLLER, "parentRef": []}]},
    {"parents": [{"controllerName": CONTROLLER, "parentRef": {"name": "my-hotel"}, "conditions": [{"type": 7}, 8]}]},
    "a word",
    [],
]


async def test_a_status_that_somebody_else_wrote_hinders_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, crds=permissive("httproutes", "gateways", "gatewayclasses")) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE)
        for number, status in enumerate(STATUSES):
            one.kube.apply({**good(f"spoilt-{number}"), "status": status})
        await one.patch("Gateway", "my-hotel", {"status": {"conditions": "a word", "listeners": [7]}}, sub="status")
        await one.start()
        for number in range(len(STATUSES)):
            name = f"spoilt-{number}"
            await eventually(lambda: is_programmed_by_our_entry(one, name))  # noqa: B023 -- called before the next turn
        await eventually(lambda: is_programmed(one, GOOD))
        await eventually(lambda: is_true(gateway_condition(one, "Programmed")))
        assert FOREIGN in entries_of(one, "spoilt-3")


def is_programmed_by_our_entry(world: World, route: str) -> None:
    entries = [each for each in parents_of(world, route) if each["parentRef"]]
    assert len(entries) == 1
    accepted = [each for each in entries[0]["conditions"] if each.get("type") == "Accepted"]
    assert [each["status"] for each in accepted] == ["True"]


def is_true(found: Json) -> None:
    assert found["status"] == "True", found["message"]


async def test_a_route_that_cannot_be_read_keeps_what_it_has_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, crds=permissive("httproutes")) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE, good("other"), unreadable(good("never-read")))
        await one.start()
        await eventually(lambda: is_programmed(one, GOOD))
        await eventually(lambda: is_programmed(one, "other"))
        await eventually(lambda: is_told_unreadable(one, "HTTPRoute", "never-read"))
        before = {service.id for service in one.lattice.state.services}

        await one.apply(unreadable(good("other")))
        await eventually(lambda: is_told_unreadable(one, "HTTPRoute", "other"))
        await leaves_lattice_alone(one)
        assert {service.id for service in one.lattice.state.services} == before

        await one.apply(good("never-read"), good("other"))
        await eventually(lambda: is_programmed(one, "never-read"))
        await eventually(lambda: is_programmed(one, "other"))
        assert before < {service.id for service in one.lattice.state.services}
        await rests(one)


async def test_a_route_that_could_not_be_read_when_it_went_leaves_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, crds=permissive("httproutes")) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE, good("other"))
        await one.start()
        await eventually(lambda: is_programmed(one, "other"))
        await one.apply(unreadable(good("other")))
        await eventually(lambda: is_told_unreadable(one, "HTTPRoute", "other"))
        await one.patch("HTTPRoute", "other", {"metadata": {"finalizers": []}})
        await one.delete("HTTPRoute", "other")
        await eventually(lambda: is_gone(one, "other"))
        is_programmed(one, GOOD)


async def test_a_gateway_that_cannot_be_read_takes_no_route_down(tmp_path: Path) -> None:
    async with world(tmp_path, crds=permissive("gateways")) as one:
        one.make_network("my-hotel")
        await one.apply(*BESIDE)
        await one.start()
        await eventually(lambda: is_programmed(one, GOOD))
        before = [service.id for service in one.lattice.state.services]

        await one.apply(unreadable(gateway()), good("later"))
        await eventually(lambda: is_told_unreadable(one, "Gateway", "my-hotel"))
        await eventually(lambda: waits(one, "later"))
        await leaves_lattice_alone(one)
        assert [service.id for service in one.lattice.state.services] == before

        await one.apply(gateway())
        await eventually(lambda: is_programmed(one, "later"))
        is_programmed(one, GOOD)


def is_told_unreadable(world: World, kind: str, name: str) -> None:
    texts = event_texts(world, kind, name)
    assert [text for type_, reason, text in texts if "cannot be read" in text and "Expected `array" in text], texts


def waits(world: World, route: str) -> None:
    texts = event_texts(world, "HTTPRoute", route)
    words = "waits for what is not known: Gateway: default/my-hotel cannot be decoded"
    assert [text for _, _, text in texts if words in text], texts
