"""VPC Lattice, on a core of its own: what it serves, beside what our client can send from another, with many services.

Both sides are given the same calls. The client sends them as the controller would, signed, with turns, retries and
decoded answers, until its core is busy; then requests made in advance keep the server's core busy. And each operation
is called of a server with a tenth of the services and of one with all, in turns, so that whatever else the machine does
meets both; the cheapest of all turns is compared.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import anyio
import orjson

from controller.lattice.client import LatticeClient
from controller.lattice.limits import Limits, Rate
from perf.surroundings.processes import Server, lattice
from perf.surroundings.raw import request, send_all
from perf.surroundings.result import Result
from workqueue import MonotonicClock

SERVICES = 10_000
GROUPS = 100
CALLS = 6_000
CONNECTIONS = 32
PROBES = 600
PART = 100
"""Calls that are measured together; the cheapest part counts, which is one without a pass of the garbage collector."""

TURNS = 5

GOAL_SERVED = 1.5
GOAL_GROWTH = 1.3
"""How much more an operation may cost with ten times the services: what measuring makes of nothing."""

_SCOPE = "AWS4-HMAC-SHA256 Credential=perf/20260101/us-west-2/vpc-lattice/aws4_request, SignedHeaders=host, Signature=0"

Json = dict[str, Any]


def call(method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
    """A request in the form that the operations of VPC Lattice have."""
    encoded = b"" if body is None else orjson.dumps(body)
    return request(method, path, encoded, content_type="application/json", authorization=_SCOPE)


async def measure() -> list[Result]:
    """Run it, for about a minute."""
    async with lattice() as server, lattice() as small:
        groups = [one["id"] for one in await _each(server, (_group(f"group-{n}") for n in range(GROUPS)))]
        services = await _services(server, 0, SERVICES)
        await _services(small, 0, SERVICES // 10)
        few: dict[str, float] = {}
        many: dict[str, float] = {}
        for turn in range(TURNS):
            for one, cheapest in ((small, few), (server, many)):
                costs = await _costs(one, f"turn-{turn}")
                cheapest |= {name: min(cheapest.get(name, cost), cost) for name, cost in costs.items()}
        sent, client_busy = await _client_sends(server, services, groups)
        served = await _server_serves(server, services, groups)
    ratio = served / sent
    grown = sorted(((many[name] / few[name], name) for name in few), reverse=True)
    return [
        Result(
            f"VPC Lattice: calls a second that are served, beside those our client sends, {SERVICES:,} services",
            f"{ratio:.2f} ×",
            f"≥ {GOAL_SERVED:g} ×",
            ratio >= GOAL_SERVED,
            f"{served:,.0f} served, {sent:,.0f} sent by a client that has {client_busy:.0%} of a core",
        ),
        Result(
            f"VPC Lattice: cost of a call with {SERVICES:,} services, beside {SERVICES // 10:,}, worst of {len(few)}",
            f"{grown[0][0]:.2f} ×",
            f"≤ {GOAL_GROWTH:g} ×",
            grown[0][0] <= GOAL_GROWTH,
            ", ".join(f"{name} {growth:.2f}" for growth, name in grown[:3]),
        ),
    ]


async def _services(server: Server, first: int, last: int) -> list[str]:
    names = (call("POST", "/services", {"name": f"service-{n}"}) for n in range(first, last))
    return [one["id"] for one in await _each(server, names)]


def _group(name: str) -> bytes:
    config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": "vpc-0a1b2c3d4e5f67890"}
    return call("POST", "/targetgroups", {"name": name, "type": "IP", "config": config})


async def _each(server: Server, requests: Iterator[bytes]) -> list[Json]:
    bodies: list[bytes] = []
    await send_all(server.host, server.port, requests, CONNECTIONS, bodies)
    return [orjson.loads(body) for body in bodies if body]


def _targets(turn: int) -> list[Json]:
    return [{"id": f"10.{turn % 200}.{turn // 200 % 200}.{last}", "port": 8080} for last in range(1, 4)]


async def _client_sends(server: Server, services: list[str], groups: list[str]) -> tuple[float, float]:
    """Calls a second, and the share of its core that the client had."""
    environment = {"AWS_ACCESS_KEY_ID": "perf", "AWS_SECRET_ACCESS_KEY": "perf", "AWS_EC2_METADATA_DISABLED": "true"}
    turns = iter(range(CALLS))
    with mock.patch.dict("os.environ", environment):
        client = LatticeClient(
            region="us-west-2", endpoint_url=server.url, limits=Limits(MonotonicClock(), Rate(1e9, 10**9))
        )
        async with client:

            async def work() -> None:
                for turn in turns:
                    if turn % 2:
                        await client.call("GetService", {"serviceIdentifier": services[turn % len(services)]})
                    else:
                        arguments = {"targetGroupIdentifier": groups[turn % len(groups)], "targets": _targets(turn)}
                        await client.call("RegisterTargets", arguments)

            began, cpu = time.perf_counter(), time.process_time()
            async with anyio.create_task_group() as tasks:
                for _ in range(CONNECTIONS):
                    tasks.start_soon(work)
            seconds = time.perf_counter() - began
    return CALLS / seconds, (time.process_time() - cpu) / seconds


async def _server_serves(server: Server, services: list[str], groups: list[str]) -> float:
    def mixed() -> Iterator[bytes]:
        for turn in range(CALLS):
            if turn % 2:
                yield call("GET", f"/services/{services[turn % len(services)]}")
            else:
                body = {"targets": _targets(turn)}
                yield call("POST", f"/targetgroups/{groups[turn % len(groups)]}/registertargets", body)

    requests = list(mixed())
    began = time.perf_counter()
    await send_all(server.host, server.port, iter(requests), CONNECTIONS)
    return CALLS / (time.perf_counter() - began)


async def _costs(server: Server, label: str) -> dict[str, float]:
    """Seconds of the server's core for each operation but the lists, of a life that some services are led through."""
    costs: dict[str, float] = {}

    async def cost(name: str, requests: Iterator[bytes]) -> list[Json]:
        made = list(requests)
        answers: list[Json] = []
        for first in range(0, len(made), PART):
            part = made[first : first + PART]
            before = server.cpu_nanoseconds()
            answers += await _each(server, iter(part))
            seconds = (server.cpu_nanoseconds() - before) / 1e9 / len(part)
            costs[name] = min(costs.get(name, seconds), seconds)
        return answers

    network = (await _each(server, iter([call("POST", "/servicenetworks", {"name": f"network-{label}"})])))[0]["id"]
    numbers = range(PROBES)
    creates = (call("POST", "/services", {"name": f"probe-{label}-{n}"}) for n in numbers)
    services = [one["id"] for one in await cost("CreateService", creates)]
    await cost("GetService", (call("GET", f"/services/{one}") for one in services))
    update = {"authType": "AWS_IAM"}
    await cost("UpdateService", (call("PATCH", f"/services/{one}", update) for one in services))
    joined = ({"serviceIdentifier": one, "serviceNetworkIdentifier": network} for one in services)
    path = "/servicenetworkserviceassociations"
    associations = [
        one["id"]
        for one in await cost("CreateServiceNetworkServiceAssociation", (call("POST", path, one) for one in joined))
    ]
    await cost("GetServiceNetworkServiceAssociation", (call("GET", f"{path}/{one}") for one in associations))
    listener = {"name": "http", "protocol": "HTTP", "port": 80, "defaultAction": {"fixedResponse": {"statusCode": 404}}}
    listeners = [
        _below(one["arn"])
        for one in await cost("CreateListener", (call("POST", f"/services/{s}/listeners", listener) for s in services))
    ]
    rule = {
        "name": "rule",
        "priority": 1,
        "match": {"httpMatch": {"pathMatch": {"match": {"prefix": "/"}}}},
        "action": {"fixedResponse": {"statusCode": 404}},
    }
    rules = [
        _below(one["arn"]) for one in await cost("CreateRule", (call("POST", f"{p}/rules", rule) for p in listeners))
    ]
    await cost("UpdateRule", (call("PATCH", one, {"priority": 2}) for one in rules))
    made = [one["id"] for one in await cost("CreateTargetGroup", (_group(f"probe-{label}-{n}") for n in numbers))]
    for verb in ("register", "deregister"):
        changed = ((f"/targetgroups/{one}/{verb}targets", {"targets": _targets(n)}) for n, one in enumerate(made))
        await cost(f"{verb.capitalize()}Targets", (call("POST", *one) for one in changed))
    await cost("GetTargetGroup", (call("GET", f"/targetgroups/{one}") for one in made))
    await cost("DeleteTargetGroup", (call("DELETE", f"/targetgroups/{one}") for one in made))
    await cost("DeleteRule", (call("DELETE", one) for one in rules))
    await cost("DeleteListener", (call("DELETE", one) for one in listeners))
    await cost("DeleteServiceNetworkServiceAssociation", (call("DELETE", f"{path}/{one}") for one in associations))
    await cost("DeleteService", (call("DELETE", f"/services/{one}") for one in services))
    return costs


def _below(arn: str) -> str:
    """The path of a listener or a rule: its ARN ends in the same names, in the singular."""
    names = arn.rpartition(":")[2].split("/")
    return "".join(f"/{kind}s/{ident}" for kind, ident in zip(names[::2], names[1::2], strict=True))
