"""A real Prometheus scrapes a running controller: the dashboard's queries are answered, and an alert fires.

The controller is a process that works on the sandbox, Prometheus is Debian's package. Prometheus scrapes each second,
and the windows of the alerts are a sixtieth of what they are in production: a minute is a second. By default the
queries are asked for a few seconds; `PROMETHEUS_SECONDS` (or `make prometheus-check`) asks for longer.
"""

import math
import os
import re
import shutil
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp
import anyio
import pytest
import yaml

from controller.kube.config import DEFAULT_NAMESPACE
from sandbox.lattice import Refuse, Throttle
from tests.deploy.monitoring import JOB, Query, dashboard_queries, rule_groups
from tests.deploy.ports import free_port
from tests.e2e.harness import World, environment, world
from tests.e2e.objects import backend, endpoints, gateway, gateway_class, namespace, route, rule, service

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="the package prometheus is not installed"),
]

SECONDS = float(os.environ.get("PROMETHEUS_SECONDS", "8"))
PATIENCE = 60.0


def hastened(value: str) -> str:
    """Durations in minutes as so many seconds."""
    return re.sub(r"\b(\d+)m\b", r"\1s", value)


class Prometheus:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def query(self, expression: str) -> list[float]:
        """The values of an instant query, which has to be answered without an error or a warning."""
        async with self._http.get("/api/v1/query", params={"query": expression}) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return [float(sample["value"][1]) for sample in answer["data"]["result"]]

    async def firing(self) -> set[str]:
        async with self._http.get("/api/v1/alerts") as response:
            found = (await response.json())["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    async def ready(self) -> bool:
        try:
            async with self._http.get("/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False


@asynccontextmanager
async def process(*command: str, log: Path, env: dict[str, str] | None = None) -> AsyncGenerator[anyio.abc.Process]:
    with log.open("wb") as lines:
        started = await anyio.open_process(command, stdin=None, stdout=lines, stderr=lines, env=env)
        try:
            yield started
        finally:
            if started.returncode is None:
                started.terminate()
            with anyio.CancelScope(shield=True), anyio.move_on_after(PATIENCE):
                await started.wait()


@asynccontextmanager
async def scraped_controller(one: World, folder: Path) -> AsyncGenerator[tuple[Prometheus, anyio.abc.Process]]:
    """A controller that works on this world, and a Prometheus that scrapes it."""
    metrics, web = free_port(), free_port()
    rules = folder / "rules.yaml"
    rules.write_text(hastened(yaml.safe_dump({"groups": rule_groups()})))
    config = folder / "prometheus.yaml"
    labels = {"namespace": DEFAULT_NAMESPACE, "pod": "gateway-api-controller-0"}
    targets = {"targets": [f"127.0.0.1:{metrics}"], "labels": labels}
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(rules)],
                "scrape_configs": [{"job_name": JOB, "static_configs": [targets]}],
            }
        )
    )
    settings = {**os.environ, **environment(one.lattice), "KUBECONFIG": str(folder / "kubeconfig")}
    words = [sys.executable, "-m", "controller", "run", "--leader-elect", "--health-probe-bind-address=0"]
    async with (
        process(*words, f"--metrics-bind-address=127.0.0.1:{metrics}", log=folder / "run.log", env=settings) as running,
        process(
            *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"),
            *(f"--web.listen-address=127.0.0.1:{web}", "--log.level=warn"),
            log=folder / "prometheus.log",
        ),
        aiohttp.ClientSession(f"http://127.0.0.1:{web}") as http,
    ):
        prometheus = Prometheus(http)
        await eventually(prometheus.ready, "Prometheus is ready")
        yield prometheus, running


async def eventually(holds: Callable[[], Awaitable[bool]], what: object) -> None:
    """Return when it holds; `what` is told if that takes too long, as it then is."""
    deadline = anyio.current_time() + PATIENCE
    while not await holds():
        assert anyio.current_time() < deadline, f"not so after {PATIENCE} s: {what}"
        await anyio.sleep(0.5)


async def make_route(one: World, number: int) -> None:
    name = f"rates-{number}"
    await one.apply(service(name), endpoints(name, ["10.0.0.1", "10.0.0.2"]), route(name, rule(backend(name))))


async def test_the_dashboard_is_answered_and_a_refusal_by_aws_raises_its_alert_and_no_other(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.make_network("my-hotel")
        await one.apply(namespace(DEFAULT_NAMESPACE), gateway_class(), gateway())
        one.lattice.faults.add("CreateService", Throttle(), times=1)
        one.lattice.faults.add("RegisterTargets", Refuse("ConflictException", 409), times=1)
        async with scraped_controller(one, tmp_path) as (prometheus, running):
            routes = count()

            async def answered() -> bool:
                """Whether each query of the dashboard has told a number by now; a new route each time."""
                await make_route(one, next(routes))
                for expression in list(silent):
                    if any(math.isfinite(value) for value in await prometheus.query(expression)):
                        silent.remove(expression)
                return not silent

            async def firing(alert: str) -> bool:
                await make_route(one, next(routes))
                return alert in await prometheus.firing()

            expressions = {asked(query) for query in dashboard_queries()}
            silent = set(expressions)
            until = anyio.current_time() + SECONDS
            while anyio.current_time() < until:
                await eventually(answered, silent)
                silent.update(expressions)
            assert await prometheus.firing() == set()

            one.lattice.faults.add("CreateTargetGroup", Refuse("AccessDeniedException", 403, "not authorized"))
            await eventually(lambda: firing("LatticeControllerRefusedByAws"), "the refusal raises its alert")
            assert not {"LatticeControllerDown", "LatticeControllerNoLeader"} & await prometheus.firing()

            running.terminate()
            await eventually(lambda: firing("LatticeControllerDown"), "the end of the controller raises its alert")


def asked(query: Query) -> str:
    """An expression as Grafana asks it: its variables replaced."""
    expression = query.expression
    for name, value in {"$__rate_interval": "5s", "$job": JOB, "$namespace": ".*"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression
