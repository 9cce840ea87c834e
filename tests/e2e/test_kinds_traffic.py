"""gRPC calls and TLS connections through what the controller programs, also while it changes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import anyio
import grpc
import pytest
import trustme
from anyio import to_thread

from sandbox.dataplane import DataPlane
from sandbox.network import Network
from tests.e2e.harness import PREFIX, World, eventually, world
from tests.e2e.objects import (
    backend,
    endpoints,
    gateway,
    gateway_class,
    grpc_route,
    listener,
    rule,
    service,
    tls_route,
)
from tests.e2e.test_route_kinds import programmed
from tests.sandbox.dataplane.test_grpc import grpc_target
from tests.sandbox.dataplane.test_passthrough import say, tls_target

pytestmark = pytest.mark.anyio

NAME = "rates.example.com"
"""The hostname for which `say` asks."""


@asynccontextmanager
async def hotel(directory: Path) -> AsyncGenerator[tuple[World, DataPlane, Network]]:
    """A running controller, a Gateway, and the data plane of the Lattice that it programs."""
    with Network() as network:
        async with world(directory) as one:
            one.make_network("my-hotel")
            await one.start()
            tls = listener("tls", 443, "TLS", tls={"mode": "Passthrough"})
            await one.apply(gateway_class(), gateway("my-hotel", listener("https", 8443, "HTTPS"), tls))
            plane = DataPlane(one.lattice.directory, network=network, random=Random(7))
            async with plane.serving():
                yield one, plane, network


async def steadily(ask: Callable[[], Awaitable[str]], change: Callable[[], Awaitable[None]]) -> list[str]:
    """The answers from before a change until it is done."""
    answers: list[str] = []
    changed = anyio.Event()

    async def asking() -> None:
        while not changed.is_set():
            answers.append(await ask())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(asking)
        await change()
        changed.set()
    return answers


def answering(name: str) -> dict[str, grpc.RpcMethodHandler]:
    """Two methods that answer with the name of who was asked."""
    handler = grpc.unary_unary_rpc_method_handler(lambda _, __: name.encode())
    return {"Get": handler, "List": handler}


def method(name: str | None = None) -> dict[str, object]:
    return {"method": {"service": "echo.Echo", **({"method": name} if name else {})}}


def domain(one: World) -> str:
    [made] = one.lattice.state.services
    return str(made.domain)


async def test_grpc_calls_go_where_the_route_sends_them_and_none_is_lost_when_it_changes(tmp_path: Path) -> None:
    async with (
        hotel(tmp_path) as (one, plane, network),
        grpc_target(network, answering("one")) as first,
        grpc_target(network, answering("two")) as second,
    ):
        for name, (ip, port) in (("one", first), ("two", second)):
            await one.apply(service(name), endpoints(name, [ip], port=port))
        await one.apply(
            grpc_route(
                "calls",
                rule(backend("one"), matches=[method()]),
                rule(backend("two"), matches=[method("List")]),
            )
        )
        await eventually(lambda: programmed(one, "GRPCRoute", "calls"))
        credentials = grpc.ssl_channel_credentials(plane.authority.pem.encode())
        options = [("grpc.http_proxy", plane.url)]
        with grpc.secure_channel(f"{domain(one)}:8443", credentials, options) as channel:

            async def ask(path: str) -> str:
                answer = await to_thread.run_sync(partial(channel.unary_unary(path), b"", timeout=20))
                return bytes(answer).decode()

            assert [await ask(f"/echo.Echo/{each}") for each in ("Get", "List")] == ["one", "two"]
            with pytest.raises(grpc.RpcError) as failed:
                await ask("/other.Service/Get")
            assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED

            async def move() -> None:
                await one.apply(grpc_route("calls", rule(backend("two"), matches=[method()])))
                await eventually(lambda: forwards_alone_to(one, "two"))

            said = await steadily(lambda: ask("/echo.Echo/Get"), move)
            assert_moved(said, "one", "two")
            assert await ask("/echo.Echo/Get") == "two"


async def test_tls_connections_reach_the_target_and_none_is_lost_when_the_route_changes(tmp_path: Path) -> None:
    authority = trustme.CA()
    async with (
        hotel(tmp_path) as (one, plane, network),
        tls_target(network, authority, "one") as first,
        tls_target(network, authority, "two") as second,
    ):
        for name, (ip, port) in (("one", first), ("two", second)):
            await one.apply(service(name), endpoints(name, [ip], port=port))
        await one.apply(tls_route("sealed", NAME, backend("one")))
        await eventually(lambda: programmed(one, "TLSRoute", "sealed"))

        async def ask() -> str:
            answer, _ = await to_thread.run_sync(partial(say, plane, authority, port=443))
            return bytes(answer).decode().partition(":")[0]

        assert await ask() == "one"

        async def move() -> None:
            await one.apply(tls_route("sealed", NAME, backend("two")))
            await eventually(lambda: forwards_alone_to(one, "two"))

        assert_moved(await steadily(ask, move), "one", "two")
        assert await ask() == "two"


def forwards_alone_to(one: World, name: str) -> None:
    """Nothing is left of other backends, so that what the route asks for is done."""
    assert [group.tags[f"{PREFIX}ServiceName"] for group in one.lattice.state.target_groups] == [name]


def assert_moved(answers: list[str], old: str, new: str) -> None:
    """Each request got the old answer or the new one, and after the first new one no old one."""
    assert answers
    assert set(answers) <= {old, new}
    since = answers.index(new) if new in answers else len(answers)
    assert set(answers[since:]) <= {new}
