"""Probes and metrics over HTTP."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import anyio
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from controller import health
from controller.health import Checks
from controller.metrics import Metrics
from controller.settings import Bind

pytestmark = pytest.mark.anyio

ANY_PORT = Bind("127.0.0.1", 0)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(http: aiohttp.ClientSession, application: web.Application, path: str) -> tuple[int, str, str]:
    async with anyio.create_task_group() as group:
        bind: Bind = await group.start(health.serve, application, ANY_PORT)
        async with http.get(f"http://{bind}{path}") as response:
            answer = response.status, await response.text(), response.headers["Content-Type"]
        group.cancel_scope.cancel()
    return answer


async def test_readiness_tells_facts_that_decide_nothing(http: aiohttp.ClientSession) -> None:
    checks = Checks()
    checks.tell("leader election", lambda: "follows the other")
    status, text, _ = await get(http, health.probes(checks), "/readyz")
    assert (status, text) == (200, "ok\nleader election: follows the other\n")
    checks.ready("kubernetes", lambda: "not listed yet")
    status, text, _ = await get(http, health.probes(checks), "/readyz")
    assert (status, text) == (503, "kubernetes: not listed yet\nleader election: follows the other\n")
    status, text, _ = await get(http, health.probes(checks), "/healthz")
    assert (status, text) == (200, "ok\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_without_complaints_is_ok(http: aiohttp.ClientSession, path: str) -> None:
    status, text, _ = await get(http, health.probes(Checks()), path)
    assert (status, text) == (200, "ok\n")


async def test_a_pod_that_is_not_ready_says_which_checks_fail_and_why(http: aiohttp.ClientSession) -> None:
    checks = Checks()
    checks.ready("informers", lambda: "HTTPRoute is not synced")
    checks.ready("lattice", lambda: None)
    status, text, _ = await get(http, health.probes(checks), "/readyz")
    assert (status, text) == (503, "informers: HTTPRoute is not synced\n")
    status, _, _ = await get(http, health.probes(checks), "/healthz")
    assert status == 200


async def test_a_failing_liveness_check_is_not_healthy(http: aiohttp.ClientSession) -> None:
    checks = Checks()
    checks.live("lease", lambda: "the renewing thread has ended")
    status, text, _ = await get(http, health.probes(checks), "/healthz")
    assert (status, text) == (503, "lease: the renewing thread has ended\n")


async def test_checks_are_asked_each_time(http: aiohttp.ClientSession) -> None:
    checks, wrong = Checks(), ["not yet"]
    checks.ready("start", lambda: wrong[0] if wrong else None)
    assert (await get(http, health.probes(checks), "/readyz"))[0] == 503
    wrong.clear()
    assert (await get(http, health.probes(checks), "/readyz"))[0] == 200


async def test_metrics_are_served_as_prometheus_text(http: aiohttp.ClientSession) -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.leading("amazon-vpc-lattice.io", leads=True)
    status, text, kind = await get(http, health.metrics(metrics), "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert 'leader_election_master_status{name="amazon-vpc-lattice.io"} 1.0' in text


async def test_an_address_that_is_taken_is_an_error_that_names_it() -> None:
    async with anyio.create_task_group() as group:
        bind: Bind = await group.start(health.serve, health.probes(Checks()), ANY_PORT)
        with pytest.raises(OSError, match=str(bind.port)):
            await health.serve(health.probes(Checks()), bind)
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("application", "flag"),
    [
        (health.probes(Checks()), "--health-probe-bind-address"),
        (health.metrics(Metrics(CollectorRegistry())), "--metrics-bind-address"),
    ],
    ids=["probes", "metrics"],
)
async def test_a_taken_address_is_named_with_the_flag_that_changes_it(application, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = Bind("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match=f"cannot listen on {bind} .Address already in use.; {flag} changes"):
            await health.serve(application, bind)


async def test_an_empty_fact_is_not_told(http: aiohttp.ClientSession) -> None:
    checks = Checks()
    checks.tell("take-over", lambda: "")
    assert (await get(http, health.probes(checks), "/readyz"))[:2] == (200, "ok\n")


async def test_a_plan_is_served_once_there_is_one(http: aiohttp.ClientSession) -> None:
    made: list[bytes] = []
    application = health.metrics(Metrics(CollectorRegistry()), lambda: made[-1] if made else None)
    assert (await get(http, application, "/plan"))[0] == 503
    made.append(b'{"operations":[]}')
    application = health.metrics(Metrics(CollectorRegistry()), lambda: made[-1] if made else None)
    assert (await get(http, application, "/plan"))[:2] == (200, '{"operations":[]}')


async def test_who_makes_no_plans_serves_none(http: aiohttp.ClientSession) -> None:
    assert (await get(http, health.metrics(Metrics(CollectorRegistry())), "/plan"))[0] == 404
