"""Callers and targets that send anything at all: the data plane goes on, and has no error of its own."""

import logging
import ssl
from random import Random

import anyio
import pytest

from sandbox.lattice.directory import FixedResponse, Forward

from .conftest import FQDN, port_of, raw_target

pytestmark = pytest.mark.anyio

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def frames(random):
    """HTTP/2 frames whose lengths are right, and nothing else need be."""
    made = PREFACE + (SETTINGS if random.random() < 0.8 else b"")
    for _ in range(random.randrange(1, 6)):
        payload = random.randbytes(random.randrange(40))
        head = len(payload).to_bytes(3) + bytes(
            [random.randrange(11), random.choice([0, 1, 4, 5, random.randrange(256)])]
        )
        made += head + random.choice([0, 1, 1, 3, random.randrange(2**31)]).to_bytes(4) + payload
    return made


def damaged(text):
    def make(random):
        data = bytearray(text)
        for _ in range(random.randrange(1, 5)):
            data[random.randrange(len(data))] = random.randrange(256)
        return bytes(data[: random.randrange(1, len(data) + 1)] if random.random() < 0.3 else data)

    return make


def hello():
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=FQDN)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


REQUEST = f"POST /a?b HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello".encode()
KINDS = {
    "noise": lambda random: random.randbytes(random.randrange(1, 200)),
    "a damaged request": damaged(REQUEST),
    "a damaged CONNECT": damaged(f"CONNECT {FQDN}:443 HTTP/1.1\r\nHost: {FQDN}\r\n\r\n".encode() + REQUEST),
    "a damaged ClientHello": damaged(hello()),
    "frames": frames,
}


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR or record.name == "asyncio"]


async def send(plane, data):
    with anyio.move_on_after(5) as patience:
        async with await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
            try:
                await stream.send(data)
                await stream.send_eof()
                while True:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
                pass
    assert not patience.cancelled_caught


@pytest.mark.parametrize("kind", KINDS)
async def test_callers_that_send_anything_upset_nobody(plane, directory, caplog, kind):
    caplog.set_level(logging.WARNING)
    directory.service(default=FixedResponse(404))
    directory.listen(443, "HTTPS", FixedResponse(404))
    random = Random(kind)
    for _ in range(100):
        await send(plane, KINDS[kind](random))
    assert errors(caplog) == []


@pytest.mark.parametrize("version", ["HTTP1", "HTTP2"])
async def test_targets_that_send_anything_upset_nobody(plane, directory, network, caplog, curl, version):
    caplog.set_level(logging.WARNING)
    random = Random(version)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    make = damaged(answer) if version == "HTTP1" else lambda random: frames(random)[len(PREFACE) :]

    async def serve(stream):
        await stream.receive()
        await stream.send(make(random))

    async with raw_target(network, serve) as target:
        directory.group("tg-1", target, protocol_version=version)
        directory.service(port=443, protocol="HTTPS", default=Forward({"tg-1": 1}))
        urls = [f"https://{FQDN}/{number}" for number in range(40)]
        await curl("--proxy", plane.url, *urls, check=False)
    assert errors(caplog) == []
    assert len([access for access in plane.log if access.method == "GET"]) == len(urls)
