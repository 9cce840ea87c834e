"""A directory to route by, and targets to route to."""

import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from random import Random

import anyio
import h2.events
import pytest
import trustme
from aiohttp import web
from anyio.streams.tls import TLSStream
from h2.config import H2Configuration
from h2.connection import H2Connection

from sandbox.dataplane import DataPlane
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
        self.certificates = {}
        self.reports = []
        self.reported = anyio.Event()

    def service_by_domain(self, domain):
        return self.services.get(domain.lower())

    def certificate(self, arn):
        return self.certificates.get(arn)

    def target_group(self, group_id):
        return self.groups.get(group_id)

    def target_groups(self):
        return list(self.groups.values())

    def health_is_checked(self):
        """This directory gives no verdicts of its own."""

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

    def service(
        self, rules=(), *, domain=FQDN, port=80, protocol="HTTP", networks=("sn-1",), default=None, custom=None, **more
    ):
        """A service with one listener; `rules` are pairs of a match and a group id or action, in order of priority."""
        made = tuple(
            Rule(f"rule-{number}", number, match, Forward({action: 1}) if isinstance(action, str) else action)
            for number, (match, action) in enumerate(rules, 1)
        )
        listener = Listener("listener-1", port, protocol, made, default or FixedResponse(404))
        service = Service("svc-1", "rates-default", domain, custom, frozenset(networks), {port: listener}, **more)
        self.services[domain] = service
        if custom is not None:
            self.services[custom] = service

    def listen(self, port, protocol, default):
        """One more listener of the service."""
        service = self.services[FQDN]
        listener = Listener(f"listener-{port}", port, protocol, (), default)
        service = replace(service, listeners={**service.listeners, port: listener})
        self.services = dict.fromkeys(self.services, service)

    def forward_all_to(self, group_id, *targets, service=None, **fields):
        self.group(group_id, *targets, **fields)
        self.service([(Match(path_prefix="/"), group_id)], **(service or {}))


@pytest.fixture
def directory():
    return InMemoryDirectory()


@pytest.fixture
def network():
    with Network() as network:
        yield network


@pytest.fixture
async def plane(directory, network, anyio_backend):
    plane = DataPlane(directory, network=network, random=Random(7))
    async with plane.serving():
        yield plane


@pytest.fixture
def authority(plane, tmp_path):
    """A file with the certificate of the data plane's authority."""
    file = tmp_path / "ca.pem"
    file.write_text(plane.authority.pem)
    return file


@pytest.fixture
def curl(plane, authority):
    """Runs curl, trusting the authority: `await curl(*arguments)` gives status, HTTP version, headers and body."""

    async def run(*arguments, check=True):
        command = ["curl", "-s", "-S", "-i", "--max-time", "20", "--noproxy", "", "--cacert", str(authority)]
        done = await anyio.run_process([*command, *arguments], check=False)
        if check:
            assert done.returncode == 0, done.stderr.decode()
        return Curled(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())

    return run


class Curled:
    """What curl has printed; of several heads (CONNECT, 100 Continue) the last counts."""

    def __init__(self, code, printed, errors):
        self.code, self.errors = code, errors
        head, rest = "", printed
        while rest.startswith("HTTP/"):
            head, _, rest = rest.partition("\r\n\r\n")
        self.body = rest
        line, *fields = head.split("\r\n") if head else [""]
        self.version, _, status = line.partition(" ")
        self.status = int(status[:3] or 0)
        self.headers = {field.partition(":")[0].lower(): field.partition(":")[2].strip() for field in fields}


async def logged(plane, count=1):
    """The log, when it has as many entries: a connection is logged at its end, which its caller does not wait for."""
    for _ in range(1000):
        if len(entries := list(plane.log)) >= count:
            return entries
        await anyio.sleep(0.01)
    raise TimeoutError


def port_of(plane):
    return int(plane.url.rpartition(":")[2])


def echo(name):
    """A handler of aiohttp's that answers with what it was asked, as JSON."""

    async def handler(request):
        return web.json_response(
            {
                "name": name,
                "method": request.method,
                "target": request.raw_path,
                "headers": [[key.lower(), value] for key, value in request.headers.items()],
                "body": (await request.read()).decode(),
            }
        )

    return handler


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


class Hanging:
    """What a target does that takes requests and answers none, for `raw_target`."""

    def __init__(self):
        self.begun = anyio.Event()
        """It was asked."""
        self.freed = anyio.Event()
        """Its connection has ended."""

    async def __call__(self, stream):
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                await stream.receive()
                self.begun.set()
        self.freed.set()


@dataclass
class Asked:
    """What an HTTP/2 target of the tests has been asked."""

    method: str
    target: str
    authority: str
    fields: list
    body: bytes
    trailers: list


@asynccontextmanager
async def http2_target(network, handler, *, tls=False, http1=False):
    """A target over h2 alone, that answers with status and body, and with trailers where the handler gives a third.

    With `http1`, it speaks HTTP/1.1 instead. Its certificate is nobody's.
    """
    ip = network.allocate()
    address = network.socket_address(ip)
    secure = None
    if tls:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.set_alpn_protocols(["http/1.1" if http1 else "h2"])
        trustme.CA().issue_cert("unknown.example").configure_cert(secure)
    listener = await anyio.create_tcp_listener(local_host=address, local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def once(stream):
        async with stream:
            try:
                if secure is not None:
                    stream = await TLSStream.wrap(stream, ssl_context=secure, standard_compatible=False)
                await (_serve_http1 if http1 else _serve_http2)(stream, handler)
            except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
                return

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, once)
        yield ip, port
        tasks.cancel_scope.cancel()
    network.release(ip)


async def _serve_http1(stream, handler):
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive()
    line, *fields = head.decode().split("\r\n")
    method, target, _ = line.split(" ")
    host = next(field[6:] for field in fields if field.lower().startswith("host: "))
    status, body = await handler(Asked(method, target, host, fields, b"", []))
    await stream.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)


async def _serve_http2(stream, handler):
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    await stream.send(connection.data_to_send())
    asked = {}
    while True:
        for event in connection.receive_data(await stream.receive()):
            if isinstance(event, h2.events.RequestReceived):
                head = dict(event.headers)
                parts = head[":method"], head[":path"], head[":authority"]
                asked[event.stream_id] = Asked(*parts, list(event.headers), b"", [])
            elif isinstance(event, h2.events.DataReceived):
                asked[event.stream_id].body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                asked[event.stream_id].trailers += event.headers
            elif isinstance(event, h2.events.StreamEnded):
                status, body, *trailers = await handler(asked[event.stream_id])
                connection.send_headers(event.stream_id, [(":status", str(status)), ("x-by", "h2")])
                connection.send_data(event.stream_id, body, end_stream=not trailers)
                if trailers:
                    connection.send_headers(event.stream_id, trailers[0], end_stream=True)
        await stream.send(connection.data_to_send())
