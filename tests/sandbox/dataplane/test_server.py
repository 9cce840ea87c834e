"""The data plane over real sockets: how requests reach targets, and what callers get."""

import io
import socket
import struct
from collections import Counter
from contextlib import asynccontextmanager
from random import Random

import aiohttp
import anyio
import pytest
from aiohttp import web

from sandbox.dataplane import DataPlane
from sandbox.lattice.directory import FixedResponse, Forward, HeaderMatch, Match

from .conftest import FQDN, Hanging, echo, http_target, raw_target

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(anyio_backend):
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@asynccontextmanager
async def asked(client, plane, path="/", method="GET", host=FQDN, **kwargs):
    headers = {"Host": host, **kwargs.pop("headers", {})}
    async with client.request(method, plane.url + path, headers=headers, allow_redirects=False, **kwargs) as answer:
        yield answer


async def exchange(plane, request):
    """Send bytes and return all that comes back until the data plane closes."""
    port = int(plane.url.rpartition(":")[2])
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        answer = b""
        try:
            while True:
                answer += await stream.receive()
        except anyio.EndOfStream:
            return answer


class TestFindingTheService:
    @pytest.mark.parametrize("host", [FQDN, FQDN.upper(), f"{FQDN}:80", f"{FQDN}."])
    async def test_the_host_header_names_the_service(self, plane, client, directory, network, host):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            async with asked(client, plane, host=host) as answer:
                assert answer.status == 200
                assert (await answer.json())["name"] == "parking"

    async def test_the_port_of_the_host_header_names_the_listener(self, plane, client, directory):
        directory.service(port=8080, default=FixedResponse(500))
        async with asked(client, plane, host=f"{FQDN}:8080") as answer:
            assert answer.status == 500
        async with asked(client, plane) as answer:
            assert answer.status == 404
            assert "no listener on port 80" in await answer.text()

    async def test_a_proxy_request_names_the_service_in_its_target(self, plane, client, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            async with client.get(f"http://{FQDN}/parking?lot=1", proxy=plane.url) as answer:
                assert (await answer.json())["target"] == "/parking?lot=1"

    @pytest.mark.parametrize(("given", "sent"), [("", "/"), ("?lot=1", "/?lot=1")])
    async def test_an_absolute_target_without_a_path_means_the_root(self, plane, directory, network, given, sent):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            request = f"GET http://{FQDN}{given} HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"
            answer = await exchange(plane, request.encode())
            assert f'"target": "{sent}"'.encode() in answer
            assert f'["host", "{FQDN}"]'.encode() in answer

    async def test_an_unknown_host_is_not_found(self, plane, client):
        async with asked(client, plane, host="nobody.example") as answer:
            assert answer.status == 404
            assert "no service answers to nobody.example" in await answer.text()

    async def test_a_service_in_no_service_network_cannot_be_reached(self, plane, client, directory):
        directory.service(networks=(), default=FixedResponse(500))
        async with asked(client, plane) as answer:
            assert answer.status == 404

    async def test_a_listener_of_another_protocol_takes_no_plain_http(self, plane, client, directory):
        directory.service(port=443, protocol="HTTPS")
        async with asked(client, plane, host=f"{FQDN}:443") as answer:
            assert answer.status == 400

    @pytest.mark.parametrize(
        "head",
        [
            b"GET / HTTP/1.0\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"X: 1\r\n" * 101 + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: \xff\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"1" * 61_500 + b"\r\n\r\n",
        ],
    )
    async def test_a_request_without_path_or_host_or_too_large_or_of_other_bytes_is_bad(self, plane, head):
        assert b" 400 " in (await exchange(plane, head)).partition(b"\r\n")[0]


class TestRouting:
    async def test_rules_decide_and_the_query_is_no_part_of_the_path(self, plane, client, directory, network):
        async with http_target(network, echo("parking")) as parking, http_target(network, echo("review")) as review:
            directory.group("tg-parking", parking)
            directory.group("tg-review", review)
            blue = (HeaderMatch("x-version", exact="blue"),)
            directory.service(
                [
                    (Match(path_exact="/parking"), "tg-parking"),
                    (Match(method="GET", headers=blue), "tg-review"),
                ]
            )
            async with asked(client, plane, "/parking?a=1&b") as answer:
                seen = await answer.json()
                assert (seen["name"], seen["target"]) == ("parking", "/parking?a=1&b")
            async with asked(client, plane, "/any", headers={"X-Version": "BLUE"}) as answer:
                assert (await answer.json())["name"] == "review"
            async with asked(client, plane, "/any") as answer:
                assert answer.status == 404
                assert await answer.read() == b""

    async def test_a_fixed_response_has_its_status_and_no_body(self, plane, client, directory):
        directory.service(default=FixedResponse(500))
        async with asked(client, plane, "/", "POST", data=b"x" * 100_000) as answer:
            assert (answer.status, await answer.read()) == (500, b"")

    async def test_weights_spread_requests_over_groups(self, plane, client, directory, network):
        async with http_target(network, echo("ver1")) as ver1, http_target(network, echo("ver2")) as ver2:
            directory.group("tg-1", ver1)
            directory.group("tg-2", ver2)
            directory.service(default=Forward({"tg-1": 10, "tg-2": 90}))
            seen = Counter()
            for _ in range(60):
                async with asked(client, plane) as answer:
                    seen[(await answer.json())["name"]] += 1
            assert seen["ver2"] > seen["ver1"] > 0

    async def test_without_a_target_in_service_there_is_nothing_to_connect_to(self, plane, client, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target, status="INITIAL")
            async with asked(client, plane) as answer:
                assert answer.status == 500
                assert "tg-1 has no target" in await answer.text()

    async def test_a_service_fails_open_where_all_targets_are_unhealthy(self, plane, client, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target, status="UNHEALTHY")
            async with asked(client, plane) as answer:
                assert answer.status == 200

    @pytest.mark.parametrize(
        ("target", "fields"),
        [(("192.168.0.1", 80), {}), (("10.244.9.9", 80), {"protocol": "TCP"}), (("10.244.9.9", 1), {})],
        ids=["outside the network", "a group for TLS listeners", "nobody listens"],
    )
    async def test_a_target_that_cannot_be_reached_is_an_internal_error(self, plane, client, directory, target, fields):
        directory.forward_all_to("tg-1", target, **fields)
        async with asked(client, plane) as answer:
            assert answer.status == 500
            assert "127." not in await answer.text()

    @pytest.mark.parametrize(
        ("weights", "why"), [({"tg-1": 0}, "weight above 0"), ({"tg-gone": 1}, "target group tg-gone is gone")]
    )
    async def test_without_a_group_to_choose_there_is_nothing_to_connect_to(
        self, plane, client, directory, weights, why
    ):
        directory.service(default=Forward(weights))
        async with asked(client, plane) as answer:
            assert answer.status == 500
            assert why in await answer.text()


class TestForwarding:
    async def test_method_target_and_body_arrive_unchanged(self, plane, client, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            path = "/a%2Fb//c/../d%20?x=%41&&y"
            sent = f"PATCH {path} HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
            answer = await exchange(plane, sent.encode())
            assert f'"target": "{path}"'.encode() in answer
            assert b'"method": "PATCH"' in answer
            assert b'"body": "body"' in answer

    async def test_headers_are_forwarded_and_nothing_is_made_up(self, plane, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            sent = f"GET / HTTP/1.1\r\nHost: {FQDN}:80\r\nX-One: 1\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n\r\n"
            answer = await exchange(plane, sent.encode())
            for field in (f'["host", "{FQDN}:80"]', '["x-one", "1"]', '["x-forwarded-for", "127.0.0.1"]'):
                assert field.encode() in answer
            for name in (b"x-hop", b"user-agent", b"accept"):
                assert name not in answer

    async def test_a_protocol_switch_is_not_passed_on(self, plane, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            switch = "Connection: upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            answer = await exchange(plane, f"GET / HTTP/1.1\r\nHost: {FQDN}\r\n{switch}\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"upgrade"' not in answer

    async def test_the_answer_keeps_its_status_and_headers(self, plane, client, directory, network):
        async def handler(request):
            headers = [
                ("Location", "/else"),
                ("Set-Cookie", "a=1"),
                ("Set-Cookie", "b=2"),
                ("Content-Encoding", "gzip"),
            ]
            return web.Response(status=302, headers=headers, body=b"not really gzip")

        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            async with asked(client, plane) as answer:
                assert answer.status == 302
                assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
                assert answer.headers["Content-Encoding"] == "gzip"
                assert await answer.read() == b"not really gzip"

    async def test_bodies_are_streamed_both_ways(self, plane, client, directory, network):
        """Each side waits for a piece of the other before it sends its next."""
        heard = anyio.Event()

        async def handler(request):
            response = web.StreamResponse()
            await response.prepare(request)
            async for piece in request.content.iter_any():
                await response.write(piece.upper())
            return response

        async def pieces():
            yield b"one"
            await heard.wait()
            yield b"two"

        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            with anyio.fail_after(5):
                async with asked(client, plane, "/", "POST", data=pieces()) as answer:
                    assert await answer.content.readany() == b"ONE"
                    heard.set()
                    assert await answer.content.read() == b"TWO"

    async def test_a_large_body_with_a_length_keeps_it(self, plane, client, directory, network):
        async def handler(request):
            size = 0
            async for piece in request.content.iter_any():
                size += len(piece)
            return web.Response(text=f"{request.headers.get('Content-Length')} {size}")

        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            async with asked(client, plane, "/", "PUT", data=io.BytesIO(b"x" * 3_000_000)) as answer:
                assert await answer.text() == "3000000 3000000"

    async def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked(self, plane, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            head = f"POST / HTTP/1.1\r\nHost: {FQDN}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            with anyio.fail_after(5):
                async with await anyio.connect_tcp("127.0.0.1", int(plane.url.rpartition(":")[2])) as stream:
                    await stream.send(head.encode())
                    assert await stream.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
                    await stream.send(b"body")
                    assert b" 200 " in await stream.receive()

    async def test_a_head_request_gets_the_length_and_no_body(self, plane, client, directory, network):
        async def handler(request):
            return web.Response(body=b"12345")

        async with http_target(network, handler) as target:
            directory.forward_all_to("tg-1", target)
            async with asked(client, plane, method="HEAD") as answer:
                assert answer.headers["Content-Length"] == "5"
                assert await answer.read() == b""

    async def test_a_pod_is_known_by_its_own_address(self, plane, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            pod = network.allocate()
            connector = aiohttp.TCPConnector(local_addr=(network.socket_address(pod), 0))
            async with aiohttp.ClientSession(connector=connector) as session, asked(session, plane) as answer:
                assert ["x-forwarded-for", pod] in (await answer.json())["headers"]


class TestRequestIds:
    @pytest.mark.parametrize("given", [None, "trace-foobar"])
    async def test_the_target_the_caller_and_the_log_have_the_same(self, plane, client, directory, network, given):
        async with http_target(network, echo("parking")) as target:
            directory.forward_all_to("tg-1", target)
            headers = {} if given is None else {"X-Amzn-RequestId": given}
            async with asked(client, plane, headers=headers) as answer:
                told = answer.headers.getall("x-amzn-requestid")
                sent = [value for name, value in (await answer.json())["headers"] if name == "x-amzn-requestid"]
        (access,) = plane.log
        assert told == sent == [access.request_id]
        assert given in (None, access.request_id)

    async def test_each_request_has_one_of_its_own(self, plane, client, directory):
        directory.service()
        for _ in range(2):
            async with asked(client, plane):
                pass
        first, second = plane.log
        assert first.request_id != second.request_id


class TestBreaking:
    async def test_a_target_that_drops_the_request_makes_a_bad_gateway(self, plane, client, directory, network):
        async def drop(stream):
            await stream.receive()

        async with raw_target(network, drop) as target:
            directory.forward_all_to("tg-1", target)
            async with asked(client, plane, method="POST") as answer:
                assert answer.status == 502
        assert next(iter(plane.log)).reason == "TargetConnectionClosed"

    async def test_a_target_that_answers_with_other_bytes_makes_a_bad_gateway(self, plane, client, directory, network):
        async def answer(stream):
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 0\r\n\r\n")

        async with raw_target(network, answer) as target:
            directory.forward_all_to("tg-1", target)
            async with asked(client, plane) as answered:
                assert answered.status == 502
        assert next(iter(plane.log)).reason == "TargetProtocolError"

    @pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
    async def test_an_answer_that_breaks_off_breaks_off_for_the_caller(
        self, plane, client, directory, network, framing
    ):
        async def break_off(stream):
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n5\r\nabcd")
            linger = struct.pack("ii", 1, 0)
            stream.extra(anyio.abc.SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        async with raw_target(network, break_off) as target:
            directory.forward_all_to("tg-1", target)
            with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
                async with asked(client, plane) as answer:
                    await answer.read()
        assert next(iter(plane.log)).failure

    async def test_a_target_that_stays_silent_is_given_up(self, plane, directory, network, client):
        async def hang(stream):
            await stream.receive()
            await anyio.sleep_forever()

        async with raw_target(network, hang) as target:
            directory.forward_all_to("tg-1", target, service={"idle_timeout": 0.05})
            async with asked(client, plane) as answer:
                assert answer.status == 502
        assert next(iter(plane.log)).reason == "TargetDataTimeout"

    async def test_a_caller_that_leaves_frees_the_target(self, plane, directory, network):
        hang = Hanging()
        async with raw_target(network, hang) as target:
            directory.forward_all_to("tg-1", target)
            with anyio.fail_after(5):
                port = int(plane.url.rpartition(":")[2])
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(f"GET / HTTP/1.1\r\nHost: {FQDN}\r\n\r\n".encode())
                    await hang.begun.wait()
                await hang.freed.wait()


class TestLog:
    async def test_every_request_leaves_an_entry(self, plane, client, directory, network):
        async with http_target(network, echo("parking")) as target:
            directory.group("tg-1", target)
            directory.service([(Match(path_prefix="/parking"), "tg-1")])
            async with asked(client, plane, "/parking?lot=1"):
                pass
            async with asked(client, plane, "/review"):
                pass
            async with asked(client, plane, host="nobody.example"):
                pass
        taken, default, lost = plane.log
        assert (taken.service, taken.listener, taken.rule, taken.group) == ("rates-default", 80, "rule-1", "tg-1")
        assert (taken.source, taken.method, taken.path) == ("127.0.0.1", "GET", "/parking")
        assert (taken.target, taken.status, taken.failure) == (f"{target[0]}:{target[1]}", 200, None)
        assert (default.rule, default.group, default.status) == (None, None, 404)
        assert (lost.service, lost.status, lost.failure) == (None, 404, "no service answers to nobody.example")

    async def test_the_log_keeps_the_last_ones_only(self, directory, network, client):
        plane = DataPlane(directory, network=network, random=Random(7), log_size=2)
        async with plane.serving():
            for number in range(4):
                async with asked(client, plane, f"/{number}"):
                    pass
        assert [access.path for access in plane.log] == ["/2", "/3"]


async def test_an_answer_of_the_data_planes_own_says_which_listener_and_rule_led_there(directory, plane, client):
    directory.group("tg-1")
    directory.service([(Match(path_prefix="/a"), "tg-1"), (Match(path_prefix="/b"), FixedResponse(404))])
    for path, rule in (("/a", "rule-1"), ("/b", "rule-2"), ("/c", "default")):
        async with asked(client, plane, path) as answer:
            told = {name: answer.headers[name] for name in ("Server", "X-Sandbox-Listener", "X-Sandbox-Rule")}
            assert told == {"Server": "sandbox-data-plane", "X-Sandbox-Listener": "80", "X-Sandbox-Rule": rule}
