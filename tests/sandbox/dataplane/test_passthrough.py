"""TLS listeners: Python's ssl and openssl talk to targets that end TLS themselves."""

import socket
import ssl
import struct

import anyio
import pytest
import trustme
from anyio import to_thread
from anyio.streams.tls import TLSStream

from sandbox.lattice.directory import Forward, HealthCheck

from .conftest import FQDN, logged, port_of, raw_target

pytestmark = pytest.mark.anyio

CUSTOM = "rates.example.com"


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture
def trust(ca, tmp_path):
    file = tmp_path / "target-ca.pem"
    file.write_bytes(ca.cert_pem.bytes())
    return file


def tls_target(network, ca, name, *, alpn=()):
    """A target with a certificate for the custom domain, that answers each line with its name before it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("*.example.com").configure_cert(context)
    context.set_alpn_protocols(list(alpn))

    async def serve(stream):
        secured = await TLSStream.wrap(stream, ssl_context=context, standard_compatible=False)
        async for data in secured:
            await secured.send(f"{name}: ".encode() + data)

    return raw_target(network, serve)


def pass_to(directory, *groups, port=443, **service):
    """A TLS listener that forwards to groups of one target each."""
    for number, target in enumerate(groups, 1):
        directory.group(
            f"tg-{number}",
            target,
            protocol="TCP",
            protocol_version=None,
            status="UNAVAILABLE",
            check=HealthCheck(enabled=False),
        )
    weights = Forward({f"tg-{number}": 1 for number in range(1, len(groups) + 1)})
    directory.service(port=port, protocol="TLS_PASSTHROUGH", custom=CUSTOM, default=weights, **service)


def dial(plane, ca, *, port=None, name=CUSTOM, alpn=()):
    """A TLS connection to the target, through the address of the data plane or a port that is asked for."""
    raw = socket.create_connection(("127.0.0.1", port_of(plane)), timeout=10)
    if port is not None:
        raw.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")
    context = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(raw, server_hostname=name)


def say(plane, ca, **options):
    with dial(plane, ca, **options) as connection:
        connection.sendall(b"hello")
        return connection.recv(100), connection.selected_alpn_protocol()


@pytest.mark.parametrize("port", [None, 443])
async def test_the_target_ends_tls_with_its_own_certificate_and_protocols(plane, directory, network, ca, port):
    async with tls_target(network, ca, "one", alpn=["mine"]) as target:
        pass_to(directory, target)
        said = await to_thread.run_sync(lambda: say(plane, ca, port=port, alpn=["mine"]))
        assert said == (b"one: hello", "mine")


async def test_openssl_reaches_the_target_by_the_server_name(plane, directory, network, ca, trust):
    async with tls_target(network, ca, "one") as target:
        pass_to(directory, target)
        command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-verify_hostname", CUSTOM]
        options = ["-CAfile", str(trust), "-proxy", f"127.0.0.1:{port_of(plane)}", "-connect", f"{CUSTOM}:443"]
        async with await anyio.open_process([*command, *options, "-servername", CUSTOM]) as process:
            await process.stdin.send(b"hello\n")
            with anyio.fail_after(10):
                assert await process.stdout.receive() == b"one: hello\n"
            process.terminate()


async def test_the_log_tells_of_a_connection(plane, directory, network, ca):
    async with tls_target(network, ca, "one") as target:
        pass_to(directory, target)
        await to_thread.run_sync(lambda: say(plane, ca, port=443))
    (access,) = await logged(plane)
    assert (access.protocol, access.server_name, access.listener) == ("TLS", CUSTOM, 443)
    assert (access.service, access.target) == ("rates-default", f"{target[0]}:{target[1]}")


async def test_connections_are_spread_over_groups_by_weight(plane, directory, network, ca):
    async with tls_target(network, ca, "one") as one, tls_target(network, ca, "two") as two:
        pass_to(directory, one, two)
        said = {(await to_thread.run_sync(lambda: say(plane, ca)))[0] for _ in range(20)}
        assert said == {b"one: hello", b"two: hello"}


@pytest.mark.parametrize("name", [FQDN, "nobody.example"])
async def test_only_the_custom_domain_is_matched(plane, directory, network, ca, name):
    async with tls_target(network, ca, "one") as target:
        pass_to(directory, target)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await to_thread.run_sync(lambda: say(plane, ca, name=name))


async def test_a_certificate_of_the_service_is_not_used(plane, directory, network, ca):
    async with tls_target(network, ca, "one") as target:
        pass_to(directory, target, certificate_arn="arn:aws:acm:us-west-2:123456789012:certificate/gone")
        assert (await to_thread.run_sync(lambda: say(plane, ca)))[0] == b"one: hello"


@pytest.mark.parametrize("targets", [[("10.244.9.9", 1)], []])
async def test_without_a_target_the_connection_is_closed(plane, directory, ca, targets):
    pass_to(directory, *targets)
    if not targets:
        directory.group("tg-1", protocol="TCP")
        directory.service(port=443, protocol="TLS_PASSTHROUGH", custom=CUSTOM, default=Forward({"tg-1": 1}))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await to_thread.run_sync(lambda: say(plane, ca))
    assert (await logged(plane))[0].reason == "TargetConnectionError"


async def test_a_service_in_no_service_network_cannot_be_reached(plane, directory, network, ca):
    async with tls_target(network, ca, "one") as target:
        pass_to(directory, target, networks=())
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await to_thread.run_sync(lambda: say(plane, ca))


async def test_an_idle_connection_is_closed(plane, directory, network, ca):
    async with tls_target(network, ca, "one") as target:
        pass_to(directory, target, idle_timeout=0.1)

        def wait():
            with dial(plane, ca) as connection:
                return connection.recv(100)

        assert await to_thread.run_sync(wait) == b""
    assert (await logged(plane))[0].reason == "TargetDataTimeout"


@pytest.fixture
def hello():
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=CUSTOM)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


async def test_each_side_may_end_its_half_first(plane, directory, network, hello):
    async def serve(stream):
        received = b"".join([data async for data in stream])
        await stream.send(f"{len(received)} bytes".encode())

    async with raw_target(network, serve) as target:
        pass_to(directory, target)
        async with await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
            await stream.send(hello)
            await stream.send(b"x" * 1_000_000)
            await stream.send_eof()
            with anyio.fail_after(10):
                answer = b"".join([data async for data in stream])
    assert answer == f"{len(hello) + 1_000_000} bytes".encode()


async def test_a_target_that_breaks_off_breaks_off_for_the_caller(plane, directory, network, hello):
    async def serve(stream):
        await stream.receive()
        linger = struct.pack("ii", 1, 0)
        stream.extra(anyio.abc.SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with raw_target(network, serve) as target:
        pass_to(directory, target)
        async with await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
            await stream.send(hello)
            with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()
    assert (await logged(plane))[0].reason == "TargetConnectionClosed"


async def test_a_hello_that_comes_in_pieces_is_waited_for(plane, directory, network, hello):
    async def serve(stream):
        await stream.send(str(len(await stream.receive())).encode())

    async with raw_target(network, serve) as target:
        pass_to(directory, target)
        async with await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
            for at in range(0, len(hello), 50):
                await stream.send(hello[at : at + 50])
                await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(10):
                assert await stream.receive() == str(len(hello)).encode()
