"""Changes that users make to what serves traffic, under that traffic: no request fails and none is misrouted.

Source: Gateway API v1.6, guides "HTTP traffic splitting" and "HTTP routing".
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import anyio
import pytest

from tests.e2e.objects import backend, prefix, route, rule
from tests.traffic.stage import PODS, Json, Stage, stage, working, workload

pytestmark = pytest.mark.anyio

CANARY = {"headers": [{"name": "x-version", "value": "two"}]}


@pytest.fixture
async def one(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    async with stage(tmp_path / "sandbox", request) as made, working(made, tmp_path):
        await made.apply(*workload("one"), *workload("two"))
        yield made


async def test_a_canary_by_weights(one: Stage) -> None:
    await one.apply(route("rates", rule(backend("one"))))
    url = f"http://{await one.programmed('rates')}/"
    await one.answers(url, "<one>")
    callers = [one.traffic.call(url, "<one>") for _ in range(4)]
    for weights in ((90, 10), (50, 50)):
        for caller in callers:
            caller.right |= {"<two>"}
        split = rule(backend("one", weight=weights[0]), backend("two", weight=weights[1]))
        await one.change(lambda split=split: one.apply(route("rates", split)))
    await one.change(lambda: one.apply(route("rates", rule(backend("two")))), *((each, "<two>") for each in callers))
    assert all(caller.answered["<two>"] > 10 and caller.answered["<one>"] > 10 for caller in callers)
    assert one.traffic.verdict() > 100


@contextmanager
def unchecked(one: Stage) -> Iterator[None]:
    """No target passes its first health check meanwhile."""
    with mock.patch.object(one.sandbox.lattice.directory, "report_health"):
        yield


async def test_a_canary_scaled_from_nothing_together_with_its_weight(one: Stage) -> None:
    def split(old: int, new: int) -> Json:
        return route("rates", rule(backend("one", weight=old), backend("canary", weight=new)))

    async def begin() -> None:
        calls = one.sandbox.lattice.calls
        mark = calls.mark()
        with unchecked(one):
            await one.patch("Deployment", "canary", {"spec": {"replicas": PODS}})
            await one.endpoints("canary", 80)
            await one.apply(split(50, 50))
            while calls.count("ListTargets", mark) < 2 and not calls.count("UpdateRule", mark):  # noqa: ASYNC110 -- the log tells nobody
                await anyio.sleep(0.05)
            await anyio.sleep(0.3)

    await one.apply(*workload("canary", pods=0))
    await one.apply(split(100, 0))
    url = f"http://{await one.programmed('rates')}/"
    await one.answers(url, "<one>")
    await one.settled()
    callers = [one.traffic.call(url, "<one>", "<canary>") for _ in range(4)]
    await one.change(begin)
    for caller in callers:
        await caller.is_answered("<canary>")
    await one.settled()
    await one.change(
        lambda: one.apply(route("rates", rule(backend("canary")))), *((each, "<canary>") for each in callers)
    )
    assert one.traffic.verdict() > 100


async def test_blue_and_green_by_a_header(one: Stage) -> None:
    await one.apply(route("rates", rule(backend("one"))))
    url = f"http://{await one.programmed('rates')}/"
    await one.answers(url, "<one>")
    everybody, tester = one.traffic.call(url, "<one>"), one.traffic.call(url, "<one>", headers={"X-Version": "two"})
    green = rule(backend("two"), matches=[{**prefix("/"), **CANARY}])
    await one.change(lambda: one.apply(route("rates", green, rule(backend("one")))), (tester, "<two>"))
    await one.change(lambda: one.apply(route("rates", green, rule(backend("two")))), (everybody, "<two>"))
    await one.change(lambda: one.apply(route("rates", rule(backend("two")))))
    assert one.traffic.verdict() > 100


async def test_a_path_moves_from_one_teams_route_to_anothers_on_the_same_hostname(one: Stage) -> None:
    for team in ("blue", "green"):
        await one.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})
        await one.apply(*workload(team, namespace=team))
    shop = {"hostnames": ["shop.example.com"], "parents": [{"name": "my-hotel", "namespace": "default"}]}

    def of(team: str, *paths: str) -> dict[str, object]:
        return route("shop", rule(backend(team), matches=[prefix(path) for path in paths]), namespace=team, **shop)

    await one.apply(of("blue", "/", "/pay"))
    await one.programmed("shop", "blue")
    await one.answers("http://shop.example.com/pay", "<blue>")
    rest = one.traffic.call("http://shop.example.com/", "<blue>")
    pay = one.traffic.call("http://shop.example.com/pay/now", "<blue>")
    await one.change(lambda: one.apply(of("green", "/pay")))
    await one.change(lambda: one.apply(of("blue", "/")), (pay, "<green>"))
    await one.change(lambda: one.delete("HTTPRoute", "shop", "green"), (pay, "<blue>"))
    assert set(rest.answered) == {"<blue>"}
    assert one.traffic.verdict() > 100


async def test_a_backends_port_changes(one: Stage) -> None:
    await one.apply(*workload("ports", ports={80: 8090, 8080: 8091}))
    await one.apply(route("rates", rule(backend("ports"))))
    url = f"http://{await one.programmed('rates')}/"
    await one.answers(url, "<ports>")
    one.traffic.call(url, "<ports>")
    await one.change(lambda: one.apply(route("rates", rule(backend("ports", port=8080)))))
    await one.change(lambda: one.apply(route("rates", rule(backend("ports"), backend("ports", port=8080)))))
    await one.change(lambda: one.apply(route("rates", rule(backend("ports")))))
    assert one.traffic.verdict() > 100


async def test_the_order_of_rules_and_the_form_of_a_match_change(one: Stage) -> None:
    first, second = rule(backend("one"), matches=[prefix("/a")]), rule(backend("two"), matches=[prefix("/b")])
    exact = rule(backend("one"), matches=[{"path": {"type": "Exact", "value": "/a"}}])
    await one.apply(route("rates", first, second))
    domain = await one.programmed("rates")
    await one.answers(f"http://{domain}/a", "<one>")
    await one.answers(f"http://{domain}/b", "<two>")
    one.traffic.call(f"http://{domain}/a", "<one>")
    one.traffic.call(f"http://{domain}/b", "<two>")
    for rules in ((second, first), (exact, second), (first, exact, second), (second, first)):
        await one.change(lambda rules=rules: one.apply(route("rates", *rules)))
    assert one.traffic.verdict() > 100
