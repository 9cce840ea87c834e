"""HTTP/2 towards callers, as curl speaks it, and towards targets, as h2 alone speaks it."""

import json
import ssl
from contextlib import asynccontextmanager
from random import Random

import anyio
import h2.events
import pytest
from aiohttp import web
from anyio.streams.tls import TLSStream
from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import GoAwayFrame

from sandbox.dataplane import DataPlane
from sandbox.lattice.directory import FixedResponse, Forward, HeaderMatch, Match

from .conftest import FQDN, Hanging, echo, http2_target, http_target, port_of, raw_target

pytestmark = pytest.mark.anyio

PRIOR = ("--http2-prior-knowledge", "-H", f"Host: {FQDN}")


class Caller:
    """An HTTP/2 client over h2 alone, in clear or over TLS, with a connection that outlives a request."""

    def __init__(self, stream):
        self.stream = stream
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events = []

    def begin(self, *fields, method="GET", path="/", authority=FQDN, end=True):
        stream_id = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path), *fields]
        self.h2.send_headers(stream_id, head, end_stream=end)
        return stream_id

    async def flush(self):
        await self.stream.send(self.h2.data_to_send())

    async def until(self, kind, stream_id):
        """Read on until there is such an event of the stream."""
        await self.flush()
        with anyio.fail_after(10):
            while not (found := [e for e in self.events if isinstance(e, kind) and e.stream_id == stream_id]):
                for event in self.h2.receive_data(await self.stream.receive()):
                    if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    self.events.append(event)
                await self.flush()
        return found[0]

    async def answer(self, stream_id):
        """Status, body and trailers."""
        await self.until(h2.events.StreamEnded, stream_id)
        mine = [event for event in self.events if getattr(event, "stream_id", None) == stream_id]
        head = next(event for event in mine if isinstance(event, h2.events.ResponseReceived))
        body = b"".join(event.data for event in mine if isinstance(event, h2.events.DataReceived))
        trailers = [field for event in mine if isinstance(event, h2.events.TrailersReceived) for field in event.headers]
        return int(dict(head.headers)[":status"]), body, trailers


@pytest.fixture
async def caller(plane, anyio_backend):
    async with await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
        yield Caller(stream)


@asynccontextmanager
async def calling_securely(plane, directory):
    """A caller of the HTTPS listener of the service."""
    directory.service(port=443, protocol="HTTPS")
    context = ssl.create_default_context(cadata=plane.authority.pem)
    context.set_alpn_protocols(["h2"])
    async with await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
        yield Caller(await TLSStream.wrap(stream, hostname=FQDN, ssl_context=context, standard_compatible=False))


@pytest.fixture
async def secure(plane, directory, anyio_backend):
    async with calling_securely(plane, directory) as caller:
        yield caller


def forward_to(directory, target, **fields):
    directory.group("tg-1", target, **fields)
    directory.listen(443, "HTTPS", Forward({"tg-1": 1}))


class TestInClear:
    async def test_prior_knowledge_reaches_http1_targets(self, plane, curl, directory, network):
        async with http_target(network, echo("rates")) as target:
            directory.forward_all_to("tg-1", target)
            answer = await curl(*PRIOR, "-d", "body", f"{plane.url}/rates?x=1")
        seen = json.loads(answer.body)
        assert (answer.version, answer.status) == ("HTTP/2", 200)
        assert (seen["method"], seen["target"], seen["body"]) == ("POST", "/rates?x=1", "body")
        assert ["host", FQDN] in seen["headers"]

    async def test_an_offer_to_upgrade_is_answered_over_http_1_1(self, plane, curl, directory, network):
        async with http_target(network, echo("rates")) as target:
            directory.forward_all_to("tg-1", target)
            answer = await curl("--http2", "-H", f"Host: {FQDN}", f"{plane.url}/rates")
        assert (answer.version, answer.status) == ("HTTP/1.1", 200)
        assert not {"upgrade", "http2-settings"} & {name for name, _ in json.loads(answer.body)["headers"]}

    async def test_connect_and_prior_knowledge_go_together(self, plane, curl, directory):
        directory.service(port=8080, default=FixedResponse(500))
        answer = await curl("--proxytunnel", "--proxy", plane.url, "--http2-prior-knowledge", f"http://{FQDN}:8080/")
        assert (answer.version, answer.status) == ("HTTP/2", 500)

    async def test_rules_match_method_path_and_headers(self, plane, caller, directory):
        blue = (HeaderMatch("X-Version", exact="Blue", case_sensitive=True),)
        directory.service([(Match(method="PUT", path_prefix="/a", headers=blue), FixedResponse(500))])
        taken = caller.begin(("x-version", "Blue"), method="PUT", path="/a/b?c")
        missed = caller.begin(("x-version", "blue"), method="PUT", path="/a/b?c")
        assert (await caller.answer(taken))[:2] == (500, b"")
        assert (await caller.answer(missed))[:2] == (404, b"")

    async def test_a_group_of_http2_is_not_for_listeners_in_clear(self, plane, curl, directory, network):
        directory.forward_all_to("tg-1", ("10.244.9.9", 80), protocol_version="HTTP2")
        answer = await curl(*PRIOR, f"{plane.url}/")
        assert answer.status == 500
        assert "HTTPS listeners only" in answer.body


class TestConnections:
    async def test_requests_of_one_connection_are_served_at_once(self, plane, caller, directory, network):
        """The first is answered when the second has arrived."""
        arrived = anyio.Event()

        async def handler(request):
            if request.path == "/second":
                arrived.set()
            await arrived.wait()
            return web.Response(text=request.path)

        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            first, second = caller.begin(path="/first"), caller.begin(path="/second")
            assert (await caller.answer(first))[1] == b"/first"
            assert (await caller.answer(second))[1] == b"/second"

    async def test_a_reset_stream_frees_its_target_and_leaves_the_others(self, plane, caller, directory, network):
        hang = Hanging()
        async with raw_target(network, hang) as target:
            directory.group("tg-1", target)
            directory.service([(Match(path_exact="/hang"), "tg-1")])
            hanging = caller.begin(path="/hang")
            await caller.flush()
            with anyio.fail_after(10):
                await hang.begun.wait()
                caller.h2.reset_stream(hanging)
                await caller.flush()
                await hang.freed.wait()
            assert (await caller.answer(caller.begin(path="/other")))[0] == 404
        assert [(access.path, access.reason) for access in plane.log] == [
            ("/hang", "ClientConnectionClosed"),
            ("/other", None),
        ]

    async def test_a_connection_that_says_it_opens_no_more_streams_gets_its_answers(
        self, plane, caller, directory, network
    ):
        go = anyio.Event()

        async def handler(request):
            await go.wait()
            return web.Response(text="late")

        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            waiting = caller.begin()
            await caller.flush()
            await caller.stream.send(GoAwayFrame(0, last_stream_id=0).serialize())
            go.set()
            assert (await caller.answer(waiting))[1] == b"late"

    async def test_an_answer_that_breaks_off_resets_its_stream(self, plane, caller, directory, network):
        async def break_off(stream):
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcd")

        async with raw_target(network, break_off) as target:
            directory.forward_all_to("tg-1", target)
            broken = caller.begin()
            await caller.until(h2.events.StreamReset, broken)
        assert next(iter(plane.log)).reason == "TargetConnectionClosed"

    async def test_bodies_larger_than_every_window_pass_both_ways(self, plane, curl, directory, network, tmp_path):
        async def handler(request):
            return web.Response(body=(await request.content.read())[::-1])

        sent = bytes(range(256)) * 8000
        (tmp_path / "sent").write_bytes(sent)
        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            received = tmp_path / "received"
            command = ["curl", "-sS", "--max-time", "20", *PRIOR, "--data-binary", f"@{tmp_path / 'sent'}"]
            await anyio.run_process([*command, "-o", str(received), f"{plane.url}/"])
        assert received.read_bytes() == sent[::-1]

    async def test_what_is_no_http2_ends_the_connection(self, plane, caller):
        data_of_no_stream = b"\0\0\1\0\0\0\0\0\0x"
        await caller.stream.send(caller.h2.data_to_send() + data_of_no_stream)
        with anyio.fail_after(10):
            received = b"".join([data async for data in caller.stream])
        assert any(isinstance(event, h2.events.ConnectionTerminated) for event in caller.h2.receive_data(received))

    async def test_an_idle_connection_is_left_with_a_word(self, directory, network):
        directory.service()
        plane = DataPlane(directory, network=network, random=Random(7), idle=0.1)
        async with plane.serving(), await anyio.connect_tcp("127.0.0.1", port_of(plane)) as stream:
            caller = Caller(stream)
            assert (await caller.answer(caller.begin()))[0] == 404
            with anyio.fail_after(10):
                received = b"".join([data async for data in stream])
        (last,) = caller.h2.receive_data(received)
        assert (type(last), last.error_code) == (h2.events.ConnectionTerminated, 0)

    async def test_a_head_that_is_too_large_is_a_bad_request(self, plane, caller, directory):
        directory.service(default=FixedResponse(500))
        many = caller.begin(*((f"x-{number}", "1") for number in range(101)))
        assert (await caller.answer(many))[0] == 400

    async def test_connect_inside_of_a_connection_is_a_bad_request(self, plane, caller, directory):
        stream_id = caller.h2.get_next_available_stream_id()
        caller.h2.send_headers(stream_id, [(":method", "CONNECT"), (":authority", f"{FQDN}:443")], end_stream=True)
        assert (await caller.answer(stream_id))[0] == 400


class TestTargets:
    @pytest.mark.parametrize("tls", [False, True])
    async def test_groups_of_http2_are_asked_over_http2(self, plane, secure, directory, network, tls):
        seen = []

        async def handler(asked):
            seen.append(asked)
            return 201, b"made"

        async with http2_target(network, handler, tls=tls) as target:
            forward_to(directory, target, protocol="HTTPS" if tls else "HTTP", protocol_version="HTTP2")
            posted = secure.begin(("x-one", "1"), method="PUT", path="/a?b", end=False)
            secure.h2.send_data(posted, b"body", end_stream=True)
            assert await secure.answer(posted) == (201, b"made", [])
        (asked,) = seen
        assert (asked.method, asked.target, asked.authority, asked.body) == ("PUT", "/a?b", FQDN, b"body")
        fields = dict(asked.fields)
        assert (fields[":scheme"], fields["x-one"]) == ("https" if tls else "http", "1")
        assert (fields["x-forwarded-proto"], fields["x-forwarded-port"]) == ("https", "443")

    async def test_a_group_of_http2_gets_a_request_when_all_of_it_is_there(self, plane, secure, directory, network):
        seen = []

        async def handler(asked):
            seen.append(asked.body)
            return 200, b""

        async with http2_target(network, handler) as target:
            forward_to(directory, target, protocol_version="HTTP2")
            posted = secure.begin(method="POST", end=False)
            for _ in range(3):
                secure.h2.send_data(posted, b"piece")
                await secure.flush()
            secure.h2.end_stream(posted)
            assert (await secure.answer(posted))[0] == 200
        assert seen == [b"piecepiecepiece"]

    async def test_trailers_pass_both_ways(self, plane, secure, directory, network):
        seen = []

        async def handler(asked):
            seen.append(asked.trailers)
            return 200, b"", [("x-check", "2")]

        async with http2_target(network, handler) as target:
            forward_to(directory, target, protocol_version="GRPC")
            posted = secure.begin(method="POST", end=False)
            secure.h2.send_data(posted, b"body")
            secure.h2.send_headers(posted, [("x-sum", "1")], end_stream=True)
            assert (await secure.answer(posted))[2] == [("x-check", "2")]
        assert seen == [[("x-sum", "1")]]

    async def test_a_target_that_does_not_agree_to_h2_is_a_bad_gateway(self, plane, secure, directory, network):
        async with http2_target(network, None, tls=True, http1=True) as target:
            forward_to(directory, target, protocol="HTTPS", protocol_version="HTTP2")
            assert (await secure.answer(secure.begin()))[0] == 502

    async def test_a_target_that_is_not_there_is_an_internal_error(self, plane, secure, directory, network):
        forward_to(directory, ("10.244.9.9", 1), protocol_version="HTTP2")
        status, body, _ = await secure.answer(secure.begin())
        assert (status, body) == (500, b"target 10.244.9.9:1: connection refused\n")

    async def test_a_target_that_stays_silent_is_given_up(self, plane, secure, directory, network):
        async def hang(stream):
            await anyio.sleep_forever()

        async with raw_target(network, hang) as target:
            directory.service(port=443, protocol="HTTPS", idle_timeout=0.1)
            forward_to(directory, target, protocol_version="HTTP2")
            assert (await secure.answer(secure.begin()))[0] == 502
        assert next(iter(plane.log)).reason == "TargetDataTimeout"

    async def test_the_end_of_the_data_plane_ends_what_is_asked_of_targets(self, directory, network):
        hang = Hanging()
        async with raw_target(network, hang) as target:
            plane = DataPlane(directory, network=network, random=Random(7))
            async with plane.serving(), calling_securely(plane, directory) as caller:
                forward_to(directory, target, protocol_version="HTTP2")
                caller.begin()
                await caller.flush()
                await hang.begun.wait()
            with anyio.fail_after(10):
                await hang.freed.wait()

    async def test_http_1_1_cannot_reach_groups_of_http2(self, plane, curl, directory):
        directory.service(port=443, protocol="HTTPS")
        forward_to(directory, ("10.244.9.9", 1), protocol_version="HTTP2")
        answer = await curl("--http1.1", "--proxy", plane.url, f"https://{FQDN}/")
        assert answer.status == 500
        assert "takes no GET over HTTP/1.1" in answer.body
