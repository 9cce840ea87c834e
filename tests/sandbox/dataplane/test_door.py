"""What a connection is: told by its first bytes, and by the port that CONNECT asks for."""

from random import Random

import anyio
import pytest

from sandbox.dataplane import DataPlane
from sandbox.lattice.directory import FixedResponse

from .conftest import FQDN, port_of

pytestmark = pytest.mark.anyio


async def dial(plane):
    return await anyio.connect_tcp("127.0.0.1", port_of(plane))


async def answer(stream):
    with anyio.fail_after(10):
        return b"".join([data async for data in stream])


def head_of(answered):
    return answered.partition(b"\r\n")[0]


GET = f"GET / HTTP/1.1\r\nHost: {FQDN}\r\nConnection: close\r\n\r\n".encode()


async def test_after_connect_the_connection_is_one_to_that_port(plane, directory):
    directory.service(port=80)
    directory.listen(8080, "HTTP", FixedResponse(500))
    async with await dial(plane) as stream:
        await stream.send(f"CONNECT {FQDN}:8080 HTTP/1.1\r\nHost: {FQDN}:8080\r\n\r\n".encode())
        with anyio.fail_after(10):
            assert head_of(await stream.receive()) == b"HTTP/1.1 200 Connection Established"
        await stream.send(GET)
        assert head_of(await answer(stream)) == b"HTTP/1.1 500 Internal Server Error"


async def test_the_port_that_was_dialled_goes_before_that_of_the_host(plane, directory):
    directory.service(port=80)
    directory.listen(8080, "HTTP", FixedResponse(500))
    async with await dial(plane) as stream:
        await stream.send(f"CONNECT {FQDN}:8080 HTTP/1.1\r\n\r\n".encode())
        await stream.send(GET.replace(FQDN.encode(), f"{FQDN}:80".encode()))
        answered = await answer(stream)
    assert b"HTTP/1.1 500 " in answered


async def test_another_name_of_the_same_address_may_be_asked_for(plane, directory):
    """A name stands for the address of all services, as in a VPC; the authority names the service."""
    directory.service(domain="other.example", default=FixedResponse(500))
    directory.service(port=80)
    async with await dial(plane) as stream:
        await stream.send(f"CONNECT {FQDN}:80 HTTP/1.1\r\n\r\n".encode())
        await stream.send(GET.replace(FQDN.encode(), b"other.example"))
        assert b"HTTP/1.1 500 " in await answer(stream)


async def test_what_follows_connect_at_once_is_not_lost(plane, directory):
    directory.service(default=FixedResponse(500))
    async with await dial(plane) as stream:
        await stream.send(f"CONNECT {FQDN}:80 HTTP/1.1\r\n\r\n".encode() + GET)
        assert b"HTTP/1.1 500 " in await answer(stream)


@pytest.mark.parametrize(
    ("authority", "status"),
    [("nobody.example:443", b"404 Not Found"), (FQDN, b"400 Bad Request"), (f"{FQDN}:x", b"400 Bad Request")],
)
async def test_connect_to_nobody_is_refused(plane, directory, authority, status):
    directory.service()
    async with await dial(plane) as stream:
        await stream.send(f"CONNECT {authority} HTTP/1.1\r\n\r\n".encode())
        assert head_of(await answer(stream)) == b"HTTP/1.1 " + status
    (access,) = plane.log
    assert (access.method, access.authority, access.reason) == ("CONNECT", authority, "ClientProtocolError")


@pytest.mark.parametrize("beginning", [b"P", b"PRI * HTTP/2.0\r\n", b"CONN", b"\x16\x03\x01"])
async def test_a_caller_that_leaves_before_it_has_said_what_it_wants_leaves_nothing(plane, directory, beginning):
    directory.service(default=FixedResponse(500))
    async with await dial(plane) as stream:
        await stream.send(beginning)
        await stream.send_eof()
        assert await answer(stream) == b""
    async with await dial(plane) as stream:
        await stream.send(GET)
        assert head_of(await answer(stream)) == b"HTTP/1.1 500 Internal Server Error"


@pytest.mark.parametrize(
    "preface", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"], ids=["HTTP/1.1", "HTTP/2"]
)
@pytest.mark.parametrize("limits", [{"idle": 0.1}, {"lifetime": 0.1}], ids=["idle", "old"])
async def test_a_connection_that_is_idle_or_old_is_closed(directory, network, preface, limits):
    directory.service()
    plane = DataPlane(directory, network=network, random=Random(7), **limits)
    async with plane.serving(), await dial(plane) as stream:
        await stream.send(preface or GET.replace(b"close", b"keep-alive"))
        await answer(stream)


@pytest.mark.parametrize("size", [1, 3])
async def test_a_request_may_come_in_pieces_of_any_size(plane, directory, size):
    directory.service(default=FixedResponse(500))
    request = GET.replace(b"GET", b"PROPFIND")
    async with await dial(plane) as stream:
        for at in range(0, 30, size):
            await stream.send(request[at : at + size])
            await anyio.wait_all_tasks_blocked()
        await stream.send(request[30:])
        assert head_of(await answer(stream)) == b"HTTP/1.1 500 Internal Server Error"
