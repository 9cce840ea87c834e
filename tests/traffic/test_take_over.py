"""The first run after the AWS Gateway API Controller's, under traffic: no request fails and none is misrouted.

What that one has left is served as that one serves it until it is released, whatever happens meanwhile: pods are
replaced, the new controller is started again, users do what they are asked to do, or do not. What is released is then
answered as the specification has it. Where that is a refusal, because somebody released what he has not mended, the
refusal is the new answer, and such requests are counted apart.
"""

import os
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from tests.e2e.harness import PREFIX
from tests.e2e.objects import backend, gateway, grant, listener, parent, prefix, route, rule
from tests.traffic.predecessor import HOLDER, LEASE, Predecessor, predecessor
from tests.traffic.stage import PATIENCE, Json, Stage, stage, working, workload

pytestmark = pytest.mark.anyio

HOTEL = parent("my-hotel", namespace="default")
TWO = {"headers": [{"name": "x-version", "value": "two"}]}


@pytest.fixture
async def one(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    async with stage(tmp_path / "sandbox", request) as made:
        await made.apply(*workload("one"), *workload("two"))
        yield made


@pytest.fixture
async def before(one: Stage) -> AsyncGenerator[Predecessor]:
    async with predecessor(one) as made:
        yield made


def exact(path: str) -> Json:
    return {"path": {"type": "Exact", "value": path}}


async def held(one: Stage, name: str, namespace: str = "default") -> str | None:
    """What the route says is held back."""
    found = await one.get("HTTPRoute", name, namespace)
    conditions = found["status"]["parents"][0]["conditions"]
    return next((each["message"] for each in conditions if each["type"] == f"{PREFIX}TakenOver"), None)


async def left(one: Stage, *routes: str) -> None:
    """Return when the Lease says that these routes are left to be taken over, and no others; and all has settled."""
    expected = ",".join(f"HTTPRoute/{route}" for route in routes)
    deadline = time.monotonic() + PATIENCE
    while True:
        lease = await one.get("Lease", LEASE)
        assert lease["spec"]["holderIdentity"] == HOLDER, "ours runs without leader election here"
        found = lease["metadata"].get("annotations", {}).get(f"{PREFIX}take-over", "")
        if found == expected:
            return
        assert time.monotonic() < deadline, f"left is {found}, not {expected}"
        await anyio.sleep(0.05)


async def planned(one: Stage) -> list[Json]:
    """The operations that `lattice-controller plan` shows."""
    command = [sys.executable, "-m", "controller", "plan", "--output", "json"]
    found = await anyio.run_process(command, env={**os.environ, **one.sandbox.environment}, check=False)
    operations: list[Json] = orjson.loads(found.stdout)["operations"]
    return operations


async def test_a_take_over_of_rules_in_another_order(one: Stage, before: Predecessor, tmp_path: Path) -> None:
    """The first rule takes everything; and a header's value is compared without regard to case."""
    everything, versioned = rule(backend("one")), rule(backend("two"), matches=[{**prefix("/"), **TWO}])
    special = rule(backend("two"), matches=[prefix("/special"), exact("/only")])
    a, b = rule(backend("one"), matches=[prefix("/a")]), rule(backend("two"), matches=[prefix("/b")])
    shuffled = f"http://{await before.serve(route('shuffled', everything, special))}"
    cased = f"http://{await before.serve(route('cased', versioned, everything))}"
    plain = f"http://{await before.serve(route('plain', a))}"
    for url in (f"{shuffled}/", f"{cased}/", f"{plain}/a"):
        await one.answers(url, "<one>")
        one.traffic.call(url, "<one>")
    await one.answers(f"{cased}/", "<two>", headers={"X-Version": "two"})
    one.traffic.call(f"{cased}/", "<two>", headers={"X-Version": "two"})
    upper = one.traffic.call(f"{cased}/", "<two>", headers={"X-Version": "TWO"})
    re_routed = [one.traffic.call(f"{shuffled}{path}", "<one>") for path in ("/special/offer", "/only")]

    async with working(one, tmp_path):
        await one.change(lambda: left(one, "default/cased", "default/shuffled"))
        await one.apply(route("plain", a, b))
        await one.answers(f"{plain}/b", "<two>")
        one.traffic.call(f"{plain}/b", "<two>")
        await one.roll("two")
        assert "/special" in (await held(one, "shuffled") or "")
        assert "x-version" in (await held(one, "cased") or "")
        assert await held(one, "plain") is None
        plans = await planned(one)
        assert all(each["held"] for each in plans)
        assert {each["route"] for each in plans} == {"HTTPRoute/default/shuffled", "HTTPRoute/default/cased"}
        one.traffic.check()
        for caller in re_routed:
            caller.right |= {"<two>"}
        await one.annotate("HTTPRoute", "shuffled", "default", take_over="released")
        await one.change(lambda: left(one, "default/cased"), *((each, "<two>") for each in re_routed))
    async with working(one, tmp_path):
        await one.change(one.settled)
        one.traffic.check()
        await one.change(
            lambda: one.annotate("HTTPRoute", "cased", "default", take_over="released"),
            (upper, "<one>"),
        )
        await left(one)
    assert await planned(one) == []
    assert one.traffic.verdict() > 300


async def test_a_take_over_of_references_that_no_grant_permits(one: Stage, before: Predecessor, tmp_path: Path) -> None:
    """What is released without a grant is refused: so a backend's share goes to the others, and without any it is
    500."""
    for name in ("store", "bar", "payments"):
        await one.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await one.apply(*workload("pay", namespace="payments"), *workload("cash", namespace="bar"))
    pay, cash = backend("pay", namespace="payments"), backend("cash")
    urls = [
        f"http://{await before.serve(each)}/"
        for each in (
            route("granted", rule(pay), namespace="store", parents=[HOTEL]),
            route("refused", rule(pay), namespace="bar", parents=[HOTEL]),
            route("shared", rule(pay, cash), namespace="bar", parents=[HOTEL]),
        )
    ]
    for url in urls:
        await one.answers(url, "<pay>")
    await one.answers(urls[2], "<cash>")
    one.traffic.call(urls[0], "<pay>")
    refused, shared = one.traffic.call(urls[1], "<pay>"), one.traffic.call(urls[2], "<pay>", "<cash>")

    async with working(one, tmp_path):
        await one.change(lambda: left(one, "bar/refused", "bar/shared", "store/granted"))
        for name, namespace in (("granted", "store"), ("refused", "bar"), ("shared", "bar")):
            assert await held(one, name, namespace) is not None
        await one.roll("pay", "payments")
        await one.roll("cash", "bar")
        one.traffic.check()
        await one.apply(grant("payments", "store"))
        await one.change(lambda: left(one, "bar/refused", "bar/shared"))
        assert await held(one, "granted", "store") is None
        await one.roll("pay", "payments")
        one.traffic.check()
        for caller, new in ((refused, "500"), (shared, "<cash>")):
            caller.right |= {new}
        await one.annotate("Namespace", "bar", take_over="released")
        await one.change(lambda: left(one), (refused, "500"), (shared, "<cash>"))
    assert one.traffic.verdict() > 300


def listening(**hostnames: str) -> Json:
    """The Gateway with a listener for each of these hostnames, from port 8080."""
    named = [listener(name, port, hostname=host) for port, (name, host) in enumerate(hostnames.items(), start=8080)]
    made: dict[str, Any] = gateway("my-hotel", listener(), *named)
    return made


async def test_a_take_over_of_hostnames_that_match_no_listener(one: Stage, before: Predecessor, tmp_path: Path) -> None:
    """What is released without its listener is asked for by nobody, and nobody answers to its name: 404."""
    await one.apply(listening(first="*.example.org", second="*.example.net"))
    for name, backends in (("first", "one"), ("second", "two")):
        hostnames, parents = [f"{name}.example.com"], [parent(sectionName=name)]
        await before.serve(route(name, rule(backend(backends)), hostnames=hostnames, parents=parents))
    urls = ("http://first.example.com:8080/", "http://second.example.com:8081/")
    for url, text in zip(urls, ("<one>", "<two>"), strict=True):
        await one.answers(url, text)
    one.traffic.call(urls[0], "<one>")
    second = one.traffic.call(urls[1], "<two>")

    async with working(one, tmp_path):
        await one.change(lambda: left(one, "default/first", "default/second"))
        for name in ("first", "second"):
            assert "DeleteService" in (await held(one, name) or "")
        await one.roll("one")
        await one.roll("two")
        one.traffic.check()
        await one.apply(listening(first="*.example.com", second="*.example.net"))
        await one.change(lambda: left(one, "default/second"))
        assert await held(one, "first") is None
        await one.roll("one")
        one.traffic.check()
    second.right |= {"404"}
    async with working(one, tmp_path, TAKE_OVER_RELEASE="true"):
        await one.change(lambda: left(one), (second, "404"))
    assert one.traffic.verdict() > 300
