"""A directory to route by, and targets to route to."""

from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
from aiohttp import web

from sandbox.lattice.directory import (
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Match,
    Rule,
    Service,
    Target,
    TargetGroup,
)
from sandbox.network import Network

FQDN = "rates-default-0123456789abcdef0.7d67968.vpc-lattice-svcs.us-west-2.on.aws"


class InMemoryDirectory:
    """A `Directory` that tests fill by hand."""

    def __init__(self):
        self.services = {}
        self.groups = {}
        self.reports = []
        self.reported = anyio.Event()

    def service_by_domain(self, domain):
        return self.services.get(domain.lower())

    def target_group(self, group_id):
        return self.groups.get(group_id)

    def target_groups(self):
        return list(self.groups.values())

    def report_health(self, group_id, ip, port, *, healthy, reason):
        self.reports.append((ip, port, healthy, reason))
        self.set_status(group_id, ip, "HEALTHY" if healthy else "UNHEALTHY")
        self.reported.set()
        self.reported = anyio.Event()

    def set_status(self, group_id, ip, status):
        group = self.groups[group_id]
        targets = tuple(replace(t, status=status) if t.ip == ip else t for t in group.targets)
        self.groups[group_id] = replace(group, targets=targets)

    def group(self, group_id, *targets, status="HEALTHY", check=None, used=True, **fields):
        self.groups[group_id] = TargetGroup(
            group_id,
            fields.get("protocol", "HTTP"),
            fields.get("protocol_version", "HTTP1"),
            check or HealthCheck(enabled=True),
            used=used,
            targets=tuple(Target(ip, port, status) for ip, port in targets),
        )

    def service(self, rules=(), *, domain=FQDN, port=80, protocol="HTTP", networks=("sn-1",), default=None):
        """A service with one listener; `rules` are pairs of a match and a group id or action, in order of priority."""
        made = tuple(
            Rule(f"rule-{number}", number, match, Forward({action: 1}) if isinstance(action, str) else action)
            for number, (match, action) in enumerate(rules, 1)
        )
        listener = Listener("listener-1", port, protocol, made, default or FixedResponse(404))
        self.services[domain] = Service("svc-1", "rates-default", domain, None, frozenset(networks), {port: listener})

    def forward_all_to(self, group_id, *targets, **fields):
        self.group(group_id, *targets, **fields)
        self.service([(Match(path_prefix="/"), group_id)])


@pytest.fixture
def directory():
    return InMemoryDirectory()


@pytest.fixture
def network():
    with Network() as network:
        yield network


@asynccontextmanager
async def http_target(network, handler):
    """A target that answers with an aiohttp handler; gives its address and port."""
    ip = network.allocate()
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, network.socket_address(ip), 0).start()
    try:
        yield ip, runner.addresses[0][1]
    finally:
        await runner.cleanup()
        network.release(ip)


@asynccontextmanager
async def raw_target(network, serve):
    """A target whose bytes a coroutine function writes: `serve(stream)`; gives its address and port."""
    ip = network.allocate()
    listener = await anyio.create_tcp_listener(local_host=network.socket_address(ip), local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def once(stream):
        async with stream:
            await serve(stream)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, once)
        yield ip, port
        tasks.cancel_scope.cancel()
    network.release(ip)
