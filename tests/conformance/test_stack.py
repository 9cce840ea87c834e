"""The parts around the suite: the resolver, the ports, the Gateways of manifests, the suite's flags."""

import socket
import struct
from pathlib import Path

import anyio
import pytest

from tests.conformance import names, ports
from tests.conformance.stack import gateways_of
from tests.conformance.suite import ISOLATION, Request, arguments

pytestmark = pytest.mark.anyio

ADDRESS = "127.171.0.1"


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def code_and_answers(reply: bytes) -> tuple[int, int]:
    _, flags, _, answers, _, _ = struct.unpack_from("!6H", reply)
    return flags & 0xF, answers


class TestTheResolver:
    def known(self, name: str) -> bool:
        return name == "rates.on.aws"

    def test_a_name_that_is_known_has_the_address(self) -> None:
        reply = names.answer(query("rates.on.aws"), ADDRESS, self.known)
        assert code_and_answers(reply) == (0, 1)
        assert reply.endswith(socket.inet_aton(ADDRESS))

    def test_it_has_no_other_address(self) -> None:
        assert code_and_answers(names.answer(query("rates.on.aws", kind=28), ADDRESS, self.known)) == (0, 0)

    def test_any_other_name_does_not_exist(self) -> None:
        assert code_and_answers(names.answer(query("example.com"), ADDRESS, self.known)) == (3, 0)

    @pytest.mark.parametrize("rubbish", [b"", b"\0" * 12, query("rates.on.aws")[:-6], b"\xff" * 40])
    def test_what_is_no_query_has_no_answer(self, rubbish: bytes) -> None:
        with pytest.raises((ValueError, IndexError, struct.error)):
            names.answer(rubbish, ADDRESS, self.known)

    async def test_it_answers_over_udp_also_after_rubbish(self) -> None:
        async with (
            names.serving(ADDRESS, self.known) as server,
            await anyio.create_connected_udp_socket("127.0.0.1", int(server.rpartition(":")[2])) as client,
        ):
            await client.send(b"rubbish")
            await client.send(query("rates.on.aws"))
            assert (await client.receive()).endswith(socket.inet_aton(ADDRESS))


class TestPorts:
    async def test_a_connection_is_passed_on_after_a_connect_for_its_port(self, free_tcp_port: int) -> None:
        async def dataplane(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                seen.append(await stream.receive())
                await stream.send(b"HTTP/1.1 200 Connection Established\r\n\r\n")
                async for piece in stream:
                    await stream.send(piece.upper())

        seen: list[bytes] = []
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(listener.serve, dataplane)
            there = f"127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
            async with (
                ports.forwarded(ADDRESS, [free_tcp_port], there, lambda: "rates.on.aws"),
                await anyio.connect_tcp(ADDRESS, free_tcp_port) as client,
            ):
                await client.send(b"hello")
                assert await client.receive() == b"HELLO"
                await client.send_eof()
                with pytest.raises(anyio.EndOfStream):
                    await client.receive()
            tasks.cancel_scope.cancel()
        wanted = f"rates.on.aws:{free_tcp_port}"
        assert seen == [f"CONNECT {wanted} HTTP/1.1\r\nHost: {wanted}\r\n\r\n".encode()]

    async def test_while_there_is_no_service_a_connection_ends(self, free_tcp_port: int) -> None:
        async with (
            ports.forwarded(ADDRESS, [free_tcp_port], "127.0.0.1:1", lambda: None),
            await anyio.connect_tcp(ADDRESS, free_tcp_port) as client,
        ):
            with pytest.raises(anyio.EndOfStream):
                await client.receive()

    async def test_a_port_that_is_taken_is_told(self, free_tcp_port: int) -> None:
        told = f"{ADDRESS}:{free_tcp_port} cannot be listened on"
        with socket.create_server((ADDRESS, free_tcp_port)), pytest.raises(ports.PortError, match=told):
            async with ports.forwarded(ADDRESS, [free_tcp_port], "127.0.0.1:1", lambda: None):
                pass


def test_gateways_are_found_in_all_manifests(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    gateway = "kind: Gateway\nmetadata: {{name: {name}}}\nspec: {{listeners: [{{port: {port}}}]}}\n"
    (tmp_path / "base" / "one.yaml").write_text(gateway.format(name="one", port=80) + "---\nkind: Service\n---\n")
    (tmp_path / "two.yaml").write_text(gateway.format(name="two", port=443))
    found = gateways_of(tmp_path)
    assert found.names == {"one", "two"}
    assert found.ports == {80, 443}


def test_the_suites_flags_say_what_is_asked() -> None:
    flags = arguments(Request(["GATEWAY-HTTP", "GATEWAY-TLS"], ["Gateway"], ["B", "A"], Path("report.yaml"), "v1.0.0"))
    assert "-conformance-profiles=GATEWAY-HTTP,GATEWAY-TLS" in flags
    assert "-supported-features=Gateway" in flags
    assert "-skip-tests=A,B" in flags
    assert "-report-output=report.yaml" in flags
    assert "-version=v1.0.0" in flags
    assert f"-timeout-config-overrides=TestIsolation:{ISOLATION}" in flags


def test_features_are_left_to_the_gateway_class_where_none_are_given() -> None:
    assert not [flag for flag in arguments(Request(["GATEWAY-HTTP"])) if "features" in flag or "report" in flag]
